"""Pictures of a store: curves over one axis, a map with the 50 % contour over two.

Further axes become panels of maps, or further curves. Laws, comparisons, basins and landscapes have
their own.
"""

from dataclasses import fields
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ..store import StoreError, StoreInfo, explained, load_results, read_info
from ..sweeps import Grid, SweepError
from ..sweeps.checks import has_positions
from ..sweeps.sharing import shared_draws
from ..tasks.transitions import Transition, curve, curve_band, wilson_interval
from ..tasks.uniform import TARGET
from .analysis import fit_transitions_of
from .basin_figures import draw_basins, shows_basins
from .canvas import (
    COLOURS,
    MAX_CURVES,
    MAX_PANELS,
    STYLE,
    SYMBOLS,
    add_title,
    at_most,
    each_part,
    name_of,
    new_figure,
    shown_variable,
)
from .comparison_figures import draw_comparison, shows_comparison
from .landscape_figures import draw_landscapes
from .landscapes import is_landscape
from .law_figures import draw_law, shows_law
from .uniform import load_worst

FORMATS = (".png", ".pdf", ".svg")


def draw_store(path: Path, output: Path) -> Path:
    """Draw a store's results into a picture file.

    Args:
        path: the store.
        output: PNG, PDF or SVG, by its ending.

    Raises:
        SweepError: the ending is none of these, or there are too many panels.
        StoreError: the store cannot be read or the picture not written.
    """
    if output.suffix.lower() not in FORMATS:
        raise SweepError(f"-o {output}: the ending must be one of {', '.join(FORMATS)}.")
    info = read_info(path)
    with mpl.rc_context(STYLE):
        figure = draw(info)
        with explained(output, "writing the picture"):
            figure.savefig(output)
    return output


def default_picture(path: Path) -> Path:
    """Name the picture of a store: in the working directory, after the store."""
    return Path(f"{path.absolute().name.removesuffix('.zarr') or 'store'}.png")


def draw(info: StoreInfo) -> Figure:
    """Draw a store's results: what its sweep names, and how many axes it has, decide what.

    A 50 % point is drawn only along an axis that can have one.
    """
    if is_landscape(info):
        return draw_landscapes(info)
    if shows_basins(info):
        return draw_basins(info)
    if shows_law(info):
        return draw_law(info)
    if shows_comparison(info):
        return draw_comparison(info)
    variable = shown_variable(info)
    axis = _axis(info)
    each = axis == TARGET
    results = load_results(info.path, [variable]) if each else load_worst(info, [variable])
    if not results[variable].notnull().any():
        raise StoreError(f"{info.path}: no trial is done yet; 'genprior run' fills it.")
    if variable != "success" or not _carries_transition(info, axis):
        return _levels(info, results[variable], axis)
    fitted = fit_transitions_of(info, axis)
    others = [str(dim) for dim in fitted["p50"].dims]
    numeric = [dim for dim in others if results[dim].dtype.kind in "if" and results[dim].size > 2]
    if numeric:
        return _maps(info, fitted, numeric[-1], axis)
    return _curves(info, fitted, axis)


def _carries_transition(info: StoreInfo, axis: str) -> bool:
    return has_positions(info.sweep, axis) and shared_draws(Grid(info.sweep), [axis]) == ((), None)


def _axis(info: StoreInfo) -> str:
    sweep = info.sweep
    if sweep.plot.x is not None:
        return sweep.plot.x
    if sweep.fit.along is not None:
        return sweep.fit.along
    if not sweep.axes:
        raise SweepError(f"{info.path}: its sweep has no axis to draw along.")
    return [name for name in sweep.axes if name != TARGET or len(sweep.axes) == 1][-1]


def _curves(info: StoreInfo, fitted: xr.Dataset, axis: str) -> Figure:
    """Success against one axis, a curve for each group: Wilson bars, fit with band, 50 % point."""
    groups = list(fitted["p50"].dims)
    curves = at_most(MAX_CURVES, "curves", each_part(fitted, groups), info)
    figure, (axes,) = new_figure(1)
    for colour, (label, one) in zip(COLOURS, curves, strict=False):
        _curve(axes, one, axis, label, colour)
    axes.axhline(0.5, color="0.7", lw=0.8, zorder=0)
    axes.set(xlabel=name_of(axis), ylabel=SYMBOLS["success"], ylim=(-0.03, 1.03))
    if groups:
        axes.legend()
    add_title(figure, info, "bars: 95 % Wilson intervals; band: 95 % of the fitted curve; "
           "diamond: 50 % point with its 95 % interval")  # fmt: skip
    return figure


def _curve(axes: Axes, one: xr.Dataset, axis: str, label: str, colour: Any) -> None:
    one = one.isel({axis: np.flatnonzero(one["runs"].values)})
    if one.sizes[axis] == 0:
        return
    x, runs = one[axis].values.astype(float), one["runs"].values
    share = one["successes"].values / runs
    spread = np.abs(np.stack([one["success_low"], one["success_high"]]) - share)
    axes.errorbar(x, share, spread, fmt="o", ms=3.5, lw=1, color=colour, label=label)
    if len(x) < 2:
        return
    fine = np.linspace(x.min(), x.max(), 400)
    direction = int(one["direction"].values.flat[0])
    low, high = curve_band(fine, x, one["successes"].values, runs, direction=direction)
    axes.fill_between(fine, low, high, color=colour, alpha=0.15, lw=0)
    fitted = Transition(**{f.name: one[f.name].values.flat[0] for f in fields(Transition)})
    axes.plot(fine, curve(fine, fitted), color=colour, lw=1)
    p50, p50_low, p50_high = (float(v) for v in (fitted.p50, fitted.p50_low, fitted.p50_high))
    if x.min() <= p50 <= x.max():
        axes.errorbar(
            [p50], [0.5], xerr=[[p50 - p50_low], [p50_high - p50]], fmt="D", ms=5, capsize=3,
            color=colour, mec="black", mew=0.6, ecolor="black", zorder=5,
        )  # fmt: skip


def _maps(info: StoreInfo, fitted: xr.Dataset, x: str, y: str) -> Figure:
    """Success over two axes, a panel for each group, with the fitted 50 % points."""
    groups = [dim for dim in fitted["p50"].dims if dim != x]
    panels = at_most(MAX_PANELS, "panels", each_part(fitted, groups), info)
    figure, axes = new_figure(len(panels))
    for each, (label, one) in zip(axes, panels, strict=True):
        image = _map(each, one, x, y)
        each.set_title(label)
    for each in axes[len(panels) :]:
        each.set_visible(False)
    figure.colorbar(image, ax=axes[: len(panels)], label=SYMBOLS["success"], shrink=0.85)
    axes[0].legend(fontsize=8, framealpha=0.8, frameon=True)
    note = "points: 50 % success with 95 % intervals"
    blank = bool((fitted["runs"] == 0).any())
    add_title(figure, info, f"{note}; grey: not run" if blank else note)
    return figure


def _map(axes: Axes, one: xr.Dataset, x: str, y: str) -> Any:
    share = (one["successes"] / one["runs"].where(one["runs"] > 0)).transpose(y, x)
    axes.set_facecolor("0.85")
    image = axes.pcolormesh(
        _edges(one[x].values), _edges(one[y].values), share.values, cmap="viridis", vmin=0, vmax=1
    )
    bounds = one[y].values.min(), one[y].values.max()
    inside = (one["trials"] > 0) & (one["p50"] >= bounds[0]) & (one["p50"] <= bounds[1])
    shown = one[["p50", "p50_low", "p50_high"]].where(inside)
    centre = shown["p50"].values
    spread = np.stack([centre - shown["p50_low"].values, shown["p50_high"].values - centre])
    points = axes.errorbar(
        one[x].values, centre, spread, fmt="o-", ms=4, lw=1.6, capsize=3, color="white",
        mec="black", mew=0.8, label="50 % success",
    )  # fmt: skip
    for line in (points.lines[0], *points.lines[1], *points.lines[2]):
        line.set_path_effects([withStroke(linewidth=3, foreground="black")])
    axes.set(xlabel=name_of(x), ylabel=name_of(y), ylim=(_edges(one[y].values)[[0, -1]]))
    return image


def _levels(info: StoreInfo, values: xr.DataArray, axis: str) -> Figure:
    """Mean and 95 % interval of a variable against one axis, a curve for each group.

    Trials that diverged have infinite errors; they are left out and counted below the picture.
    """
    diverged = int(np.isinf(values).sum())
    values = values.where(np.isfinite(values))
    groups = [dim for dim in values.dims if dim not in (axis, "trial")]
    figure, (axes,) = new_figure(1)
    curves = at_most(MAX_CURVES, "curves", each_part(values.to_dataset(), groups), info)
    for colour, (label, one) in zip(COLOURS, curves, strict=False):
        mean, spread = _mean(one[values.name])
        x = one[axis].values
        x = x if x.dtype.kind in "if" else np.array([str(value) for value in x])
        axes.errorbar(x, mean, spread, fmt="o-", ms=3.5, lw=1, color=colour, label=label)
    axes.set(xlabel=name_of(axis), ylabel=SYMBOLS.get(str(values.name), str(values.name)))
    if values.name == "success":
        axes.set_ylim(-0.03, 1.03)
    elif float(values.max()) > 30 * max(float(values.min()), 1e-300):
        axes.set_yscale("log")
    if groups:
        axes.legend()
    note = "means over trials; bars: 95 % intervals"
    add_title(figure, info, f"{note}; {diverged} diverged trials left out" if diverged else note)
    return figure


def _mean(values: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over trials and the lengths of its bars: Wilson's for success, else ± 1.96 errors."""
    count = values.notnull().sum("trial").values
    total = values.sum("trial").values
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    if values.name == "success":
        low, high = wilson_interval(total, count)
        return mean, np.stack([mean - low, high - mean])
    deviations = ((values - values.mean("trial")) ** 2).sum("trial").values
    half = 1.96 * np.sqrt(deviations / np.maximum(count - 1, 1) / np.maximum(count, 1))
    return mean, np.stack([half, half])


def _edges(centres: np.ndarray) -> np.ndarray:
    """Cell edges half-way between the values of an axis."""
    centres = np.asarray(centres, dtype=float)
    if centres.size == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middles = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middles[0]], middles, [2 * centres[-1] - middles[-1]]])
