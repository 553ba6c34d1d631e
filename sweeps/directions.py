"""What is known of an axis before anything is run: where success rises, and where values end."""

import numpy as np

from .grid import Grid
from .parameters import PARAMETERS, facts, names_with
from .sweep import Sweep

RISING, FALLING = 1, -1
DIRECTIONS = {"rising": RISING, "falling": FALLING}


def direction_along(sweep: Sweep, axis: str) -> int | None:
    """Say whether success rises (+1) or falls (−1) along an axis; None where neither is known.

    The sweep's own `fit.direction` goes first: it is about `fit.along`, or, where the sweep names
    none, about any axis. Else the parameters decide that change along the axis, itself or what is
    computed from it: a multiplier has the direction of what it multiplies. They have to agree.
    """
    given = sweep.fit.direction
    if given is not None and sweep.fit.along in (None, axis):
        return DIRECTIONS[given]
    grid = Grid(sweep)
    known = {name: DIRECTIONS[str(facts(name).success)] for name in names_with("success")}
    found = {known[name] * change for name in known for change in _changes(grid, name, axis)}
    if not found and axis in known:
        return known[axis]  # one value, along which nothing changes
    return found.pop() if len(found) == 1 else None


def least_value(axis: str) -> float | None:
    """Give the bound below which no value of an axis lies, 0 for all that is never negative.

    None where there is none. Multipliers are positive.
    """
    if axis not in PARAMETERS:
        return 0.0
    bounds = [getattr(b, "ge", getattr(b, "gt", None)) for b in PARAMETERS[axis].metadata]
    return min((min(float(bound), 0.0) for bound in bounds if bound is not None), default=None)


def _changes(grid: Grid, name: str, axis: str) -> set[int]:
    """List the signs of the steps of a parameter along an axis; empty where it does not change."""
    column = grid.column(name)
    if column is None or axis not in column.dims:
        return set()
    values = np.moveaxis(column.values, column.dims.index(axis), 0)
    if any(value is None for value in values.flat):
        return set()
    steps = np.sign(np.diff(values.astype(float), axis=0))
    return {int(sign) for sign in np.unique(steps) if sign}
