"""What a sweep would run and cost."""

import os
from typing import Any

from ..store import Layout, choose_chunks
from ..store.layout import TRIAL
from ..store.template import estimate_bytes
from ..sweeps import Grid, Sweep
from ..tasks import task_kind
from .pilot import check_memory, run_pilot
from .run import trials_per_block


def plan_sweep(sweep: Sweep, workers: int | None = None) -> dict[str, Any]:
    """Count points, trials and blocks, and estimate time and space from a short pilot.

    Args:
        sweep: the sweep.
        workers: trials run at a time; the number of processors if None.

    Raises:
        SweepError: it cannot be run: too large, or too much memory for a trial.
    """
    workers = workers or os.cpu_count() or 1
    grid, kind = Grid(sweep), task_kind(sweep.task)
    memory = check_memory(grid, kind, workers)
    pilot = run_pilot(sweep, kind)
    shape = (*grid.shape, sweep.trials)
    chunks = choose_chunks(shape, trials_per_block(sweep, pilot, workers))
    points = grid.size - int(grid.excluded.sum())
    seconds = float(pilot.cost(grid.shape)[~grid.excluded].sum()) * sweep.trials
    return {
        "sweep": sweep.name,
        "hash": sweep.hash,
        "axes": {name: len(values) for name, values in sweep.axes.items()},
        "points": points,
        "excluded_points": int(grid.excluded.sum()),
        "trials": points * sweep.trials,
        "blocks": Layout((*grid.dims, TRIAL), shape, chunks).blocks,
        "trials_per_block": min(trials_per_block(sweep, pilot, workers), points * sweep.trials),
        "workers": workers,
        "cpu_seconds": seconds,
        "wall_seconds": seconds / workers,
        "bytes": estimate_bytes(sweep, kind.variables, chunks),
        "memory_bytes": memory * workers,
    }
