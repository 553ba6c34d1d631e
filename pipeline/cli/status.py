"""`genprior status`: what a store holds."""

from dataclasses import asdict
from pathlib import Path

import click

from .errors import INCOMPLETE
from .group import main
from .options import STORE, json_option
from .output import open_console, print_json, spare_dask


@main.command(short_help="Show the content of a store.")
@click.argument("store", type=STORE)
@json_option
def status(store: Path, as_json: bool) -> None:
    """Show the trials, the fits and the damage of STORE.

    Exit status: 3 if trials are missing, if trials are placed and some group needs more, or if
    a submitted job has not made STORE; 1 if STORE is damaged.

    \b
    Example:
      genprior status quickstart.zarr
    """
    spare_dask()
    from ...store import StoreError
    from ..show import tables
    from ..status import store_status

    counted = store_status(store)
    if as_json:
        print_json(asdict(counted))
    else:
        open_console().print_table(tables.pairs(counted.rows()))
    if counted.damaged:
        raise StoreError(tables.damage(counted))
    if counted.trials.done < counted.trials.total or counted.groups_left:
        raise SystemExit(INCOMPLETE)
