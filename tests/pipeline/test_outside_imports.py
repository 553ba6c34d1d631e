"""Ctrl-C during an import is raised after it, so that no lock of Python's stays taken."""

import _imp
import _thread
import importlib
import io
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import genprior as gp
from genprior.pipeline import outside_imports
from genprior.pipeline.outside_imports import signals_outside_imports

KIND = signal.SIGUSR1
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


@pytest.fixture
def never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread sends a signal again, as if it came to no turn."""
    monkeypatch.setattr(_thread, "start_new_thread", lambda function, arguments: 0)


@pytest.mark.usefixtures("never_sent")
def test_a_signal_that_waits_is_handled_at_the_end_of_the_block(
    events: list[str], module: Callable[[str, str], str]
) -> None:
    """Several are one."""
    with signals_outside_imports([KIND]):
        importlib.import_module(module("a_module", SEND + SEND))
        assert events == ["ended"]
    assert events == ["ended", "handled"]


@pytest.mark.usefixtures("never_sent")
@pytest.mark.parametrize(
    ("longest", "happened"), [(0.0, ["handled", "ended"]), (1e9, ["ended", "handled"])]
)
def test_an_import_that_takes_too_long_is_interrupted(
    events: list[str],
    module: Callable[[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
    longest: float,
    happened: list[str],
) -> None:
    monkeypatch.setattr(outside_imports, "LONGEST", longest)
    with signals_outside_imports([KIND]):
        importlib.import_module(module("hanging_module", SEND))
    assert events == happened


def test_a_signal_is_handled_at_once_where_no_thread_can_be_started(
    events: list[str], module: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refused)
    with signals_outside_imports([KIND]):
        importlib.import_module(module("lonely_module", SEND))
    assert events == ["handled", "ended"]


def test_handlers_are_as_before_also_if_one_of_them_raises() -> None:
    """A block in another changes nothing, and a signal that is ignored stays so."""
    kinds = (KIND, signal.SIGALRM, signal.SIGUSR2)
    mine = (lambda *_: None, signal.default_int_handler, signal.SIG_IGN)
    before = [signal.signal(kind, handler) for kind, handler in zip(kinds, mine, strict=True)]
    try:
        with signals_outside_imports(kinds):
            ours = tuple(signal.getsignal(kind) for kind in kinds)
            assert ours[0] is ours[1] not in mine
            assert ours[2] == signal.SIG_IGN
            with signals_outside_imports(kinds):
                assert tuple(signal.getsignal(kind) for kind in kinds) == ours
            assert tuple(signal.getsignal(kind) for kind in kinds) == ours
        with pytest.raises(KeyboardInterrupt), signals_outside_imports(kinds):
            signal.raise_signal(signal.SIGALRM)
        assert tuple(signal.getsignal(kind) for kind in kinds) == mine
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)


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


def test_ctrl_c_leaves_no_lock_of_an_import(
    events: list[str], module: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that stays taken hangs every thread that imports, such as that of the workers.

    Here it comes each time at the most harmful moment: when Python has just taken the lock.
    """
    taken, given, calls, at = _imp.acquire_lock, _imp.release_lock, 0, 0
    depth = interrupted = 0
    me = threading.get_ident()

    def take() -> None:
        nonlocal depth, calls
        taken()
        if threading.get_ident() == me:
            depth, calls = depth + 1, calls + 1
            if calls == at:
                signal.raise_signal(signal.SIGINT)

    def give() -> None:
        nonlocal depth
        depth -= threading.get_ident() == me
        given()

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        while calls >= at:
            name, calls, at = module(f"module_{at}", ""), 0, at + 1
            with monkeypatch.context() as patched:
                patched.setattr(_imp, "acquire_lock", take)
                patched.setattr(_imp, "release_lock", give)
                try:
                    with signals_outside_imports([signal.SIGINT]):
                        importlib.import_module(name)
                except KeyboardInterrupt:
                    interrupted += 1
            assert events == ["ended"] * at
            assert depth == 0
    finally:
        signal.signal(signal.SIGINT, previous)
        for _ in range(depth):
            given()
    assert interrupted == at - 1 >= 3


@pytest.mark.parametrize("call", [partial(gp.run, "quickstart"), gp.fit], ids=["run", "fit"])
def test_ctrl_c_in_a_notebook_waits_for_the_end_of_an_import(
    events: list[str], module: Callable[[str, str], str], call: Callable[[Any], object]
) -> None:
    name = module("interrupting_module", f"import signal\nsignal.raise_signal({signal.SIGINT:d})")

    class Importing:
        def __fspath__(self) -> str:
            importlib.import_module(name)
            time.sleep(20)
            return "no.zarr"

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            call(Importing())
    finally:
        signal.signal(signal.SIGINT, previous)
    assert events == ["ended"]
