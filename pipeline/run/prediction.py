"""What a sweep whose trials place themselves will take, predicted before it runs."""

from typing import Any

import numpy as np

from ...sweeps import Grid
from ...sweeps.placing import BATCH, group_dims
from ...tasks.statistics.group_laws import descent_scale
from ...tasks.statistics.placement import predicted_trials


def predicted_groups(grid: Grid, cost: np.ndarray) -> list[dict[str, Any]]:
    """Predict the trials of each group, and their time.

    Args:
        grid: the points of the sweep, over all its axes.
        cost: seconds of a trial at every point.

    Returns:
        For each group its coordinates, `trials` and `seconds`. The transitions are assumed to be
        as wide as those of descent; a trial takes the mean time of the group's points.
    """
    sweep = grid.sweep
    settings, along = sweep.adaptive, grid.dims.index(str(sweep.placed))
    assert settings is not None
    dims, excluded = group_dims(sweep), np.moveaxis(grid.excluded, along, -1)
    seconds = np.where(excluded, np.nan, np.moveaxis(cost, along, -1))
    rows = []
    for group in np.argwhere(~excluded.all(axis=-1)):
        index = tuple(int(i) for i in group)
        first = int(np.argmin(excluded[index]))
        point = grid.point((*index[:along], first, *index[along:]))
        trials = predicted_trials(
            float(descent_scale(point.k, len(point.widths))), settings.precision
        )
        trials = -(-min(trials, settings.most) // BATCH) * BATCH
        row = {dim: sweep.axes[dim][at] for dim, at in zip(dims, index, strict=True)}
        each = float(np.nanmean(seconds[index]))
        rows.append({**row, "trials": trials, "seconds": trials * each})
    return rows
