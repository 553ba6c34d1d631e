"""Whatever is killed, what was finished stays, and the same command completes the store."""

import json
import os
import re
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from helpers import (
    STARTING,
    Scripted,
    assert_same_results,
    chunk_stamps,
    dask_cluster,
    done,
    ended,
    files,
    neighbours,
    refused,
    results,
    scripted_command,
    tiny_sweep,
    wait_until,
    write_sweep,
)

from genprior.pipeline import run_sweep
from genprior.pipeline.executors.base import Executor
from genprior.pipeline.run.journal import MOST_DEATHS
from genprior.pipeline.run.worker import KILLED
from genprior.store.errors import StoreError


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    return write_sweep(tiny_sweep("blocks.trials=4"), tmp_path / "tiny.toml")


def started(kind: Scripted, sweep: Path, store: Path, *options: str) -> subprocess.Popen[str]:
    return scripted_command(kind, "run", sweep, store, "--json", *options)


def has_begun(store: Path, blocks: int = 1) -> bool:
    """Whether so many blocks are finished."""
    return len(chunk_stamps(store)) >= blocks


@pytest.mark.cluster
def test_a_worker_that_is_killed_once_costs_nothing_but_time(
    undisturbed: Path, store: Path, kind: Scripted, processes: Executor
) -> None:
    """Its block runs again on another worker; the trial that killed it is called twice."""
    killing = replace(kind, kill_at=(4, 5, 2), kills=1)
    summary = run_sweep(tiny_sweep(), store, processes, kind=killing)
    assert (summary.computed, summary.crashed, summary.exit_status) == (48, 0, 0)
    assert summary.workers_lost == 1
    assert kind.calls()[4, 5, 2] == 2
    assert_same_results(store, undisturbed)


@pytest.mark.cluster
def test_a_trial_that_always_kills_its_worker_is_the_only_one_that_crashes(
    undisturbed: Path, store: Path, kind: Scripted, processes: Executor
) -> None:
    """It is called once, then three times with care; its block's other trials are done."""
    killing = replace(kind, kill_at=(4, 5, 2))
    summary = run_sweep(tiny_sweep("blocks.trials=4"), store, processes, kind=killing)
    assert (summary.computed, summary.crashed, summary.exit_status) == (47, 1, 3)
    assert summary.last_error == f"k=4, m=5, trial=2: {KILLED}"
    assert kind.calls()[4, 5, 2] == 1 + MOST_DEATHS <= summary.workers_lost
    status, error = (results(store)[name].sel(k=4, m=5) for name in ("status", "error"))
    assert status.values.tolist() == [1, 1, 2, 1]
    assert error.values.tolist() == ["", "", KILLED, ""]
    assert neighbours(store) == []
    assert run_sweep(tiny_sweep(), store, kind=kind).computed == 1
    assert_same_results(store, undisturbed)


@pytest.mark.cluster
def test_killing_the_whole_run_keeps_what_was_finished(
    undisturbed: Path, store: Path, kind: Scripted, sweep_file: Path
) -> None:
    """No process outlives it, its lock does not block, and finished blocks are not touched."""
    slow = replace(kind, pause=0.05)
    with ended(started(slow, sweep_file, store, "--workers=2")) as process:
        wait_until(lambda: has_begun(store, 3))
        workers = psutil.Process(process.pid).children(recursive=True)
        assert len(workers) >= 2
        process.kill()
        psutil.wait_procs(workers, timeout=10)
        assert not any(worker.is_running() for worker in workers)
    assert ".tiny.zarr.runs" in neighbours(store)
    stamps, kept = chunk_stamps(store), done(store)
    assert 12 <= kept < 48
    with ended(started(kind, sweep_file, store, "--scheduler=synchronous")) as process:
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    summary = json.loads(printed)
    assert (summary["already_done"], summary["computed"]) == (kept, 48 - kept)
    assert chunk_stamps(store).items() >= stamps.items()
    assert neighbours(store) == []
    assert_same_results(store, undisturbed)


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize(
    ("scheduler", "number"),
    [
        ("processes", signal.SIGINT),
        ("threads", signal.SIGTERM),
        ("synchronous", signal.SIGINT),
    ],
)
def test_interrupting_a_run_leaves_a_store_that_resumes(
    store: Path, kind: Scripted, sweep_file: Path, scheduler: str, number: signal.Signals
) -> None:
    """Ctrl-C reaches the whole process group, a batch system's SIGTERM the command alone."""
    options = (f"--scheduler={scheduler}",) + (("--workers=2",) * (scheduler != "synchronous"))
    command = ("run", sweep_file, store, *options)
    with ended(scripted_command(replace(kind, pause=0.1), *command)) as process:
        wait_until(lambda: has_begun(store))
        if number is signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        printed, said = process.communicate(timeout=60)
    assert process.returncode == 3, said
    assert "interrupted" in printed
    first, *lines = said.splitlines()
    assert first == STARTING
    others = [line for line in lines if " trials, " not in line]
    assert [line[:8] for line in others] == ["stopping"], said
    assert neighbours(store) == []
    kept = done(store)
    assert 4 <= kept < 48
    # A block that is written while the run stops is not among those told.
    told = re.search(r"(\d+) of 48", printed)
    assert told is not None
    assert int(told[1]) <= kept
    assert run_sweep(tiny_sweep(), store, kind=kind).computed == 48 - kept


@pytest.mark.slow
@pytest.mark.cluster
def test_a_second_interruption_gives_up_blocks_and_further_ones_change_nothing(
    store: Path, kind: Scripted, sweep_file: Path
) -> None:
    """Trials last a minute. Batch systems signal every process; workers do not hear them."""
    command = ("run", sweep_file, store, "--workers=2")
    with ended(scripted_command(replace(kind, pause=60), *command)) as process:
        wait_until(kind.calls)
        begun = time.monotonic()
        while process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            time.sleep(0.5)
            assert time.monotonic() < begun + 30
        printed, said = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "interrupted" in printed
    assert [line[:8] for line in said.splitlines()[2:]] == ["stopping"]
    assert neighbours(store) == []
    assert done(store) == 0


@pytest.mark.slow
@pytest.mark.cluster
def test_blocks_that_would_not_end_in_time_are_given_up(
    store: Path, kind: Scripted, sweep_file: Path
) -> None:
    """Both blocks in progress need a minute more than the 5 s that they have."""
    command = ("run", sweep_file, store, "--scheduler=threads", "--workers=2")
    with ended(scripted_command(replace(kind, pause=60), *command)) as process:
        wait_until(kind.calls)
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "Traceback" not in said
    assert neighbours(store) == []
    assert done(store) == 0


@pytest.mark.slow
@pytest.mark.cluster
def test_interrupting_a_run_before_its_first_block_says_so_at_once_and_at_the_end(
    store: Path, kind: Scripted, sweep_file: Path
) -> None:
    """The signal comes while workers start, which takes a second or two; it is not lost."""
    command = ("run", sweep_file, store, "--workers=2")
    with ended(scripted_command(replace(kind, pause=0.5), *command)) as process:
        wait_until(lambda: psutil.Process(process.pid).children())
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 3
    *before, at_once, last = said.splitlines()
    assert before in ([], [STARTING])
    assert at_once == "stopping"
    assert last.startswith("genprior: ")


def test_two_runs_into_one_store_do_not_mix(store: Path, kind: Scripted, sweep_file: Path) -> None:
    options = ("--scheduler=synchronous",)
    with ended(started(replace(kind, pause=0.2), sweep_file, store, *options)) as process:
        wait_until(lambda: has_begun(store))
        before = files(store / "status")
        with refused(StoreError, store, f"process {process.pid}"):
            run_sweep(tiny_sweep(), store, kind=kind)
        assert before.items() <= files(store / "status").items()
        assert ".tiny.zarr.runs" in neighbours(store)
        assert process.poll() is None


def test_crashed_trials_are_recorded_and_the_others_go_on(
    undisturbed: Path, store: Path, kind: Scripted
) -> None:
    crashing = replace(kind, crash_at=(4, 5, 2))
    summary = run_sweep(tiny_sweep(), store, kind=crashing)
    assert (summary.computed, summary.crashed, summary.exit_status) == (47, 1, 3)
    said = "ArithmeticError: (4, 5, 2) was told to crash"
    assert summary.last_error == f"k=4, m=5, trial=2: {said}"
    crashed = results(store).sel(k=4, m=5, trial=2)
    assert (int(crashed["status"]), crashed["error"].item()) == (2, said)
    assert crashed["success"].isnull()
    assert run_sweep(tiny_sweep(), store, kind=kind).computed == 1
    assert kind.calls()[4, 5, 2] == 2
    assert_same_results(store, undisturbed)


def test_a_trial_that_fails_twice_succeeds_with_two_retries(
    undisturbed: Path, store: Path, kind: Scripted
) -> None:
    """1 + 2 calls are enough for a trial that fails twice; the other 47 are called once."""
    failing = replace(kind, crash_at=(4, 5, 2), crashes=2)
    summary = run_sweep(tiny_sweep(), store, kind=failing, retries=2)
    assert (summary.computed, summary.crashed) == (48, 0)
    calls = kind.calls()
    assert calls.pop((4, 5, 2)) == 3
    assert set(calls.values()) == {1}
    assert_same_results(store, undisturbed)


def test_a_trial_that_fails_twice_crashes_with_one_retry(store: Path, kind: Scripted) -> None:
    failing = replace(kind, crash_at=(4, 5, 2), crashes=2)
    assert run_sweep(tiny_sweep(), store, kind=failing, retries=1).crashed == 1
    assert kind.calls()[4, 5, 2] == 2


def test_fail_fast_stops_at_the_first_crash(store: Path, kind: Scripted) -> None:
    """The crash is in the first of 12 blocks of 4 trials, so 3 are done and 44 pending."""
    crashing = replace(kind, crash_at=(2, 3, 0))
    summary = run_sweep(tiny_sweep("blocks.trials=4"), store, kind=crashing, fail_fast=True)
    assert (summary.computed, summary.crashed, summary.pending) == (3, 1, 44)
    assert summary.exit_status == 3
    assert sum(kind.calls().values()) == 4


@pytest.mark.slow
@pytest.mark.cluster
def test_a_scheduler_that_dies_ends_the_run_with_one_line(
    undisturbed: Path, store: Path, kind: Scripted, sweep_file: Path, tmp_path: Path
) -> None:
    with dask_cluster(tmp_path) as (address, scheduler):
        options = ("--scheduler", address)
        with ended(started(replace(kind, pause=0.1), sweep_file, store, *options)) as process:
            wait_until(lambda: has_begun(store))
            scheduler.kill()
            _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in said
    last = said.splitlines()[-1]
    assert last.startswith("genprior: ")
    kept = done(store)
    assert run_sweep(tiny_sweep(), store, kind=kind).computed == 48 - kept
    assert_same_results(store, undisturbed)
