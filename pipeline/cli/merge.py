"""`genprior merge`: one store of several."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..interrupts import terminable
from .group import main
from .options import STORE, json_option
from .output import open_console, print_json, spare_dask

if TYPE_CHECKING:
    from ..upkeep.merge import StoreLayout


@main.command(short_help="Join stores of one experiment into a new one.")
@click.argument("stores", type=STORE, nargs=-1, required=True, metavar="STORE… OUT")
@click.option(
    "--as",
    "layout",
    type=click.Choice(["placed", "grid"]),
    help="Convert: trials of OUT are placed, or lie on a grid of values. One STORE is then enough.",
)
@click.option(
    "--allow-mixed", is_flag=True,
    help="Merge results of different machines, libraries or kernels, and record it.",
)  # fmt: skip
@json_option
def merge(
    stores: tuple[Path, ...], layout: "StoreLayout | None", allow_mixed: bool, as_json: bool
) -> None:
    """Make the new store OUT with the trials of all the others.

    The stores hold one experiment, on grids that may differ. A trial that several of
    them hold must have the same results in all, to the bit. A trial that none of them was
    asked for is not asked in OUT. 'genprior fit OUT' makes the fits.

    Of stores with placed trials (--adaptive), OUT has placed trials too, and a run continues
    it. Stores with placed trials and others need --as.

    \b
    Example:
      genprior run quickstart small.zarr --set k=4,7
      genprior run quickstart large.zarr --set k=10,13,16
      genprior merge small.zarr large.zarr all.zarr
      genprior merge all.zarr placed.zarr --as placed
    """
    with terminable():
        spare_dask()
        from ..show import tables
        from ..show.counting import counting
        from ..upkeep.merge import merge_paths

        with counting(open_console(stderr=True)) as count:
            *paths, out = stores
            merged = merge_paths(
                paths, out, layout=layout, allow_mixed=allow_mixed,
                listen=lambda done, total: count("merging blocks", done, total),
            )  # fmt: skip
    if as_json:
        print_json(asdict(merged))
    else:
        open_console().print_table(tables.pairs(merged.rows()))
