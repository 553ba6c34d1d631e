"""The pilot: a few timed trials, from which the cost of a run is estimated."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from ...sweeps import Draws, Grid, Sweep, SweepError, draws_of
from ...sweeps.parameters import names_with
from ...tasks import Experiment
from ...tasks.environment import Needs, needs_of
from ...tasks.experiments import memory_of
from ...tasks.hooks import number
from ...tasks.numerics.machine import one_blas_thread
from ...tasks.point import Point
from ...tasks.registry import ByValue
from ..executors.base import Executor
from ..executors.errors import WorkersDiedError
from ..executors.synchronous import Synchronous
from ..interrupts import pass_on

PILOT_SECONDS = 4.0  # with one worker; several workers share this time
LEAST_SECONDS = 1.5  # of a pilot with many workers
MAX_SAMPLES = 24  # timed trials
GOLDEN = (5**0.5 - 1) / 2
# By axis, the bits of a run's number whose parity is the end of the axis; odd numbers of bits come
# first, so that the last run has the upper ends.
GENERATORS = (1, 2, 4, 8, 7, 11, 13, 14, 15, 3, 5, 6, 9, 10, 12)
MAX_WEIGHED = 2000  # points whose memory is estimated


@dataclass(frozen=True)
class Pilot:
    """Timed trials.

    Attributes:
        positions: their points in the grid, each axis scaled to 0 … 1; shape (trials, axes).
        seconds: their durations, shape (trials,).
    """

    positions: np.ndarray
    seconds: np.ndarray

    @property
    def slowest(self) -> float:
        """Seconds of the slowest timed trial."""
        return float(self.seconds.max())

    def cost(self, shape: tuple[int, ...]) -> np.ndarray:
        """Estimate the seconds of a trial at every point of a grid, from the nearest timed point.

        Args:
            shape: number of values along each axis.

        Returns:
            Seconds of one trial, over the grid.
        """
        axes = [np.linspace(0, 1, size) if size > 1 else np.zeros(1) for size in shape]
        mesh = np.meshgrid(*axes, indexing="ij", sparse=True)
        best = np.full(shape, np.inf)
        cost = np.zeros(shape)
        for position, seconds in zip(self.positions, self.seconds, strict=True):
            squares = ((axis - at) ** 2 for axis, at in zip(mesh, position, strict=True))
            distance = np.asarray(sum(squares, np.zeros(())))
            nearer = distance < best
            best = np.where(nearer, distance, best)
            cost = np.where(nearer, seconds, cost)
        return cost


@dataclass(frozen=True)
class Sample(ByValue):
    """A trial to be timed within about `seconds`; it is sent to a worker."""

    index: tuple[int, ...]
    point: Point
    kind: Experiment
    draws: Draws
    seconds: float
    needs: Needs


def run_pilot(
    sweep: Sweep, kind: Experiment, grid: Grid | None = None, executor: Executor | None = None
) -> Pilot:
    """Time one trial at each of some points spread over the grid, on all workers.

    Args:
        sweep: the sweep.
        kind: the sweep's task.
        grid: the points of the sweep; computed if None.
        executor: where trials are timed; in this process if None.
    """
    grid, executor = grid or Grid(sweep), executor or Synchronous()
    samples = _samples(sweep, kind, grid, executor.workers)
    timed: dict[tuple[int, ...], float] = {}
    with closing(executor.stream(time_sample, samples, more=True)) as outcomes:
        for sample, outcome in outcomes:
            if isinstance(outcome, BaseException):
                # A trial that kills its worker has no duration; the run will record it as crashed.
                if not isinstance(outcome, WorkersDiedError):
                    raise outcome
                outcome = sweep.blocks.seconds
            timed[sample.index] = outcome
    ends = np.maximum(np.array(grid.shape) - 1, 1)
    positions = [np.array(index) / ends for index in sorted(timed)]
    return Pilot(np.array(positions), np.array([timed[index] for index in sorted(timed)]))


def _samples(sweep: Sweep, kind: Experiment, grid: Grid, workers: int) -> Iterator[Sample]:
    """Give the trials to be timed, each with its share of the time that is left at that moment.

    All workers together take the time of one, but a pilot takes at least `LEAST_SECONDS`.
    """
    indices, needs = _sample_indices(grid), needs_of(kind, grid)
    deadline = time.perf_counter() + max(PILOT_SECONDS / workers, LEAST_SECONDS)
    for count, index in enumerate(indices):
        left = deadline - time.perf_counter()
        if left <= 0 and count:
            return
        share = workers * max(left, 0.01) / (len(indices) - count)
        point = grid.point(index)
        draws = draws_of(point, 0, sweep.seed, sweep.paired)
        yield Sample(index, point, kind, draws, share, needs)


def time_sample(sample: Sample) -> float:
    """Time a trial, in seconds. If it crashes, this is the time until the crash.

    Raises:
        SweepError: the task gives no number.
    """
    begun = time.perf_counter()
    try:
        with one_blas_thread():
            seconds = sample.kind.pilot(sample.point, sample.draws, sample.seconds)
    except BaseException as raised:
        pass_on(raised)
        return time.perf_counter() - begun
    try:
        return float(number(f"task {sample.kind.name!r}", "pilot", seconds))
    except ValueError as error:
        raise SweepError(str(error)) from None


def check_memory(grid: Grid, kind: Experiment, room: float) -> int:
    """Refuse points whose trials do not fit into memory.

    Args:
        grid: the points.
        kind: the task, which estimates the memory of a trial.
        room: bytes that a trial may use.

    Returns:
        Bytes of the largest trial.

    Raises:
        SweepError: a trial needs too much memory; the message names the point and both numbers.
    """
    from dask.utils import format_bytes

    largest = 0
    for index in grid.distinct(names_with("memory"), at_most=MAX_WEIGHED):
        try:
            needed = memory_of(kind, grid.point(index))
        except ValueError as error:
            raise SweepError(f"{grid.place(index)}: {error}") from None
        if needed > room:
            raise SweepError(
                f"{grid.place(index)}: a trial needs {format_bytes(needed)} of memory and "
                f"{format_bytes(room)} are free for each. Make it smaller, or use fewer workers."
            )
        largest = max(largest, needed)
    return largest


def _sample_indices(grid: Grid) -> list[tuple[int, ...]]:
    """Choose points to time: corners of the grid first, then points spread evenly over it.

    Along each axis there are at least five values, or more if `MAX_SAMPLES` allows it. If these
    are too many points, steps of the golden ratio through all points of the grid give them.
    """
    count = 5
    while prod(min(count + 1, size) for size in grid.shape) <= MAX_SAMPLES and count < MAX_SAMPLES:
        count += 1
    along_axes = [
        sorted({part * (size - 1) // (count - 1) for part in range(count)}) for size in grid.shape
    ]
    if prod(map(len, along_axes)) <= MAX_SAMPLES:
        spread: Iterable[tuple[int, ...]] = product(*along_axes)
    else:
        kept = np.flatnonzero(~grid.excluded)
        steps = np.arange(MAX_SAMPLES) * GOLDEN % 1
        flat = kept[(steps * kept.size).astype(int)]
        spread = (tuple(map(int, np.unravel_index(i, grid.shape))) for i in flat)
    indices = [i for i in dict.fromkeys((*_corners(grid.shape), *spread)) if not grid.excluded[i]]
    return indices[:MAX_SAMPLES] or [tuple(int(i) for i in np.argwhere(~grid.excluded)[0])]


def _corners(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """List the corners of a grid; of more than four axes a fraction of them, the ends first.

    The fraction is a two-level design: any two axes meet in all four combinations of their ends,
    for up to 15 axes (Box, Hunter and Hunter, "Statistics for Experimenters", chapter 6).
    """
    ends = [tuple(0 for _ in shape), tuple(size - 1 for size in shape)]
    runs = range(2 ** min(len(shape), 4))
    generators = [GENERATORS[axis % len(GENERATORS)] for axis in range(len(shape))]
    return ends + [
        tuple(
            ((run & generator).bit_count() % 2) * (size - 1)
            for generator, size in zip(generators, shape, strict=True)
        )
        for run in runs
    ]
