"""The picture of a landscape: contours of the loss, the points of the theory, descents."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..store import StoreError, StoreInfo, load_results
from .canvas import MAX_PANELS, SYMBOLS, add_title, at_most, each_part, new_figure
from .landscapes import ACROSS, ALONG, MAX_STEPS, trajectories_of

LEVELS = 22
VISIBLE = 1e-9  # length of a mirror point
LABELS = {ALONG: "along $x^*$, in $\\|x^*\\|$", ACROSS: "across, in $\\|x^*\\|$"}


def draw_landscapes(info: StoreInfo) -> Figure:
    """Draw the loss of a store's first trial over the plane, a panel for each other axis's values.

    Raises:
        SweepError: there are too many panels.
        StoreError: nothing was run.
    """
    name = info.sweep.plot.variable or "loss"
    values = load_results(info.path, [name])[name].isel(trial=0)
    if not values.notnull().any():
        raise StoreError(f"{info.path}: no trial is done yet; 'genprior run' fills it.")
    others = [str(dim) for dim in values.dims if dim not in (ALONG, ACROSS)]
    panels = at_most(MAX_PANELS, "panels", each_part(values.to_dataset(), others), info)
    descents = each_part(trajectories_of(info), others)
    figure, axes = new_figure(len(panels))
    for each, (label, one), (_, paths) in zip(axes, panels, descents, strict=False):
        _contours(each, one[name].transpose(ACROSS, ALONG).sortby([ALONG, ACROSS]))
        _descents(each, paths)
        _points(each, float(paths["mirror_ratio"]))
        each.set(title=label, xlabel=LABELS[ALONG], ylabel=LABELS[ACROSS], aspect="equal")
    for each in axes[len(panels) :]:
        each.set_visible(False)
    shown = [panel.get_legend_handles_labels() for panel in axes]
    handles, labels = max(shown, key=lambda each: len(each[1]))
    figure.legend(handles, labels, loc="outside right upper", fontsize=8)
    what = SYMBOLS.get(name, name).removesuffix(" $f(\\hat x)$")
    projected = "" if (values["k"] == 2).all() else ", projected on the plane"
    note = (
        f"contours of the {what}, equally spaced in its square root\nlines: descents from near the "
        f"rim{projected}, at most {MAX_STEPS} steps,\nbroken where x is replaced by −x"
    )
    add_title(figure, info, note)
    return figure


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
    """Mark 0, the true code and its mirror."""
    style: dict[str, Any] = {"ls": "none", "mec": "black", "mew": 0.7, "zorder": 5, "clip_on": True}
    axes.plot([1], [0], "*", ms=12, color="#ffd24d", label="$x^*$", **style)
    # A mirror at 0 is none.
    if ratio > VISIBLE:
        axes.plot([-ratio], [0], "X", ms=7, color="#e8694a", label="mirror $-\\rho x^*$", **style)
    axes.plot([0], [0], "o", ms=5, color="white", label="0", **style)
