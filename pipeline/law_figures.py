"""The picture of an error law: medians of recovered trials, the fit and the claim, log–log."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from ..store import StoreError, StoreInfo
from .canvas import COLOURS, MAX_CURVES, add_title, at_most, each_part, name_of, new_figure
from .fit_tables import REMARKS
from .laws import check_law_of, fit_law_of

CLOSEST = 0.06  # of the axis: ticks nearer to each other would overlap


def shows_law(info: StoreInfo) -> bool:
    """Say whether the law is what a picture of a store shows."""
    sweep = info.sweep
    if sweep.law is None:
        return False
    asked_otherwise = sweep.fit.along is not None or sweep.plot.x is not None
    if sweep.plot.variable not in (None, "success"):
        return sweep.plot.variable == sweep.law.variable
    return not asked_otherwise


def draw_law(info: StoreInfo) -> Figure:
    """Draw the median errors against the first axis of the law, a curve for each other value.

    Raises:
        SweepError: there are too many curves.
        StoreError: no trial has recovered.
    """
    check_law_of(info)
    fitted = fit_law_of(info)
    if not fitted["entered"].any():
        done = "recovered" if fitted.attrs["of"] == "recovered trials" else "been run"
        if fitted["no_logarithm"].any():
            done = f"a positive {fitted.attrs['variable']}"
        raise StoreError(f"{info.path}: no trial has {done} yet; there is no law to draw.")
    axes_of_law = fitted["law_axis"].values.tolist()
    x, others = axes_of_law[0], axes_of_law[1:]
    groups = list(fitted["constant"].dims)
    curves = at_most(MAX_CURVES, "curves", each_part(fitted, [*groups, *others]), info)
    figure, (axes,) = new_figure(1)
    axes.set(xscale="log", yscale="log", xlabel=name_of(x))
    axes.set_ylabel(name_of(fitted.attrs["variable"]))
    for colour, (label, one) in zip(COLOURS, curves, strict=False):
        if groups:
            label = f"{label}: {_measured(one.sel(law_axis=x))}"
        _curve(axes, one, x, label, colour)
    _ticks(axes, fitted[x].values.astype(float))
    low, high = axes.get_ylim()
    if high < 1.01 * low:
        # Matplotlib leaves a logarithmic axis of one value without any extent.
        axes.set_ylim(low / 3, high * 3)
    axes.plot([], [], "--", color="0.4", lw=0.9, label=f"claimed, {_claimed(fitted, x)}")
    axes.legend(fontsize=8)
    note = f"medians of {fitted.attrs['of']}, bars: 95 % intervals; line: fitted law"
    add_title(figure, info, "\n".join([note, *_notes(fitted, groups)]))
    return figure


def _curve(axes: Axes, one: xr.Dataset, x: str, label: str, colour: Any) -> None:
    """Draw the medians of one curve, the fitted line, and the claimed slope through its middle."""
    one = one.isel({x: np.flatnonzero(np.isfinite(one["median"].values))})
    if not one.sizes[x]:
        axes.plot([], [], "o", ms=3.5, color=colour, label=label or None)
        return
    at = one[x].values.astype(float)
    median = one["median"].values
    spread = np.stack([median - one["median_low"].values, one["median_high"].values - median])
    # A cell of too few trials has a median, but no interval.
    spread = np.where(np.isfinite(spread), spread, 0.0)
    axes.errorbar(at, median, spread, fmt="o", ms=3.5, lw=1, color=colour, label=label or None)
    level = float(one["constant"])
    if not np.isfinite(level):
        return
    for axis in one["law_axis"].values.tolist():
        if axis != x:
            level *= float(one[axis]) ** float(one["exponent"].sel(law_axis=axis))
    own = one.sel(law_axis=x)
    ends = np.array([at.min(), at.max()])
    middle = np.sqrt(ends.prod())
    measured, claimed = float(own["exponent"]), float(own["claimed"])
    axes.plot(ends, level * ends**measured, color=colour, lw=1)
    dashed = level * middle**measured * (ends / middle) ** claimed
    axes.plot(ends, dashed, "--", color=colour, lw=0.9, alpha=0.7)


def _measured(own: xr.Dataset) -> str:
    values = [float(own[f"exponent{end}"]) for end in ("", "_low", "_high")]
    if not np.isfinite(values).all():
        return "no exponent"
    best, low, high = (f"{value:.2f}".replace("-", "−") for value in values)
    return f"{best} [{low}, {high}]"


def _claimed(fitted: xr.Dataset, axis: str) -> str:
    return f"{float(fitted['claimed'].sel(law_axis=axis)):g}".replace("-", "−")


def _notes(fitted: xr.Dataset, groups: list[Any]) -> list[str]:
    """Give exponents beside what is claimed, and say what limits the law."""
    lines = []
    if groups:
        x = fitted["law_axis"].values.tolist()[0]
        lines.append(f"legend: exponent in {x} with its 95 % interval")
    else:
        for axis in fitted["law_axis"].values.tolist():
            own = _measured(fitted.sel(law_axis=axis))
            lines.append(f"exponent in {axis}: {own}, claimed {_claimed(fitted, axis)}")
    words = {word for flag in fitted["flag"].values.ravel() for word in str(flag).split(", ")}
    if words - {""}:
        some = "some laws: " if fitted["flag"].size > 1 else ""
        lines += [f"{some}{word}: {REMARKS[word]}" for word in sorted(words - {""})]
    return lines


def _ticks(axes: Axes, values: np.ndarray) -> None:
    """Put ticks at the values of the axis, leaving out those too near to the one before."""
    beside = (values[-1] / values[0]) ** 0.05
    axes.set_xlim(values[0] / beside, values[-1] * beside)
    places = np.log(values)
    room = CLOSEST * (places[-1] - places[0])
    kept = [0]
    for index in range(1, places.size):
        if places[index] - places[kept[-1]] >= room:
            kept.append(index)
    axes.xaxis.set_major_locator(FixedLocator(values[kept].tolist()))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{value:g}" for value in values[kept]]))
    axes.xaxis.set_minor_locator(NullLocator())
