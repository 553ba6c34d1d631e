"""Small grids, their points, and the line that refuses one."""

import numpy as np
import pytest

from genprior.sweeps import Grid, Point, Sweep, SweepError


def grid(axes=None, parameters=None, dependent=None, exclude=()) -> Grid:
    """A grid of two-layer networks, unless told otherwise."""
    written = {
        "axes": {"k": [2, 3]} if axes is None else axes,
        "parameters": {"m": 10, "depth": 2, "widths": [20, 30]} | (parameters or {}),
        "dependent": dependent or {},
        "exclude": exclude,
    }
    for name in (*written["axes"], *written["dependent"]):
        written["parameters"].pop(name, None)
    return Grid(Sweep.parse(written))


def points(grid: Grid) -> list[Point]:
    """All points that are to be run, the last axis fastest."""
    return [grid.point(tuple(index)) for index in np.argwhere(~grid.excluded)]


def values(grid: Grid, name: str) -> list:
    return [getattr(point, name) for point in points(grid)]


def refusal(*arguments, **tables) -> str:
    with pytest.raises(SweepError) as caught:
        grid(*arguments, **tables)
    assert str(caught.value).isprintable()
    return str(caught.value)
