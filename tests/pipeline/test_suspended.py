"""Trials of a process that is suspended, as Slurm does it, and jobs that lose their workers."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from genprior.pipeline.executors import worker_jobs
from genprior.pipeline.executors.batch import InWorkerJobs
from genprior.pipeline.executors.worker_jobs import LOST, RESTARTED, WorkerJobs
from genprior.pipeline.run import trial_limit
from genprior.pipeline.run.trial_limit import TooLongError, TrialLimit


class Clock:
    """Clocks that go on while nothing happens.

    Attributes:
        away: seconds that have passed while the process was suspended.
        worked: seconds in which it computed without letting another thread run.
    """

    def __init__(self) -> None:
        self.away = self.worked = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.away + self.worked

    def process_time(self) -> float:
        return time.process_time() + self.worked


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(trial_limit, "time", clock := Clock())
    monkeypatch.setattr(trial_limit, "LOOK", 0.02)
    return clock


@pytest.mark.parametrize("pause", [0.0, 0.3])
def test_the_time_in_which_a_process_is_suspended_does_not_count(
    clock: Clock, pause: float
) -> None:
    """Neither if the trial ends at once after it, nor if it goes on."""

    def trial() -> str:
        clock.away += 1000
        time.sleep(pause)
        return "done"

    with TrialLimit(60) as limit:
        assert [limit.call(trial) for _ in range(3)] == ["done"] * 3


def test_the_time_in_which_a_library_lets_no_thread_run_counts(clock: Clock) -> None:
    def trial() -> None:
        clock.worked += 1000

    with TrialLimit(60) as limit, pytest.raises(TooLongError):
        limit.call(trial)


@pytest.mark.parametrize(
    ("system", "states", "seconds", "said"),
    [
        ("slurm", {"7": "RUNNING"}, RESTARTED - 1, None),
        ("slurm", {"7": "RUNNING"}, RESTARTED + 1, "lost its workers"),
        ("slurm", None, RESTARTED - 1, None),
        ("slurm", {"8": "RUNNING"}, LOST + 1, "has ended"),
        ("pbs", None, LOST - 1, None),
        ("pbs", None, LOST + 1, "has ended"),
    ],
)
def test_a_job_that_runs_has_time_to_start_its_worker_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    system: str, states: dict[str, str] | None, seconds: float, said: str | None,
) -> None:  # fmt: skip
    async def answer(asked: str) -> dict[str, str] | None:
        return states

    async def close() -> None:
        pass

    monkeypatch.setattr(worker_jobs, "queue_states", answer)
    told: list[str] = []
    jobs = WorkerJobs(system, 1, 1, 1, tmp_path, told.append)
    job = SimpleNamespace(job_id="7", close=close)
    jobs.cluster = SimpleNamespace(workers={"genprior-0": job}, worker_spec={"genprior-0": {}})
    asyncio.run(jobs._forget(1.0, {"genprior-0": object()}))
    asyncio.run(jobs._forget(1.0 + seconds, {}))
    jobs.tell_lines()
    assert (list(jobs.cluster.workers) == []) == (said is not None)
    assert [said in line for line in told if said] == [True] * len(told)


def test_a_lost_worker_job_may_have_been_cancelled() -> None:
    assert InWorkerJobs.loss == "died or was cancelled"
