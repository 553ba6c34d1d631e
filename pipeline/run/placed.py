"""The blocks of a run whose trials place themselves: the next ones follow from the outcomes."""

import heapq
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ...store import (
    BlockWriter,
    Layout,
    Status,
    StoreInfo,
    Survey,
    open_writer,
    origins_along,
    part_trials,
    read_values,
)
from ...sweeps import Grid, Sweep, SweepError, point_identity
from ...sweeps.directions import expected_direction, given_direction, least_value
from ...sweeps.labels import value_label
from ...sweeps.parameters import names_with
from ...sweeps.part import Part
from ...sweeps.placing import allowed_values, excluded_groups, group_dims, of_group
from ...sweeps.sharing import share_along
from ...tasks import Experiment
from .again import Blocks
from .block_task import BlockReport, BlockTask
from .group import Group, Rules

TaskOf = Callable[..., BlockTask]


def check_placeable(grid: Grid, kind: Experiment) -> None:
    """Refuse a sweep whose trials cannot be placed.

    Raises:
        SweepError: its trials have no success, or those along the axis share their draws; or the
            rules leave a group one value.
    """
    along = grid.sweep.placed
    if along is None:
        return
    if "success" not in {variable.name for variable in kind.variables}:
        raise SweepError(
            f"adaptive: trials of task '{kind.name}' neither succeed nor fail, so that there is no "
            "50 % point to look for."
        )
    several = [name for name in names_with("variant") if len(grid.sweep.axes.get(name, ())) > 1]
    if several:
        raise SweepError(
            f"adaptive: the values of '{several[0]}' are variants of one trial, and each would "
            f"have its trials elsewhere; give '{several[0]}' one value."
        )
    if share_along(grid, along, "adaptive.along"):
        raise SweepError(
            f"adaptive.along: all values of '{along}' share their draws; trials can only be placed "
            "where each has its own."
        )
    # The grid lists values on both sides of every end that a rule sets.
    at = grid.dims.index(along)
    single = np.argwhere((~grid.excluded).sum(axis=at) == 1)
    if single.size:
        named = zip(group_dims(grid.sweep), single[0], strict=True)
        place = ", ".join(f"{n} = {value_label(grid.axes[n][i])}" for n, i in named)
        where = f" at {place}" if place else ""
        raise SweepError(
            f"adaptive.along: exclude leaves one value of '{along}'{where}; leave more, or none."
        )


class PlacedBlocks(Blocks):
    """Gives the blocks of groups, round after round; those of expensive groups first.

    Args:
        info: the store.
        sweep: the sweep that is asked for.
        part: the part of the groups that is asked for; all if None.
        task_of: makes the task of a block from its index, the trials that have to run, and the
            value and number of each.
    """

    def __init__(
        self, info: StoreInfo, sweep: Sweep, part: Part | None, task_of: TaskOf | None = None
    ):
        super().__init__(())
        self._info, self._task_of = info, task_of
        stored = read_values(info, (*info.read_by_placement, "status"))
        self.groups = list(_groups(info, sweep, part, stored))
        self._heap: list[tuple[float, int, BlockTask]] = []
        self._given = 0

    @property
    def _writer(self) -> BlockWriter:
        return open_writer(self._info.path.absolute(), self._info.revision)

    def begin(self) -> None:
        """Find the first trials to run."""
        for group in self.groups:
            self._go_on(group)

    @property
    def is_over(self) -> bool:
        """Whether no group needs a trial; nothing is placed to find out."""
        return all(not group.work(None) and group.ended for group in self.groups)

    def __next__(self) -> BlockTask:
        """Give the next block.

        Raises:
            StopIteration: there is none at this moment.
        """
        if self._heap:
            return heapq.heappop(self._heap)[2]
        return super().__next__()

    def ended(self, task: BlockTask, report: BlockReport) -> None:
        """Take the outcomes of a block, and place the next round of its group if it is the last."""
        group = next(g for g in self.groups if g.index == task.block[:-1])
        chunk, region = task.block[-1], self._info.layout.region(task.block)
        stored = self._writer.read(region, ("status", "success"))
        group.status[group.part(chunk)] = stored["status"].ravel()
        group.success[group.part(chunk)] = stored["success"].ravel()
        wanted = task.wanted.ravel()
        if (group.status[group.part(chunk)][wanted] == Status.PENDING).any():
            return  # the block was held: the run is ending
        group.tried[group.part(chunk)] |= wanted
        group.seconds += report.seconds
        group.timed += report.done + report.crashed
        group.flying.discard(chunk)
        if not group.flying:
            self._go_on(group)

    def figures(self) -> dict[str, Any]:
        """Count placed trials and ended groups, and estimate the share that has ended."""
        return {
            "total": sum(group.asked for group in self.groups),
            "groups": len(self.groups),
            "groups_ended": sum(bool(group.ended) for group in self.groups),
            "share": sum(group.share for group in self.groups) / max(1, len(self.groups)),
        }

    def counts(self) -> dict[str, int]:
        """Count the trials of the groups that are done, and the successes among them."""
        done = [group.status == Status.DONE for group in self.groups]
        wins = (g.success[mask] == 1 for g, mask in zip(self.groups, done, strict=True))
        return {
            "already_done": sum(int(mask.sum()) for mask in done),
            "already_successful": sum(int(win.sum()) for win in wins),
        }

    def _go_on(self, group: Group) -> None:
        def place(chunk: int, values: np.ndarray, numbers: np.ndarray, number: int) -> None:
            region = self._info.layout.region((*group.index, chunk))
            self._writer.place(region, values, numbers, np.full(values.shape, number))

        for chunk in group.work(place):
            block = (*group.index, chunk)
            part = group.part(chunk)
            wanted = group.wanted(chunk).reshape((1,) * len(group.index) + (-1,))
            placed = tuple(
                zip(group.value[part].tolist(), group.number[part].tolist(), strict=True)
            )
            assert self._task_of is not None
            task = self._task_of(block, wanted, placed)
            group.flying.add(chunk)
            cost = group.seconds / group.timed if group.timed else float("inf")
            self._given += 1
            heapq.heappush(self._heap, (-cost, self._given, task))


def _groups(
    info: StoreInfo, sweep: Sweep, part: Part | None, stored: Mapping[str, np.ndarray]
) -> Iterator[Group]:
    """Give the groups of a store that a sweep asks for, with what the store holds of them."""
    names = (*info.read_by_placement, "status")
    whole = _with_axis_of(info.sweep, sweep)
    asked = _asked(info, sweep, part) & ~excluded_groups(Grid(whole))
    along = str(sweep.placed)
    settings = sweep.adaptive
    assert settings is not None
    direction = given_direction(sweep, along) or expected_direction(sweep, along)
    for at in np.argwhere(asked):
        index = tuple(int(i) for i in at)
        arrays: dict[str, Any] = {name: np.array(stored[name][index]) for name in names}
        values = allowed_values(whole, index)
        grid = Grid(of_group(info.sweep, index, values[:1].tolist()))
        first = grid.point((0,) * len(grid.dims))
        rules = Rules(
            values,
            settings.precision,
            sweep.seed,
            point_identity(first, (*sweep.paired, along)),
            direction,
            least_value(along),
            settings.most,
        )
        value, number, round_number = (arrays[name] for name in info.placement)
        group = Group(
            index, rules, value, number, round_number, arrays["status"], arrays["success"]
        )
        yield group


def _asked(info: StoreInfo, sweep: Sweep, part: Part | None) -> np.ndarray:
    """Mark the groups of a store that a sweep asks for."""
    shape = info.layout.shape[:-1]
    asked = np.zeros(shape, dtype=bool)
    asked[np.ix_(*origins_along(info.sweep, sweep, info.layout.dims[:-1]))] = True
    if part is not None:
        whole = Layout(info.layout.dims, (*shape, 1), (1,) * (len(shape) + 1))
        asked &= part_trials(whole, part)[..., 0]
    return asked


def _with_axis_of(stored: Sweep, asked: Sweep) -> Sweep:
    """Give the store's sweep the ends between which trials are placed now."""
    along = str(asked.placed)
    written = stored.as_dict()
    written["axes"] = {**written["axes"], along: list(asked.axes[along])}
    return type(stored).parse(written, stored=True)


def groups_of(info: StoreInfo, survey: Survey) -> list[dict[str, Any]]:
    """Say of each group of a store what its trials tell so far, as far as they can be read."""
    from ...tasks.statistics.placement import KNOWN

    rows = []
    dims = info.layout.dims[:-1]
    stored = {name: np.full(info.layout.shape, -1) for name in info.read_by_placement}
    stored |= {**survey.values, "status": survey.status}
    for group in _groups(info, info.sweep, None, stored):
        seen, reached = group.seen(), group.reached
        group.work(None)  # looks at earlier rounds too
        row: dict[str, Any] = {
            dim: info.sweep.axes[dim][at] for dim, at in zip(dims, group.index, strict=True)
        }
        row |= {"trials": int(group.told.sum())}
        row |= dict.fromkeys(("p50", "p50_low", "p50_high", "reached"))
        if seen is not None and math.isfinite(reached):
            fit, (first, last) = seen.fit, group.rules.values[[0, -1]]
            # Unless the group is known, an end beyond all values is the prior's.
            low_known = group.ended == KNOWN or fit.p50_low >= first
            high_known = group.ended == KNOWN or fit.p50_high <= last
            row |= {
                "p50": fit.p50,
                "p50_low": fit.p50_low if low_known else None,
                "p50_high": fit.p50_high if high_known else None,
                "reached": reached if low_known and high_known else None,
            }
        rows.append({**row, "ended": group.ended})
    return rows
