"""Workers in the tasks of a Slurm job, with an `srun` that starts them on this machine."""

import os
import sys
from pathlib import Path

import pytest
from helpers import Scripted, assert_same_results, refused, tiny_sweep

from genprior.pipeline import run_sweep
from genprior.pipeline.executors import allocation
from genprior.pipeline.executors.allocation import task_memory
from genprior.pipeline.executors.errors import ClusterError, SchedulerError
from genprior.pipeline.executors.opening import open_executor

SRUN = """#!{python}
import os, subprocess, sys
options = [word for word in sys.argv[1:] if word.startswith("--")]
command = sys.argv[1 + len(options):]
(tasks,) = (int(word[9:]) for word in options if word.startswith("--ntasks="))
told = sys.stdin.buffer.read()
started = [
    subprocess.Popen(command, stdin=subprocess.PIPE, env=dict(os.environ, SLURM_PROCID=str(task)))
    for task in range(tasks)
]
for process in started:
    process.stdin.write(told)
    process.stdin.close()
sys.exit(max(process.wait() for process in started))
"""


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The inside of a job of two tasks; give its `srun`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    srun = folder / "srun"
    srun.write_text(SRUN.format(python=sys.executable))
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    variables = {"_JOB_ID": "12", "_NTASKS": "2", "_JOB_NUM_NODES": "1", "D_NODENAME": "n1"}
    for name, value in variables.items():
        monkeypatch.setenv(f"SLURM{name}", value)
    return srun


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
