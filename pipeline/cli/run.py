"""`genprior run`: the trials that a store does not hold yet."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from ..executors.schedulers import GRACE, MOST_GRACE, MOST_RETRIES, MOST_TRIAL_TIMEOUT
from ..interrupts import terminable
from ..workers import Workers, open_workers, worker_job_script
from .errors import unheard
from .group import main
from .options import STORE, chosen_sweep, cluster_options, json_option, sweep_options
from .output import open_console, print_json


class Seconds(click.FloatRange):
    """A number of seconds; click takes "nan" for a number in every range."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Convert the text of an argument to a number."""
        seconds = float(super().convert(value, param, ctx))
        if seconds != seconds:
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds


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
@click.option(
    "--trial-timeout",
    type=Seconds(0, MOST_TRIAL_TIMEOUT, min_open=True),
    metavar="SECONDS",
    help="Stop a trial that takes longer, and record it as crashed  [default: no limit].",
)
@click.option(
    "--grace",
    type=Seconds(0, MOST_GRACE),
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
    """
    with terminable():
        # Imported here: they take a second, in which SIGTERM must already act like Ctrl-C.
        from ..calls import run_shown
        from ..show.progress import progress

        asked.check()
        chosen = chosen_sweep(sweep, settings, trials, seed)
        if asked.dry_run:
            from ..run.request import check_request

            script = worker_job_script(asked, store, check_request(chosen, store))
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
            )
        from ..run.runner import as_json as summary_as_json
        from ..show import tables
    with unheard() if summary.interrupted else nullcontext():
        if as_json:
            print_json(summary_as_json(summary))
        else:
            open_console().print(tables.run_summary(summary), highlight=False, soft_wrap=True)
    raise SystemExit(summary.exit_status)
