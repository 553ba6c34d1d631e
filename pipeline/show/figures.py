"""Pictures of a store. What its sweep asks for, and its number of axes, decide what is drawn.

Success is drawn as curves over one axis or as maps over two; other axes become more curves or more
panels. Laws, comparisons, basins and landscapes have pictures of their own.
"""

import math
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import stdtrit

from ...store import StoreError, StoreInfo, explained, read_info
from ...sweeps import SweepError
from ...sweeps.readings import AnalysisError
from ...tasks.experiments import is_kind
from ...tasks.experiments.landscape import LandscapeTask
from ...tasks.statistics.intervals import wilson_interval
from ..analyses import Analysis, Request, analyses
from ..analyses.transition import axis_drawn
from ..analyses.uniform import TARGET
from ..fit.fitting import stored_or_computed
from ..fit.trials import Trials, no_trials
from .canvas import (
    COLOURS,
    MAX_CURVES,
    Look,
    add_title,
    at_most,
    each_part,
    in_order,
    name_of,
    new_canvas,
    own_style,
    shown_variable,
)
from .landscape_figures import draw_landscapes
from .picture_axes import is_logarithmic, refuse_log, tick_magnitudes, tick_positions, tick_values
from .picture_layout import add_legend
from .planes import check_task

FORMATS = {".png": "agg", ".pdf": "pdf", ".svg": "svg"}  # ending: Matplotlib's backend
SIZES = 1.0, 60.0  # inches
WIDE = 30  # the axis of means is logarithmic if the largest is more than this times the smallest


def draw_store(
    path: Path, output: Path, look: Look | None = None, trajectories: Path | None = None
) -> Path:
    """Draw a store's results into a picture file.

    Args:
        path: the store.
        output: the file; its ending decides the format, PNG, PDF or SVG.
        look: the options of the picture; the defaults if None.
        trajectories: for a landscape, a store of descents on its planes, to be drawn over it.

    Raises:
        SweepError: the ending is another one, there are too many curves or panels, or the options
            or the descents are impossible for the picture.
        StoreError: the store cannot be read, or the picture cannot be written.
    """
    ending = output.suffix.lower()
    if ending not in FORMATS:
        raise SweepError(f"-o {output}: the ending must be one of {', '.join(FORMATS)}.")
    info = read_info(path)
    with own_style():
        figure = draw(info, look, read_info(trajectories) if trajectories else None)
        with explained(output, "writing the picture"):
            figure.savefig(output, format=ending[1:], backend=FORMATS[ending])
    return output


def default_picture(path: Path) -> Path:
    """Give the default path of a store's picture: the store's name, in the working directory."""
    return Path(f"{path.absolute().name.removesuffix('.zarr') or 'store'}.png")


def read_size(text: str | None) -> tuple[float, float] | None:
    """Read the width and height of --size, in inches.

    Raises:
        SweepError: the text is not a size, or a side is too small or too large.
    """
    if text is None:
        return None
    sides = re.fullmatch(r"\s*([\d.]+)\s*[x×]\s*([\d.]+)\s*", text, re.IGNORECASE)
    try:
        width, height = (float(side) for side in sides.groups()) if sides else (math.nan, math.nan)
    except ValueError:
        width = height = math.nan
    low, high = SIZES
    if not (low <= width <= high and low <= height <= high):
        raise SweepError(
            f"--size {text}: give WIDTHxHEIGHT in inches, each from {low:g} to {high:g}, as in 8x5."
        )
    return width, height


def draw(
    info: StoreInfo, look: Look | None = None, trajectories: StoreInfo | None = None
) -> Figure:
    """Draw a store's results; what its sweep asks for and its number of axes decide the picture.

    A 50 % point is drawn only along an axis on which a transition can be fitted.

    Args:
        info: the store.
        look: the options of the picture; the defaults if None.
        trajectories: for a landscape, a store of descents on its planes, to be drawn over it.

    Raises:
        SweepError: there are too many curves or panels, or the options or the descents are
            impossible.
        StoreError: no trial is done, or the store cannot be read.
    """
    if trajectories is not None:
        check_task(info, LandscapeTask, "--trajectories")
    with own_style():
        if is_kind(info.sweep.task, LandscapeTask):
            return draw_landscapes(info, look or Look(), trajectories)
        return _draw(info, look or Look())


def _draw(info: StoreInfo, look: Look) -> Figure:
    claiming = [analysis for analysis in analyses() if analysis.shows(info)]
    if not claiming:
        return _draw_levels(info, look)
    analysis = max(claiming, key=lambda claimant: claimant.rank)
    request = _request(info, analysis, look)
    try:
        dataset = stored_or_computed(analysis, request)
    except SweepError as error:
        # In place of a law that has too few groups yet, say, the transitions are shown.
        other = next((a for a in claiming if a.name == analysis.drawn_instead), None)
        if other is None:
            raise
        look = replace(look, missing=str(error).removeprefix(f"{info.path}: "))
        with suppress(SweepError):
            request = _request(info, other, look)
            return _figure(other, request, stored_or_computed(other, request), look)
        raise
    return _figure(analysis, request, dataset, look)


def _request(info: StoreInfo, analysis: Analysis, look: Look) -> Request:
    if analysis.no_log:
        refuse_log(look.log, analysis.no_log)
    request = Request(info, analysis.drawn_along(info))
    if not request.trials.done:
        raise no_trials(info)
    return request


def _figure(analysis: Analysis, request: Request, dataset: xr.Dataset, look: Look) -> Figure:
    figure = analysis.draw(request, dataset, look)
    if not isinstance(figure, Figure):
        raise AnalysisError(
            f"analysis {analysis.name!r}: draw gives a {type(figure).__name__}, and has to give a "
            "Figure of Matplotlib."
        )
    return figure


def _draw_levels(info: StoreInfo, look: Look) -> Figure:
    variable, axis = shown_variable(info), axis_drawn(info)
    trials = Trials(info)
    values = trials.load([variable]) if axis == TARGET else trials.load_worst([variable])
    if not values[variable].notnull().any():
        raise no_trials(info)
    return _levels(info, values[variable], axis, look)


def _levels(info: StoreInfo, values: xr.DataArray, axis: str, look: Look) -> Figure:
    """Draw means and 95 % intervals of a variable against one axis, a curve for each group.

    Diverged trials have infinite errors; they are left out and counted below the picture.

    Raises:
        StoreError: all values are infinite.
        SweepError: there are too many curves.
    """
    diverged = int(np.isinf(values).sum())
    if not np.isfinite(values).any():
        raise StoreError(
            f"{info.path}: {values.name}: all {diverged} values are infinite, because the trials "
            "diverged; there is no mean to draw. plot.variable names another variable."
        )
    values = in_order(values.where(np.isfinite(values)), axis)
    groups = [dim for dim in values.dims if dim not in (axis, "trial")]
    curves = at_most(MAX_CURVES, "curves", each_part(values.to_dataset(), groups), info)
    positions = values[axis].values
    log = is_logarithmic(axis, positions, look.log)
    is_numeric = positions.dtype.kind in "iuf"
    canvas = new_canvas(1, look)
    (axes,) = canvas.axes
    share = _is_share(values)
    means, bars, absent = [], [], []
    for colour, (label, group) in zip(COLOURS, curves, strict=False):
        mean, spread = _mean(group[values.name], share)
        known = np.isfinite(mean)
        if not known.any():
            absent.append(label)
            continue
        x = positions if is_numeric else np.arange(positions.size)
        axes.errorbar(x[known], mean[known], spread[:, known], fmt="o-", ms=3.5, lw=1,
                      color=colour, label=label)  # fmt: skip
        means.append(mean[known])
        bars.append((mean - spread[0])[known])
    if log:
        axes.set_xscale("log")
    if is_numeric:
        tick_positions(axes.xaxis, positions, log)
    else:
        tick_values(axes.xaxis, positions)
        axes.set_xlim(-0.5, positions.size - 0.5)
    axes.set(xlabel=name_of(axis), ylabel=name_of(str(values.name)))
    if share:
        axes.set_ylim(-0.03, 1.03)
    else:
        _scale(axes, np.concatenate(means), np.concatenate(bars))
    if groups:
        add_legend(canvas, *axes.get_legend_handles_labels(), inside=True)
    notes = ["means over trials", "bars: 95 % intervals"]
    notes += [f"{diverged} diverged trials left out"] if diverged else []
    notes += [f"not run: {'; '.join(absent)}"] if absent else []
    add_title(canvas, info, "; ".join(notes))
    return canvas.finish()


def _scale(axes: Axes, means: np.ndarray, lows: np.ndarray) -> None:
    """Make the axis logarithmic if all means are positive and they differ by more than `WIDE`.

    A bar that reaches to 0 or below ends at the lower end of the axis.
    """
    if means.min() <= 0 or means.max() <= WIDE * means.min():
        return
    axes.set_yscale("log")
    _, high = axes.get_ylim()
    low = min(means.min(), lows[lows > 0].min(initial=np.inf)) / 1.5
    axes.set_ylim(low, high)
    tick_magnitudes(axes.yaxis, low, high)


def _is_share(values: xr.DataArray) -> bool:
    """Say whether a variable has the codes 0 and 1 alone, so that its mean is a share."""
    return set(np.atleast_1d(values.attrs.get("flag_values", ())).tolist()) == {0, 1}


def _mean(values: xr.DataArray, share: bool) -> tuple[np.ndarray, np.ndarray]:
    """Give the mean over trials, and how far its 95 % interval reaches below and above it.

    The interval is Wilson's for a share, else Student's: t(n − 1) standard errors on each side,
    NaN for fewer than two trials.
    """
    count = values.notnull().sum("trial").values
    total = values.sum("trial").values
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    if share:
        low, high = wilson_interval(total, count)
        return mean, np.stack([mean - low, high - mean])
    deviations = ((values - values.mean("trial")) ** 2).sum("trial").values
    freedom = np.where(count > 1, count - 1, np.nan)
    half = stdtrit(freedom, 0.975) * np.sqrt(deviations / freedom / np.maximum(count, 1))
    return mean, np.stack([half, half])
