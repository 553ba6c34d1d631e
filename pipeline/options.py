"""Option groups and argument types that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .schedulers import LOCAL, MOST_WORKERS

if TYPE_CHECKING:
    from ..sweeps import Sweep

Command = TypeVar("Command", bound=Callable[..., Any])


class LocalPath(click.Path):
    """A local file or folder: `~` is the home folder, and a URL is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Read what was written."""
        from ..sweeps import local_path

        return value if isinstance(value, Path) else local_path(value)


STORE = PICTURE = LocalPath()

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def sweep_options(command: Command) -> Command:
    """SWEEP, `--set`, `--trials` and `--seed`."""
    for decorate in (
        click.option("--seed", type=int, help="Root seed of all random draws."),
        click.option("--trials", type=int, help="Trials at every point."),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="KEY=VALUE",
            help="Set any key of the sweep file; repeatable, the last one wins. k=5,10,20 or "
            "k=5:60:5 (stop included) make an axis, solver.step=0.5 sets a parameter, "
            "title=TEXT or exclude='k > m' a key; a value that starts with a quote or a bracket is "
            "TOML.",
        ),
        click.argument("sweep", metavar="SWEEP"),
    ):
        command = decorate(command)
    return command


def chosen_sweep(
    named: str, settings: tuple[str, ...], trials: int | None, seed: int | None
) -> "Sweep":
    """Load the sweep that a command's options describe."""
    from ..sweeps import load_sweep
    from . import analyses  # noqa: F401 - their tables are those of sweep files

    extra = [f"{key}={value}" for key, value in (("trials", trials), ("seed", seed))
             if value is not None]  # fmt: skip
    sweep = load_sweep(named)
    overrides = (*settings, *extra)
    return sweep.override(overrides) if overrides else sweep


def cluster_options(command: Command) -> Command:
    """`--scheduler` and `--workers`."""
    for decorate in (
        click.option(
            "--workers",
            type=click.IntRange(1, MOST_WORKERS),
            help="Trials run at a time by a local scheduler  [default: number of processors].",
        ),
        click.option(
            "--scheduler",
            default="processes",
            show_default=True,
            metavar="|".join((*LOCAL, "ADDRESS")),
            help="Where blocks run: locally, or on a running Dask scheduler.",
        ),
    ):
        command = decorate(command)
    return command
