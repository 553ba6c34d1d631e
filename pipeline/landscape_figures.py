"""The picture of a landscape: contours of the loss, the points of the theory, descents."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..store import StoreError
from .analyses.base import Request
from .analyses.trajectory import ACROSS, ALONG, MAX_STEPS
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
from .picture_layout import add_legend

LEVELS = 22
VISIBLE = 1e-9  # length of a mirror point
LABELS = {ALONG: "along $x^*$, in $\\|x^*\\|$", ACROSS: "across, in $\\|x^*\\|$"}


def draw_landscapes(request: Request, trajectories: xr.Dataset, look: Look) -> Figure:
    """Draw the loss of a store's first trial over the plane, a panel for each other axis's values.

    Raises:
        SweepError: there are too many panels.
        StoreError: nothing was run.
    """
    info = request.info
    name = info.sweep.plot.variable or "loss"
    values = request.trials.load([name])[name].isel(trial=0)
    if not values.notnull().any():
        raise StoreError(f"{info.path}: no trial is done yet; 'genprior run' fills it.")
    others = [str(dim) for dim in values.dims if dim not in (ALONG, ACROSS)]
    panels = at_most(MAX_PANELS, "panels", each_part(values.to_dataset(), others), info)
    descents = each_part(trajectories, others)
    canvas = new_canvas(len(panels), look)
    canvas.room = 1.5, 0.0
    for axes, (label, one), (_, paths) in zip(canvas.axes, panels, descents, strict=True):
        _contours(axes, one[name].transpose(ACROSS, ALONG).sortby([ALONG, ACROSS]))
        _descents(axes, paths)
        _points(axes, float(paths["mirror_ratio"]))
        axes.set(title=label, aspect="equal")
    label_outer(canvas, LABELS[ALONG], LABELS[ACROSS])
    shown = [axes.get_legend_handles_labels() for axes in canvas.axes]
    add_legend(canvas, *max(shown, key=lambda each: len(each[1])), inside=False)
    what = name_of(name).removesuffix(" $f(\\hat x)$")
    projected = "" if (values["k"] == 2).all() else ", projected on the plane"
    note = (
        f"contours of the {what}, equally spaced in its square root; lines: descents from near the "
        f"rim{projected}, at most {MAX_STEPS} steps, broken where x is replaced by −x"
    )
    add_title(canvas, info, note)
    return canvas.finish()


def _contours(axes: Axes, values: xr.DataArray) -> None:
    """Fill between levels that are equally spaced in the square root, so that basins show."""
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


def _descents(axes: Axes, paths: xr.Dataset) -> None:
    """Draw each descent with a dot at its end."""
    bounds: Any = (*axes.get_xlim(), *axes.get_ylim())
    for start in range(paths.sizes["start"]):
        one = paths.isel(start=start)
        axes.plot(one["along"], one["across"], "-", color="white", lw=1.0, alpha=0.9)
        last = np.flatnonzero(np.isfinite(one["along"].values))[-1:]
        axes.plot(one["along"][last], one["across"][last], ".", color="white", ms=5, mec="black",
                  mew=0.4)  # fmt: skip
    axes.set(xlim=bounds[:2], ylim=bounds[2:])


def _points(axes: Axes, ratio: float) -> None:
    """Mark those of the true code, its mirror and 0 that lie in the plane."""
    style: dict[str, Any] = {"ls": "none", "mec": "black", "mew": 0.7, "zorder": 5}
    marks: list[tuple[float, dict[str, Any]]] = [
        (1.0, {"marker": "*", "ms": 12, "color": "#ffd24d", "label": "$x^*$"}),
        (-ratio, {"marker": "X", "ms": 7, "color": "#e8694a", "label": "mirror $-\\rho x^*$"}),
        (0.0, {"marker": "o", "ms": 5, "color": "white", "label": "0"}),
    ]
    (left, right), (bottom, top) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    for along, look in marks:
        # A mirror at 0 is none, nor is one that is not known.
        is_mark = look["marker"] != "X" or ratio > VISIBLE
        if is_mark and left <= along <= right and bottom <= 0 <= top:
            axes.plot([along], [0], **look, **style)
