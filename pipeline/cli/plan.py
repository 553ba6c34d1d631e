"""`genprior plan`: the points, trials and cost of a sweep."""

from dataclasses import asdict

import click

from ..limits import MOST_WORKERS
from .group import main
from .options import adaptive_options, chosen_sweep, json_option, sweep_options
from .output import open_console, print_json


@main.command(short_help="Show the size and the cost of a sweep.")
@sweep_options
@click.option(
    "--workers", type=click.IntRange(1, MOST_WORKERS), help="Number of workers to plan for."
)
@adaptive_options
@json_option
def plan(
    sweep: str,
    settings: tuple[str, ...],
    trials: int | None,
    seed: int | None,
    workers: int | None,
    adaptive: bool,
    precision: float | None,
    as_json: bool,
) -> None:
    """Show the points, trials and cost of SWEEP. A pilot of about 4 s times a few trials.

    \b
    Example:
      genprior plan cocola-fig1 --set k=5:60:5 --trials 10
      genprior plan quickstart --adaptive --precision 10%
    """
    from ..run.plan import plan_sweep
    from ..show import tables

    chosen = chosen_sweep(sweep, settings, trials, seed, adaptive, precision)
    planned = plan_sweep(chosen, workers)
    if as_json:
        print_json(asdict(planned))
    else:
        open_console().print_table(tables.pairs(planned.rows()))
