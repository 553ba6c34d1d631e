"""Files in a store that no reader uses: those of killed writers, and chunks outside the grid."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from .analyses import is_ours
from .documents import ANALYSIS, CHUNKS
from .exchange import areas_of, owner_of, resolved
from .foreign import UNFINISHED


class Strays(NamedTuple):
    """Files that no reader uses.

    Attributes:
        unfinished: files that a killed writer left, relative to the store.
        areas: work areas of commands that run or were killed.
        outside: chunks of places that the grid does not have, relative to the store.
    """

    unfinished: list[Path]
    areas: list[Path]
    outside: list[Path]


def find_strays(path: Path, grids: Mapping[str, tuple[int, ...]]) -> Strays:
    """List the files of a store that no reader uses. The user's own folders are not looked at.

    Args:
        path: the store.
        grids: the store's own arrays: the number of chunks along each dimension, by name.
    """
    unfinished, outside = list(_unfinished(path)), list[Path]()
    for name, grid in grids.items():
        unfinished += _unfinished(path / name)
        for stray, is_unfinished in _in_chunks(path / name / CHUNKS, grid):
            (unfinished if is_unfinished else outside).append(stray)
    areas = areas_of(resolved(path))
    analyses = path / ANALYSIS
    for entry in sorted(analyses.iterdir()) if analyses.is_dir() else ():
        if UNFINISHED.fullmatch(entry.name) and entry.is_file():
            unfinished.append(entry)
        elif owner_of(entry) is not None:
            areas.append(entry)
        elif is_ours(entry):
            unfinished += (f for f in entry.rglob("*.partial") if UNFINISHED.fullmatch(f.name))
    return Strays(
        sorted(file.relative_to(path) for file in unfinished),
        sorted(areas),
        sorted(file.relative_to(path) for file in outside),
    )


def _unfinished(folder: Path) -> Iterator[Path]:
    """List the temporary files in a folder."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        if UNFINISHED.fullmatch(name) and (folder / name).is_file():
            yield folder / name


def _in_chunks(folder: Path, grid: tuple[int, ...]) -> Iterator[tuple[Path, bool]]:
    """Find temporary files, and chunks outside the grid, in an array's folder of chunks.

    Yields:
        A path, and whether it is a temporary file.
    """
    if not grid or not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            is_index = entry.name.isascii() and entry.name.isdigit()
            if not is_folder and UNFINISHED.fullmatch(entry.name):
                yield Path(entry.path), True
            elif is_index and is_folder == (len(grid) > 1):
                if entry.name != str(int(entry.name)) or int(entry.name) >= grid[0]:
                    yield Path(entry.path), False
                elif is_folder:
                    yield from _in_chunks(Path(entry.path), grid[1:])
