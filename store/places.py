"""Checks of a store's path before anything is written there."""

import os
import tempfile
from pathlib import Path

from ..sweeps.paths import check_local
from .errors import WrongStoreError, explained
from .exchange import is_vacant, resolved

LONGEST_SUFFIX = 16  # what the names of a lock and of a work area add to a store's


def check_place(path: Path) -> None:
    """Refuse a path where no store can be written.

    Raises:
        SweepError: it is a URL.
        WrongStoreError: it is the working directory or a parent of it, its name is too long, or it
            is a mount point without a store.
        StoreError: the folder above it cannot be written.
    """
    check_local(path)
    store = resolved(path)
    with explained(path, "finding the working directory"):
        working = Path.cwd()
    if store in (working, *working.parents, Path(store.anchor)):
        raise WrongStoreError(
            f"{path}: the working directory and its parents cannot be a store; name a folder in it."
        )
    folder = next(parent for parent in store.parents if os.path.lexists(parent))
    with explained(path, f"writing into {folder}, where its lock has to be"):
        with tempfile.TemporaryFile(dir=folder):
            pass
        longest = os.pathconf(folder, "PC_NAME_MAX") - LONGEST_SUFFIX
        if len(os.fsencode(store.name)) > longest:
            raise WrongStoreError(
                f"{path}: its name is too long; use at most {longest} bytes, so that the name of "
                "its lock is possible too."
            )
        if is_vacant(store):
            check_replaceable(path)


def check_replaceable(path: Path) -> None:
    """Refuse a folder that cannot be replaced because of a mount point.

    Raises:
        WrongStoreError: the folder is a mount point or has one in it.
    """
    folder = resolved(path)
    for mounted in mount_points(folder):
        if mounted == folder:
            advice = "extend it under the path that is mounted there"
            if is_vacant(folder):
                advice = f"use a folder in it, such as {path / 'results.zarr'}"
            raise WrongStoreError(
                f"{path} is a mount point, and a store is made and extended by replacing its "
                f"folder; {advice}."
            )
        raise WrongStoreError(
            f"{path} has a mount point in it, {mounted}, so that its folder cannot be replaced; "
            "unmount that first."
        )


def mount_points(folder: Path) -> list[Path]:
    """List the mount points at a folder and below it, sorted by path."""
    try:
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return [folder] if os.path.ismount(folder) else []
    mounts = {Path(os.fsdecode(_unescaped(line.split()[4]))) for line in lines}
    return sorted(mounted for mounted in mounts if mounted == folder or folder in mounted.parents)


def _unescaped(written: bytes) -> bytes:
    """Decode a path from the kernel, which writes spaces and some others in octal digits."""
    head, *rest = written.split(b"\\")
    return head + b"".join(bytes([int(part[:3], 8)]) + part[3:] for part in rest)
