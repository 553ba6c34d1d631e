"""What a run is asked for, checked before anything of it starts."""

from pathlib import Path
from typing import NamedTuple

from ..store import (
    StoreInfo,
    WrongStoreError,
    changed_coordinate,
    check_place,
    check_replaceable,
    is_vacant,
    read_info,
)
from ..sweeps import Grid, Sweep, differences, union
from ..sweeps.sharing import check_reading
from ..tasks import Experiment, check_task, task_kind
from ..tasks.generators.settled import settled
from ..tasks.solvers import check_installed
from .analyses import check_needs


class RunRequest(NamedTuple):
    """A run that was asked for and that nothing forbids, as far as is known before it starts.

    Attributes:
        sweep: what is asked for.
        grid: its points, laid out once for all that follows.
        path: the store.
        kind: the task.
        stored: the grid of the store that is there, if one is.
    """

    sweep: Sweep
    grid: Grid
    path: Path
    kind: Experiment
    stored: Grid | None = None

    @property
    def trials(self) -> int:
        """How many trials are asked for."""
        return int((~self.grid.excluded).sum()) * self.sweep.trials


def check_request(sweep: Sweep, path: Path, kind: Experiment | None = None) -> RunRequest:
    """Refuse, before anything is made, what no run could do.

    Args:
        sweep: what to run.
        path: the store; there may be none yet.
        kind: the task; the one that the sweep names if None.

    Raises:
        SweepError: points that cannot be run.
        UserError: a package that they need is not installed.
        WrongStoreError: a path that holds another experiment, no store, or where none can be.
    """
    grid, kind = Grid(sweep), kind or task_kind(sweep.task)
    check_points(grid, kind)
    check_installed(grid)
    request = RunRequest(sweep, grid, path, kind)
    if not is_vacant(path):
        wanted = settled(grid)
        info = stored_info(request, wanted)
        check_same_experiment(info, wanted)
        request = request._replace(stored=info.grid)
        if grown_sweep(info, wanted):
            check_replaceable(path)
    check_place(path)
    return request


def stored_info(request: RunRequest, wanted: Sweep) -> StoreInfo:
    """Read what a store says of itself, without laying out again a grid that is there already."""
    info = read_info(request.path)
    if request.stored is not None:
        return info.with_grid(request.stored)
    return info.with_grid(request.grid.described_by(wanted.complete()))


def check_points(grid: Grid, kind: Experiment) -> None:
    """Refuse points that cannot be run, and readings that cannot be made of them.

    Raises:
        SweepError: with the point and what is wrong.
    """
    check_task(kind, grid)
    check_needs(grid.sweep, kind)
    check_reading(grid)


def grown_sweep(info: StoreInfo, sweep: Sweep) -> Sweep | None:
    """Give the sweep that a store has to be extended for, if it has to be."""
    grown = union(info.sweep, sweep)
    same = (grown.axes, grown.trials) == (info.sweep.axes, info.sweep.trials)
    return None if same else grown


def check_same_experiment(info: StoreInfo, sweep: Sweep) -> None:
    """Refuse a sweep that is another experiment than the store's, naming the difference.

    So is one whose computed parameters an older version rounded otherwise.
    """
    found = differences(info.sweep, sweep)
    if found:
        raise WrongStoreError(
            f"{info.path} holds sweep {info.sweep.hash[:6]}, not {sweep.hash[:6]}: "
            f"{'; '.join(found[:3])}. Choose another store, or set it back."
        )
    if changed := changed_coordinate(info, info.grid):
        name, place, stored, computed = changed
        at = f" at {place}" if place else ""
        raise WrongStoreError(
            f"{info.path}: '{name}' is {stored}{at} there, and this version computes {computed}: "
            "the one that made it rounded otherwise. Choose another store, or use that version "
            f"({info.attributes.get('genprior_version', 'unknown')})."
        )
