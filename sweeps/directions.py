"""What is known of an axis before a run: whether success rises along it, and its least value."""

import numpy as np

from .grid import Grid
from .parameters import PARAMETERS, facts, names_with
from .sweep import Sweep

RISING, FALLING = 1, -1
DIRECTIONS = {"rising": RISING, "falling": FALLING}


def given_direction(sweep: Sweep, axis: str) -> int | None:
    """Give the sweep's `fit.direction`, +1 or −1; None if it is not about this axis.

    It holds for `fit.along`, or for any axis if the sweep does not name `fit.along`.
    """
    given = sweep.fit.direction
    return DIRECTIONS[given] if given is not None and sweep.fit.along in (None, axis) else None


def expected_direction(sweep: Sweep, axis: str) -> int | None:
    """Say whether success should rise (+1) or fall (−1) along an axis; None if that is not known.

    The parameters that change along the axis decide: the axis itself and what is computed from it,
    so that a multiplier has the direction of what it multiplies. If they disagree, the direction is
    not known.
    """
    grid = Grid(sweep)
    known = {name: DIRECTIONS[str(facts(name).success)] for name in names_with("success")}
    found = {known[name] * change for name in known for change in _changes(grid, name, axis)}
    if not found and axis in known:
        return known[axis]  # the axis has one value, so nothing changes along it
    return found.pop() if len(found) == 1 else None


def least_value(axis: str) -> float | None:
    """Give a lower bound of the values of an axis: 0 if they are never negative.

    None if there is no bound. Multipliers are positive.
    """
    if axis not in PARAMETERS:
        return 0.0
    bounds = [getattr(b, "ge", getattr(b, "gt", None)) for b in PARAMETERS[axis].metadata]
    return min((min(float(bound), 0.0) for bound in bounds if bound is not None), default=None)


def _changes(grid: Grid, name: str, axis: str) -> set[int]:
    """List the signs of the steps of a parameter along an axis; empty if it does not change."""
    column = grid.column(name)
    if column is None or axis not in column.dims:
        return set()
    values = np.moveaxis(column.values, column.dims.index(axis), 0)
    if any(value is None for value in values.flat):
        return set()
    steps = np.sign(np.diff(values.astype(float), axis=0))
    return {int(sign) for sign in np.unique(steps) if sign}
