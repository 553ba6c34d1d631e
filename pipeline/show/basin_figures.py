"""The picture of basins: the shares of runs that end at the true code, at the mirror, elsewhere."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...store import StoreInfo
from ...tasks.statistics.basins import BASIN, BASINS
from ..fit.trials import no_trials
from .canvas import (
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

COLOURS = {"target": "#3b75af", "mirror": "#e1893b", "elsewhere": "0.75"}
SHIFTS = {"target": -0.12, "mirror": 0.12}  # of the interval's bar from the middle of its column
LABELS = {"target": "$x^*$", "mirror": "mirror $-\\rho_d x^*$", "elsewhere": "elsewhere"}


def draw_basins(info: StoreInfo, basins: xr.Dataset, look: Look) -> Figure:
    """Draw stacked shares of runs over one axis; the other axes become panels.

    Raises:
        SweepError: there are too many panels.
        StoreError: no trial is done.
    """
    if not basins["runs"].any():
        raise no_trials(info)
    dims = list(basins["runs"].dims)
    asked = info.sweep.plot.x
    x = asked if asked in dims else (str(dims[-1]) if dims else None)
    others = [dim for dim in dims if dim != x]
    basins = in_order(basins, x) if x else basins
    panels = at_most(MAX_PANELS, "panels", each_part(basins, others), info)
    canvas = new_canvas(len(panels), look)
    ends = [basin for basin in BASINS if (basins["share"].sel({BASIN: basin}) > 0).any()]
    for axes, (label, panel) in zip(canvas.axes, panels, strict=True):
        _panel(axes, panel, x, ends)
        axes.set_title(label)
    label_outer(canvas, name_of(str(x)) if x else "", "share of the runs that end at …")
    add_legend(canvas, *canvas.axes[0].get_legend_handles_labels(), inside=False)
    radius = f"{basins.attrs['radius']:g}"
    note = f"bars: {100 * basins.attrs['level']:g} % Wilson intervals of the first two shares"
    add_title(canvas, info, f"{note}; mirror: within {radius} of its length; $x^*$: success")
    return canvas.finish()


def _panel(axes: Axes, panel: xr.Dataset, x: Any, ends: list[str]) -> None:
    """Stack the shares of the given basins at every value of x."""
    labels = panel[x].values.tolist() if x else [""]
    positions = np.arange(len(labels))
    bottom = np.zeros(len(labels))
    for basin in ends:
        part = panel.sel({BASIN: basin})
        share, low, high = (np.atleast_1d(part[f"share{end}"]) for end in ("", "_low", "_high"))
        share = np.nan_to_num(share)
        axes.bar(positions, share, 0.8, bottom, color=COLOURS[basin], label=LABELS[basin])
        if basin != "elsewhere":
            spread = np.nan_to_num(np.abs(np.stack([share - low, high - share])))
            spread[:, share == 0] = 0
            axes.errorbar(
                positions + SHIFTS[basin], bottom + share, spread, fmt="none", lw=1, color="0.15"
            )
        bottom = bottom + share
    words = not x or panel[x].dtype.kind not in "iuf"
    tick_at(axes.xaxis, positions.tolist(), [shown_value(v) for v in labels], words=words)
    axes.set(ylim=(0, 1), xlim=(-0.6, len(labels) - 0.4))
