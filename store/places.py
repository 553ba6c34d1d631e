"""Where a store may be, seen before anything is made there."""

import os
import tempfile
from pathlib import Path

from ..sweeps.paths import check_local
from .errors import WrongStoreError, explained
from .exchange import is_vacant, resolved

LONGEST_SUFFIX = 16  # what the names of a lock and of a work area add to a store's


def check_place(path: Path) -> None:
    """Refuse, before anything is run, a path where no store can be written.

    Raises:
        SweepError: a URL.
        WrongStoreError: the working directory or one above it, a name that is too long, or a mount
            point without a store.
        StoreError: a folder that cannot be written.
    """
    check_local(path)
    place = resolved(path)
    with explained(path, "finding the working directory"):
        here = Path.cwd()
    if place in (here, *here.parents, Path(place.anchor)):
        raise WrongStoreError(
            f"{path}: neither the working directory nor one above it can be written as a store; "
            "name a folder in it."
        )
    folder = next(parent for parent in place.parents if os.path.lexists(parent))
    with explained(path, f"writing into {folder}, where its lock has to be"):
        with tempfile.TemporaryFile(dir=folder):
            pass
        longest = os.pathconf(folder, "PC_NAME_MAX") - LONGEST_SUFFIX
        if len(os.fsencode(place.name)) > longest:
            raise WrongStoreError(
                f"{path}: its name is too long; at most {longest} bytes leave room for a lock."
            )
        if is_vacant(place):
            check_replaceable(path)


def check_replaceable(path: Path) -> None:
    """Refuse a folder that cannot be exchanged for another: a mount point.

    Raises:
        WrongStoreError: it is one, or has one in it.
    """
    place = resolved(path)
    for mounted in mount_points(place):
        if mounted == place:
            advice = "extend it by the path that is mounted there"
            if is_vacant(place):
                advice = f"use a folder in it, such as {path / 'results.zarr'}"
            raise WrongStoreError(
                f"{path} is a mount point, and a store is made and extended by replacing its "
                f"folder; {advice}."
            )
        raise WrongStoreError(
            f"{path} has a mount point in it, {mounted}, so that its folder cannot be replaced; "
            "unmount that first."
        )


def mount_points(place: Path) -> list[Path]:
    """List the mount points at a place and below it, the highest first."""
    try:
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return [place] if os.path.ismount(place) else []
    found = {Path(os.fsdecode(_unescaped(line.split()[4]))) for line in lines}
    return sorted(mounted for mounted in found if mounted == place or place in mounted.parents)


def _unescaped(written: bytes) -> bytes:
    """Read a path as the kernel writes it: spaces and the like in octal digits."""
    head, *rest = written.split(b"\\")
    return head + b"".join(bytes([int(part[:3], 8)]) + part[3:] for part in rest)
