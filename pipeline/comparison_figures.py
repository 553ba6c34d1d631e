"""The picture of a comparison: success rates side by side, with their Wilson intervals."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..store import StoreError, StoreInfo
from .canvas import (  # fmt: skip
    COLOURS,
    MAX_CURVES,
    MAX_PANELS,
    SYMBOLS,
    add_title,
    at_most,
    each_part,
    name_of,
    new_figure,
    shown_variable,
)
from .comparisons import DIFFERENT, check_comparison_of, compare_of

MOST_TICKS = 12
ROOM = 0.5  # of the distance between two categories, taken by the points side by side


def shows_comparison(info: StoreInfo) -> bool:
    """Say whether the comparison is what a picture of a store shows."""
    sweep = info.sweep
    return sweep.compare is not None and not sweep.fit.along and shown_variable(info) == "success"


def draw_comparison(info: StoreInfo) -> Figure:
    """Draw the rates of every value, the reference first, over an axis; further axes are panels.

    Raises:
        SweepError: there are too many values or panels.
        StoreError: no trial is done.
    """
    check_comparison_of(info)
    compared = compare_of(info)
    if not (compared["runs"].any() or compared["reference_runs"].any()):
        raise StoreError(f"{info.path}: no trial is done yet; 'genprior run' fills it.")
    over = compared.attrs["over"]
    others = [dim for dim in compared["rate"].dims if dim != over]
    asked = info.sweep.plot.x
    x = asked if asked in others else (others[-1] if others else None)
    panels = at_most(MAX_PANELS, "panels", each_part(compared, [d for d in others if d != x]), info)
    figure, axes = new_figure(len(panels))
    for each, (label, one) in zip(axes, panels, strict=False):
        _panel(each, one, over, x, info)
        each.set_title(label)
    for each in axes[len(panels) :]:
        each.set_visible(False)
    axes[0].set_ylabel(SYMBOLS["success"])
    if x is not None:
        axes[0].legend(title=name_of(over), fontsize=8, title_fontsize=8)
    kind = "the same draws" if compared.attrs["paired"] else "independent draws"
    note = f"bars: 95 % Wilson intervals; {kind}; star: differs from {compared.attrs['reference']}"
    add_title(figure, info, f"{note} (p < {DIFFERENT:g}, Holm)")
    return figure


def _panel(axes: Axes, one: xr.Dataset, over: str, x: Any, info: StoreInfo) -> None:
    """Draw one panel: a category for each value of x, in it a point for each value compared."""
    values = at_most(MAX_CURVES - 1, "values", each_part(one, [over]), info)
    count = one.sizes[x] if x else 1
    reference = one.isel({over: 0})
    labels = [str(one.attrs["reference"]), *(str(part[over].item()) for _, part in values)]
    shift = ROOM / len(labels) * (np.arange(len(labels)) - (len(labels) - 1) / 2)
    places = np.arange(count)
    _points(axes, places + shift[0], reference, "reference_rate", labels[0], COLOURS[0])
    for place, (_, part) in enumerate(values, start=1):
        _points(axes, places + shift[place], part, "rate", labels[place], COLOURS[place])
        stars = np.flatnonzero(np.atleast_1d(part["p_holm"].values) < DIFFERENT)
        axes.plot(places[stars] + shift[place], np.full(stars.size, 1.05), "*", ms=5,
                  color=COLOURS[place])  # fmt: skip
    step = -(-count // MOST_TICKS)
    axes.set(xlim=(-0.6, count - 0.4), ylim=(-0.03, 1.09), xlabel=name_of(x or over))
    if x:
        names = [_short(value) for value in one[x].values.tolist()]
        axes.set_xticks(places[::step], names[::step])
    else:
        axes.set_xticks(shift, labels)


def _points(axes: Axes, at: Any, part: xr.Dataset, name: str, label: str, colour: Any) -> None:
    rate, low, high = (np.atleast_1d(part[name + end].values) for end in ("", "_low", "_high"))
    spread = np.abs(np.stack([rate - low, high - rate]))
    axes.errorbar(at, rate, spread, fmt="o", ms=4, lw=1.2, color=colour, label=label)


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
