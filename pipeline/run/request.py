"""The request for a run, checked before anything is computed or written."""

from pathlib import Path
from typing import NamedTuple

from ...store import (
    Layout,
    StoreInfo,
    WrongStoreError,
    changed_coordinate,
    check_place,
    check_replaceable,
    is_vacant,
    read_info,
)
from ...sweeps import Grid, Sweep, differences, union
from ...sweeps.part import Part
from ...sweeps.placing import group_dims
from ...sweeps.sharing import check_reading
from ...tasks import Experiment, check_task, task_kind
from ...tasks.experiments import check_installed
from ...tasks.generators.settled import settled
from ..analyses import check_needs
from .placed import check_placeable


class RunRequest(NamedTuple):
    """A checked request for a run.

    Attributes:
        sweep: the sweep to run.
        grid: the points of the sweep, computed once.
        path: the store.
        kind: the task.
        stored: the grid of the existing store; None if there is no store yet.
        part: the part of the store's blocks that is asked for; None for all.
    """

    sweep: Sweep
    grid: Grid
    path: Path
    kind: Experiment
    stored: Grid | None = None
    part: Part | None = None

    @property
    def trials(self) -> int:
        """Number of trials that are asked for; of a part this is about its share."""
        trials = int((~self.grid.excluded).sum()) * self.sweep.trials
        return trials if self.part is None else -(-trials // self.part.count)


def check_request(
    sweep: Sweep, path: Path, kind: Experiment | None = None, part: Part | None = None
) -> RunRequest:
    """Check a request for a run; nothing is written.

    Args:
        sweep: the sweep to run.
        path: the store, which need not exist.
        kind: the task; the one that the sweep names if None.
        part: the part of the store's blocks to run; all if None.

    Raises:
        SweepError: points cannot be run, or an analysis of the sweep cannot be made.
        UserError: a package that the points need is not installed.
        WrongStoreError: the path holds something else, or no store can be there.
    """
    grid, kind = Grid(sweep), kind or task_kind(sweep.task)
    check_points(grid, kind)
    check_installed(kind, grid)
    request = RunRequest(sweep, grid, path, kind, part=part)
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
    """Read a store's information, and reuse a grid that was computed before if it is the same."""
    info = read_info(request.path)
    if request.stored is not None:
        return info.with_grid(request.stored)
    return info.with_grid(request.grid.described_by(wanted.complete()))


def check_points(grid: Grid, kind: Experiment) -> None:
    """Refuse points that cannot be run, and analyses that cannot be made of them.

    Raises:
        SweepError: the message names the point or the analysis, and what is wrong.
    """
    check_task(kind, grid)
    check_needs(grid.sweep, kind)
    check_placeable(grid, kind)
    check_reading(grid)


def grown_sweep(info: StoreInfo, sweep: Sweep) -> Sweep | None:
    """Give the sweep to which a store has to be extended; None if it need not be."""
    grown = union(info.sweep, sweep)
    if grown.placed is not None:  # the axis of placed trials is no dimension
        axes = group_dims(grown)
        same = all(grown.axes[axis] == info.sweep.axes[axis] for axis in axes)
        return None if same and Layout.of(grown, ()).shape == info.layout.shape else grown
    same = (grown.axes, grown.trials) == (info.sweep.axes, info.sweep.trials)
    return None if same else grown


def check_same_experiment(info: StoreInfo, sweep: Sweep) -> None:
    """Refuse a sweep that is another experiment than the store's.

    Raises:
        WrongStoreError: the sweeps differ, or an older version rounded a computed parameter of the
            store differently. The message names the difference.
    """
    check_same_placing(info, sweep)
    different = differences(info.sweep, sweep)
    if different:
        raise WrongStoreError(
            f"{info.path} holds sweep {info.sweep.hash[:6]}, not {sweep.hash[:6]}: "
            f"{'; '.join(different[:3])}. Choose another store, or set it back."
        )
    check_coordinates(info, "Choose another store")


def check_same_placing(info: StoreInfo, sweep: Sweep) -> None:
    """Refuse to continue a store over values with placed trials, and the other way round.

    Raises:
        WrongStoreError: the message says how the store is converted.
    """
    there, here = info.sweep.placed, sweep.placed
    if there == here:
        return
    if there is not None and here is not None:
        raise WrongStoreError(
            f"{info.path}: its trials are placed along '{there}', and here along '{here}'. Choose "
            "another store."
        )
    kind, layout = ("values of a grid", "placed") if there is None else ("placed trials", "grid")
    table = "the table [adaptive] and --adaptive"
    what = "add --adaptive" if here is None else f"leave out {table}"
    raise WrongStoreError(
        f"{info.path} holds {kind}. To go on with it as it is, {what}; to convert it: genprior "
        f"merge {info.path} NEW --as {layout}."
    )


def check_coordinates(info: StoreInfo, instead: str) -> None:
    """Refuse a store whose computed parameters an older version rounded differently.

    Args:
        info: the store.
        instead: what the user may do, the begin of a sentence.

    Raises:
        WrongStoreError: the message names the parameter.
    """
    if changed := changed_coordinate(info, info.grid):
        name, point, stored, computed = changed
        at = f" at {point}" if point else ""
        raise WrongStoreError(
            f"{info.path}: '{name}' is {stored}{at} there, and this version computes {computed}: "
            f"the version that made the store rounded differently. {instead}, or use that version "
            f"({info.attributes.get('genprior_version', 'unknown')})."
        )
