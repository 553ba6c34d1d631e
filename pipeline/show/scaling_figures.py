"""The picture of a scaling law: 50 % points against the law, and what laws leave over."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...store import StoreError, StoreInfo
from ...tasks.statistics.group_laws import NO_TRIALS
from .canvas import COLOURS, MAX_CURVES, Look, add_title, at_most, each_part, name_of, new_canvas
from .picture_axes import tick_at, tick_magnitudes
from .picture_layout import add_legend
from .picture_text import literal, shown_value
from .scaling_tables import term_name, term_value

MARKS = "sD^vP*X"
ROOM = 0.25  # of a place, over which the shapes' marks are spread


def draw_scaling(info: StoreInfo, fitted: xr.Dataset, look: Look) -> Figure:
    """Draw the 50 % points against the law, and their ratio to the law and to each shape.

    Raises:
        StoreError: no group enters the law.
        SweepError: there are too many shapes.
    """
    if not fitted["used"].any():
        raise StoreError(f"{info.path}: no group enters the law; there is nothing to draw.")
    flat = _flat(fitted)
    canvas = new_canvas(2, look)
    against, ratios = canvas.axes
    _against(against, flat)
    _ratios(ratios, flat, [str(dim) for dim in fitted["used"].dims], info)
    against.set(xlabel=f"{name_of(fitted.attrs['of'])}, by the law")
    against.set_ylabel(f"{name_of(fitted.attrs['of'])} at 50 % success")
    ratios.set_ylabel("50 % point over a law")
    add_legend(canvas, *ratios.get_legend_handles_labels(), inside=True)
    tau = 100 * fitted.attrs["tau"]
    notes = [f"bars: 95 % intervals; scatter about the law {tau:.1f} %"]
    ran = fitted["left_out"].values[fitted["left_out"].values != NO_TRIALS]
    if without := int((ran != "").sum()):
        notes.append(f"{without} of {ran.size} groups left out")
    notes += ["shapes of theorems: each with one constant"] * ("theory" in fitted.dims)
    notes = ["; ".join(notes), _terms(fitted)]
    add_title(canvas, info, "\n".join(notes))
    return canvas.finish()


def _flat(fitted: xr.Dataset) -> xr.Dataset:
    """Put the groups that enter into one dimension, in the order of the law."""
    dims = [str(dim) for dim in fitted["used"].dims]
    flat = fitted.stack(group=dims, create_index=False) if dims else fitted.expand_dims("group")
    kept = flat.isel(group=np.flatnonzero(flat["used"].values))
    return kept.isel(group=np.argsort(kept["law"].values, kind="stable"))


def _against(axes: Axes, flat: xr.Dataset) -> None:
    """Draw the 50 % points against the law, on logarithmic axes, with the line of agreement."""
    axes.set(xscale="log", yscale="log")
    low, best, high = (flat[f"threshold{end}"].values for end in ("_low", "", "_high"))
    law = flat["law"].values
    spread = np.stack([best - low, high - best])
    axes.errorbar(law, best, spread, fmt="o", ms=4, lw=1.2, color=COLOURS[0])
    ends = np.array([min(law.min(), low.min()) * 0.9, max(law.max(), high.max()) * 1.1])
    axes.plot(ends, ends, "--", color="0.5", lw=0.9)
    axes.set(xlim=ends, ylim=ends)
    for axis in (axes.xaxis, axes.yaxis):
        tick_magnitudes(axis, *ends)


def _ratios(axes: Axes, flat: xr.Dataset, dims: list[str], info: StoreInfo) -> None:
    """Draw the 50 % points over the law, and over each shape with its constant."""
    places = np.arange(flat.sizes["group"])
    shapes = each_part(flat, ["theory"]) if "theory" in flat.dims else iter(())
    listed = at_most(MAX_CURVES - 1, "shapes", shapes, info)
    laws = [("law with all terms", flat["law"])]
    laws += [(str(part["theory"].item()), part["shape_law"]) for _, part in listed]
    shift = ROOM * (np.arange(len(laws)) - (len(laws) - 1) / 2) / max(len(laws) - 1, 1)
    for number, (label, law) in enumerate(laws):
        low, best, high = ((flat[f"threshold{end}"] / law).values for end in ("_low", "", "_high"))
        style: dict[str, Any] = {"color": COLOURS[number], "label": label, "ms": 4, "lw": 1.0}
        mark = "o" if number == 0 else MARKS[(number - 1) % len(MARKS)]
        spread = np.stack([best - low, high - best])
        axes.errorbar(places + shift[number], best, spread, fmt=mark, **style)
    axes.axhline(1, color="0.5", lw=0.9, ls="--")
    axes.set_yscale("log")
    tick_magnitudes(axes.yaxis, *axes.get_ylim())
    dims = [dim for dim in dims if len(set(flat[dim].values.tolist())) > 1]
    groups = [", ".join(shown_value(flat[dim].values[at].item()) for dim in dims) for at in places]
    tick_at(axes.xaxis, places.tolist(), groups, words=True)
    axes.set_xlabel(", ".join(map(literal, dims)) or "group")


def _terms(fitted: xr.Dataset) -> str:
    """Write the coefficients with their intervals."""
    parts = []
    for name in fitted["term"].values.tolist()[1:]:
        at = fitted.sel(term=name)
        ends = {"value": "", "low": "_low", "high": "_high"}
        row = {key: float(at[f"exponent{end}"]) for key, end in ends.items()}
        parts.append(f"{term_name(name)} {term_value({'term': name, **row})}")
    return "; ".join(parts)
