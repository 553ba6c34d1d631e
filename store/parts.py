"""Division of a store's blocks into parts, each of which is computed by a run of its own."""

import numpy as np

from ..sweeps.part import Part
from .layout import Layout

BLOCKS_A_PART = 16
MOST_TRIALS = 400  # of a block; its files are then at most 50 for 1 000 trials


def part_trials(layout: Layout, part: Part) -> np.ndarray:
    """Mark the trials of a part.

    Neighbouring blocks go to different parts, in an order that depends on nothing but the layout:
    with turns in the order of the blocks, a part could get all the expensive points of an axis.

    Returns:
        A mask over the axes and the trial. The masks of all parts are disjoint and cover the store.
    """
    turns = np.empty(layout.blocks, dtype=np.int64)
    turns[np.argsort(_mixed(layout.blocks), kind="stable")] = np.arange(layout.blocks)
    mine = (turns % part.count == part.index - 1).reshape(layout.grid)
    for axis, (chunk, size) in enumerate(zip(layout.chunks, layout.shape, strict=True)):
        mine = mine.take(np.arange(size) // chunk, axis=axis)
    return np.asarray(mine)


def _mixed(count: int) -> np.ndarray:
    """Give a number without pattern for each of 0, 1, … (SplitMix64: Steele, Lea & Flood 2014)."""
    z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def part_block_trials(trials: int, part: Part) -> int:
    """Choose the number of trials of a block, for a store that parts compute.

    It follows from the number of trials and of parts alone, so that parts that run on machines
    without a common file system divide the sweep in the same way.
    """
    return max(1, min(MOST_TRIALS, -(-trials // (BLOCKS_A_PART * part.count))))
