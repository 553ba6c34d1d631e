"""The store's disk, folder and clock fail while a run writes: one line, and nothing is lost."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from helpers import (
    Scripted,
    assert_names,
    assert_same_results,
    chunk_stamps,
    dask_cluster,
    done,
    ended,
    fill,
    neighbours,
    refused,
    results,
    scripted_command,
    small_disk,
    tiny_sweep,
    wait_until,
    write_sweep,
)

from genprior.pipeline import run_sweep
from genprior.pipeline.executors.opening import open_executor
from genprior.store import BlockWriter, StoreError


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    """Twelve blocks."""
    return write_sweep(tiny_sweep("blocks.trials=4"), tmp_path / "tiny.toml")


def has_begun(store: Path, blocks: int = 1) -> bool:
    return len(chunk_stamps(store)) >= blocks


def last_line(process: subprocess.Popen[str]) -> str:
    """The line with which a command failed."""
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "Traceback" not in said
    line = said.splitlines()[-1]
    assert line.startswith("genprior: ")
    return line


@pytest.mark.slow
@pytest.mark.mounts
@pytest.mark.cluster
def test_a_disk_that_becomes_full_ends_the_run(
    kind: Scripted, sweep_file: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Worker processes write; what they had written stays."""
    with small_disk(tmp_path / "disk", 4) as disk:
        store = disk / "tiny.zarr"
        slow = scripted_command(replace(kind, pause=0.05), "run", sweep_file, store, "--workers=1")
        with ended(slow) as process:
            wait_until(lambda: has_begun(store))
            ballast = fill(disk)
            assert_names(last_line(process), store, os.strerror(errno.ENOSPC))
        kept = done(store)
        assert 4 <= kept < 48
        ballast.unlink()
        assert run_sweep(tiny_sweep(), store, kind=kind).computed == 48 - kept
        assert_same_results(store, undisturbed)
        assert set(neighbours(store)) <= {"ballast"}


@pytest.mark.mounts
def test_a_quota_of_files_that_is_used_up_ends_the_run(
    kind: Scripted, undisturbed: Path, tmp_path: Path
) -> None:
    """Room for bytes is left, but not for the files of all blocks."""
    with small_disk(tmp_path / "disk", 20, files=400) as disk:
        store = disk / "tiny.zarr"
        run_sweep(tiny_sweep(), store, kind=replace(kind, crash_at=(2, 9, 3)), fail_fast=True)
        kept = done(store)
        for at in range(os.statvfs(disk).f_ffree - 20):
            (disk / f"{at}.file").touch()
        with refused(StoreError, store, os.strerror(errno.ENOSPC)):
            run_sweep(tiny_sweep(), store, kind=kind)
        assert kept <= done(store) < 48
        for file in disk.glob("*.file"):
            file.unlink()
        assert run_sweep(tiny_sweep(), store, kind=kind).exit_status == 0
        assert_same_results(store, undisturbed)


def delete(store: Path) -> None:
    """Delete a store in which somebody writes."""
    while store.exists():
        shutil.rmtree(store, ignore_errors=True)


def move(store: Path) -> None:
    store.rename(store.with_name("moved.zarr"))


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("take_away", [delete, move])
@pytest.mark.parametrize("scheduler", ["processes", "synchronous"])
def test_a_store_that_is_taken_away_ends_the_run_and_is_not_made_again(
    kind: Scripted, sweep_file: Path, store: Path, undisturbed: Path, scheduler: str,
    take_away: Callable[[Path], None],
) -> None:  # fmt: skip
    workers = ("--workers=1",) if scheduler == "processes" else ()
    command = ("run", sweep_file, store, f"--scheduler={scheduler}", *workers)
    with ended(scripted_command(replace(kind, pause=0.05), *command)) as process:
        wait_until(lambda: has_begun(store, 2))
        take_away(store)
        assert_names(last_line(process), store, "moved or deleted")
    assert not store.exists()
    moved = store.with_name("moved.zarr")
    assert neighbours(store) == [moved.name] * (take_away is move)
    if take_away is move:
        moved.rename(store)
    assert run_sweep(tiny_sweep(), store, kind=kind).exit_status == 0
    assert_same_results(store, undisturbed)


def test_a_block_that_is_written_while_its_store_is_taken_away_leaves_nothing(
    kind: Scripted, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its check and its first chunk; zarr makes missing folders again."""
    run_sweep(tiny_sweep(), store, kind=replace(kind, crash_at=(2, 5, 0)))
    check = BlockWriter._check_revision
    moved = store.with_name("moved.zarr")

    def check_and_move(self: BlockWriter) -> None:
        check(self)
        if store.exists():
            store.rename(moved)

    monkeypatch.setattr(BlockWriter, "_check_revision", check_and_move)
    with refused(StoreError, store, "moved or deleted"):
        run_sweep(tiny_sweep(), store, kind=kind)
    assert neighbours(store) == [moved.name]
    assert not store.exists()


@pytest.mark.parametrize("step", [-86_400.0, 86_400.0])
def test_a_clock_that_jumps_changes_nothing(
    kind: Scripted, store: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    """A day back, or forward, after some trials, also for Dask; limits do not notice."""
    now, looks = time.time, []

    def jumping() -> float:
        jumped = len(kind.calls()) > 10
        looks.append(jumped)
        return now() + step * jumped

    with open_executor("threads", 2) as executor:
        for module in [time, *filter(_knows_time, sys.modules.values())]:
            monkeypatch.setattr(module, "time", jumping)
        summary = run_sweep(tiny_sweep(), store, executor, kind=kind, trial_timeout=20)
        monkeypatch.undo()
    assert set(looks) == {False, True}
    assert (summary.computed, summary.exit_status) == (48, 0)
    assert 0 <= summary.wall_seconds < 60
    seconds = results(store)["seconds"]
    assert 0 <= float(seconds.min()) <= float(seconds.max()) < 20
    assert_same_results(store, undisturbed)


def _knows_time(module: ModuleType) -> bool:
    """Whether a module of Dask or ours has the clock under its own name."""
    is_one = module.__name__.split(".")[0] in ("dask", "distributed", "genprior", "tornado")
    return is_one and vars(module).get("time") is time.time


def test_a_trial_that_finds_no_memory_is_recorded(store: Path, kind: Scripted) -> None:
    class Large(Scripted):
        def run(self, point, draws):
            if (point.k, point.m, draws.trial) == (4, 5, 2):
                np.ones(1 << 50)
            return super().run(point, draws)

    summary = run_sweep(tiny_sweep(), store, kind=Large(kind.folder))
    assert (summary.computed, summary.crashed) == (47, 1)
    assert_names(summary.last_error, "k=4, m=5, trial=2", "MemoryError")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_any_damaged_byte_of_an_array_is_found_and_mended(
    genprior, kind: Scripted, store: Path, undisturbed: Path, tmp_path: Path, seed: int
) -> None:
    """One byte of a chunk or of the document of every array, one after the other.

    A run looks at sizes, not at checksums; whoever reads a chunk with a wrong checksum is refused.
    Such a chunk has to be removed.
    """
    sweep_file, draw = write_sweep(tiny_sweep(), tmp_path / "tiny.toml"), random.Random(seed)
    shutil.copytree(undisturbed, store)
    arrays = sorted(document.parent for document in store.glob("*/zarr.json"))
    assert len(arrays) > 10
    for array in arrays:
        file = draw.choice(sorted(path for path in array.rglob("*") if path.is_file()))
        if draw.random() < 0.3:
            os.truncate(file, draw.randrange(file.stat().st_size))
        else:
            flip_byte(file, draw)
        assert "Traceback" not in genprior("status", store).output
        ended_run = genprior("run", sweep_file, store)
        if not is_readable(store):
            file.unlink()
            ended_run = genprior("run", sweep_file, store)
        assert ended_run.exit_code == 0, f"{file}: {ended_run.output}"
        assert_same_results(store, undisturbed)


def is_readable(store: Path) -> bool:
    try:
        results(store)
    except ValueError:
        return False
    return True


def flip_byte(file: Path, draw: random.Random) -> None:
    content = bytearray(file.read_bytes())
    content[draw.randrange(len(content))] ^= draw.randrange(1, 256)
    file.write_bytes(content)


@pytest.mark.slow
@pytest.mark.cluster
def test_a_client_that_is_killed_leaves_a_cluster_on_which_the_same_command_completes(
    kind: Scripted, sweep_file: Path, store: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Its blocks may still run on the cluster's workers when the next command begins."""
    with dask_cluster(tmp_path) as (address, _):
        command = ("run", sweep_file, store, "--scheduler", address)
        with ended(scripted_command(replace(kind, pause=0.4), *command)) as process:
            wait_until(lambda: has_begun(store, 2))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=20)
        kept = done(store)
        with ended(scripted_command(kind, *command)) as process:
            _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    assert kept < 48
    assert neighbours(store) == []
    assert_same_results(store, undisturbed)
