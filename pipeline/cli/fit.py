"""`genprior fit`: the analyses of a store."""

from pathlib import Path

import click

from ..interrupts import terminable
from ..limits import MOST_ERROR
from ..workers import Workers
from .group import main
from .options import STORE, Number, json_option, worker_options
from .output import open_console, print_json, spare_dask


@main.command(short_help="Make the analyses that the sweep asks for.")
@click.argument("store", type=STORE)
@click.option("--along", help="Axis of the transition  [default: the sweep's fit.along].")
@click.option(
    "--below",
    type=Number(0, MOST_ERROR, min_open=True),
    help="Judge success again: a trial succeeds if its error is below this number.",
)
@worker_options
@json_option
def fit(store: Path, along: str | None, below: float | None, asked: Workers, as_json: bool) -> None:
    """Make the analyses that the sweep of STORE asks for, and write them into STORE.

    \b
    fit.along  the 50 % point of success with its interval, and the width
    [scaling]  one law of all 50 % points, and the shapes of theorems next to it
    [law]      exponents of recovered trials' errors, next to the claimed ones
    [compare]  success at each value of an axis against a reference, and the
               shift of the 50 % point
    [basins]   where the runs end

    Each is made for every group of the other axes. For trajectories, it is counted
    where the descents end. For trials with several targets, the worst and the mean over
    the targets are given; in all other analyses the worst target counts. The groups in
    STORE are analysis/transition, /scaling, /law, /comparison, /basin, /trajectory and
    /uniform. Many groups are fitted by workers, as the trials of a run are.

    \b
    Example:
      genprior fit quickstart.zarr --along m
    """
    with terminable():
        spare_dask()
        from ..fit.fitting import fit_store
        from ..fit.group_calls import group_calls
        from ..show.counting import counting

        asked.check()
        log = open_console(stderr=True)
        with counting(log) as count, group_calls(asked, store, log.print, count) as calls:
            fitted = fit_store(store, along, calls, below)
    console = open_console()
    if as_json:
        print_json(fitted.records())
        return
    for table in fitted.tables():
        console.print_table(table)
    if fitted.expected:
        source = f" ({fitted.source})" if fitted.source else ""
        console.print(f"\nexpected{source}: {fitted.expected}", highlight=False)
    for note in fitted.notes():
        console.print(note, highlight=False, soft_wrap=True)
