"""Fixtures of the tests of merges: small stores of one experiment, and a place for a new one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import Scripted, tiny_sweep

from genprior.pipeline import run_sweep
from genprior.tasks import EXPERIMENTS

CRASH = (4, 7, 2)


@pytest.fixture
def run(tmp_path: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Run a tiny sweep with settings into a store of that name; the task is known to commands."""
    monkeypatch.setitem(EXPERIMENTS.built_in, "scripted", kind.as_class())

    def into(name: str, *settings: str, crash: bool = False, **changes: object) -> Path:
        path = tmp_path / "runs" / f"{name}.zarr"
        path.parent.mkdir(exist_ok=True)
        of = replace(kind, crash_at=CRASH) if crash else kind
        run_sweep(tiny_sweep(*settings, **changes), path, kind=of)
        return path

    return into


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A path for a merged store, alone in its folder."""
    (tmp_path / "merged").mkdir()
    return tmp_path / "merged" / "all.zarr"
