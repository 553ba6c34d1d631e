"""`genprior sweeps`: the presets, or the sweep file of one."""

import click

from .group import main
from .options import json_option
from .output import open_console, print_json


@main.command()
@click.argument("name", required=False)
@json_option
def sweeps(name: str | None, as_json: bool) -> None:
    """List the presets, or print the sweep file of one.

    \b
    Example:
      genprior sweeps
      genprior sweeps quickstart > mine.toml
    """
    from ...sweeps import load_sweep, preset_names, preset_text
    from ..show import tables

    if name is not None and not as_json:
        click.echo(preset_text(name), nl=False)
        return
    presets = [load_sweep(preset) for preset in ([name] if name else preset_names())]
    if as_json:
        print_json([preset.as_dict() for preset in presets])
    else:
        open_console().print_table(tables.presets(presets))
