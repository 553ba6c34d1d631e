"""The chunk files of an array: which are there, how large, and whether their checksum holds."""

import os
from pathlib import Path

import numpy as np
from google_crc32c import value as crc32c

from .layout import Layout

CHECKSUM_BYTES = 4


def chunk_path(array: Path, block: tuple[int, ...]) -> Path:
    """Name the file of a chunk; of an array without dimensions there is one."""
    return array.joinpath("c", *map(str, block))


def chunk_sizes(array: Path, grid: tuple[int, ...]) -> np.ndarray:
    """List an array's folder, reading nothing.

    Args:
        array: its folder.
        grid: number of chunks along each dimension.

    Returns:
        Over the grid, the size of each chunk in bytes, −1 where there is none.
    """
    sizes = np.full(grid, -1, dtype=np.int64)
    _measure(str(array / "c"), (), sizes)
    return sizes


def _measure(folder: str, place: tuple[int, ...], sizes: np.ndarray) -> None:
    try:
        entries = os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        for entry in entries:
            # Others are what a killed writer left under a temporary name.
            if not (entry.name.isascii() and entry.name.isdigit()):
                continue
            index = (*place, int(entry.name))
            if index[-1] >= sizes.shape[len(place)]:
                continue
            if len(index) < sizes.ndim:
                _measure(entry.path, index, sizes)
            elif entry.is_file():
                sizes[index] = entry.stat().st_size


def is_intact(chunk: Path) -> bool:
    """Say whether a chunk's bytes have the checksum that ends them.

    Raises:
        FileNotFoundError: it is not there.
    """
    content = chunk.read_bytes()
    inner, checksum = content[:-CHECKSUM_BYTES], content[-CHECKSUM_BYTES:]
    return len(inner) > 0 and crc32c(inner) == int.from_bytes(checksum, "little")


def blocks_with(trials: np.ndarray, layout: Layout) -> np.ndarray:
    """Say of each block whether any of its trials is marked.

    Args:
        trials: a mask over the axes and the trial.
        layout: the blocks.
    """
    marked = trials
    for axis, chunk in enumerate(layout.chunks):
        marked = np.logical_or.reduceat(marked, np.arange(0, layout.shape[axis], chunk), axis)
    return marked
