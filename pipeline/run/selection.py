"""Which trials of a store a run has to compute, and in which order its blocks run."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ...store import (
    Layout,
    Status,
    StoreError,
    StoreInfo,
    open_writer,
    origins_along,
    part_trials,
    read_values,
)
from ...sweeps import Sweep
from ...sweeps.part import Part
from .again import Blocks
from .pilot import Pilot
from .placed import PlacedBlocks, TaskOf
from .prepare import Prepared


class Work(NamedTuple):
    """What a run has to do.

    Attributes:
        blocks: gives its blocks.
        writes: whether there may be trials to run.
        counts: fields of the summary: the trials asked for, those done, and other ones.
    """

    blocks: Blocks
    writes: bool
    counts: dict[str, Any]


def work_of(ready: Prepared, sweep: Sweep, part: Part | None, task_of: TaskOf) -> Work:
    """Find the trials that a run has to compute.

    Args:
        ready: the store.
        sweep: the sweep that is asked for.
        part: the part of the store that is asked for; all if None.
        task_of: makes the task of a block from its index, the trials that have to run and, if they
            are placed, the value and number of each.
    """
    info = ready.info
    if sweep.placed is not None:
        placed = PlacedBlocks(info, sweep, part, task_of)
        return Work(placed, not placed.is_over, {"unasked": 0, **placed.counts()})
    wanted, todo, unasked = select_trials(info, sweep, ready.status, part)
    has_success = "success" in info.variables
    counts = {
        "total": int(wanted.sum()),
        "unasked": unasked,
        "already_done": int((wanted & ~todo).sum()),
        "already_successful": count_successes(info, wanted & ~todo) if has_success else None,
    }
    blocks = ordered_blocks(info.layout, todo, ready.pilot)
    tasks = (task_of(block, todo[info.layout.region(block)]) for block in blocks)
    return Work(Blocks(tasks), bool(todo.any()), counts)


def select_trials(
    info: StoreInfo, sweep: Sweep, status: np.ndarray, part: Part | None = None
) -> tuple[np.ndarray, np.ndarray, int]:
    """Select the trials of a store that a sweep asks for, and those of them that have to run.

    Args:
        info: the store.
        sweep: the sweep that is asked for.
        status: status of every trial of the store.
        part: the part of the store's blocks that is asked for; all if None.

    Returns:
        A mask of the trials asked for and a mask of those to run, over the store's axes and trial;
        crashed trials are to run again. And the number of other trials of the store that a command
        asked for and that are not done.
    """
    asked = np.zeros(status.shape, dtype=bool)
    axes = origins_along(info.sweep, sweep, info.layout.dims[:-1])
    asked[np.ix_(*axes, np.arange(sweep.trials))] = True
    asked &= status != Status.EXCLUDED
    missing = (status != Status.DONE) & (status != Status.EXCLUDED)
    unasked = int((missing & ~asked & (status != Status.NOT_ASKED)).sum())
    if part is not None:
        asked &= part_trials(info.layout, part)
    return asked, asked & missing, unasked


def count_successes(info: StoreInfo, trials: np.ndarray) -> int:
    """Count the successes among some trials.

    Args:
        info: the store.
        trials: a mask over the store's axes and trial.

    Raises:
        StoreError: a chunk with one of these trials is damaged; the message names it.
    """
    if not trials.any():
        return 0
    try:
        # Not as a dataset: coordinates and indexes take several times as long.
        return int((read_values(info, ["success"])["success"][trials] == 1).sum())
    except StoreError:
        # A damaged chunk does not matter if it has none of these trials: it is computed again.
        writer = open_writer(info.path, info.revision)
        regions = map(info.layout.region, info.layout.block_indices())
        return sum(
            int((writer.read(region, ("success",))["success"][trials[region]] == 1).sum())
            for region in regions
            if trials[region].any()
        )


def ordered_blocks(
    layout: Layout, todo: np.ndarray, pilot: Pilot | None
) -> Iterator[tuple[int, ...]]:
    """Give the blocks that have trials to run, the most expensive first, so that none ends late.

    Args:
        layout: the blocks.
        todo: mask of the trials to run, over the axes and the trial.
        pilot: the timed trials; None for the blocks in row-major order.
    """
    if pilot is None:
        yield from (b for b in layout.block_indices() if todo[layout.region(b)].any())
        return
    cost = pilot.cost(layout.grid[:-1])
    for flat in np.argsort(-cost, axis=None, kind="stable"):
        first = tuple(int(i) for i in np.unravel_index(flat, cost.shape))
        for last in range(layout.grid[-1]):
            if todo[layout.region((*first, last))].any():
                yield (*first, last)
