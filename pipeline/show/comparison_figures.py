"""The picture of a comparison: success rates next to each other, with their Wilson intervals."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...store import StoreInfo
from ..analyses.comparison import DIFFERENT, reference_index
from ..fit.trials import no_trials
from .canvas import (
    COLOURS,
    MAX_CURVES,
    MAX_PANELS,
    Look,
    add_title,
    at_most,
    each_part,
    in_order,
    label_outer,
    name_of,
    new_canvas,
)
from .picture_axes import tick_at
from .picture_layout import add_legend
from .picture_text import shown_value

ROOM = 0.5  # part of the distance between two categories that the points of one take


def draw_comparison(info: StoreInfo, compared: xr.Dataset, look: Look) -> Figure:
    """Draw the rates of every value over one axis, the reference first; other axes become panels.

    Raises:
        SweepError: there are too many values or panels.
        StoreError: no trial is done.
    """
    if not (compared["runs"].any() or compared["reference_runs"].any()):
        raise no_trials(info)
    over = compared.attrs["over"]
    others = [dim for dim in compared["rate"].dims if dim != over]
    asked = info.sweep.plot.x
    x = asked if asked in others else (str(others[-1]) if others else None)
    compared = in_order(compared, x) if x else compared
    panels = at_most(MAX_PANELS, "panels", each_part(compared, [d for d in others if d != x]), info)
    reference = shown_value(info.sweep.axes[over][reference_index(info.sweep)])
    canvas = new_canvas(len(panels), look)
    stars = 0
    for axes, (label, panel) in zip(canvas.axes, panels, strict=True):
        stars += _panel(axes, panel, over, x, reference, info)
        axes.set_title(label)
    label_outer(canvas, name_of(x or over), name_of("success"))
    if x is not None:
        handles, labels = canvas.axes[0].get_legend_handles_labels()
        add_legend(canvas, handles, labels, name_of(over), inside=False)
    kind = "the same draws" if compared.attrs["paired"] else "independent draws"
    verdict = "star: differs from" if stars else "no rate differs from"
    note = f"bars: 95 % Wilson intervals; {kind}; {verdict} {reference}"
    add_title(canvas, info, f"{note} (p < {DIFFERENT:g}, Holm)")
    return canvas.finish()


def _panel(
    axes: Axes, panel: xr.Dataset, over: str, x: Any, reference: str, info: StoreInfo
) -> int:  # fmt: skip
    """Draw one panel: a category for each value of x, with a point for each compared value.

    Returns:
        The number of rates that differ from that of the reference.
    """
    values = at_most(MAX_CURVES - 1, "values", each_part(panel, [over]), info)
    count = panel.sizes[x] if x else 1
    labels = [reference, *(shown_value(part[over].item()) for _, part in values)]
    shift = ROOM / len(labels) * (np.arange(len(labels)) - (len(labels) - 1) / 2)
    middles = np.arange(count)
    first = panel.isel({over: 0})
    _points(axes, middles + shift[0], first, "reference_rate", labels[0], COLOURS[0])
    differing = 0
    for index, (_, part) in enumerate(values, start=1):
        _points(axes, middles + shift[index], part, "rate", labels[index], COLOURS[index])
        stars = np.flatnonzero(np.atleast_1d(part["p_holm"].values) < DIFFERENT)
        axes.plot(middles[stars] + shift[index], np.full(stars.size, 1.05), "*", ms=5,
                  color=COLOURS[index])  # fmt: skip
        differing += stars.size
    axes.set(xlim=(-0.6, count - 0.4), ylim=(-0.03, 1.09))
    if x:
        names = [shown_value(value) for value in panel[x].values.tolist()]
        tick_at(axes.xaxis, middles.tolist(), names, words=panel[x].dtype.kind not in "iuf")
    else:
        axes.set_xlim(2 * shift[0], 2 * shift[-1])
        tick_at(axes.xaxis, shift.tolist(), labels, words=True)
    return differing


def _points(axes: Axes, at: Any, part: xr.Dataset, name: str, label: str, colour: Any) -> None:
    rate, low, high = (np.atleast_1d(part[name + end].values) for end in ("", "_low", "_high"))
    spread = np.abs(np.stack([rate - low, high - rate]))
    axes.errorbar(at, rate, spread, fmt="o", ms=4, lw=1.2, color=colour, label=label)
