"""What a grid can tell of a scaling law before a run: which shapes it can reject."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np

from ...sweeps import Grid
from ...tasks.statistics.regression import power_to_reject
from ...tasks.statistics.scaling import check_terms, descent_scale
from .scaling_terms import group_terms, groups_of

SCATTER = 0.05  # of the truth about a law, assumed
SIZE = 0.01  # of the tests


def powers(
    grid: Grid, axis: str, terms: Sequence[str], shapes: Sequence[str]
) -> list[dict[str, Any]]:
    """Give the power to reject a shape where another one holds, for every ordered pair.

    Assumed are transitions as wide as those of descent, in the middle of the values of each group,
    and a scatter of 5 % about the shape that holds.

    Args:
        grid: the points.
        axis: the axis of the transitions, whose values are positive.
        terms: names of the law's terms, which are only checked.
        shapes: names of the shapes.

    Raises:
        ValueError: a term does not vary, or follows from others.
    """
    found = group_terms(grid, axis, terms, shapes)
    values = [array.values.ravel() for array in found.terms.values()]
    asked = np.isfinite(found.offset.values.ravel())
    check_terms(np.column_stack([np.ones(asked.sum()), *(v[asked] for v in values)]),
                ["constant", *terms])  # fmt: skip
    variance = _variances(grid, axis)
    covariance = np.diag(variance + SCATTER**2)
    logs = {name: array.values.ravel()[asked] for name, array in found.shapes.items()}
    one = np.ones((variance.size, 1))
    return [
        {
            "holds": holds,
            "tested": tested,
            "power": power_to_reject(logs[holds] - logs[tested], covariance, one, SIZE),
        }
        for holds, tested in permutations(logs, 2)
    ]


def _variances(grid: Grid, axis: str) -> np.ndarray:
    """Predict the variance of ln(50 % point) of every group that is asked for, in their order."""
    positions = np.log(np.array(grid.sweep.axes[axis], dtype=float))
    found = []
    for _, asked, point in groups_of(grid, axis):
        scale, t = descent_scale(point.k, len(point.widths)), positions[asked]
        u = np.clip((t - (t.min() + t.max()) / 2) / scale, -30, 30)
        chance = 1 / (1 + np.exp(-u))
        information = grid.sweep.trials * (chance * (1 - chance)).sum() / scale**2
        found.append(1 / float(np.maximum(information, 1e-12)))
    return np.array(found)
