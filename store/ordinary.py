"""Ordinary files inside a store: no links, which may lead elsewhere, no pipes, and no huge files.

A store may come from somebody else, so that nothing in it is trusted.
"""

import json
import os
import stat
from pathlib import Path
from typing import Any

from .errors import StoreError

MOST_BYTES = 64 * 2**20  # of a document; an axis of 100 000 values takes a few MB
MOST_VALUES = 1_000_000  # in a document
GROWTH = 4096  # bytes by which a file may grow while it is read


class UnsafeFileError(StoreError):
    """Something in a store is a link, a pipe or a device, or is too large to be read."""


def check_inside(root: Path | str, parts: tuple[str, ...] | list[str]) -> None:
    """Refuse a path below a folder if a link is on it.

    Args:
        root: the folder; it may be reached by a link itself.
        parts: the names below it. What does not exist is no link.

    Raises:
        UnsafeFileError: names the link.
    """
    path = os.fspath(root)
    for part in parts:
        path = f"{path}{os.sep}{part}"
        try:
            mode = os.lstat(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return
        if stat.S_ISLNK(mode):
            raise linked(path)


def linked(path: Path | str) -> UnsafeFileError:
    """Give the error for a link."""
    return UnsafeFileError(
        f"{os.fspath(path)} is a link, and genprior reads and writes only inside a store; put what "
        "it leads to in its place."
    )


def read_file(path: Path | str, most: int = MOST_BYTES) -> bytes:
    """Read an ordinary file.

    Raises:
        OSError: it does not exist, or cannot be read.
        UnsafeFileError: it is a link, no file, or too large.
    """
    _check_ordinary(path, os.lstat(path), most)
    # A file that was exchanged meanwhile is neither followed nor waited for.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb") as file:
        known = os.fstat(handle)
        _check_ordinary(path, known, most)
        # Memory for all bytes that are asked for is reserved, also of a file that has few.
        return file.read(min(most, known.st_size + GROWTH))


def _check_ordinary(path: Path | str, known: os.stat_result, most: int) -> None:
    if stat.S_ISLNK(known.st_mode):
        raise linked(path)
    if stat.S_ISDIR(known.st_mode):
        raise IsADirectoryError(21, os.strerror(21), os.fspath(path))
    if not stat.S_ISREG(known.st_mode):
        raise UnsafeFileError(f"{os.fspath(path)} is a pipe or a device and no file; remove it.")
    if known.st_size > most:
        raise UnsafeFileError(
            f"{os.fspath(path)} has {known.st_size:,} bytes, and at most {most:,} are read; "
            "genprior did not write it. Remove it, or restore it from a copy."
        )


def parsed(content: bytes | str) -> Any:
    """Parse JSON of bounded size and depth.

    Raises:
        ValueError: it is not JSON, has too many values, or is nested too deeply.
    """
    written = content if isinstance(content, bytes) else content.encode(errors="replace")
    if sum(written.count(mark) for mark in b",[{") > MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES:,} values")
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None
