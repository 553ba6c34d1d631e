"""Planes of codes in stores: which cells share a plane, and the descents that were run on it."""

import json
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np

from ...store import StoreInfo
from ...sweeps import Grid, SweepError, point_identity
from ...sweeps.labels import value_label
from ...sweeps.parameter import flat_values
from ...sweeps.parameters import PARAMETERS, task_has
from ...tasks.experiment import Experiment
from ...tasks.experiments import is_kind
from ...tasks.experiments.landscape import LandscapeTask
from ...tasks.experiments.trajectory import STEP, Trajectory, start_place
from ...tasks.point import Point
from ..fit.trials import Trials
from ..run.prepare import recorded_weights

# Axes along which the plane is the same, by experiment; experiments derived from one have them too.
ON_PLANE: dict[type[Experiment], tuple[str, str]] = {
    LandscapeTask: ("plane.along", "plane.across"),
    Trajectory: ("trajectory.angle", STEP),
}
# Tables of parameters that decide neither the problem nor the plane.
OF_DESCENTS = ("solver", "plane", "trajectory")
Cell = tuple[int, ...]


def plane_axes(grid: Grid) -> list[str]:
    """List the axes along which the plane changes, or all descents on it."""
    task = grid.sweep.task
    on_plane = next(axes for base, axes in ON_PLANE.items() if is_kind(task, base))
    return [name for name in grid.dims if name not in on_plane]


def plane_points(grid: Grid) -> dict[Cell, Point]:
    """Give one point for every cell of `plane_axes`.

    Args:
        grid: the grid of a sweep of `landscape` or `trajectory`.

    Returns:
        A point by the cell's index along `plane_axes`. A cell whose points are all excluded is
        left out.
    """
    axes = plane_axes(grid)
    points = {}
    for cell in np.ndindex(tuple(len(grid.sweep.axes[name]) for name in axes)):
        at = dict(zip(axes, cell, strict=True))
        box = tuple(at.get(name, slice(None)) for name in grid.dims)
        free = np.argwhere(~grid.excluded[box])
        if len(free):
            rest = iter(free[0])
            index = tuple(at[name] if name in at else int(next(rest)) for name in grid.dims)
            points[cell] = grid.point(index)
    return points


class Line(NamedTuple):
    """A descent of trial 0 as a line of a picture.

    Attributes:
        places: coordinates on the plane in units of ‖x*‖, shape (s, 2): the start and the iterates
            in their order. A row of NaN precedes an iterate that was reached by negation. Without
            iterates s is 0.
        end: code of where the descent ended, a value of `End`.
    """

    places: np.ndarray
    end: int


def read_lines(trials: Trials, cells: Collection[Cell]) -> dict[Cell, list[Line]]:
    """Read the descents of trial 0 in some cells of a store of trajectories.

    Args:
        trials: the trials of the store.
        cells: indices along its `plane_axes`.

    Returns:
        The descents of each cell, one for each angle.

    Raises:
        StoreError: the store is damaged.
    """
    grid = Grid(trials.info.sweep)
    loaded = trials.load(["along", "across", "negations", "end"]).isel(trial=0).sortby(STEP)
    dims = [*plane_axes(grid), "trajectory.angle"]
    if "trajectory.angle" not in loaded.dims:
        loaded = loaded.drop_vars("trajectory.angle", errors="ignore")
        loaded = loaded.expand_dims("trajectory.angle")
    values = loaded.transpose(*dims, STEP)
    starts = _starts(grid)
    arrays = [values[name].values for name in ("along", "across", "negations", "end")]
    return {
        cell: [
            _line(start, *(array[(*cell, at)] for array in arrays))
            for at, start in enumerate(starts[cell])
        ]
        for cell in cells
    }


def _starts(grid: Grid) -> np.ndarray:
    """Compute the coordinates of starts, shape (*plane_axes, angles, 2)."""
    order = [*plane_axes(grid), "trajectory.angle"]
    columns = []
    for name in ("trajectory.angle", "trajectory.radius"):
        column = grid.over_grid(name)
        column = np.asarray(PARAMETERS[name].default if column is None else column, dtype=float)
        full = np.broadcast_to(column, grid.shape).take(0, grid.dims.index(STEP))
        left = [dim for dim in grid.dims if dim != STEP]
        if "trajectory.angle" not in left:
            full, left = full[..., None], [*left, "trajectory.angle"]
        columns.append(full.transpose([left.index(dim) for dim in order]))
    return np.stack(np.vectorize(start_place)(*columns), axis=-1)


def _line(
    start: np.ndarray, along: np.ndarray, across: np.ndarray, negations: np.ndarray, end: np.ndarray
) -> Line:
    known = np.isfinite(along) & np.isfinite(across) & np.isfinite(negations)
    if not known.any():
        return Line(np.empty((0, 2)), 0)
    places = np.vstack([start, np.column_stack([along, across])[known]])
    moved = 1 + np.flatnonzero(np.diff(negations[known], prepend=0))
    return Line(np.insert(places, moved, np.nan, axis=0), int(end[known][-1]))


def check_task(info: StoreInfo, base: type[Experiment], option: str) -> None:
    """Refuse a store of another experiment.

    Args:
        info: the store.
        base: the experiment that it must have, or that its own is derived from.
        option: the option that needs it, for the message.

    Raises:
        SweepError: names both experiments.
    """
    if not is_kind(info.sweep.task, base):
        raise SweepError(
            f"{option}: {info.path} holds task '{info.sweep.task}', not '{base.name}'; give a "
            f"store of '{base.name}'."
        )


def shared_planes(landscape: StoreInfo, trajectories: StoreInfo) -> dict[Cell, list[Cell]]:
    """Find the descents on every plane of a landscape.

    Two cells share their plane if they have the same seed, the same problem and the same draws.
    The parameters of the solver may differ.

    Args:
        landscape: a store of the experiment `landscape`.
        trajectories: a store of the experiment `trajectory`.

    Returns:
        Cells of the trajectories for each cell of the landscape, along their `plane_axes`.

    Raises:
        SweepError: a store has another experiment, a plane has no descents, or the weights files
            differ; the message names the first difference.
    """
    check_task(landscape, LandscapeTask, "--trajectories")
    check_task(trajectories, Trajectory, "--trajectories")
    grids = Grid(landscape.sweep), Grid(trajectories.sweep)
    here, there = ({cell: _content(p, grid) for cell, p in plane_points(grid).items()}
                   for grid in grids)  # fmt: skip
    shared = {}
    for cell, wanted in here.items():
        shared[cell] = [other for other, content in there.items() if content == wanted]
        if not shared[cell]:
            nearest = min(there.values(), key=lambda content: len(_differing(content, wanted)))
            _refuse(landscape, trajectories, nearest, wanted)
    known, other = (recorded_weights(info.attributes) for info in (landscape, trajectories))
    for path in sorted(set(known) & set(other)):
        if known[path] != other[path]:
            raise SweepError(
                f"{trajectories.path}: its descents are not on the planes of {landscape.path}: "
                f"the weights file {path!r} had other content there."
            )
    return shared


def _content(point: Point, grid: Grid) -> dict[str, Any]:
    """Give all values that decide a problem, its draws and its plane, by name."""
    sweep = grid.sweep
    values = flat_values(point)
    content = {
        name: values[name]
        for name in PARAMETERS
        if task_has(LandscapeTask.name, name) and name.split(".")[0] not in OF_DESCENTS
    }
    paired = sorted(set(sweep.paired))
    return content | {
        "seed": sweep.seed,
        # The values of the axes that share their draws are not part of the identity.
        "paired": (json.dumps(paired), point_identity(point, sweep.paired)),
    }


def _differing(content: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    return [name for name, value in wanted.items() if content.get(name) != value]


def _refuse(
    landscape: StoreInfo, trajectories: StoreInfo, content: dict[str, Any], wanted: dict[str, Any]
) -> None:
    name = _differing(content, wanted)[0]
    there, here = content[name], wanted[name]
    if name == "paired":
        there, here = there[0], here[0]
    raise SweepError(
        f"{trajectories.path}: its descents are not on the planes of {landscape.path}: '{name}' "
        f"is {value_label(there)} there and {value_label(here)} here."
    )
