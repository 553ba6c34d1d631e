"""Estimating cost before a run: a few trials, a few seconds."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice, product
from math import prod

import numpy as np

from ..sweeps import Draws, Grid, Sweep, SweepError, draws_of
from ..sweeps.parameters import names_with
from ..tasks import Experiment
from ..tasks.machine import one_blas_thread
from ..tasks.point import Point
from ..tasks.registry import ByValue
from .executors import Executor, Synchronous

PILOT_SECONDS = 4.0  # of one worker; of several the wait is shorter
LEAST_SECONDS = 1.5
MAX_SAMPLES = 24
MAX_WEIGHED = 2000


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


@dataclass(frozen=True)
class Sample(ByValue):
    """A trial to be timed, within so many seconds or so; it travels to a worker."""

    index: tuple[int, ...]
    point: Point
    kind: Experiment
    draws: Draws
    seconds: float


def run_pilot(
    sweep: Sweep, kind: Experiment, grid: Grid | None = None, executor: Executor | None = None
) -> Pilot:
    """Time one trial at points spread over the grid, on all workers, within some seconds.

    Args:
        sweep: whose trials.
        kind: the task.
        grid: its points, if they are at hand.
        executor: where trials are timed; in this process if None.
    """
    grid, executor = grid or Grid(sweep), executor or Synchronous()
    samples = _samples(sweep, kind, grid, executor.workers)
    timed: dict[tuple[int, ...], float] = {}
    with closing(executor.stream(time_sample, samples)) as outcomes:
        for sample, outcome in outcomes:
            if isinstance(outcome, BaseException):
                # A trial that kills its worker will be a crash of the run, and is no measure.
                if type(outcome).__name__ != "KilledWorker":
                    raise outcome
                outcome = sweep.blocks.seconds
            timed[sample.index] = outcome
    ends = np.maximum(np.array(grid.shape) - 1, 1)
    places = [np.array(index) / ends for index in sorted(timed)]
    return Pilot(np.array(places), np.array([timed[index] for index in sorted(timed)]))


def _samples(sweep: Sweep, kind: Experiment, grid: Grid, workers: int) -> Iterator[Sample]:
    """Give what is to be timed, each with its share of the time that is left when it is asked for.

    Workers share the work of one, but for the least that a pilot takes.
    """
    indices = _places(grid)
    deadline = time.perf_counter() + max(PILOT_SECONDS / workers, LEAST_SECONDS)
    for count, index in enumerate(indices):
        left = deadline - time.perf_counter()
        if left <= 0 and count:
            return
        share = workers * max(left, 0.01) / (len(indices) - count)
        point = grid.point(index)
        draws = draws_of(point, 0, sweep.seed, sweep.paired)
        yield Sample(index, point, kind, draws, share)


def time_sample(sample: Sample) -> float:
    """Time a trial, in seconds; one that crashes, as the run will record, took them until then."""
    begun = time.perf_counter()
    try:
        with one_blas_thread():
            return sample.kind.pilot(sample.point, sample.draws, sample.seconds)
    except (Exception, SystemExit):
        return time.perf_counter() - begun


def check_memory(grid: Grid, kind: Experiment, room: float) -> int:
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
    for index in grid.distinct(names_with("memory"), at_most=MAX_WEIGHED):
        needed = kind.memory(grid.point(index))
        if needed > room:
            raise SweepError(
                f"{grid.place(index)}: a trial needs {needed / 1e6:,.0f} MB of memory and "
                f"{room / 1e6:,.0f} MB are free for each. Make it smaller, or use fewer workers."
            )
        largest = max(largest, needed)
    return largest


def _places(grid: Grid) -> list[tuple[int, ...]]:
    """Choose points to time: as many places along the axes as samples allow, five at least.

    They are thinned evenly if these are too many.
    """
    count = 5
    while prod(min(count + 1, size) for size in grid.shape) <= MAX_SAMPLES and count < MAX_SAMPLES:
        count += 1
    spots = [
        sorted({part * (size - 1) // (count - 1) for part in range(count)}) for size in grid.shape
    ]
    every = [index for index in islice(product(*spots), 4096) if not grid.excluded[index]]
    every = every or [tuple(int(i) for i in np.argwhere(~grid.excluded)[0])]
    chosen = np.unique(np.linspace(0, len(every) - 1, min(MAX_SAMPLES, len(every))).astype(int))
    return [every[i] for i in chosen]
