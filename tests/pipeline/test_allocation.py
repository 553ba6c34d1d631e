"""Workers in the tasks of a Slurm job, with an `srun` that starts them on this machine."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers import Scripted, assert_same_results, refused, tiny_sweep

from genprior.pipeline import run_sweep
from genprior.pipeline.executors import allocation, distributed
from genprior.pipeline.executors.allocation import task_memory
from genprior.pipeline.executors.errors import ClusterError, SchedulerError
from genprior.pipeline.executors.opening import open_executor


@pytest.mark.slow
@pytest.mark.cluster
def test_a_run_has_one_worker_in_each_task_and_leaves_none(
    job: Path, kind: Scripted, store: Path, undisturbed: Path
) -> None:
    with open_executor("srun") as executor:
        summary = run_sweep(tiny_sweep(), store, executor, kind=kind)
        assert summary.workers == 2
        (address,) = {worker.split("://")[0] for worker in executor.client.nthreads()}
        assert address == "tls"
        workers = executor.everywhere(os.getpid)
    assert_same_results(store, undisturbed)
    assert not any(Path(f"/proc/{worker}/exe").exists() for worker in workers)


@pytest.mark.cluster
def test_what_srun_says_is_told_if_it_cannot_start_workers(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last of three tries."""
    monkeypatch.setattr(allocation, "PAUSE", 0.05)
    job.write_text("#!/bin/sh\necho srun: error: nodes are gone >&2\nexit 1\n")
    with refused(ClusterError, "srun: error: nodes are gone"), open_executor("srun"):
        pass


@pytest.mark.cluster
def test_a_step_that_cannot_be_started_again_ends_the_run(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first step ends at once, and then there is no `srun` any more."""
    monkeypatch.setattr(allocation, "PAUSE", 0.05)
    monkeypatch.setenv("PATH", str(job.parent))
    job.write_text(f"#!/bin/sh\n/bin/rm {job}\n")
    with refused(ClusterError, "FileNotFoundError"), open_executor("srun"):
        pass


def test_workers_that_stay_away_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, when none has been there for a while."""
    monkeypatch.setattr(distributed, "COUNT_EVERY", -1.0)
    told: list[str] = []
    away = SimpleNamespace(
        local=False, watch=lambda: None, count_threads=lambda: 0, tell=told.append
    )
    watch = distributed.Watch(away)  # type: ignore[arg-type]
    watch.count()
    assert told == []
    monkeypatch.setattr(distributed, "ALONE", -1.0)
    watch.count()
    watch.count()
    assert len(told) == 1
    assert "no worker" in told[0]


def test_outside_of_a_job_and_beyond_its_tasks_it_is_refused(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refused(SchedulerError, "--workers 3", "2 tasks"), open_executor("srun", 3):
        pass
    monkeypatch.delenv("SLURM_JOB_ID")
    with refused(SchedulerError, "srun", "genprior submit"), open_executor("srun"):
        pass


@pytest.mark.parametrize(
    ("variables", "mebibytes"),
    [
        ({"SLURM_MEM_PER_CPU": "1000"}, 1000),
        ({"SLURM_MEM_PER_CPU": "1000", "SLURM_CPUS_PER_TASK": "2"}, 2000),
        ({"SLURM_MEM_PER_NODE": "8000", "SLURM_CPUS_ON_NODE": "4"}, 2000),
    ],
)
def test_the_memory_of_a_trial_is_what_slurm_grants_without_that_of_its_worker(
    variables: dict[str, str], mebibytes: int
) -> None:
    assert task_memory(variables) == mebibytes * 2**20 - 240e6


def test_memory_that_slurm_does_not_limit_is_not_limited() -> None:
    assert task_memory({}) == task_memory({"SLURM_MEM_PER_NODE": "0"}) == float("inf")
