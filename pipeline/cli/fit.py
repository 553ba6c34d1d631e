"""`genprior fit`: the analyses of a store."""

from pathlib import Path

import click

from .group import main
from .options import STORE, json_option
from .output import open_console, print_json, spare_dask


@main.command(short_help="Make the analyses that the sweep asks for.")
@click.argument("store", type=STORE)
@click.option("--along", help="Axis of the transition  [default: the sweep's fit.along].")
@json_option
def fit(store: Path, along: str | None, as_json: bool) -> None:
    """Make the analyses that the sweep of STORE asks for, and write them into STORE.

    \b
    fit.along  the 50 % point of success with its interval, and the width
    [law]      exponents of recovered trials' errors, next to the claimed ones
    [compare]  success at each value of an axis against a reference, and the
               shift of the 50 % point
    [basins]   where the runs end

    Each is made for every group of the other axes. For trajectories, it is counted
    where the descents end. For trials with several targets, the worst and the mean over
    the targets are given; in all other analyses the worst target counts. The groups in
    STORE are analysis/transition, /law, /comparison, /basin, /trajectory and /uniform.

    \b
    Example:
      genprior fit quickstart.zarr --along m
    """
    spare_dask()
    from ..fit.fitting import fit_store

    fitted, console = fit_store(store, along), open_console()
    if as_json:
        print_json(fitted.records())
        return
    for table in fitted.tables():
        console.print_table(table)
    if fitted.expected:
        source = f" ({fitted.source})" if fitted.source else ""
        console.print(f"\nexpected{source}: {fitted.expected}", highlight=False)
    for refusal in fitted.left_out.values():
        console.print(f"left out: {refusal}", highlight=False, soft_wrap=True)
