"""What commands print on: JSON, and consoles for people."""

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from .consoles import Output


def print_json(values: Any) -> None:
    """Print values as indented JSON."""
    click.echo(json.dumps(values, indent=2))


def open_console(*, stderr: bool = False) -> "Output":
    """Make a console on standard output, or on standard error."""
    from .consoles import Output

    return Output(stderr=stderr)


def spare_dask() -> None:
    """Let a command that only reads run even if Dask's configuration cannot be read."""
    from ..executors.errors import spare_dask

    spare_dask()
