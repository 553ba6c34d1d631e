"""The picture of a landscape: contours of the loss, x*, its mirror and 0, and stored descents."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...store import StoreInfo
from ...sweeps import Grid
from ...tasks.experiments.landscape import LandscapeTask
from ...tasks.instance import mirror_ratio_of
from ..fit.trials import Trials, no_trials
from .canvas import (
    MAX_PANELS,
    Look,
    add_title,
    at_most,
    each_part,
    label_outer,
    name_of,
    new_canvas,
)
from .picture_axes import refuse_log
from .picture_layout import add_legend
from .plane_figures import ACROSS_LABEL, ALONG_LABEL, draw_lines, mark_points
from .planes import ON_PLANE, Cell, Line, plane_points, read_lines, shared_planes

LEVELS = 22
ALONG, ACROSS = ON_PLANE[LandscapeTask]


def draw_landscapes(info: StoreInfo, look: Look, trajectories: StoreInfo | None = None) -> Figure:
    """Draw the loss of the first trial of a store over the plane, with a panel for each plane.

    Args:
        info: the store.
        look: options for the look of the picture.
        trajectories: a store of descents on the same planes, drawn over the contours; None for no
            descents.

    Raises:
        SweepError: there are too many panels, or the descents are on other planes.
        StoreError: no trial is done, or a store is damaged.
    """
    refuse_log(look.log, "a plane has negative coordinates")
    lines = {} if trajectories is None else _lines_on(info, trajectories)
    name = info.sweep.plot.variable or "loss"
    values = Trials(info).load([name])[name].isel(trial=0)
    if not values.notnull().any():
        raise no_trials(info)
    others = [str(dim) for dim in values.dims if dim not in (ALONG, ACROSS)]
    panels = at_most(MAX_PANELS, "panels", each_part(values.to_dataset(), others), info)
    cells = np.ndindex(tuple(values.sizes[name] for name in others))
    points = plane_points(Grid(info.sweep))
    canvas = new_canvas(len(panels), look)
    canvas.room = 1.5, 0.0
    for axes, (label, part), cell in zip(canvas.axes, panels, cells, strict=True):
        _contours(axes, part[name].transpose(ACROSS, ALONG).sortby([ALONG, ACROSS]))
        draw_lines(axes, lines.get(cell, ()), "white", edge="black")
        mark_points(axes, mirror_ratio_of(points[cell]) if cell in points else np.nan)
        axes.set(title=label, aspect="equal")
    label_outer(canvas, ALONG_LABEL, ACROSS_LABEL)
    shown = [axes.get_legend_handles_labels() for axes in canvas.axes]
    add_legend(canvas, *max(shown, key=lambda each: len(each[1])), inside=False)
    what = name_of(name).removesuffix(" $f(\\hat x)$")
    note = f"contours of the {what}, equally spaced in its square root"
    if trajectories is not None:
        projected = "" if (values["k"] == 2).all() else ", projected on the plane"
        note += f"; lines: descents from the rings{projected}, broken where x is replaced by −x"
    add_title(canvas, info, note)
    return canvas.finish()


def _lines_on(info: StoreInfo, trajectories: StoreInfo) -> dict[Cell, list[Line]]:
    """Read the descents on every plane of a landscape, by the cell of the plane."""
    shared = shared_planes(info, trajectories)
    read = read_lines(Trials(trajectories), {cell for cells in shared.values() for cell in cells})
    return {cell: [line for each in cells for line in read[each]] for cell, cells in shared.items()}


def _contours(axes: Axes, values: xr.DataArray) -> None:
    """Draw contours with levels equally spaced in the square root, so that basins are visible."""
    known = values.where(np.isfinite(values))
    if not known.notnull().any():
        axes.text(0.5, 0.05, "not run", transform=axes.transAxes, ha="center", color="0.4")
        axes.set(xlim=_ends(values[ALONG]), ylim=_ends(values[ACROSS]))
        return
    heights = np.sqrt(known - float(known.min()))
    levels = np.linspace(0, float(heights.max()) or 1.0, LEVELS)
    place = values[ALONG], values[ACROSS], heights, levels
    axes.contourf(*place, cmap="viridis", extend="max")
    axes.contour(*place, colors="white", linewidths=0.3, alpha=0.5)


def _ends(values: xr.DataArray) -> tuple[float, float]:
    return float(values.min()), float(values.max())
