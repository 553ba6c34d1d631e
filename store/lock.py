"""Keeping two writers of a store apart.

There are two locks: one for whoever runs into the store, as long as the run takes, and one for the
documents, a moment for every change of them. A fit takes the second only. Each is a file next to
the store. The operating system locks it (`flock`) where the file system can; elsewhere (Lustre
without `flock`, some NFS) its mere existence is the lock, and what it says tells a holder that died
on this machine from one that lives.
"""

import errno
import fcntl
import os
import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, SoftFileLock, Timeout

from .errors import StoreError, WrongStoreError, explained
from .exchange import clear, resolved
from .places import check_place

PATIENCE = 0.5  # seconds, for a holder that is just leaving
MOMENT = 60.0  # seconds, for one that changes documents or writes an analysis
DOCUMENTS = ".documents"
NO_FLOCK = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
# What filelock's soft locks say, in lines, and what earlier versions of genprior said.
RECORD = re.compile(r"(?P<process>\d+)\n(?P<host>[^\n]+)\n(\d+\n)?|process \d+ on .+")
NAMESPACE = re.compile(r"\?pidns-[0-9a-f]+$")  # filelock's mark of a container


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a store for writing; finish or clear what a killed command left behind.

    Raises:
        WrongStoreError: a path that cannot be a store's, or a folder that cannot be replaced.
        StoreError: another process holds it, or its folder cannot be written.
    """
    check_place(path)
    place = resolved(path)
    with explained(path, "making its folder"):
        path.parent.mkdir(parents=True, exist_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
    with held(path):
        clear(path)
        try:
            yield
        finally:
            # What cannot be cleared now, the next command clears.
            with suppress(StoreError):
                clear(path)


@contextmanager
def documents_held(path: Path) -> Iterator[None]:
    """Hold the documents of a store for a moment, to change them: its root has a copy of each.

    A run that holds the store takes this too, so that a fit may write next to it. Whoever holds it
    waits for nothing else.

    Raises:
        StoreError: another process holds them for longer than a change takes, or the folder cannot
            be written.
    """
    with held(path, DOCUMENTS, MOMENT):
        yield


@contextmanager
def held(path: Path, part: str = "", patience: float = PATIENCE) -> Iterator[None]:
    """Hold a lock of a store, and nothing else.

    Args:
        path: the store.
        part: what of it is locked; by default that nobody else runs into it.
        patience: seconds to wait for another holder.

    Raises:
        StoreError: another process holds it, or its folder cannot be written.
    """
    file = _lock_file(path, part)
    with explained(path, f"locking it in {file.parent}"):
        lock, ours = _acquire(file, path, patience)
    try:
        yield
    finally:
        # While it is held, so that no other process locks a file that is about to go.
        with suppress(OSError):
            if ours and os.path.samestat(file.stat(), ours[0]):
                file.unlink()
        with suppress(OSError):
            lock.release()


def _lock_file(path: Path, part: str) -> Path:
    """Name the lock of a store: next to the folder itself, where the path is a link to it."""
    place = resolved(path)
    return place.with_name(f".{place.name}{part}.lock")


def _acquire(file: Path, path: Path, patience: float) -> tuple[Any, list[os.stat_result]]:
    """Lock a file; give the lock and, where its release leaves the file, which file that is."""
    common: dict[str, Any] = {"timeout": patience, "thread_local": False}
    native, ours = _has_flock(file.parent), list[os.stat_result]()

    def sign(handle: int) -> None:
        _sign(handle, file)
        ours.append(os.fstat(handle))

    if native:
        lock: Any = FileLock(file, fallback_to_soft=False, on_acquired=sign, **common)
    else:
        lock = SoftFileLock(file, **common)
    try:
        lock.acquire()
    except Timeout:
        raise _refusal(file, path, native) from None
    return lock, ours


def _has_flock(folder: Path) -> bool:
    """Try on a file of no name, for a lock file that cannot be locked would look held."""
    with tempfile.TemporaryFile(dir=folder) as probe:
        try:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in NO_FLOCK:
                raise
            return False
    return True


def _sign(handle: int, file: Path) -> None:
    """Say in a locked file who holds it, as a soft lock does; leave alone what is no lock."""
    said = os.pread(handle, 1000, 0).decode(errors="replace")
    if said and not RECORD.fullmatch(said):
        raise _no_lock(file)
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n{socket.gethostname() or '?'}\n".encode(), 0)


def _refusal(file: Path, path: Path, native: bool) -> StoreError:
    """Say who holds a store, and what to do if that cannot be seen from here."""
    said = _said(file) or ""
    found = RECORD.fullmatch(said)
    if said and not found:
        return _no_lock(file)
    holder = said.strip() or "it does not say which"
    host = ""
    if found and found["host"]:
        host = NAMESPACE.sub("", found["host"])
        holder = f"process {found['process']} on {host}"
    advice = "wait for it to end, or choose another store."
    if not native and host != socket.gethostname():
        advice = (
            f"wait for it to end. If it is gone, remove {file}: this file system has no locks that "
            "would show it."
        )
    return StoreError(f"{path} is being written by another genprior ({holder}); {advice}")


def _no_lock(file: Path) -> WrongStoreError:
    return WrongStoreError(f"{file} is in the way of a lock and is not genprior's; move it away.")


def _said(file: Path) -> str | None:
    """Read what a lock file says; None if it is no file or cannot be read."""
    try:
        with file.open("rb") as content:
            return content.read(1000).decode(errors="replace") if file.is_file() else None
    except OSError:
        return None
