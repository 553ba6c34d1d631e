"""The picture of an error law on log–log axes: medians of trials, the fit and the claim."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...store import StoreError, StoreInfo
from ..analyses.law import REMARKS
from .canvas import (
    COLOURS,
    MAX_CURVES,
    Look,
    add_title,
    at_most,
    each_part,
    hold,
    in_order,
    name_of,
    new_canvas,
    side_by_side,
)
from .picture_axes import tick_magnitudes, tick_values
from .picture_layout import add_legend
from .picture_text import literal, shown_value

# Remarks for a picture, which does not list the exponents between neighbours as the table does.
SHORTER = {
    "curved": "the medians do not follow a power law; 'genprior fit' gives exponents between "
    "neighbours"
}


def draw_law(info: StoreInfo, fitted: xr.Dataset, look: Look) -> Figure:
    """Draw the median errors against the first axis of the law, a curve for each group.

    Raises:
        SweepError: there are too many curves.
        StoreError: no trial entered the law yet.
    """
    if not fitted["entered"].any():
        done = "recovered" if fitted.attrs["of"] == "recovered trials" else "been run"
        if fitted["no_logarithm"].any():
            done = f"a positive {fitted.attrs['variable']}"
        raise StoreError(f"{info.path}: no trial has {done} yet; there is no law to draw.")
    axes_of_law = fitted["law_axis"].values.tolist()
    x, others = axes_of_law[0], axes_of_law[1:]
    fitted = in_order(fitted, x)
    groups = list(fitted["constant"].dims)
    curves = at_most(MAX_CURVES, "curves", each_part(fitted, [*groups, *others]), info)
    canvas = new_canvas(1, look)
    (axes,) = canvas.axes
    axes.set(xscale="log", yscale="log", xlabel=name_of(x))
    axes.set_ylabel(name_of(fitted.attrs["variable"]))
    absent, claims = [], 0
    styles = side_by_side(axes, len(curves))
    for colour, style, (label, part) in zip(COLOURS, styles, curves, strict=False):
        if not np.isfinite(part["median"].values).any():
            absent.append(label)
            continue
        if groups:
            label = f"{label}: {_measured(part.sel(law_axis=x))}"
        claims += _curve(axes, part, x, {"label": label or None, "color": colour, **style})
    _limits(axes, fitted[x].values.astype(float))
    tick_values(axes.xaxis, fitted[x].values)
    tick_magnitudes(axes.yaxis, *axes.get_ylim())
    if claims:
        axes.plot([], [], "--", color="0.4", lw=0.9, label=f"claimed, {_claimed(fitted, x)}")
    handles, labels = axes.get_legend_handles_labels()
    add_legend(canvas, handles, labels, inside=True)
    note = f"medians of {fitted.attrs['of']}, bars: 95 % intervals"
    notes = [f"{note}; line: fitted law" if claims else note, *_notes(fitted, groups)]
    add_title(canvas, info, "\n".join([*notes, *_missing(absent)]))
    return canvas.finish()


def _missing(absent: list[str]) -> list[str]:
    return [f"without a median: {'; '.join(absent)}"] if absent else []


def _curve(axes: Axes, part: xr.Dataset, x: str, style: dict[str, Any]) -> bool:
    """Draw the medians of one curve, the fitted line, and the claimed slope through its middle.

    Returns:
        Whether lines were drawn: they are not if the law was not fitted.
    """
    part = part.isel({x: np.flatnonzero(np.isfinite(part["median"].values))})
    at = part[x].values.astype(float)
    median = part["median"].values
    spread = np.stack([median - part["median_low"].values, part["median_high"].values - median])
    # A cell with too few trials has a median, but no interval.
    spread = np.where(np.isfinite(spread), spread, 0.0)
    axes.errorbar(at, median, spread, ls="none", ms=3.5, elinewidth=1, **style)
    hold(axes, at, median - spread[0], median + spread[1])
    colour = style["color"]
    level = float(part["constant"])
    if not np.isfinite(level):
        return False
    for axis in part["law_axis"].values.tolist():
        if axis != x:
            level *= float(part[axis]) ** float(part["exponent"].sel(law_axis=axis))
    along_x = part.sel(law_axis=x)
    ends = np.array([at.min(), at.max()])
    middle = np.sqrt(ends.prod())
    measured, claimed = float(along_x["exponent"]), float(along_x["claimed"])
    axes.plot(ends, level * ends**measured, color=colour, lw=1)
    dashed = level * middle**measured * (ends / middle) ** claimed
    axes.plot(ends, dashed, "--", color=colour, lw=0.9, alpha=0.7)
    return True


def _measured(along_axis: xr.Dataset) -> str:
    values = [float(along_axis[f"exponent{end}"]) for end in ("", "_low", "_high")]
    if not np.isfinite(values).all():
        return "no exponent"
    best, low, high = (f"{value:.2f}".replace("-", "−") for value in values)
    return f"{best} [{low}, {high}]"


def _claimed(fitted: xr.Dataset, axis: str) -> str:
    return shown_value(float(fitted["claimed"].sel(law_axis=axis)))


def _notes(fitted: xr.Dataset, groups: list[Any]) -> list[str]:
    """Write measured exponents next to the claimed ones, and the remarks on the laws."""
    lines = []
    if groups:
        x = fitted["law_axis"].values.tolist()[0]
        lines.append(f"legend: exponent in {literal(x)} with its 95 % interval")
    else:
        for axis in fitted["law_axis"].values.tolist():
            measured, claimed = _measured(fitted.sel(law_axis=axis)), _claimed(fitted, axis)
            lines.append(f"exponent in {literal(axis)}: {measured}, claimed {claimed}")
    words = {word for flag in fitted["flag"].values.ravel() for word in str(flag).split(", ")}
    if words - {""}:
        some = "some laws: " if fitted["flag"].size > 1 else ""
        remarks = REMARKS | SHORTER
        lines += [f"{some}{word}: {remarks[word]}" for word in sorted(words - {""})]
    return lines


def _limits(axes: Axes, values: np.ndarray) -> None:
    """Set the limits of the axes with a margin, also if all errors are equal."""
    margin = (values[-1] / values[0]) ** 0.05
    axes.set_xlim(values[0] / margin, values[-1] * margin)
    low, high = axes.get_ylim()
    if high < 1.01 * low:
        # Matplotlib gives a logarithmic axis with one value no extent.
        axes.set_ylim(low / 3, high * 3)
