"""The picture of basins: how many runs end at the true code, at the mirror, elsewhere."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..store import StoreError, StoreInfo
from ..tasks.basins import BASIN, BASINS
from .basins import basins_of, check_basins_of
from .canvas import MAX_PANELS, add_title, at_most, each_part, name_of, new_figure

COLOURS = {"target": "#3b75af", "mirror": "#e1893b", "elsewhere": "0.75"}
LABELS = {"target": "$x^*$", "mirror": "mirror $-\\rho_d x^*$", "elsewhere": "elsewhere"}
MOST_TICKS = 12


def shows_basins(info: StoreInfo) -> bool:
    """Say whether basins are what a picture of a store shows."""
    sweep = info.sweep
    return (
        sweep.basins is not None
        and not sweep.fit.along
        and sweep.plot.variable in (None, "success")
    )


def draw_basins(info: StoreInfo) -> Figure:
    """Draw the shares of all runs over an axis, stacked; further axes are panels.

    Raises:
        SweepError: there are too many panels.
        StoreError: no trial is done.
    """
    check_basins_of(info)
    found = basins_of(info)
    if not found["runs"].any():
        raise StoreError(f"{info.path}: no trial is done yet; 'genprior run' fills it.")
    dims = list(found["runs"].dims)
    x = info.sweep.plot.x if info.sweep.plot.x in dims else (dims[-1] if dims else None)
    others = [dim for dim in dims if dim != x]
    panels = at_most(MAX_PANELS, "panels", each_part(found, others), info)
    figure, axes = new_figure(len(panels))
    for each, (label, one) in zip(axes, panels, strict=False):
        _panel(each, one, x)
        each.set_title(label)
    for each in axes[len(panels) :]:
        each.set_visible(False)
    axes[0].set_ylabel("share of the runs that end at …")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=8)
    radius = f"{found.attrs['radius']:g}"
    note = f"bars: {100 * found.attrs['level']:g} % Wilson intervals of the first two shares"
    add_title(figure, info, f"{note}; mirror: within {radius} of its length; x*: success")
    return figure


def _panel(axes: Axes, one: xr.Dataset, x: Any) -> None:
    """Stack the shares at every value of x."""
    labels = one[x].values.tolist() if x else [""]
    places = np.arange(len(labels))
    bottom = np.zeros(len(labels))
    for shift, basin in zip((-0.12, 0.12, 0.0), BASINS, strict=True):
        own = one.sel({BASIN: basin})
        share, low, high = (np.atleast_1d(own[f"share{end}"]) for end in ("", "_low", "_high"))
        share = np.nan_to_num(share)
        axes.bar(places, share, 0.8, bottom, color=COLOURS[basin], label=LABELS[basin])
        if basin != "elsewhere":
            spread = np.nan_to_num(np.abs(np.stack([share - low, high - share])))
            spread[:, share == 0] = 0
            axes.errorbar(places + shift, bottom + share, spread, fmt="none", lw=1, color="0.15")
        bottom = bottom + share
    step = -(-len(labels) // MOST_TICKS)
    names = [f"{v:g}" if isinstance(v, float) else str(v) for v in labels]
    axes.set_xticks(places[::step], names[::step])
    axes.set(ylim=(0, 1), xlabel=name_of(str(x)) if x else "")
