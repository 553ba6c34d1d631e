"""Pictures of success: curves over one axis, or a map with the 50 % points over two."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ...store import StoreInfo
from ...tasks.statistics.intervals import wilson_interval
from ...tasks.statistics.links import Floats
from ...tasks.statistics.transitions import curve_band
from .canvas import (
    COLOURS,
    MAX_CURVES,
    MAX_PANELS,
    Look,
    add_title,
    at_most,
    each_part,
    hold,
    in_order,
    label_outer,
    name_of,
    new_canvas,
    side_by_side,
)
from .picture_axes import cell_edges, is_logarithmic, tick_positions, tick_values
from .picture_layout import add_legend

LANE = 0.035  # vertical distance, in success, between intervals of 50 % points that would overlap
FINE = 240  # points of a drawn curve
MOST_CELLS = 30  # of a map, along the axis of placed trials
MOST_BARS = 20  # of a curve; where trials place themselves there are many values


def draw_curves(info: StoreInfo, fitted: xr.Dataset, axis: str, look: Look) -> Figure:
    """Draw success against one axis, a curve for each group.

    A group has rates with Wilson intervals, the fitted curve with its band, and the 50 % point if
    it lies among the values that were run.

    Raises:
        SweepError: there are too many curves.
    """
    fitted = in_order(fitted, axis)
    groups = list(fitted["p50"].dims)
    curves = at_most(MAX_CURVES, "curves", each_part(fitted, groups), info)
    log = is_logarithmic(axis, fitted[axis].values, look.log)
    canvas = new_canvas(1, look)
    (axes,) = canvas.axes
    if log:
        axes.set_xscale("log")
    drawn = [(label, _with_trials(group, axis), colour)
             for (label, group), colour in zip(curves, COLOURS, strict=False)]  # fmt: skip
    shown = [(label, group, colour) for label, group, colour in drawn if group.sizes[axis]]
    bands = [
        _curve(axes, group, axis, {"label": label, "color": colour, **style}, log)
        for (label, group, colour), style in zip(shown, side_by_side(axes, len(shown)), strict=True)
    ]
    axes.axhline(0.5, color="0.7", lw=0.8, zorder=0)
    tick_positions(axes.xaxis, fitted[axis].values, log)
    axes.set(xlabel=name_of(axis), ylabel=name_of("success"), ylim=(-0.03, 1.03))
    points = [(group, colour) for _, group, colour in shown if _has_point(group, axis)]
    _half_points(axes, points)
    if groups and shown:
        add_legend(canvas, *axes.get_legend_handles_labels(), inside=True)
    aside = ", side by side at a position" if len(shown) > 1 else ""
    many = any(group.sizes[axis] > MOST_BARS for _, group, _ in shown)
    together = " of neighbouring values together" if many else ""
    notes = [f"bars: 95 % Wilson intervals{together}{aside}"]
    notes += ["band: 95 % of the fitted curve"] * any(bands)
    notes += ["diamond: 50 % point with its 95 % interval"] * bool(points)
    notes += [f"not run: {'; '.join(absent)}"] if (absent := _absent(drawn, axis)) else []
    add_title(canvas, info, "; ".join(notes))
    return canvas.finish()


def _with_trials(group: xr.Dataset, axis: str) -> xr.Dataset:
    """Keep the values of an axis that have trials."""
    return group.isel({axis: np.flatnonzero(group["runs"].values)})


def _absent(drawn: list[tuple[str, xr.Dataset, Any]], axis: str) -> list[str]:
    return [label for label, group, _ in drawn if not group.sizes[axis]]


def _curve(axes: Axes, group: xr.Dataset, axis: str, style: dict[str, Any], log: bool) -> bool:
    """Draw one group's rates and its fitted curve; say whether a band was drawn."""
    colour = style["color"]
    x, runs = group[axis].values.astype(float), group["runs"].values
    at, wins, trials = pooled(x, group["successes"].values, runs)
    share = wins / trials
    spread = np.abs(np.stack(wilson_interval(wins, trials, group.attrs["level"])) - share)
    axes.errorbar(at, share, spread, ls="none", ms=3.5, elinewidth=1, **style)
    hold(axes, at, share)
    if len(x) < 2:
        return False
    fine = (np.geomspace if log else np.linspace)(x.min(), x.max(), FINE)
    middle, low, high = curve_band(
        fine,
        x,
        group["successes"].values,
        runs,
        direction=int(group["direction"].values.flat[0]),
        floor=group.attrs.get("floor"),
        scatter=group.attrs["scatter"],
        draws=group["draws"].values[: x.size + 1] if "draws" in group else None,
    )
    axes.fill_between(fine, low, high, color=colour, alpha=0.15, lw=0)
    if np.isfinite(float(group["width"])):
        axes.plot(fine, middle, color=colour, lw=1)
    return True


def pooled(x: Floats, wins: Floats, trials: Floats) -> tuple[Floats, Floats, Floats]:
    """Pool neighbouring values, so that a curve has at most `MOST_BARS` bars.

    Args:
        x: values with trials, increasing, shape (p,).
        wins: successes at each.
        trials: trials at each.

    Returns:
        Mean value, successes and trials of each bar; bars have about as many trials each.
    """
    if x.size <= MOST_BARS:
        return x, wins, trials
    middles = np.cumsum(trials) - trials / 2
    bar = np.floor(middles / trials.sum() * MOST_BARS).astype(int)
    _, bar = np.unique(bar, return_inverse=True)
    of_bar = np.bincount(bar, weights=trials)
    place = np.bincount(bar, weights=x * trials) / of_bar
    return place, np.bincount(bar, weights=wins).astype(float), of_bar.astype(float)


def _has_point(group: xr.Dataset, axis: str) -> bool:
    """Say whether a group's 50 % point is known and lies among the values that were run."""
    x, p50 = group[axis].values, float(group["p50"])
    return bool(np.isfinite(p50) and len(x) > 1 and x.min() <= p50 <= x.max())


def _half_points(axes: Axes, points: list[tuple[xr.Dataset, Any]]) -> None:
    """Draw 50 % points with their intervals at ½; intervals that overlap are shifted vertically."""
    limits = axes.get_xlim()
    taken: list[list[tuple[float, float]]] = []
    for group, colour in sorted(points, key=lambda point: float(point[0]["p50"])):
        p50 = float(group["p50"])
        low, high = known_ends(group, limits)
        start, stop = (end if np.isfinite(end) else p50 for end in (low, high))
        free = [all(stop < a or b < start for a, b in lane) for lane in taken]
        lane = free.index(True) if True in free else len(taken)
        if lane == len(taken):
            taken.append([])
        taken[lane].append((start, stop))
        # Lanes 0, 1, 2, 3 … are shifted by 0, +1, −1, +2 … times LANE.
        at = 0.5 + LANE * ((lane + 1) // 2) * (1 if lane % 2 else -1)
        dark = tuple(0.6 * np.array(to_rgb(colour)))
        axes.plot([start, stop], [at, at], "-", color=dark, lw=1.4, zorder=4, clip_on=True)
        ends = [end for end in (float(group["p50_low"]), float(group["p50_high"]))
                if min(limits) <= end <= max(limits)]  # fmt: skip
        axes.plot(ends, [at] * len(ends), "|", color=dark, ms=6, mew=1.2, zorder=4)
        axes.plot([p50], [at], "D", ms=5, color=colour, mec="black", mew=0.6, zorder=5)
    axes.set_xlim(limits)


def known_ends(group: xr.Dataset, limits: tuple[float, float]) -> tuple[float, float]:
    """Give the ends of the interval of a 50 % point, inside the limits of an axis.

    An end that is unknown or outside the limits is replaced by the limit.

    Args:
        group: scalar `p50_low` and `p50_high`.
        limits: the two limits of the axis, in any order.
    """
    low, high = float(group["p50_low"]), float(group["p50_high"])
    bottom, top = min(limits), max(limits)
    return (
        max(low, bottom) if np.isfinite(low) else bottom,
        min(high, top) if np.isfinite(high) else top,
    )


def draw_maps(info: StoreInfo, fitted: xr.Dataset, x: str, y: str, look: Look) -> Figure:
    """Draw success over two axes, a panel for each group, with the fitted 50 % points.

    Raises:
        SweepError: there are too many panels.
    """
    fitted = in_order(fitted, x, y)
    if info.layout.is_placed:
        fitted = _coarser(fitted, y)
    groups = [dim for dim in fitted["p50"].dims if dim != x]
    panels = at_most(MAX_PANELS, "panels", each_part(fitted, groups), info)
    logs = is_logarithmic(x, fitted[x].values, look.log), is_logarithmic(y, fitted[y].values, False)
    canvas = new_canvas(len(panels), look)
    points = 0
    for axes, (label, panel) in zip(canvas.axes, panels, strict=True):
        image, drawn = _map(axes, panel, (x, y), logs)
        points += drawn
        axes.set_title(label)
    label_outer(canvas, name_of(x), name_of(y))
    rows = -(-len(panels) // canvas.columns)
    canvas.figure.colorbar(image, ax=canvas.axes, label=name_of("success"), shrink=0.85,
                           aspect=20 * rows, pad=0.05 / canvas.columns)  # fmt: skip
    notes = ["white points: 50 % success with 95 % intervals"] if points else []
    notes += ["grey: not run"] if (fitted["runs"] == 0).any() else []
    add_title(canvas, info, "; ".join(notes))
    return canvas.finish()


def _coarser(fitted: xr.Dataset, axis: str) -> xr.Dataset:
    """Pool the cells of an axis with many whole values, evenly in the logarithm if all are > 0."""
    values = fitted[axis].values.astype(float)
    if values.size <= MOST_CELLS:
        return fitted
    space = np.geomspace if values[0] > 0 else np.linspace
    middle = np.unique(np.rint(space(values[0], values[-1], MOST_CELLS)))
    cell = np.searchsorted((middle[1:] + middle[:-1]) / 2, values)
    others = [name for name in fitted.variables if axis in fitted[name].dims]
    coarse = fitted.drop_vars(others).assign_coords({axis: (axis, middle, fitted[axis].attrs)})
    for name in ("successes", "runs"):
        array = fitted[name].transpose(..., axis)
        total = array.values @ (cell[:, None] == np.arange(middle.size))
        coarse[name] = (array.dims, total, array.attrs)
    return coarse


def _map(
    axes: Axes, panel: xr.Dataset, names: tuple[str, str], logs: tuple[bool, bool]
) -> tuple[Any, int]:
    """Draw one map; give its image and the number of 50 % points in it."""
    x, y = names
    share = (panel["successes"] / panel["runs"].where(panel["runs"] > 0)).transpose(y, x)
    axes.set_facecolor("0.85")
    edges = []
    for name, log, axis, set_scale in zip(
        names, logs, (axes.xaxis, axes.yaxis), (axes.set_xscale, axes.set_yscale), strict=True
    ):
        if log:
            set_scale("log")
        edges.append(cell_edges(panel[name].values, log))
        tick_values(axis, panel[name].values)
    image = axes.pcolormesh(*edges, share.values, cmap="viridis", vmin=0, vmax=1)
    axes.set(xlim=edges[0][[0, -1]], ylim=edges[1][[0, -1]])
    return image, _contour(axes, panel, x, y)


def _contour(axes: Axes, panel: xr.Dataset, x: str, y: str) -> int:
    """Draw the 50 % points inside a map, and lines between neighbours; give their number."""
    values = panel[y].values
    p50 = panel["p50"].values
    with np.errstate(invalid="ignore"):
        inside = np.isfinite(p50) & (p50 >= values.min()) & (p50 <= values.max())
    inside &= panel["trials"].values > 0
    style: dict[str, Any] = {
        "color": "white",
        "path_effects": [withStroke(linewidth=3, foreground="black")],
    }
    at, shown = panel[x].values, np.where(inside, p50, np.nan)
    for index in np.flatnonzero(inside):
        low, high = known_ends(panel.isel({x: index}), axes.get_ylim())
        axes.plot([at[index]] * 2, [low, high], "-", lw=1.4, **style)
    axes.plot(at, shown, "-", lw=1.6, **style)
    axes.plot(at, shown, "o", ms=4, color="white", mec="black", mew=1)
    return int(inside.sum())
