"""How a sweep's results are laid out: dimensions, chunks, and the blocks they make."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from math import prod

import numpy as np

from ..sweeps.variables import Flag, Variable

TRIAL = "trial"
MAX_BLOCK_TRIALS = 10_000
Region = tuple[slice, ...]


class Status(IntEnum):
    """What became of a trial; a failure to recover is *done*."""

    PENDING = 0
    DONE = 1
    CRASHED = 2
    EXCLUDED = 3


STATUS = Variable(
    "status",
    "int8",
    "what became of the trial",
    flags=tuple(Flag(s.value, s.name.lower()) for s in Status),
)
SECONDS = Variable("seconds", "float64", "time of the trial, draws included, no I/O", "s")
# Text of a fixed length: of a variable one xarray cannot make `where` and netCDF. Every trial of a
# store takes four bytes a letter where all are read into memory.
LONGEST_ERROR = 160
ERROR = Variable("error", f"U{LONGEST_ERROR}", "what a crashed trial said")


@dataclass(frozen=True)
class Layout:
    """Dimensions of the results, the trial last, and the chunk that one task writes."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of trials, excluded ones too."""
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
        """Give the part of the arrays a block covers."""
        return tuple(
            slice(b * c, min((b + 1) * c, s))
            for b, c, s in zip(block, self.chunks, self.shape, strict=True)
        )

    def block_indices(self) -> Iterator[tuple[int, ...]]:
        """Run through the blocks in row-major order."""
        return iter(np.ndindex(self.grid))

    def is_aligned(self, region: Region) -> bool:
        """Say whether a region is exactly one block: the only thing one writer may write."""
        return len(region) == len(self.shape) and all(
            part.start % c == 0 and part.stop == min(part.start + c, s)
            for part, c, s in zip(region, self.chunks, self.shape, strict=True)
        )


def choose_chunks(shape: tuple[int, ...], trials_per_block: int) -> tuple[int, ...]:
    """Fit a chunk of at most so many trials into the grid, trials of one point first.

    Args:
        shape: sizes of the dimensions, the trial last.
        trials_per_block: upper bound for the product of the chunk's sizes, at least 1.
    """
    room = min(max(1, trials_per_block), MAX_BLOCK_TRIALS)
    chunks = []
    for size in reversed(shape):
        chunks.append(min(size, room))
        room //= chunks[-1]
        room = max(room, 1)
    return tuple(reversed(chunks))
