"""`genprior plot`: a picture of a store."""

from pathlib import Path

import click

from .group import main
from .options import PICTURE, STORE
from .output import open_console, spare_dask


@main.command(short_help="Draw a store's results.")
@click.argument("store", type=STORE)
@click.option(
    "-o", "--output", type=PICTURE, help="Picture to write  [default: STORE's name .png]."
)
@click.option("--size", metavar="WIDTHxHEIGHT", help="Size in inches  [default: as needed].")
@click.option("--no-title", is_flag=True, help="Leave the sweep's title out.")
@click.option("--log", is_flag=True, help="Make the horizontal axis logarithmic.")
@click.option(
    "--trajectories", metavar="OTHER", type=STORE, help="Store of descents, drawn over a landscape."
)
def plot(
    store: Path,
    output: Path | None,
    size: str | None,
    no_title: bool,
    log: bool,
    trajectories: Path | None,
) -> None:
    """Draw STORE: curves over one axis, or a map with the 50 % contour over two.

    \b
    [law]       errors of recovered trials, the fitted law and the claimed slope
    [compare]   without fit.along: success rates next to each other
    [basins]    where the runs end
    landscapes  contours of the loss; with --trajectories, descents
    descents    paths on their plane

    Your settings of Matplotlib (matplotlibrc, MPLBACKEND) are not used.

    \b
    Example:
      genprior plot quickstart.zarr -o quickstart.png
      genprior plot quickstart.zarr -o paper.pdf --size 3.5x3 --no-title
      genprior plot landscape.zarr --trajectories trajectories.zarr
    """
    spare_dask()
    from ..show.plain_matplotlib import plain_matplotlib

    with plain_matplotlib():
        from ..show.canvas import Look
        from ..show.figures import default_picture, draw_store, read_size

        look = Look(read_size(size), not no_title, log)
        written = draw_store(store, output or default_picture(store), look, trajectories)
    open_console().print(f"wrote {written}", highlight=False, soft_wrap=True)
