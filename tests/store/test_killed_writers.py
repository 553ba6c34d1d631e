"""Wherever a writer of a block is killed, no trial is left whose status contradicts its values."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers import Scripted, results, tiny_sweep

from genprior.pipeline import run_sweep
from genprior.pipeline.upkeep.verify import verify_store
from genprior.store import Status, StoreError, open_complete, open_writer, read_info
from genprior.store.own_files import OwnFiles
from genprior.tasks import EXPERIMENTS

CRASH = (4, 7, 2)
AT_CRASH = (1, 2, 2)
MOST_WRITES = 20
Results = dict[str, Any]


def done_now(block: Results, at: tuple[int, ...]) -> None:
    """The trial is run again, and does not crash."""
    values = {"success": 1, "latent_error": 0.5, "iterations": 3, "seconds": 0.1, "error": ""}
    for name, value in values.items():
        block[name][at] = value
    block["status"][at] = Status.DONE


def crashed_now(block: Results, at: tuple[int, ...]) -> None:
    """The trial was done, and a worker that takes too long for it says that it crashed."""
    for name, value in (("success", -1), ("latent_error", float("nan")), ("iterations", -1)):
        block[name][at] = value
    block["error"][at] = "took too long"
    block["status"][at] = Status.CRASHED


def crashed_again(block: Results, at: tuple[int, ...]) -> None:
    """The trial crashes for another reason."""
    block["error"][at] = "another reason"


@pytest.fixture
def whole(tmp_path: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(EXPERIMENTS.built_in, "scripted", kind.as_class())
    path = tmp_path / "whole" / "tiny.zarr"
    run_sweep(tiny_sweep(), path, kind=replace(kind, crash_at=CRASH))
    return path


def write_until(path: Path, at: tuple[int, ...], change: Callable[..., None], last: int) -> bool:
    """Write a block again, its trial changed; say whether all was written.

    A full disk after some files leaves what a kill there leaves.
    """
    info = read_info(path)
    writer = open_writer.__wrapped__(path, info.revision)
    block = tuple(i // chunk for i, chunk in zip(at, info.layout.chunks, strict=True))
    region = info.layout.region(block)
    values = writer.read(region, (*info.variables, "seconds", "error", "status"))
    change(values, tuple(i - part.start for i, part in zip(at, region, strict=True)))
    with pytest.MonkeyPatch.context() as patch:
        left = [last]
        for name in ("set", "set_sync", "delete", "delete_sync"):
            patch.setattr(OwnFiles, name, _counting(getattr(OwnFiles, name), left))
        try:
            writer.write(region, values)
        except StoreError:
            return False
    return True


def _counting(method: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    def counted(self: OwnFiles, *arguments: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return method(self, *arguments, **options)

    return counted


@pytest.mark.slow
@pytest.mark.parametrize(
    ("at", "change"),
    [(AT_CRASH, done_now), (AT_CRASH, crashed_again), ((1, 2, 1), crashed_now)],
)
def test_a_kill_at_any_file_of_a_block_is_no_damage(
    whole: Path, tmp_path: Path, at: tuple[int, ...], change: Callable[..., None]
) -> None:
    expected = results(whole)
    for last in range(MOST_WRITES):
        path = tmp_path / f"{last}" / "tiny.zarr"
        shutil.copytree(whole, path)
        wrote_all = write_until(path, at, change, last)
        checked = verify_store(path, trials=0)
        assert [f for f in checked.findings if f.kind == "damage"] == [], last
        held = open_complete(path).load()
        others = held["status"].values == Status.DONE
        others[at] = False
        for name in ("success", "latent_error", "iterations", "seconds"):
            stored, before = held[name].values[others], expected[name].values[others]
            assert (stored == before).all(), (last, name)
        assert others.sum() >= 46
        if wrote_all:
            break
    else:
        pytest.fail("the block was never written completely")
    assert last > 4


def test_a_run_that_repeats_it_completes_the_store(whole: Path, kind: Scripted) -> None:
    """It is killed when all but the status is written."""
    last = 0
    while not write_until(copied(whole, last), AT_CRASH, done_now, last):
        last += 1
    path = copied(whole, last - 1)
    assert not write_until(path, AT_CRASH, done_now, last - 1)
    assert int(results(path)["status"].values[AT_CRASH]) == Status.PENDING
    summary = run_sweep(tiny_sweep(), path, kind=kind)
    assert (summary.computed, verify_store(path).findings) == (1, [])


def copied(whole: Path, number: int) -> Path:
    path = whole.parent.with_name(f"copy-{number}") / "tiny.zarr"
    shutil.rmtree(path.parent, ignore_errors=True)
    shutil.copytree(whole, path)
    return path
