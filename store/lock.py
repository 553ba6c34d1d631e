"""Locks that are held for moments.

There are two. Who enters or leaves the records of a store's runs holds the first (`holders`); who
changes the documents, as a run and a fit do, holds the second. Each lock is a file next to the
store. The operating system locks it (`flock`) if the file system supports that. Elsewhere (Lustre
without `flock`, some NFS) the existence of the file is the lock. Its text names the process that
holds it and changes every few seconds: the lock of a process that died on this machine is taken
over at once, and that of another machine when it has stayed the same for `SILENT` seconds.
"""

import errno
import fcntl
import os
import re
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, SoftFileLease, Timeout

from .errors import StoreError, WrongStoreError, explained
from .exchange import resolved
from .ordinary import UnsafeFileError, read_file
from .signals import signals_handled_after

WAIT_FOR_RECORDS = 600.0  # seconds: the many parts of an array enter one after the other
SILENT = 60.0  # seconds after which a file that does not change is no lock
WAIT_FOR_DOCUMENTS = 90.0  # seconds: a change of documents or writing an analysis ends by itself
LONGEST_TEXT = 1000  # bytes of a lock file
DOCUMENTS = ".documents"
NO_FLOCK = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
# What `_sign` writes, and the text of filelock's leases.
RECORD = re.compile(
    r"(?P<process>\d+)\n(?P<host>[^\n]+)\n|filelock/\d+\npid=(?P<pid>\d+)\nhost=(?P<at>[^\n]+)\n.*",
    re.DOTALL,
)
NAMESPACE = re.compile(r"\?pidns-[0-9a-f]+$")  # filelock's mark of a container


@contextmanager
def documents_held(path: Path) -> Iterator[None]:
    """Lock the documents of a store while they change: the root has a copy of each.

    A run takes this lock too, in addition to its own, so that a fit can write at the same time. The
    holder must not wait for another lock.

    Raises:
        StoreError: another process holds the lock for too long, or the folder cannot be written.
    """
    with held(path, DOCUMENTS, WAIT_FOR_DOCUMENTS):
        yield


@contextmanager
def held(path: Path, part: str = "", wait: float = WAIT_FOR_RECORDS) -> Iterator[None]:
    """Hold a lock of a store.

    Args:
        path: the store.
        part: "" for the lock of the runs' records, `DOCUMENTS` for that of the documents.
        wait: seconds to wait for another holder.

    Raises:
        StoreError: another process holds the lock, or the folder cannot be written.
    """
    lock = _Lock(_lock_file(path, part), path)
    try:
        lock.acquire(wait)
        yield
    finally:
        lock.release()


class _Lock:
    """A lock file of a store that is removed when it is released.

    An interruption while it is acquired or released is raised after that, so that no file stays.
    """

    def __init__(self, file: Path, path: Path):
        self.file, self.path = file, path
        self._lock: Any = None
        # The file's `stat` if this process has to remove the file when it releases the lock.
        self._ours: os.stat_result | None = None

    def acquire(self, wait: float) -> None:
        """Lock the file, or wait so many seconds for another holder.

        Raises:
            StoreError: another process holds the lock, or the folder cannot be written.
        """
        deadline = time.monotonic() + wait
        while not self._acquired(deadline - time.monotonic()):
            pass  # a signal ended the wait, and its handler did not raise

    def _acquired(self, wait: float) -> bool:
        folder = self.file.parent
        with signals_handled_after() as waiting, explained(self.path, f"locking it in {folder}"):
            common: dict[str, Any] = {"timeout": max(0.0, wait), "thread_local": False}
            if _has_flock(folder):
                self._lock = FileLock(
                    self.file, fallback_to_soft=False, on_acquired=self._sign, **common
                )
            else:
                self._lock = SoftFileLease(
                    self.file, lease_duration=SILENT, heartbeat_interval=5.0, **common
                )
            try:
                self._lock.acquire(cancel_check=lambda: bool(waiting))
            except Timeout:
                if not waiting:
                    raise _held_error(self.file, self.path) from None
                return False
        return True

    def release(self) -> None:
        """Remove the file and release the lock, if it was acquired."""
        with signals_handled_after():
            if self._lock is None or not self._lock.is_locked:
                return
            # Removed while locked, so that no other process locks a file that then disappears.
            with suppress(OSError):
                if self._ours and os.path.samestat(self.file.stat(), self._ours):
                    self.file.unlink()
            with suppress(OSError):
                self._lock.release()

    def _sign(self, handle: int) -> None:
        _sign(handle, self.file)
        self._ours = os.fstat(handle)


def _lock_file(path: Path, part: str) -> Path:
    """Name the lock of a store. If the path is a link, the lock is next to its target."""
    folder = resolved(path)
    return folder.with_name(f".{folder.name}{part}.lock")


def _has_flock(folder: Path) -> bool:
    """Say whether files in a folder can be locked, tested on a temporary file.

    It is not tested on the lock file: one that cannot be locked would look as if it were held.
    """
    with tempfile.TemporaryFile(dir=folder) as probe:
        try:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in NO_FLOCK:
                raise
            return False
    return True


def _sign(handle: int, file: Path) -> None:
    """Write this process and host into a locked file, as a soft lock does.

    Raises:
        WrongStoreError: the file is not a lock of genprior; it is not changed.
    """
    text = os.pread(handle, LONGEST_TEXT, 0).decode(errors="replace")
    if text and not RECORD.fullmatch(text):
        raise _not_a_lock(file)
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n{socket.gethostname() or '?'}\n".encode(), 0)


def _held_error(file: Path, path: Path) -> StoreError:
    """Say which process holds a lock."""
    text = _lock_text(file) or ""
    record = RECORD.fullmatch(text)
    if text and not record:
        return _not_a_lock(file)
    holder = "its lock does not say which"
    if record:
        host = NAMESPACE.sub("", record["host"] or record["at"])
        holder = f"process {record['process'] or record['pid']} on {host}"
    return written_error(path, holder)


def written_error(path: Path, who: str) -> StoreError:
    """Say who writes a store."""
    return StoreError(
        f"{path} is being written by another genprior ({who}); wait for it to end, or choose "
        "another store."
    )


def _not_a_lock(file: Path) -> WrongStoreError:
    return WrongStoreError(
        f"{file} is in the way: genprior needs this name for a lock, and did not make this file; "
        "move it away."
    )


def _lock_text(file: Path) -> str | None:
    """Read the text of a lock file; None if it is not a file or cannot be read."""
    try:
        return read_file(file, LONGEST_TEXT).decode(errors="replace")
    except (OSError, UnsafeFileError):
        return None
