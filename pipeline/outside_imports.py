"""Signals that arrive during an import are handled after it.

A handler that raises, as Python's own for Ctrl-C does, may do so at any call. Where Python imports
a module, or finds a logger, it takes a lock in one statement and gives it back in a later one. An
exception between the two leaves the lock taken for ever; every thread that imports then hangs.
"""

import _thread
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

Handler = Callable[[int, FrameType | None], object]
AGAIN = 0.02  # seconds after which a signal is sent again
LONGEST = 20.0  # seconds that an import gets
# Seconds within which signals count as one: a process may get one directly and one by its group.
ONE = 0.3
# Files whose functions take such locks: the machinery of imports, which is frozen, and logging.
MACHINERY = {"<frozen importlib._bootstrap>", logging.getLogger.__code__.co_filename}


class _OutsideImports:
    """Calls a handler of a signal, or sends the signal again a little later during an import.

    An import that hangs ends by the next signal.

    Args:
        handler: the handler.
        depth: how many functions of `MACHINERY` run already, as where a script is imported.
    """

    def __init__(self, handler: Handler, depth: int) -> None:
        self.handler = handler
        self._depth = depth
        self._main = threading.get_ident()
        self._lock = _thread.allocate_lock()
        self._active = True
        self._waiting = False  # whether the signal is to be sent again
        self._sent = False  # whether it was, and has not come
        self._begun = float("-inf")

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        again, self._sent = self._sent, False
        if not again and not self._waiting:
            self._begun = now
        since = now - self._begun
        insists = not again and since > ONE
        if _depth(frame) > self._depth and since < LONGEST and not insists:
            if self._waiting:
                return
            self._waiting = True
            with suppress(RuntimeError):  # no thread can be started
                # A `threading.Thread` takes locks, which the interrupted code may hold.
                _thread.start_new_thread(self._send, (number,))
                return
        self._waiting = False
        self.handler(number, frame)

    def end(self) -> bool:
        """Send nothing more; say whether a signal was still to be sent."""
        with self._lock:
            self._active = False
            return self._waiting

    def _send(self, number: int) -> None:
        time.sleep(AGAIN)
        with self._lock:
            if self._active and self._waiting:
                self._waiting, self._sent = False, True
                signal.pthread_kill(self._main, number)


@contextmanager
def signals_outside_imports(kinds: Iterable[signal.Signals]) -> Iterator[None]:
    """Let the handlers of signals run outside imports.

    An import gets `LONGEST` seconds, or until the next signal.

    Python handles signals in the main thread; in any other thread this does nothing.

    Args:
        kinds: the signals; those without a handler in Python are left as they are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    depth = _depth(sys._getframe())
    ours: dict[signal.Signals, _OutsideImports] = {}
    for kind in kinds:
        handler = signal.getsignal(kind)
        if callable(handler) and not isinstance(handler, _OutsideImports):
            ours[kind] = _OutsideImports(handler, depth)
            signal.signal(kind, ours[kind])
    try:
        yield
    finally:
        left = [kind for kind, handler in ours.items() if handler.end()]
        for kind, handler in ours.items():
            signal.signal(kind, handler.handler)
        for kind in left:
            ours[kind].handler(kind, None)


def _depth(frame: FrameType | None) -> int:
    """Count the functions of `MACHINERY` among a frame and its callers."""
    count = 0
    while frame is not None:
        count += frame.f_code.co_filename in MACHINERY
        frame = frame.f_back
    return count
