"""Ctrl-C at any moment of taking or giving back a lock: it is raised, and no file stays."""

import gc
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import filelock
import pytest
from helpers import neighbours

from genprior.store import StoreError
from genprior.store.holders import Holding, held_for_run
from genprior.store.lock import held
from genprior.store.records import read_records

LIBRARY = str(Path(filelock.__file__).parent)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "some.zarr"
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts also where the tests are a background job of a shell, which ignores it."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Locks of earlier interruptions are not collected while lines are counted.

    Collecting one runs lines of the library at any moment, and Python drops what is raised there.
    """
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def at_line(number: int, act: Callable[[], None]) -> tuple[Callable[..., Any], list[int]]:
    """Make a trace function that acts before a line of the locks' library, and counts its lines."""
    lines = [0]

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(LIBRARY):
            return None
        if event == "line":
            lines[0] += 1
            if lines[0] == number:
                act()
        return trace

    return trace, lines


def lock_and_release(store: Path, number: int, act: Callable[[], None]) -> int:
    """Hold a lock for a moment and act at one line; give the number of lines."""
    trace, lines = at_line(number, act)
    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        with held(store):
            pass
    finally:
        sys.settrace(previous)
    return lines[0]


@pytest.mark.usefixtures("no_collector")
def test_an_interruption_at_any_line_leaves_no_lock(store: Path) -> None:
    handler = signal.getsignal(signal.SIGINT)
    number, lines = 0, None
    while lines is None:
        number += 1
        with suppress(KeyboardInterrupt):
            lines = lock_and_release(store, number, lambda: signal.raise_signal(signal.SIGINT))
        assert neighbours(store) == [], number
        assert signal.getsignal(signal.SIGINT) is handler
    assert lines < number
    assert number > 100
    with held(store, wait=0.1):
        pass


def test_a_signal_that_interrupts_nothing_does_not_let_a_lock_pass(store: Path) -> None:
    """As where the caller's handler only takes note of it."""
    noted: list[int] = []
    previous = signal.signal(signal.SIGUSR1, lambda number, _: noted.append(number))
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGUSR1))
    try:
        with held(store):
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(StoreError), held(store, wait=1.0):
                noted.append(0)
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert noted == [signal.SIGUSR1]


def test_an_interruption_ends_the_wait_for_a_lock(store: Path) -> None:
    """It does not wait for the other holder, whose lock stays."""
    with held(store):
        began = time.monotonic()
        signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt), held(store, wait=60):
            pass
        assert time.monotonic() - began < 30
        assert len(neighbours(store)) == 1
    assert neighbours(store) == []


def test_an_interruption_while_a_run_enters_leaves_no_record(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process may live on, as a notebook does, and give the same call again."""
    begin = Holding.begin

    def interrupted(holding: Holding) -> None:
        begin(holding)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(Holding, "begin", interrupted)
        with pytest.raises(KeyboardInterrupt), held_for_run(store):
            pass
    assert neighbours(store) == []
    with held_for_run(store):
        pass


def test_an_interruption_while_a_run_leaves_leaves_no_record(store: Path) -> None:
    """It ends the wait for another run that enters or leaves."""
    run = held_for_run(store)
    run.__enter__()
    with held(store):
        signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            run.__exit__(None, None, None)
        assert read_records(store) == []
    with held_for_run(store):
        pass
    assert neighbours(store) == []
