"""The end of a run on a worker: held blocks end at their next trial, abandoned ones are dropped."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from ...store.records import is_recorded
from ...sweeps import UserError

LONGEST_WRITE = 5.0  # seconds that `abandon` waits for blocks that are being written
_HELD: set[str] = set()
_ABANDONED: set[str] = set()
_WRITING: Counter[str] = Counter()
_RUNNING: dict[object, tuple[str, "Writable"]] = {}
_TURN = threading.Condition()


class AbandonedError(UserError):
    """The run to which a block belongs has ended."""


class Writable(Protocol):
    """A block that runs."""

    def write(self) -> None:
        """Write the trials that it has finished since the last time."""
        ...


def hold(run: str) -> None:
    """Start no further trial of a run on this worker.

    What its blocks have finished is written at once, because a trial that runs may not end in time.
    """
    _HELD.add(run)
    write_running(run)


def abandon(run: str) -> None:
    """Stop the blocks of a run on this worker at their next trial; they write nothing further.

    Blocks that are being written when this is called are written completely before it returns.
    """
    with _TURN:
        _ABANDONED.add(run)
        _TURN.wait_for(lambda: not _WRITING[run], LONGEST_WRITE)


def is_held(run: str) -> bool:
    """Say whether a run starts no further trials on this worker."""
    return run in _HELD


def check_going(run: str) -> None:
    """Refuse to go on with a run that was abandoned.

    Raises:
        AbandonedError: the run was abandoned.
    """
    if run in _ABANDONED:
        raise AbandonedError("its run has ended.")


@contextmanager
def running(run: str, block: Writable) -> Iterator[None]:
    """Let a block be written by others while it runs."""
    key = object()
    _RUNNING[key] = run, block
    try:
        yield
    finally:
        del _RUNNING[key]


def write_running(run: str | None = None) -> None:
    """Write what the blocks of a run, or of all runs, have finished on this worker.

    Errors are dropped: a block meets them again at its end.
    """
    for of, block in list(_RUNNING.values()):
        if run in (None, of):
            with suppress(UserError, OSError):
                block.write()


@contextmanager
def writing(store: Path, run: str) -> Iterator[None]:
    """Count a block of a run as being written, or refuse if the run has ended.

    A run whose process was killed, or suspended for long, cannot abandon its blocks. When another
    run takes the store over, the record of the first is gone.

    Raises:
        AbandonedError: the run was abandoned, or another one may write the store.
    """
    with _TURN:
        check_going(run)
        if not is_recorded(store, run):
            _ABANDONED.add(run)
            check_going(run)
        _WRITING[run] += 1
    try:
        yield
    finally:
        with _TURN:
            _WRITING[run] -= 1
            _TURN.notify_all()
