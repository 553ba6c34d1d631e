"""The layout of a sweep's results: dimensions, chunks, and blocks."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from math import prod

import numpy as np

from ..sweeps import Grid, Sweep
from ..sweeps.labels import value_label
from ..sweeps.parameters import parameter_attributes
from ..sweeps.placing import BATCH, group_dims
from ..sweeps.variables import Flag, Variable

TRIAL, PROBE = "trial", "probe"
MAX_BLOCK_TRIALS = 10_000
Region = tuple[slice, ...]
Listener = Callable[[int, int], None]  # of what is done, and of all


class Status(IntEnum):
    """The state of a trial. A trial that did not recover is *done*.

    No command asked for a trial that is *not asked*: a merge of stores of different grids has such
    trials. They do not count as missing until a run asks for them.
    """

    PENDING = 0
    DONE = 1
    CRASHED = 2
    EXCLUDED = 3
    NOT_ASKED = 4


ASKED = (Status.PENDING, Status.DONE, Status.CRASHED)  # by a command
STATUS = Variable(
    "status",
    "int8",
    "what became of the trial",
    flags=tuple(Flag(s.value, s.name.lower()) for s in Status),
)
SECONDS = Variable("seconds", "float64", "time of the trial, draws included, no I/O", "s")
# Text of a fixed length: with a variable length, xarray's `where` and `to_netcdf` fail. In memory
# it takes four bytes per character for every trial of a store.
LONGEST_ERROR = 160
ERROR = Variable("error", f"U{LONGEST_ERROR}", "what a crashed trial said")
NUMBER = Variable("trial", "int32", "trial index: how often its value came before in its group")
ROUND = Variable("round", "int32", "round in which it was placed; 0 if it comes from another store")


def placement(sweep: Sweep) -> tuple[Variable, ...]:
    """Give the variables that say what a placed trial is; none if trials are not placed.

    They are coordinates over all dimensions: the value along the axis, the number of the trial
    there, and its round.
    """
    if sweep.placed is None:
        return ()
    attributes = parameter_attributes(sweep.placed)
    value = Variable(sweep.placed, "int64", attributes["long_name"], attributes["units"])
    return (value, NUMBER, ROUND)


@dataclass(frozen=True)
class Layout:
    """Dimensions of the results, the trial last, and the chunk that one task writes."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]

    @classmethod
    def of(cls, sweep: Sweep, chunks: tuple[int, ...]) -> "Layout":
        """Lay out the results of a sweep: over its axes and `trial`, or its groups and `probe`."""
        dims = group_dims(sweep)
        last = sweep.trials if sweep.adaptive is None else probes(sweep.adaptive.most)
        shape = (*(len(sweep.axes[dim]) for dim in dims), last)
        return cls((*dims, TRIAL if sweep.adaptive is None else PROBE), shape, chunks)

    @property
    def is_placed(self) -> bool:
        """Whether trials are placed along an axis, and lie along `probe`."""
        return self.dims[-1] == PROBE

    @property
    def not_run(self) -> Status:
        """The status of a trial of which nothing is written: no command asked for a probe."""
        return Status.NOT_ASKED if self.is_placed else Status.PENDING

    @property
    def sizes(self) -> dict[str, int]:
        """The size of each dimension by name."""
        return dict(zip(self.dims, self.shape, strict=True))

    @property
    def size(self) -> int:
        """Number of trials, including those of excluded points."""
        return prod(self.shape)

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of blocks along each dimension."""
        return tuple(-(-s // c) for s, c in zip(self.shape, self.chunks, strict=True))

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return prod(self.grid)

    def region(self, block: tuple[int, ...]) -> Region:
        """Give the part of the arrays that a block covers."""
        return tuple(
            slice(b * c, min((b + 1) * c, s))
            for b, c, s in zip(block, self.chunks, self.shape, strict=True)
        )

    def block_indices(self) -> Iterator[tuple[int, ...]]:
        """Iterate over the blocks in row-major order."""
        return iter(np.ndindex(self.grid))

    def is_aligned(self, region: Region) -> bool:
        """Say whether a region is exactly one block. A writer may write nothing else."""
        return len(region) == len(self.shape) and all(
            part.start % c == 0 and part.stop == min(part.start + c, s)
            for part, c, s in zip(region, self.chunks, self.shape, strict=True)
        )


def choose_chunks(shape: tuple[int, ...], trials_per_block: int) -> tuple[int, ...]:
    """Choose the sizes of a chunk. It takes trials of one point first, then the last axes.

    Args:
        shape: sizes of the dimensions, the trial last.
        trials_per_block: upper bound for the product of the chunk's sizes; below 1 counts as 1,
            and above `MAX_BLOCK_TRIALS` as that.
    """
    trials_left = min(max(1, trials_per_block), MAX_BLOCK_TRIALS)
    chunks = []
    for size in reversed(shape):
        chunks.append(min(size, trials_left))
        trials_left //= chunks[-1]
        trials_left = max(trials_left, 1)
    return tuple(reversed(chunks))


def origins(old: list[object], new: list[object]) -> np.ndarray:
    """Give the index of each value in the old axis, −1 if the old axis lacks it."""
    index_of = {value_label(value): index for index, value in enumerate(old)}
    return np.array([index_of.get(value_label(value), -1) for value in new])


def origins_along(old: Sweep, new: Sweep, dims: Iterable[str]) -> list[np.ndarray]:
    """Give `origins` of the values of a new sweep, along each axis."""
    return [origins(old.axes[dim], new.axes[dim]) for dim in dims]


def probes(most: int) -> int:
    """Round a number of probes up to whole batches."""
    return -(-most // BATCH) * BATCH


def trial_at(grid: Grid, index: tuple[int, ...]) -> str:
    """Name a trial by its place in a store, as in `k=5, m=30, trial=2` or `k=5, probe=17`."""
    *dims, last = Layout.of(grid.sweep, ()).dims
    place = grid.place_along(tuple(dims), index[:-1])
    return ", ".join(filter(None, [place, f"{last}={index[-1]}"]))
