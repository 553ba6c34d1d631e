"""`genprior run`: the trials that a store does not hold yet."""

from contextlib import nullcontext
from pathlib import Path

import click

from ..executors.schedulers import LOCAL, MOST_RETRIES
from ..interrupts import terminable
from .errors import unheard
from .group import main
from .options import STORE, chosen_sweep, cluster_options, json_option, sweep_options
from .output import open_console, print_json


@main.command(short_help="Run the trials that a store does not hold yet.")
@sweep_options
@click.argument("store", type=STORE)
@cluster_options
@click.option(
    "--part",
    metavar="I/N",
    help="Run only the I-th of N disjoint parts, at the same time as other parts if you like.",
)
@click.option(
    "--retries",
    type=click.IntRange(0, MOST_RETRIES),
    default=0,
    show_default=True,
    help="How often a crashed trial is tried again within this run.",
)
@click.option("--fail-fast", is_flag=True, help="Stop at the first crashed trial.")
@click.option(
    "--allow-mixed",
    is_flag=True,
    help="Mix results of other machines, libraries or kernels; the store records it.",
)
@json_option
def run(
    sweep: str,
    settings: tuple[str, ...],
    trials: int | None,
    seed: int | None,
    store: Path,
    scheduler: str,
    workers: int | None,
    part: str | None,
    retries: int,
    fail_fast: bool,
    allow_mixed: bool,
    as_json: bool,
) -> None:
    """Run the trials of SWEEP that STORE does not hold yet.

    STORE is made if it does not exist; a larger grid or more trials extend it. If the
    command is repeated, finished trials are not computed again, and crashed trials are.

    \b
    Example:
      genprior run quickstart quickstart.zarr
      genprior run quickstart quickstart.zarr --trials 40
      genprior run quickstart quickstart.zarr --trials 40 --set k=4:20:2
    """
    with terminable():
        # Imported here: they take a second, in which SIGTERM must already act like Ctrl-C.
        from ..calls import run_shown
        from ..executors.opening import open_executor
        from ..show.progress import progress

        chosen = chosen_sweep(sweep, settings, trials, seed)
        with progress(open_console(stderr=True)) as shown:
            shown.phase("starting workers" if scheduler in LOCAL else f"connecting to {scheduler}")

            summary = run_shown(
                chosen,
                store,
                lambda check: open_executor(scheduler, workers, shown.tell, check),
                shown,
                part,
                retries=retries,
                fail_fast=fail_fast,
                allow_mixed=allow_mixed,
            )
        from ..run.runner import as_json as summary_as_json
        from ..show import tables
    with unheard() if summary.interrupted else nullcontext():
        if as_json:
            print_json(summary_as_json(summary))
        else:
            open_console().print(tables.run_summary(summary), highlight=False, soft_wrap=True)
    raise SystemExit(summary.exit_status)
