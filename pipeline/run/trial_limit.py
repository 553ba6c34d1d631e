"""The time limit of a trial: one that takes longer is stopped, or its worker is ended.

A thread watches the trials of a block. It raises an exception in the thread of a trial that takes
too long. Python raises it at the next step of Python code. A trial that hangs in a library, or
that catches the exception, is not stopped by that. If its process is a worker that Dask starts
again, the process is ended; elsewhere the trial goes on until it ends by itself.
"""

import ctypes
import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar

Result = TypeVar("Result")

AGAIN = 1.0  # seconds until the exception is raised again in a trial that goes on
FINEST = 0.01  # seconds that the watching thread sleeps at least
STUBBORN = 5.0  # seconds after which a trial that still goes on is given up
LOOK = 1.0  # seconds that it sleeps at most, to notice that the process was suspended
BUSY = 0.5  # seconds that it may wake late on a busy machine
# More seconds until a process is ended that neither computes nor lets the watching thread run: it
# may have been suspended.
STILL = 3600.0


class TooLongError(BaseException):
    """A trial took longer than it may. No `except Exception` in a trial catches it."""


class TrialLimit:
    """Limits the time of each trial of one block; used as a context manager.

    Args:
        seconds: the most that a trial may take; None for no limit.
        give_up: called, at most once, in the watching thread if a trial cannot be stopped. It must
            end this process. None if the process may not be ended.
    """

    def __init__(self, seconds: float | None, give_up: Callable[[], None] | None = None):
        self._seconds = seconds or 0.0
        self._give_up = give_up
        self._turn = threading.Condition()
        self._trial_thread = 0
        self._deadline: float | None = None
        self._wake_at, self._computed = float("inf"), 0.0
        self._shot = self._late = self._closed = False
        self._devnull: Any = None
        self._thread: threading.Thread | None = None

    @property
    def reason(self) -> str:
        """What is recorded of a trial that took too long."""
        return f"took longer than {self._seconds:g} s"

    def __enter__(self) -> "TrialLimit":
        """Start to watch."""
        if self._seconds:
            self._trial_thread = threading.get_ident()
            if self._give_up is not None:
                self._devnull = open(os.devnull, "w")
            self._thread = threading.Thread(target=self._watch, name="trial limit", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Watch no longer."""
        if self._thread is None:
            return
        self._surely(self._close)
        self._thread.join()
        if self._devnull is not None:
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_PROF, 0)
            self._devnull.close()

    def call(self, function: Callable[[], Result]) -> Result:
        """Call a function, which may take so long.

        The exception of the watching thread may be raised in any step of this thread, also after
        the function has returned. From `_disarm` on it is not raised any more.

        Raises:
            TooLongError: it took longer.
        """
        if self._thread is None:
            return function()
        value, failure = None, None
        with suppress(TooLongError):
            with suppress(TooLongError):
                try:
                    self._arm()
                    value = function()
                except BaseException as raised:
                    failure = raised
            self._disarm()
        self._surely(self._disarm)
        if (self._shot or self._late) and not isinstance(failure, KeyboardInterrupt):
            raise TooLongError(self.reason)
        if failure is not None:
            raise failure
        return value  # type: ignore[return-value]

    def _arm(self) -> None:
        with self._turn:
            self._shot = self._late = False
            self._deadline = time.monotonic() + self._seconds

    def _disarm(self) -> None:
        with self._turn:
            self._excuse()
            if self._deadline is not None and time.monotonic() >= self._deadline:
                self._late = True  # also if the watching thread has not noticed
            self._deadline = None
            if self._shot:
                self._raise_in_trial(None)  # withdraw an exception that was not raised yet

    def _close(self) -> None:
        with self._turn:
            self._disarm()
            self._closed = True
            self._turn.notify()

    def _surely(self, step: Callable[[], None]) -> None:
        """Take a step to its end, also if the exception is raised in it."""
        while True:
            with suppress(TooLongError):
                step()
                return

    def _watch(self) -> None:
        given_up_at = self._seconds + STUBBORN
        with self._turn:
            while not self._closed:
                # A trial that starts while this thread waits has its deadline after the wait.
                wait, deadline = self._seconds, self._deadline
                if deadline is not None:
                    late = time.monotonic() - deadline
                    if late >= STUBBORN and self._give_up is not None:
                        self._give_up()
                    if late >= 0:
                        self._shot = True
                        self._raise_in_trial(TooLongError)
                    wait = AGAIN if late >= 0 else -late
                if self._devnull is not None:
                    # A library that does not let other threads run stops this one too. Then the
                    # process is ended from outside Python: by SIGPROF when it has computed for so
                    # long, because the time of a suspended process must not count.
                    signal.setitimer(signal.ITIMER_PROF, wait + given_up_at)
                    faulthandler.dump_traceback_later(
                        wait + given_up_at + STILL, exit=True, file=self._devnull
                    )
                self._wake_at = time.monotonic() + min(max(wait, FINEST), LOOK)
                self._computed = time.process_time()
                self._turn.wait(self._wake_at - time.monotonic())
                self._excuse()

    def _excuse(self) -> None:
        """Give the trial the time back in which this process was suspended.

        Then the watching thread wakes late. It also does if a library lets no other thread run,
        but such a process computes.
        """
        now, computed = time.monotonic(), time.process_time()
        late = now - self._wake_at - (computed - self._computed)
        if late > BUSY and self._deadline is not None:
            self._deadline += late
            self._wake_at, self._computed = now, computed

    def _raise_in_trial(self, kind: type[BaseException] | None) -> None:
        exception = None if kind is None else ctypes.py_object(kind)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._trial_thread), exception)


def is_replaced_when_it_ends() -> bool:
    """Say whether this process is a worker of Dask that a nanny starts again."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        return distributed.get_worker().nanny is not None
    except ValueError:
        return False
