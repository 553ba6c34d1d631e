"""Ctrl-C during an import is raised after it, so that no lock of Python's stays taken."""

import _imp
import importlib
import io
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from genprior.pipeline.executors.opening import open_executor
from genprior.pipeline.outside_imports import signals_outside_imports

KIND = signal.SIGUSR1
MACHINERY = importlib.import_module.__globals__["_bootstrap"]._find_and_load.__code__.co_filename
SEND = f"import signal\nsignal.raise_signal({int(KIND)})\n"


@pytest.fixture
def events() -> Iterator[list[str]]:
    """What happened, in order: a handler enters "handled", a module what it likes."""
    happened: list[str] = []
    previous = signal.signal(KIND, lambda number, frame: happened.append("handled"))
    sys.modules["happened"] = happened  # type: ignore[assignment]
    yield happened
    del sys.modules["happened"]
    signal.signal(KIND, previous)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Write a module that can be imported, and give its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def written(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(f"import happened\n{text}\nhappened.append('ended')\n")
        importlib.invalidate_caches()
        monkeypatch.setitem(sys.modules, name, None)  # forgotten again at the end
        del sys.modules[name]
        return name

    return written


def wait_for(events: list[str], count: int) -> None:
    deadline = time.monotonic() + 20
    while len(events) < count:
        assert time.monotonic() < deadline, events
        time.sleep(0.01)


def test_a_signal_during_an_import_is_handled_once_and_after_it(
    events: list[str], module: Callable[[str, str], str]
) -> None:
    inner = module("inner_module", SEND)
    outer = module("outer_module", f"import time, {inner}\ntime.sleep(0.1)")
    with signals_outside_imports([KIND]):
        importlib.import_module(outer)
        wait_for(events, 3)
        time.sleep(0.1)
    assert events == ["ended", "ended", "handled"]


def test_a_signal_outside_imports_is_handled_at_once(events: list[str]) -> None:
    with signals_outside_imports([KIND]):
        signal.raise_signal(KIND)
        assert events == ["handled"]


def test_a_signal_that_waits_is_handled_at_the_end_of_the_block(
    events: list[str], module: Callable[[str, str], str]
) -> None:
    with signals_outside_imports([KIND]):
        importlib.import_module(module("a_module", SEND))
        assert events == ["ended"]
    assert events == ["ended", "handled"]
    time.sleep(0.1)
    assert events == ["ended", "handled"]


def test_a_second_signal_ends_an_import_that_hangs(
    events: list[str], module: Callable[[str, str], str]
) -> None:
    """One that follows within .3 s counts as the same."""
    hangs = f"{SEND}{SEND}import time\ntime.sleep(0.5)\nhappened.append('later')\n{SEND}"
    with signals_outside_imports([KIND]):
        importlib.import_module(module("hanging_module", hangs))
        time.sleep(0.1)
    assert events == ["later", "handled", "ended"]


def test_a_script_that_is_itself_imported_is_interrupted_at_once(
    events: list[str], module: Callable[[str, str], str]
) -> None:
    script = (
        "from genprior.pipeline.outside_imports import signals_outside_imports\nimport signal\n"
        f"with signals_outside_imports([signal.Signals({int(KIND)})]):\n"
        f"    signal.raise_signal({int(KIND)})\n"
    )
    importlib.import_module(module("script_module", script))
    assert events == ["handled", "ended"]


def test_a_signal_while_a_line_is_logged_is_handled_after_it(events: list[str]) -> None:
    """Loggers take locks as imports do."""

    class Signalling:
        def __str__(self) -> str:
            signal.raise_signal(KIND)
            events.append("logged")
            return "text"

    logger = logging.Logger("signalling")
    logger.addHandler(logging.StreamHandler(io.StringIO()))
    with signals_outside_imports([KIND]):
        logger.error("%s", Signalling())
        wait_for(events, 2)
    assert events == ["logged", "handled"]


def test_ctrl_c_at_any_line_of_an_import_leaves_no_lock(
    events: list[str], module: Callable[[str, str], str]
) -> None:
    """A lock that stays taken hangs every thread that imports, such as that of the workers."""
    lines = at = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal at
        if frame.f_code.co_filename != MACHINERY:
            return None
        if event == "line":
            at += 1
            if at == lines:
                signal.raise_signal(signal.SIGINT)
        return trace

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupted, at = 0, 1
    try:
        while lines <= at:
            lines, at = lines + 1, 0
            name = module(f"module_{lines}", "")
            try:
                with signals_outside_imports([signal.SIGINT]):
                    sys.settrace(trace)
                    importlib.import_module(name)
                    sys.settrace(None)
                    time.sleep(0.001)
            except KeyboardInterrupt:
                interrupted += 1
            finally:
                sys.settrace(None)
            assert events == ["ended"] * lines, lines
            assert not _imp.lock_held(), lines
    finally:
        signal.signal(signal.SIGINT, previous)
        while _imp.lock_held():
            _imp.release_lock()
    assert interrupted == lines - 1 > 50


@pytest.mark.cluster
def test_ctrl_c_while_workers_start_waits_for_the_import_in_a_notebook_too(
    events: list[str], module: Callable[[str, str], str]
) -> None:
    name = module("interrupting_module", f"import signal\nsignal.raise_signal({signal.SIGINT:d})")
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with (
            pytest.raises(KeyboardInterrupt),
            open_executor("threads", 1, events.append, lambda: importlib.import_module(name)),
        ):
            events.append("ready")
    finally:
        signal.signal(signal.SIGINT, previous)
    assert events == ["ended", "stopping"]
