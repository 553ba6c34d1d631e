"""Signals during steps that must not be left in the middle."""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], object]
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


@contextmanager
def signals_collected(kinds: Iterable[signal.Signals]) -> Iterator[list[int]]:
    """Collect the numbers of signals that arrive, in place of handling them.

    Python handles signals in the main thread; in any other thread this does nothing.
    """
    caught: list[int] = []
    with ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            for kind in kinds:
                previous = signal.signal(kind, lambda number, frame: caught.append(number))
                stack.callback(signal.signal, kind, previous)
        yield caught


@contextmanager
def signals_handled_after() -> Iterator[list[int]]:
    """Let Python's handlers of signals that end a process, such as Ctrl-C, run after a step.

    A signal without a handler in Python ends the process at once, as ever. The list has the numbers
    of those that wait, so that a step that takes long can end early.
    """
    handlers: dict[int, Handler] = {}
    for kind in ENDING:
        handler = signal.getsignal(kind)
        if callable(handler):
            handlers[kind] = handler
    waiting: list[int] = []
    try:
        with signals_collected(map(signal.Signals, handlers)) as waiting:
            yield waiting
    finally:
        for number in waiting:
            handlers[number](number, None)
