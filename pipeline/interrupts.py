"""Handling of Ctrl-C and of the signals that end a run: raised, or deferred during some steps.

Batch systems send SIGTERM before they kill, or the signal that a user asks for, such as SIGUSR1.
"""

import atexit
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ..store.signals import ENDING, signals_collected
from .outside_imports import signals_outside_imports

SIGNALS = ENDING
# Seconds within which signals count as one: a process may get one directly and one by its group.
ONE = 0.3


class _Interrupts:
    """Raises KeyboardInterrupt at the first signal, and later only inside `heeding`.

    Python drops an exception that is raised in some callbacks, such as those of its garbage
    collector. Therefore an interruption is `unheard` until it is caught: until then the next
    signal, or `check`, raises it again.
    """

    def __init__(self) -> None:
        self.caught = 0
        self.raising = True
        self.unheard = False
        self._last = float("-inf")

    def __call__(self, number: int, frame: FrameType | None) -> None:
        last, self._last = self._last, time.monotonic()
        if self._last - last < ONE:
            return
        self.caught += 1
        if self.raising or self.unheard:
            self.raising, self.unheard = False, True
            raise KeyboardInterrupt


_installed: list[_Interrupts] = []
_ends: dict[int, float] = {}  # by thread, when its time is over


class TimeOverError(KeyboardInterrupt):
    """The time that a run was given is over."""


@contextmanager
def limited_time(seconds: float | None) -> Iterator[None]:
    """Let `check` raise `TimeOverError` in this thread after some seconds, once."""
    thread = threading.get_ident()
    if seconds is not None:
        _ends[thread] = time.monotonic() + seconds
    try:
        yield
    finally:
        _ends.pop(thread, None)


def check() -> None:
    """Raise an interruption again if Python dropped it.

    Raises:
        TimeOverError: the time of this thread's run is over.
        KeyboardInterrupt: an interruption was not caught.
    """
    thread = threading.get_ident()
    if _ends.get(thread, math.inf) <= time.monotonic():
        del _ends[thread]
        raise TimeOverError
    if threading.current_thread() is threading.main_thread() and any(
        interrupts.unheard for interrupts in _installed
    ):
        raise KeyboardInterrupt


def pass_on(raised: BaseException) -> None:
    """Raise the user's interruption of a trial; any other exception is the trial's own.

    Python interrupts the main thread only. A KeyboardInterrupt in another thread is raised by the
    trial itself, and there it would end a loop of Dask instead of the run.

    Raises:
        KeyboardInterrupt: the trial was interrupted.
    """
    if (
        isinstance(raised, KeyboardInterrupt)
        and threading.current_thread() is threading.main_thread()
    ):
        raise raised


def heard() -> None:
    """Record that an interruption was caught."""
    for interrupts in _installed:
        interrupts.unheard = False


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM, SIGUSR1 and a closed terminal end a command like Ctrl-C, and only once.

    Signals that are ignored, for example under nohup, stay ignored. After a command was
    interrupted, further signals are ignored until the process ends; after one that was not, those
    that arrive while Python ends, as its result is already told.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupts = _Interrupts()
    kinds = _handled_signals()
    previous = [signal.signal(kind, interrupts) for kind in kinds]
    _installed.append(interrupts)
    previous_hook, sys.unraisablehook = sys.unraisablehook, _report_unraisable
    try:
        with signals_outside_imports(kinds):
            yield
    finally:
        sys.unraisablehook = previous_hook
        _installed.remove(interrupts)
        interrupts.raising = interrupts.unheard = False
        if interrupts.caught:
            ignore_signals()
        else:
            for kind, handler in zip(kinds, previous, strict=True):
                signal.signal(kind, handler)
            atexit.unregister(ignore_signals)
            atexit.register(ignore_signals)


def _report_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Report an exception that Python drops, except an interruption: `check` raises it again."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)


@contextmanager
def heeding() -> Iterator[None]:
    """Let an interruption be raised in this block even if there was one before."""
    for interrupts in _installed:
        interrupts.raising = True
    try:
        yield
    finally:
        for interrupts in _installed:
            interrupts.raising = interrupts.unheard = False


@contextmanager
def announced(tell: Callable[[str], None]) -> Iterator[None]:
    """Say "stopping" at once when interrupted, because stopping may take a moment."""
    try:
        yield
    except KeyboardInterrupt:
        heard()
        tell("stopping")
        raise


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Defer interruptions until the end of a step that closes something.

    Inside `terminable`, where a command that closes ends anyway, they and all later ones are only
    counted. Elsewhere they are raised at the end of the step.
    """
    # Outside commands, SIGUSR1 has the meaning that the caller's program gives it.
    kinds = [k for k in _handled_signals() if _installed or k != signal.SIGUSR1]
    with signals_collected(kinds) as caught:
        yield
    if caught and _installed:
        _installed[-1].caught += 1
        _installed[-1].raising = _installed[-1].unheard = False
    elif caught:
        raise KeyboardInterrupt


def ignore_signals() -> None:
    """Ignore signals until the process ends, so that a late one does not change its exit status.

    When Python ends, it restores the system's handling of the signals that it handles, but not of
    those that it ignores.
    """
    if threading.current_thread() is threading.main_thread():
        for kind in _handled_signals():
            signal.signal(kind, signal.SIG_IGN)


def _handled_signals() -> list[signal.Signals]:
    """List the signals that are neither ignored nor handled outside Python."""
    return [k for k in SIGNALS if signal.getsignal(k) not in (signal.SIG_IGN, None)]
