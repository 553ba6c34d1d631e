"""Ctrl-C, SIGTERM and SIGHUP: raised where a run can be left, kept back where it cannot."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ONE = 0.3  # seconds within which signals are one: a group of processes and its members get both


class _Interrupts:
    """Raises KeyboardInterrupt at a signal once, and again only where that is asked for.

    Python drops what is raised in a callback of its garbage collector, among others. Until
    somebody caught it, it is therefore `unheard`: the next signal raises it again, and so does
    `check`.
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


def check() -> None:
    """Raise an interruption again that was raised where Python dropped it.

    Raises:
        KeyboardInterrupt: there is one that nobody caught.
    """
    if threading.current_thread() is threading.main_thread() and any(
        interrupts.unheard for interrupts in _installed
    ):
        raise KeyboardInterrupt


def heard() -> None:
    """Say that an interruption was caught."""
    for interrupts in _installed:
        interrupts.unheard = False


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end a command as Ctrl-C does, and only once.

    Batch systems warn before a kill. What is ignored, as under nohup, stays ignored. Once a
    command was interrupted, further signals are ignored until the process ends.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupts = _Interrupts()
    kinds = _heard()
    previous = [signal.signal(kind, interrupts) for kind in kinds]
    _installed.append(interrupts)
    told, sys.unraisablehook = sys.unraisablehook, _tell_unraisable
    try:
        yield
    finally:
        sys.unraisablehook = told
        _installed.remove(interrupts)
        interrupts.raising = interrupts.unheard = False
        if interrupts.caught:
            ignore_signals()
        else:
            for kind, handler in zip(kinds, previous, strict=True):
                signal.signal(kind, handler)


def _tell_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Say what Python drops, but for an interruption: `check` raises that again."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)


@contextmanager
def heeding() -> Iterator[None]:
    """Let an interruption be raised here although there was one before."""
    for interrupts in _installed:
        interrupts.raising = True
    try:
        yield
    finally:
        for interrupts in _installed:
            interrupts.raising = interrupts.unheard = False


@contextmanager
def announced(tell: Callable[[str], None]) -> Iterator[None]:
    """Answer an interruption at once: what it ends may take a moment."""
    try:
        yield
    except KeyboardInterrupt:
        heard()
        tell("stopping")
        raise


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep interruptions back until the end of a step that may not be left half-way.

    A command that is `terminable` goes on after that; elsewhere they are raised then.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    kinds = _heard()
    previous = [signal.signal(kind, lambda number, frame: caught.append(number)) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, previous, strict=True):
            signal.signal(kind, handler)
    if caught and _installed:
        _installed[-1].caught += 1
        _installed[-1].raising = _installed[-1].unheard = False
    elif caught:
        raise KeyboardInterrupt


def ignore_signals() -> None:
    """Let a process that is about to end do so, and not by a signal.

    At its end Python gives signals that it handles back to the system, but no ignored ones.
    """
    if threading.current_thread() is threading.main_thread():
        for kind in _heard():
            signal.signal(kind, signal.SIG_IGN)


def _heard() -> list[signal.Signals]:
    """List those of the signals that are neither ignored nor handled outside Python."""
    return [k for k in SIGNALS if signal.getsignal(k) not in (signal.SIG_IGN, None)]
