"""A run whose trials are all done starts no workers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers import Scripted, tiny_sweep

import genprior as gp
from genprior.pipeline import run_sweep
from genprior.pipeline.executors.synchronous import Synchronous
from genprior.tasks import EXPERIMENTS


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, kind: Scripted) -> list[str]:
    """How often workers were started, after the sweep was checked."""
    started: list[str] = []

    @contextmanager
    def count(
        asked: Any, store: Path, tell: Any, check: Callable[[], Any]
    ) -> Iterator[Synchronous]:
        check()
        started.append("started")
        yield Synchronous()

    monkeypatch.setattr("genprior.pipeline.calls.open_workers", count)
    monkeypatch.setitem(EXPERIMENTS.built_in, "scripted", kind.as_class())
    return started


def test_workers_start_only_if_there_is_something_to_do(
    store: Path, kind: Scripted, opened: list[str]
) -> None:
    assert gp.run(tiny_sweep(), store).computed == 48
    assert len(opened) == 1
    again = gp.run(tiny_sweep(), store)
    assert (again.done, again.computed, again.exit_status) == (48, 0, 0)
    assert gp.run(tiny_sweep(), store, part="1/2").already_done == 24
    assert len(opened) == 1
    assert gp.run(tiny_sweep(trials=5), store).computed == 12
    assert len(opened) == 2


def test_a_damaged_store_is_not_complete(store: Path, kind: Scripted, opened: list[str]) -> None:
    run_sweep(tiny_sweep(), store, kind=kind)
    next((store / "success" / "c").rglob("0/0/0")).unlink()
    assert gp.run(tiny_sweep(), store).computed == 8
    assert len(opened) == 1
