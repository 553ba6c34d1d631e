"""The chunk files of an array: which exist, their sizes, and whether their checksums are right."""

import os
from pathlib import Path

import numpy as np
from google_crc32c import value as crc32c

from .layout import Layout
from .ordinary import linked, read_file

CHECKSUM_BYTES = 4
MOST_CHUNK_BYTES = 2**31
MOST_DIGITS = 18  # of an index
FEW = 0.25  # of all chunks


def chunk_path(array: Path, block: tuple[int, ...]) -> Path:
    """Name the file of a chunk; an array without dimensions has one chunk."""
    return array.joinpath("c", *map(str, block))


def chunk_sizes(array: Path, grid: tuple[int, ...]) -> np.ndarray:
    """Measure the chunk files of an array by listing its folder, without reading them.

    Args:
        array: its folder.
        grid: number of chunks along each dimension.

    Returns:
        Over the grid, the size of each chunk in bytes, −1 where there is none.

    Raises:
        UnsafeFileError: a link is in place of a chunk or a folder of chunks.
    """
    sizes = np.full(grid, -1, dtype=np.int64)
    _measure(str(array / "c"), (), sizes)
    return sizes


def few_chunks(array: Path, grid: tuple[int, ...]) -> np.ndarray | None:
    """Mark the chunks that exist, if they are few next to all; else None.

    Then it is faster to read only these than to have zarr look for every chunk.

    Args:
        array: the array's folder.
        grid: number of chunks along each dimension.
    """
    exists = chunk_sizes(array, grid) >= 0
    return exists if exists.mean() < FEW else None


def _measure(folder: str, parent: tuple[int, ...], sizes: np.ndarray) -> None:
    try:
        entries = os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        for entry in entries:
            # Other names are temporary files of a writer that was killed.
            if not (entry.name.isascii() and entry.name.isdigit()):
                continue
            if len(entry.name) > MOST_DIGITS or int(entry.name) >= sizes.shape[len(parent)]:
                continue
            index = (*parent, int(entry.name))
            if entry.is_symlink():
                raise linked(entry.path)
            if len(index) < sizes.ndim:
                _measure(entry.path, index, sizes)
            elif entry.is_file():
                sizes[index] = entry.stat().st_size


def is_intact(chunk: Path) -> bool:
    """Compare a chunk's bytes with their checksum, the last four bytes of the file.

    Raises:
        FileNotFoundError: the file does not exist.
        UnsafeFileError: it is a link or no file.
    """
    try:
        content = read_file(chunk, MOST_CHUNK_BYTES)
    except IsADirectoryError:
        return False
    except NotADirectoryError as error:
        raise FileNotFoundError(*error.args) from None
    inner, checksum = content[:-CHECKSUM_BYTES], content[-CHECKSUM_BYTES:]
    return len(inner) > 0 and crc32c(inner) == int.from_bytes(checksum, "little")


def remove_chunk(array: Path, block: tuple[int, ...]) -> None:
    """Remove the file of a chunk, or what is in its place: an empty folder, or a file above it.

    Raises:
        OSError: it cannot be removed, such as a folder that is not empty.
    """
    for depth in range(len(block)):
        folder = array.joinpath("c", *map(str, block[:depth]))
        if folder.is_file():
            folder.unlink()
            return
    chunk = chunk_path(array, block)
    if chunk.is_dir() and not chunk.is_symlink():
        chunk.rmdir()
    else:
        chunk.unlink(missing_ok=True)


def blocks_with(trials: np.ndarray, layout: Layout) -> np.ndarray:
    """Find the blocks with at least one marked trial.

    Args:
        trials: a mask over the axes and the trial.
        layout: the blocks.

    Returns:
        A mask over the blocks, shape `layout.grid`.
    """
    marked = trials
    for axis, chunk in enumerate(layout.chunks):
        marked = np.logical_or.reduceat(marked, np.arange(0, layout.shape[axis], chunk), axis)
    return marked
