"""The plan of a sweep: its size and its estimated cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ...store import Layout, estimate_bytes
from ...store.chunks import blocks_with
from ...sweeps import Grid, Sweep
from ...sweeps.placing import BATCH, axis_sizes
from ...tasks import task_kind
from ...tasks.generators.settled import settled
from ..analyses import asked_by
from ..executors.memory import trial_memory
from ..executors.opening import processors
from ..show.shown import Shown
from .pilot import check_memory, run_pilot
from .prediction import predicted_groups
from .prepare import block_shape
from .request import check_points


@dataclass(frozen=True, repr=False)
class Plan(Shown):
    """The size of a sweep and its estimated cost.

    Attributes:
        sweep: the sweep's name.
        hash: the hash of the experiment.
        axes: the number of values of each axis.
        points: number of points, without excluded ones.
        excluded_points: number of points that a rule excludes.
        trials: number of trials of all points.
        blocks: number of tasks of the run; a block is a chunk of the store.
        trials_per_block: number of trials of a whole block.
        workers: trials run at a time.
        cpu_seconds: time of all trials together, estimated from a pilot.
        wall_seconds: `cpu_seconds` divided by the workers.
        bytes: upper bound of the size of the finished store.
        memory_bytes: memory of the trials that run at a time.
        design: by name of an analysis, what it will be able to tell.
        groups: if trials are placed, each group: its coordinates, the predicted `trials` and their
            `seconds`; `trials`, `blocks` and times of the plan are then predictions.
    """

    sweep: str
    hash: str
    axes: dict[str, int]
    points: int
    excluded_points: int
    trials: int
    blocks: int
    trials_per_block: int
    workers: int
    cpu_seconds: float
    wall_seconds: float
    bytes: int
    memory_bytes: int
    design: dict[str, list[dict[str, Any]]]
    groups: list[dict[str, Any]]

    def rows(self) -> Mapping[str, str]:
        """Give the figures as text."""
        from ..show.tables import plan_rows

        return plan_rows(self)


def plan_sweep(sweep: Sweep, workers: int | None = None) -> Plan:
    """Count points, trials and blocks, and estimate time and space from a short pilot.

    Args:
        sweep: the sweep.
        workers: trials run at a time; the number of processors if None.

    Raises:
        SweepError: the sweep is too large, or a trial needs too much memory.
    """
    workers = workers or processors()
    grid, kind = Grid(sweep), task_kind(sweep.task)
    check_points(grid, kind)
    told = {found: rows for found in asked_by(sweep) if (rows := found.design(grid))}
    memory = check_memory(grid, kind, trial_memory(workers))
    pilot = run_pilot(sweep, kind, grid)
    chunks = block_shape(sweep, pilot, workers, len(kind.variables))
    layout = Layout.of(sweep, chunks)
    points = grid.size - int(grid.excluded.sum())
    cost = pilot.cost(grid.shape)
    groups = [] if sweep.placed is None else predicted_groups(grid, cost)
    if groups:
        trials = sum(group["trials"] for group in groups)
        seconds = sum(group["seconds"] for group in groups)
        blocks = sum(-(-group["trials"] // BATCH) for group in groups)
    else:
        trials, blocks = points * sweep.trials, _blocks_to_run(grid, layout)
        seconds = float(cost[~grid.excluded].sum()) * sweep.trials
    return Plan(
        sweep=sweep.name,
        hash=settled(grid).hash,
        axes=axis_sizes(sweep),
        points=points,
        excluded_points=int(grid.excluded.sum()),
        trials=trials,
        blocks=blocks,
        trials_per_block=prod(chunks),
        workers=workers,
        cpu_seconds=seconds,
        wall_seconds=seconds / workers,
        bytes=estimate_bytes(sweep, kind.variables, chunks),
        memory_bytes=memory * workers,
        design={analysis.name: rows for analysis, rows in told.items()},
        groups=groups,
    )


def _blocks_to_run(grid: Grid, layout: Layout) -> int:
    """Count the blocks with at least one point that no rule excludes."""
    one_trial = Layout(layout.dims, (*grid.shape, 1), (*layout.chunks[:-1], 1))
    wanted = blocks_with(~grid.excluded[..., np.newaxis], one_trial)
    return int(wanted.sum()) * layout.grid[-1]
