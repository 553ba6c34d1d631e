"""Worker jobs of a run: submitted, replaced when they are lost, given back when no block waits.

Dask's own scaling does not do that. A fixed number of jobs is not restored; a job that ends before
its worker arrives, or whose submission fails, is never submitted again; and its adaptive scaling
looks at the few blocks that wait at the scheduler, and not at those of the whole sweep.
"""

import asyncio
import itertools
import queue
import re
import shlex
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .distributed import RESTARTED
from .errors import ClusterError, reason
from .queues import ASKED, queue_states

TICK = 1.0  # seconds
ASK_EVERY = 10.0  # seconds between two questions to the batch system
# Seconds without a worker after which a job is given up, if the batch system does not say that it
# runs. A job that runs starts its worker again, which takes up to `RESTARTED` seconds.
LOST = 10.0
IDLE = 10.0  # seconds with fewer blocks than workers after which jobs are given back
TRIES = 3  # submissions that fail, or jobs that end without a worker, while there is no worker
PAUSES = (2.0, 5.0, 15.0, 60.0)  # seconds before the next submission after some fruitless ones
AT_A_TIME = 8  # submissions
LAST_WAIT = 10.0  # seconds at the end for submissions that have begun
MOST_SHOWN = 3  # jobs in a line
LONGEST = 300  # characters of what a batch system or a worker says


class WorkerJobs:
    """Keeps a number of worker jobs; everything but `check` runs in the cluster's event loop.

    Args:
        system: the batch system.
        jobs: number of jobs.
        processes: worker processes of a job.
        threads: threads of a worker process.
        logs: the folder for what the jobs print.
        tell: called with each line that the user should see at once.
    """

    def __init__(
        self,
        system: str,
        jobs: int,
        processes: int,
        threads: int,
        logs: Path,
        tell: Callable[[str], None],
    ):
        self.cluster: Any = None
        self.system = system
        self.jobs = jobs
        self.unfinished: Callable[[], int | None] = lambda: None
        self._processes = processes
        self._workers_a_job = processes * threads
        self._logs = logs
        self._tell = tell
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._line = ""
        self._alive: dict[str, Any] = {}  # by job id, until it is cancelled or known to have ended
        self._seen: dict[str, float] = {}  # when a worker of a job was seen last, by its name
        self._submitted: dict[str, float] = {}  # by its name
        self._states: dict[str, str] = {}  # what the batch system said last, by job id
        self._refused = self._vain = 0  # submissions, and jobs, since a worker was seen
        self._next = self._asked = self._busy = float("-inf")
        self._ended = False
        self._problem = ""

    def check(self) -> None:
        """Tell what has happened since the last call.

        Raises:
            ClusterError: no job can be submitted, or jobs end before their workers arrive.
        """
        self.tell_lines()
        if self._problem:
            raise ClusterError(self._problem)

    def tell_lines(self) -> None:
        """Tell what has happened since the last call."""
        with suppress(queue.Empty):
            while True:
                self._tell(self._lines.get_nowait())

    def job_class(self, usual: Any) -> Any:
        """Derive a class of jobs that report how their submission ends."""
        from distributed.core import Status

        keeper, few = self, asyncio.Semaphore(AT_A_TIME)

        class WorkerJob(usual):  # type: ignore[misc]
            """A worker job."""

            async def start(self) -> None:
                """Submit the job."""
                try:
                    async with few:
                        await super().start()
                except Exception:
                    self.status = Status.failed
                    raise
                keeper._alive[self.job_id] = self
                keeper._submitted[self.name] = time.monotonic()

            async def close(self) -> None:
                """Cancel the job."""
                self.status = Status.closed
                keeper._alive.pop(self.job_id, None)
                await super().close()

        return WorkerJob

    def cluster_class(self, usual: Any) -> Any:
        """Derive a class of clusters that give no name twice.

        A name that is given again could belong to a worker that Dask still takes for lost, and
        its job would be cancelled.
        """
        numbers, job = itertools.count(), self.job_class(usual.job_cls)

        class WorkerJobsCluster(usual):  # type: ignore[misc]
            """A cluster of worker jobs."""

            job_cls = job

            def _new_worker_name(self, worker_number: int) -> str:
                return f"{self._name}-{next(numbers)}"

        return WorkerJobsCluster

    async def keep(self) -> None:
        """Keep the number of jobs until the end of the run."""
        while not self._ended:
            now = time.monotonic()
            try:
                await self._tick(now)
            except Exception as error:
                self._refused += 1
                self._pause(now, _words(error))
            await asyncio.sleep(TICK)

    async def end(self) -> None:
        """Cancel all jobs, also those that are being submitted."""
        self._ended = True
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WAIT), self.cluster._lock:
                pass
        jobs = dict(self._alive)
        self.cluster.worker_spec.clear()
        self.cluster.workers.clear()
        if not jobs:
            return
        command = shlex.split(next(iter(jobs.values())).cancel_command)
        for job in jobs.values():
            job.status = job.status.closed
        try:
            await self.cluster.job_cls._call([*command, *jobs])
        except Exception as error:
            self._lines.put(f"jobs {', '.join(jobs)} could not be cancelled: {_words(error)}")

    async def _tick(self, now: float) -> None:
        here, spec = self._here(), self.cluster.worker_spec
        await self._forget(now, here)
        for name in set(spec) - set(self.cluster.workers):  # Dask has dropped the job
            del spec[name]
        wanted = self._wanted(now)
        if len(spec) > wanted:
            await self._give_back(len(spec) - wanted, here)
        elif len(spec) < wanted and now >= self._next:
            await self._submit(wanted - len(spec), now)
        self._describe(here)

    def _names(self, job: str) -> list[str]:
        """Give the names of a job's workers."""
        if self._processes == 1:
            return [job]
        return [f"{job}-{number}" for number in range(self._processes)]

    def _here(self) -> dict[str, Any]:
        """Give the workers that the scheduler knows, by name."""
        return {worker.name: worker for worker in self.cluster.scheduler.workers.values()}

    def _wanted(self, now: float) -> int:
        """Give the number of jobs that blocks can use."""
        left = self.unfinished()
        needed = self.jobs if left is None else max(1, -(-left // self._workers_a_job))
        if needed >= self.jobs:
            self._busy = now
        return min(self.jobs, needed) if now - self._busy > IDLE else self.jobs

    async def _forget(self, now: float, here: dict[str, Any]) -> None:
        """Drop the jobs that lost their workers, and those that ended before a worker arrived."""
        for name in self.cluster.workers:
            if any(worker in here for worker in self._names(name)):
                self._seen[name] = now
                self._refused = self._vain = 0
        lost = [n for n in self.cluster.workers if now - self._seen.get(n, now) > LOST]
        waiting = [n for n in self.cluster.workers if n not in self._seen]
        states = None
        if (lost or waiting) and now - self._asked >= ASK_EVERY:
            states, self._asked = await queue_states(self.system), now
        for name in lost:
            job = self.cluster.workers[name].job_id
            is_over = self.system not in ASKED if states is None else job not in states
            if is_over or now - self._seen[name] > RESTARTED:
                what = "has ended" if is_over else "has lost its workers"
                self._lines.put(f"worker job {job} {what}; another is submitted")
                await self._drop(name)
        if states is None:
            return
        self._states = states
        for name in waiting:
            job = self.cluster.workers.get(name)
            if job is not None and job.job_id not in states and self._submitted[name] < now:
                await self._drop(name)
                self._vain += 1
                self._pause(now, self._last_words() or "it ended at once.")

    async def _submit(self, count: int, now: float) -> None:
        for _ in range(count):
            self.cluster.worker_spec.update(self.cluster.new_worker_spec())
        try:
            await self.cluster._correct_state()
        except Exception as error:
            for name, job in list(self.cluster.workers.items()):
                if not job.job_id:
                    self.cluster.worker_spec.pop(name, None)
                    self.cluster.workers.pop(name)
            self._refused += 1
            self._pause(now, _words(error))

    def _pause(self, now: float, said: str) -> None:
        """Wait before the next submission; after some fruitless ones without a worker, give up."""
        tries = max(self._refused, self._vain)
        self._next = now + PAUSES[min(tries, len(PAUSES)) - 1]
        is_hopeless = self._refused >= TRIES or self._vain >= max(TRIES, self.jobs)
        if is_hopeless and not self._here():
            self._problem = f"--cluster {self.system}: no worker job starts: {said}"

    async def _drop(self, name: str) -> None:
        """Forget a job, and cancel it in case that it is still there."""
        self.cluster.worker_spec.pop(name, None)
        if (job := self.cluster.workers.pop(name, None)) is not None:
            with suppress(Exception):
                await job.close()

    async def _give_back(self, count: int, here: dict[str, Any]) -> None:
        """Cancel jobs whose workers neither compute nor hold a result; those without one first."""
        idle = []
        for name in self.cluster.workers:
            workers = [here[worker] for worker in self._names(name) if worker in here]
            if not any(worker.processing or worker.has_what for worker in workers):
                idle.append((bool(workers), name))
        for _, name in sorted(idle)[:count]:
            await self._drop(name)

    def _describe(self, here: dict[str, Any]) -> None:
        """Say what is waited for, while there is no worker."""
        jobs = sorted((job.job_id for job in self.cluster.workers.values()), key=_number)
        if here or not jobs or self._ended:
            self._line = ""
            return
        shown = f"{', '.join(jobs[:MOST_SHOWN])}{' …' if len(jobs) > MOST_SHOWN else ''}"
        state = next((f": {self._states[job]}" for job in jobs if job in self._states), "")
        line = f"waiting for a worker, job{'s' if len(jobs) > 1 else ''} {shown}{state}"
        if line != self._line:
            self._line = line
            self._lines.put(line)

    def _last_words(self) -> str:
        """Give the last line that a job has printed; "" if there is none."""
        with suppress(OSError, ValueError):
            logs = sorted(self._logs.glob("*.err"), key=lambda path: path.stat().st_mtime)
            lines = logs[-1].read_text(errors="replace").strip().splitlines() if logs else []
            return _in_short(lines[-1]) if lines else ""
        return ""


def _number(job: str) -> tuple[int, str]:
    """Order the ids of jobs by their numbers."""
    digits = re.match(r"\d*", job)
    return int(digits[0] or 0) if digits else 0, job


def _in_short(text: str) -> str:
    return " ".join(text.split())[:LONGEST].rstrip(".") + "."


def _words(error: BaseException) -> str:
    """Give a batch system's own words about a command that failed."""
    said = re.search(r"stderr:\n(.*)", str(error), re.DOTALL)
    return _in_short(said[1] if said and said[1].strip() else reason(error))
