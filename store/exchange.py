"""Changing a whole store at once, and keeping two writers apart.

A new store is built beside the old one, under a hidden name, and takes its place in one rename.
Where the file system cannot exchange two names (`renameat2`), the old store steps aside first;
its hidden name is the journal that the next command completes.
"""

import ctypes
import errno
import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import StoreError, WrongStoreError, explained

AT_FDCWD = -100
RENAME_EXCHANGE = 2
UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def beside(path: Path, purpose: str) -> Path:
    """Name a hidden neighbour of a store; of the folder itself, where the path is a link to it."""
    place = resolved(path)
    return place.with_name(f".{place.name}.{purpose}")


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
def exclusive(path: Path) -> Iterator[None]:
    """Hold a store for writing; finish or clear what a killed command left behind.

    Raises:
        WrongStoreError: a folder that cannot be replaced.
        StoreError: another process holds it, or its folder cannot be written.
    """
    place = resolved(path)
    with explained(path, "finding the working directory"):
        if place in (Path.cwd(), Path(place.anchor)):
            raise WrongStoreError(
                f"{path}: neither the working directory nor the root can be written as a store; "
                "name a folder in it."
            )
    lock = beside(path, "lock")
    with explained(path, "locking it"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _acquire(lock, path)
    try:
        _clear(path)
        yield
    finally:
        # What cannot be cleared now, the next command clears.
        with suppress(StoreError):
            _clear(path)
        with suppress(OSError):
            lock.unlink()
        os.close(handle)


def _clear(path: Path) -> None:
    """Finish or remove what a command that failed or was killed left beside a store."""
    settle(path)
    with explained(path, "clearing what an interrupted command left"):
        for purpose in ("new", "old"):
            if beside(path, purpose).exists():
                shutil.rmtree(beside(path, purpose))


def _acquire(lock: Path, path: Path) -> int:
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 200).decode(errors="replace").strip()
            os.close(handle)
            raise StoreError(
                f"{path} is being written by another genprior ({holder}); wait for it to end, "
                "or choose another store."
            ) from None
        # The last holder may have removed the file between our open and our lock.
        with suppress(FileNotFoundError):
            if os.stat(lock).st_ino == os.fstat(handle).st_ino:
                os.ftruncate(handle, 0)
                os.write(handle, f"process {os.getpid()} on {socket.gethostname()}".encode())
                return handle
        os.close(handle)


def settle(path: Path) -> None:
    """Complete an exchange that a kill cut between its two renames."""
    with explained(path, "looking for it"):
        if path.exists():
            return
        for purpose in ("new", "old"):
            if beside(path, "old").exists() and beside(path, purpose).exists():
                # Another reader, or the writer itself, may be quicker.
                with suppress(FileNotFoundError):
                    beside(path, purpose).rename(resolved(path))
                return


def put_in_place(new: Path, path: Path, aside: Path) -> None:
    """Let a finished folder take a name, removing what bore it.

    Args:
        new: the finished folder.
        path: the name.
        aside: where the old folder goes if the two cannot be exchanged in one step.
    """
    path = resolved(path)
    if is_vacant(path):
        if path.exists():
            path.rmdir()
        new.rename(path)
        return
    old = new
    if not _exchange(new, path):
        old = aside
        path.rename(old)
        # A reader that found no store may have completed it: `settle`.
        with suppress(FileNotFoundError):
            new.rename(path)
    shutil.rmtree(old)


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
