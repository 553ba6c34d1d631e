"""Changing a whole store at once.

A new store is built in a work area: a hidden folder next to the store, with a name of its own and a
file that says that genprior made it, and for which store. From there it takes its place in one
rename. Where the file system cannot exchange two names (`renameat2`), the old store first steps
aside into the same work area, and the next command completes what a kill cut off. A folder without
that file is somebody else's, whatever its name: it is never touched.
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

AT_FDCWD = -100
RENAME_EXCHANGE = 2
UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)
MARKER, NEW, OLD = "genprior.json", "new", "old"
MADE_BY = "genprior work area"


def resolved(path: Path) -> Path:
    """Follow links to where a store really is.

    Raises:
        WrongStoreError: they go round in a circle, or nothing can be found from here.
    """
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise WrongStoreError(f"{path}: no such place ({error}).") from None


def is_vacant(path: Path) -> bool:
    """Say whether a store may be made here: there is nothing, or an empty folder."""
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


@contextmanager
def work_area(path: Path) -> Iterator[Path]:
    """Make a work area next to a place, to build there what shall take the place's name.

    Its folder `new` has the group and the mode of the folder that is in the place now. What is left
    in the area at the end is removed; what cannot be removed is left to the next command.
    """
    place = resolved(path)
    area = place.with_name(f"{_prefix(place)}{secrets.token_hex(4)}")
    area.mkdir()
    try:
        marker = {"made_by": MADE_BY, "store": place.name, "process": os.getpid()}
        (area / MARKER).write_text(json.dumps(marker))
        (area / NEW).mkdir()
        if place.is_dir():
            copy_access(place, area / NEW)
        yield area
    finally:
        with suppress(OSError):
            _remove(area)


def copy_access(source: Path, target: Path) -> None:
    """Give a folder the owner and the group of another, as far as we may, and its mode."""
    found = source.stat()
    for owner in (-1, found.st_uid):
        with suppress(OSError):
            os.chown(target, owner, found.st_gid)
    target.chmod(stat.S_IMODE(found.st_mode) | stat.S_IRWXU)


def clear(path: Path) -> None:
    """Finish or remove what a command that failed or was killed left next to a place."""
    settle(path)
    with explained(path, "clearing what an interrupted command left"):
        for area in _areas(resolved(path)):
            # With both in it and the place taken again, the only copy of the results may be here.
            if not ((area / NEW).exists() and (area / OLD).exists()):
                _remove(area)


def settle(path: Path) -> None:
    """Complete an exchange that a kill cut between its two renames."""
    with explained(path, "looking for it"):
        if path.exists():
            return
        place = resolved(path)
        for area in _areas(place):
            if (area / OLD).exists() and (area / NEW).exists():
                # Another reader, or the writer itself, may be quicker.
                with suppress(FileNotFoundError):
                    (area / NEW).rename(place)
                return


def _prefix(place: Path) -> str:
    return f".{place.name}.work-"


def _areas(place: Path) -> list[Path]:
    """Find the work areas of a store; a name that looks like one is not enough."""
    try:
        names = os.listdir(place.parent)
    except OSError:
        return []
    likely = (place.parent / name for name in names if name.startswith(_prefix(place)))
    return [folder for folder in likely if owner_of(folder) == place.name]


def owner_of(folder: Path) -> str | None:
    """Read for which store or analysis genprior made a work area; None if it is no work area."""
    try:
        found = None if folder.is_symlink() else json.loads((folder / MARKER).read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or found.get("made_by") != MADE_BY:
        return None
    return found.get("store")


def appear(area: Path, path: Path) -> None:
    """Let the finished folder of a work area take a vacant name.

    Raises:
        OSError: something is there by now.
    """
    (area / NEW).rename(resolved(path))


def put_in_place(area: Path, path: Path) -> None:
    """Let the finished folder of a work area take a name; what bore it moves into the area."""
    place, new = resolved(path), area / NEW
    if is_vacant(place):
        appear(area, path)
    elif not _exchange(new, place):
        place.rename(area / OLD)
        # A reader that found no store may have completed it: `settle`.
        with suppress(FileNotFoundError):
            new.rename(place)


def _remove(area: Path) -> None:
    """Remove a work area, the marker last; folders that were made read-only too."""
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
    """Exchange two names in one step; False where the system cannot."""
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
