"""Replacing a whole store in one step.

A new store is built in a work area: a hidden folder next to the store, with a unique name. A file
in it, the marker, says that genprior made it and for which store. When the new store is complete,
it takes the store's name in one rename. If the file system cannot exchange two names
(`renameat2`), the old store is first renamed into the work area; the next command completes this
if a kill interrupts it. A folder without a marker is the user's: it is never changed.
"""

import ctypes
import errno
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import WrongStoreError, explained
from .ordinary import UnsafeFileError, parsed, read_file

AT_FDCWD = -100
RENAME_EXCHANGE = 2
UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)
MARKER, NEW, OLD = "genprior.json", "new", "old"
MARKER_BYTES = 10_000
MADE_BY = "genprior work area"


def resolved(path: Path) -> Path:
    """Follow links to the real path of a store.

    Raises:
        WrongStoreError: the links form a circle, or the path cannot be resolved.
    """
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise WrongStoreError(f"{path}: no such path ({error}).") from None


def is_vacant(path: Path) -> bool:
    """Say whether a store may be made at a path: nothing exists there, or an empty folder."""
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


@contextmanager
def work_area(path: Path) -> Iterator[Path]:
    """Make a work area next to a folder, in which its replacement is built.

    The folder `new` in it gets the group and the mode of the present folder. At the end the work
    area is removed; if that fails, the next command removes it.
    """
    target = resolved(path)
    area = target.with_name(f"{_prefix(target)}{secrets.token_hex(4)}")
    area.mkdir()
    try:
        marker = {"made_by": MADE_BY, "store": target.name, "process": os.getpid()}
        (area / MARKER).write_text(json.dumps(marker))
        (area / NEW).mkdir()
        if target.is_dir():
            copy_access(target, area / NEW)
        yield area
    finally:
        with suppress(OSError):
            _remove(area)


def copy_access(source: Path, target: Path) -> None:
    """Copy a folder's mode to another, and its owner and group if the system permits it."""
    access = source.stat()
    for owner in (-1, access.st_uid):
        with suppress(OSError):
            os.chown(target, owner, access.st_gid)
    target.chmod(stat.S_IMODE(access.st_mode) | stat.S_IRWXU)


def clear(path: Path) -> None:
    """Complete or remove what a failed or killed command left next to a path."""
    settle(path)
    with explained(path, "clearing what an interrupted command left"):
        for area in areas_of(resolved(path)):
            # If both exist and the path exists again, this may be the only copy of the results.
            if not ((area / NEW).exists() and (area / OLD).exists()):
                _remove(area)


def settle(path: Path) -> None:
    """Complete an exchange that a kill interrupted between its two renames."""
    with explained(path, "looking for it"):
        if path.exists():
            return
        target = resolved(path)
        for area in areas_of(target):
            if (area / OLD).exists() and (area / NEW).exists():
                # Another reader, or the writer itself, may have renamed it already.
                with suppress(FileNotFoundError):
                    (area / NEW).rename(target)
                return


def _prefix(target: Path) -> str:
    return f".{target.name}.work-"


def areas_of(target: Path) -> list[Path]:
    """Find the work areas of a store, by their names and their markers."""
    try:
        names = os.listdir(target.parent)
    except OSError:
        return []
    candidates = (target.parent / name for name in names if name.startswith(_prefix(target)))
    return [folder for folder in candidates if owner_of(folder) == target.name]


def owner_of(folder: Path) -> str | None:
    """Read from its marker for which store or analysis a work area is; None if it has no marker."""
    try:
        marker = None if folder.is_symlink() else parsed(read_file(folder / MARKER, MARKER_BYTES))
    except (OSError, ValueError, UnsafeFileError):
        return None
    if not isinstance(marker, dict) or marker.get("made_by") != MADE_BY:
        return None
    return marker.get("store")


def appear(area: Path, path: Path) -> None:
    """Rename the finished folder of a work area to a vacant path.

    Raises:
        OSError: the path is no longer vacant.
    """
    (area / NEW).rename(resolved(path))


def put_in_place(area: Path, path: Path) -> None:
    """Put the finished folder of a work area at a path; the old folder moves into the area."""
    target, new = resolved(path), area / NEW
    if is_vacant(target):
        appear(area, path)
    elif not _exchange(new, target):
        target.rename(area / OLD)
        # A reader that found no store may have completed the exchange (`settle`).
        with suppress(FileNotFoundError):
            new.rename(target)


def _remove(area: Path) -> None:
    """Remove a work area, also its read-only folders. The marker is removed last."""
    for name in (NEW, OLD, "."):
        folder = area / name
        if folder.exists():
            try:
                shutil.rmtree(folder)
            except PermissionError:
                for inner, _, _ in os.walk(folder):
                    os.chmod(inner, stat.S_IMODE(os.stat(inner).st_mode) | stat.S_IRWXU)
                shutil.rmtree(folder)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two paths in one step; False if the system cannot do that."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    if renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(other))
