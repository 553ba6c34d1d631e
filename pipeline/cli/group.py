"""The group of all commands, and what they have in common."""

import io
import sys

import click

from .errors import FriendlyGroup


class Commands(FriendlyGroup):
    """The commands; benchmarks are imported only for `genprior bench`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name."""
        if args and args[0] == "bench":
            from .bench import bench

            self.add_command(bench)
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="genprior", prog_name="genprior")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Measure where recovery with ReLU generative priors succeeds.

    A sweep file says what to run. The results are written into a labelled Zarr store,
    which xarray.open_zarr opens. Fits and pictures are made from the store.

    \b
    Example:
      genprior run quickstart quickstart.zarr
      genprior fit quickstart.zarr
      genprior plot quickstart.zarr -o quickstart.png

    Exit status: 0 done, 1 failed, 2 wrong usage, 3 incomplete.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show ‖ or × shows a question mark instead.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@main.group(short_help="Measure the kernel and the pipeline on this machine.")
def bench() -> None:
    """Represent the benchmarks in `--help`; they are imported when one is run."""
