"""Signals that arrive during an import, or while a line is logged, are handled after it.

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
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType

from ..store.signals import Handler

AGAIN = 0.02  # seconds after which a signal is sent again
LONGEST = 15.0  # seconds that an import gets; one that hangs must end by Ctrl-C
APART = 1.0  # seconds without signals after which the time of an import begins again
# Files whose functions take such locks: the machinery of imports, which is frozen, and logging.
MACHINERY = {"<frozen importlib._bootstrap>", logging.getLogger.__code__.co_filename}


class _OutsideImports:
    """Calls the handlers of signals, or sends a signal again a little later during an import.

    Args:
        depth: how many functions of `MACHINERY` run already, as where a script is imported.
    """

    def __init__(self, depth: int) -> None:
        self.active = True
        self._handlers: dict[int, Handler] = {}
        self._depth = depth
        self._main = threading.get_ident()
        self._lock = _thread.allocate_lock()
        self._unsent = 0  # the number of the signal that is to be sent again
        self._begun = self._last = float("-inf")

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._last > APART:
            self._begun = now
        self._last = now
        if self.active and now - self._begun < LONGEST and _depth(frame) > self._depth:
            if self._unsent:
                return
            self._unsent = number
            with suppress(RuntimeError):  # no thread can be started
                # A `threading.Thread` takes locks, which the interrupted code may hold.
                _thread.start_new_thread(self._send, ())
                return
        self._unsent = 0
        self._handlers[number](number, frame)

    def install(self, kind: signal.Signals) -> None:
        """Handle a signal, unless it has no handler in Python or is handled so already."""
        handler = signal.getsignal(kind)
        if callable(handler) and not (isinstance(handler, _OutsideImports) and handler.active):
            self._handlers[kind] = handler
            signal.signal(kind, self)

    def restore(self, kind: signal.Signals) -> None:
        """Give a signal its handler back."""
        current: object = signal.getsignal(kind)
        if current is not self:
            return
        try:
            signal.signal(kind, self._handlers[kind])
        except BaseException:  # of a handler: Python first handles the signals that have arrived
            signal.signal(kind, self._handlers[kind])
            raise

    def end(self) -> None:
        """Send nothing more."""
        with self._lock:
            self.active = False

    def handle_unsent(self) -> None:
        """Call the handler of a signal that was to be sent again."""
        if number := self._unsent:
            self._unsent = 0
            self._handlers[number](number, None)

    def _send(self) -> None:
        time.sleep(AGAIN)
        with self._lock:
            if self.active and (number := self._unsent):
                self._unsent = 0
                signal.pthread_kill(self._main, number)


@contextmanager
def signals_outside_imports(kinds: Iterable[signal.Signals]) -> Iterator[None]:
    """Let the handlers of signals run outside imports, which get `LONGEST` seconds.

    A signal that still waits at the end of the block is handled there. A block in another changes
    nothing. Python handles signals in the main thread; in any other thread this does nothing.

    Args:
        kinds: the signals; those without a handler in Python are left as they are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = _OutsideImports(_depth(sys._getframe()))
    with ExitStack() as ends:
        ends.callback(ours.handle_unsent)
        for kind in kinds:
            ends.callback(ours.restore, kind)
            ours.install(kind)
        ends.callback(ours.end)
        yield


def _depth(frame: FrameType | None) -> int:
    """Count the functions of `MACHINERY` among a frame and its callers."""
    count = 0
    while frame is not None:
        count += frame.f_code.co_filename in MACHINERY
        frame = frame.f_back
    return count
