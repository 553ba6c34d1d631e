"""`genprior verify`: whether a store is intact, and its repair."""

from dataclasses import asdict
from pathlib import Path

import click

from ..interrupts import terminable
from ..limits import MOST_RERUN, MOST_SEED
from .group import main
from .options import STORE, json_option
from .output import open_console, print_json, spare_dask


@main.command(short_help="Check a store completely, and repair it.")
@click.argument("store", type=STORE)
@click.option(
    "--trials", type=click.IntRange(0, MOST_RERUN), default=20, show_default=True,
    help="Done trials, drawn at random, that are run again.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(0, MOST_SEED), help="Seed of that draw  [default: new]."
)
@click.option(
    "--repair", is_flag=True,
    help="Mark what is damaged as pending, and remove what killed commands left.",
)  # fmt: skip
@json_option
def verify(store: Path, trials: int, seed: int | None, repair: bool, as_json: bool) -> None:
    """Check the metadata, checksums, values and files of STORE.

    Some trials are run again: their results must be the same to the bit, unless this
    machine or its libraries differ from those that the store records. Missing trials are
    no damage. After --repair, 'genprior run' computes the trials that were lost.

    Exit status: 0 if STORE is intact or repaired, 1 if it is damaged.

    \b
    Example:
      genprior verify quickstart.zarr
      genprior verify quickstart.zarr --trials 100 --repair
    """
    with terminable():
        spare_dask()
        from ...store import StoreError
        from ..show import check_tables, tables
        from ..show.counting import counting
        from ..upkeep.verify import verify_store

        with counting(open_console(stderr=True)) as count:
            checked = verify_store(store, trials=trials, seed=seed, repair=repair, count=count)
    if as_json:
        print_json(asdict(checked))
    else:
        open_console().print_table(tables.pairs(checked.rows()))
    if checked.exit_status:
        raise StoreError(check_tables.damaged_line(checked))
