"""Estimating cost before a run: a few trials, a few seconds."""

import time
from dataclasses import dataclass
from itertools import islice, product

import numpy as np

from ..sweeps import Grid, Point, Sweep, SweepError
from ..tasks import TaskKind
from ..tasks.machine import limit_blas_threads

PILOT_SECONDS = 4.0
MAX_SAMPLES = 24
MAX_WEIGHED = 2000
MEMORY_PARAMETERS = (
    "problem", "condition", "generator", "k", "depth", "widths", "n", "m", "samples", "ensemble",
    "weights", "last_layer", "target_codes", "success.metric", "solver.method", "solver.engine",
    "search.ascents", "code.codewords", "code.message", "code.levels", "code.decoder",
    "code.starts",
)  # fmt: skip


@dataclass(frozen=True)
class Pilot:
    """Measured trials: where in the grid (each axis scaled to 0 … 1), and seconds of each."""

    places: np.ndarray
    seconds: np.ndarray

    @property
    def slowest(self) -> float:
        """Seconds of the slowest trial measured."""
        return float(self.seconds.max())

    def cost(self, shape: tuple[int, ...]) -> np.ndarray:
        """Estimate seconds a trial over a grid of a shape, from the nearest measured point."""
        axes = [np.linspace(0, 1, size) if size > 1 else np.zeros(1) for size in shape]
        mesh = np.meshgrid(*axes, indexing="ij", sparse=True)
        best = np.full(shape, np.inf)
        cost = np.zeros(shape)
        for place, seconds in zip(self.places, self.seconds, strict=True):
            squares = ((axis - at) ** 2 for axis, at in zip(mesh, place, strict=True))
            distance = np.asarray(sum(squares, np.zeros(())))
            nearer = distance < best
            best = np.where(nearer, distance, best)
            cost = np.where(nearer, seconds, cost)
        return cost


def run_pilot(sweep: Sweep, kind: TaskKind, grid: Grid | None = None) -> Pilot:
    """Time one trial at points spread over the grid, within some seconds all together."""
    limit_blas_threads()
    grid = grid or Grid(sweep)
    indices = _samples(grid)
    ends = np.maximum(np.array(grid.shape) - 1, 1)
    deadline = time.perf_counter() + PILOT_SECONDS
    places: list[np.ndarray] = []
    times: list[float] = []
    for count, index in enumerate(indices):
        left = deadline - time.perf_counter()
        if left <= 0 and places:
            break
        share = max(left, 0.01) / (len(indices) - count)
        times.append(_timed(kind, grid.point(index), sweep, share))
        places.append(np.array(index) / ends)
    return Pilot(np.array(places), np.array(times))


def _timed(kind: TaskKind, point: Point, sweep: Sweep, share: float) -> float:
    """Time a trial; one that crashes, as the run will record, took the time until then."""
    begun = time.perf_counter()
    try:
        return kind.pilot(point, 0, sweep.seed, sweep.paired, share)
    except (Exception, SystemExit):
        return time.perf_counter() - begun


def check_memory(grid: Grid, kind: TaskKind, room: float) -> int:
    """Refuse points whose trials would not fit in memory.

    Args:
        grid: the points.
        kind: says what a trial holds.
        room: bytes that a trial may hold.

    Returns:
        Bytes of the largest trial.

    Raises:
        SweepError: with the point and the figures.
    """
    largest = 0
    for index in grid.distinct(MEMORY_PARAMETERS, at_most=MAX_WEIGHED):
        needed = kind.memory(grid.point(index))
        if needed > room:
            raise SweepError(
                f"{grid.place(index)}: a trial needs {needed / 1e6:,.0f} MB of memory and "
                f"{room / 1e6:,.0f} MB are free for each. Make it smaller, or use fewer workers."
            )
        largest = max(largest, needed)
    return largest


def _samples(grid: Grid) -> list[tuple[int, ...]]:
    """Choose points to time: five places along each axis, thinned evenly if these are many."""
    spots = [sorted({quarter * (size - 1) // 4 for quarter in range(5)}) for size in grid.shape]
    every = [index for index in islice(product(*spots), 4096) if not grid.excluded[index]]
    every = every or [tuple(int(i) for i in np.argwhere(~grid.excluded)[0])]
    chosen = np.unique(np.linspace(0, len(every) - 1, min(MAX_SAMPLES, len(every))).astype(int))
    return [every[i] for i in chosen]
