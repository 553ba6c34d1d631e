"""Estimating cost before a run: a few trials, a few seconds."""

import time
from dataclasses import dataclass
from itertools import islice, product

import numpy as np
import psutil

from ..sweeps import Grid, Sweep, SweepError
from ..tasks import TaskKind
from ..tasks.machine import limit_blas_threads

PILOT_SECONDS = 4.0
MAX_SAMPLES = 24
MAX_CORNERS = 256


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


def run_pilot(sweep: Sweep, kind: TaskKind, seconds: float = PILOT_SECONDS) -> Pilot:
    """Time one trial at points spread over the grid, within some seconds all together."""
    limit_blas_threads()
    grid = Grid(sweep)
    indices = _samples(grid)
    ends = np.maximum(np.array(grid.shape) - 1, 1)
    deadline = time.perf_counter() + seconds
    places: list[np.ndarray] = []
    times: list[float] = []
    for count, index in enumerate(indices):
        left = deadline - time.perf_counter()
        if left <= 0 and places:
            break
        share = max(left, 0.01) / (len(indices) - count)
        times.append(kind.pilot(grid.point(index), 0, sweep.seed, sweep.paired, share))
        places.append(np.array(index) / ends)
    return Pilot(np.array(places), np.array(times))


def check_memory(grid: Grid, kind: TaskKind, workers: int) -> int:
    """Refuse points whose trials would not fit in memory.

    Args:
        grid: the points.
        kind: says what a trial holds.
        workers: trials held at once on this machine.

    Returns:
        Bytes of the largest trial, as far as the corners of the grid show it.

    Raises:
        SweepError: with the point and the figures.
    """
    available = psutil.virtual_memory().available
    largest = 0
    for index in _corners(grid):
        if grid.excluded[index]:
            continue
        needed = kind.memory(grid.point(index))
        if needed * workers > available:
            raise SweepError(
                f"{grid.place(index)}: a trial needs {needed / 1e9:.1f} GB of memory, "
                f"{workers} at a time; {available / 1e9:.1f} GB are free. Make it smaller, or use "
                "fewer --workers."
            )
        largest = max(largest, needed)
    return largest


def _corners(grid: Grid) -> list[tuple[int, ...]]:
    ends = [sorted({0, size - 1}, reverse=True) for size in grid.shape]
    return list(islice(product(*ends), MAX_CORNERS))


def _samples(grid: Grid) -> list[tuple[int, ...]]:
    """Choose points to time: three places along each axis, thinned evenly if these are many."""
    spots = [sorted({0, size // 2, size - 1}) for size in grid.shape]
    every = [index for index in islice(product(*spots), 4096) if not grid.excluded[index]]
    every = every or [tuple(int(i) for i in np.argwhere(~grid.excluded)[0])]
    chosen = np.unique(np.linspace(0, len(every) - 1, min(MAX_SAMPLES, len(every))).astype(int))
    return [every[i] for i in chosen]
