"""`genprior run`: the trials that a store does not hold yet."""

from contextlib import nullcontext
from pathlib import Path

import click

from ..interrupts import terminable
from ..limits import GRACE, MOST_GRACE
from ..workers import Workers, open_workers, worker_job_script
from .errors import unheard
from .group import main
from .options import (
    STORE,
    Duration,
    Number,
    adaptive_options,
    allow_mixed_option,
    chosen_sweep,
    cluster_options,
    json_option,
    retries_option,
    sweep_options,
    trial_timeout_option,
)
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
@adaptive_options
@click.option(
    "--budget",
    type=Duration(),
    metavar="TIME",
    help="Stop after this time with what there is, as in 10min or 1.5h; the same command goes on.",
)
@retries_option
@click.option("--fail-fast", is_flag=True, help="Stop at the first crashed trial.")
@allow_mixed_option
@trial_timeout_option
@click.option(
    "--grace",
    type=Number(0, MOST_GRACE),
    default=GRACE,
    show_default=True,
    metavar="SECONDS",
    help="How long running trials may go on after Ctrl-C, SIGTERM, SIGHUP or SIGUSR1.",
)
@json_option
def run(
    sweep: str,
    settings: tuple[str, ...],
    trials: int | None,
    seed: int | None,
    store: Path,
    asked: Workers,
    part: str | None,
    adaptive: bool,
    precision: float | None,
    budget: float | None,
    retries: int,
    fail_fast: bool,
    allow_mixed: bool,
    trial_timeout: float | None,
    grace: float,
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
      genprior run quickstart placed.zarr --adaptive --precision 10% --budget 5min
    """
    with terminable():
        # Imported here: they take a second, in which SIGTERM must already act like Ctrl-C.
        from ..run.shown import run_shown
        from ..show.progress import progress

        asked.check()
        chosen = chosen_sweep(sweep, settings, trials, seed, adaptive, precision)
        if asked.dry_run:
            from ...sweeps.part import Part
            from ..run.request import check_request

            of = None if part is None else Part.parse(part)
            script = worker_job_script(asked, store, check_request(chosen, store, part=of))
            click.echo(script, nl=False)
            return
        with progress(open_console(stderr=True)) as shown:
            shown.phase(asked.phase)

            summary = run_shown(
                chosen,
                store,
                lambda check: open_workers(asked, store, shown.tell, check),
                shown,
                part,
                retries=retries,
                fail_fast=fail_fast,
                allow_mixed=allow_mixed,
                trial_timeout=trial_timeout,
                grace=grace,
                budget=budget,
            )
        from ..run.summary import as_json as summary_as_json
        from ..show import tables
    with unheard() if summary.interrupted else nullcontext():
        if as_json:
            print_json(summary_as_json(summary))
        else:
            open_console().print(tables.run_summary(summary), highlight=False, soft_wrap=True)
    raise SystemExit(summary.exit_status)
