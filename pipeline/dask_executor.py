"""Blocks on the workers of a Dask client."""

import queue
import time
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError
from contextlib import suppress
from itertools import islice
from typing import Any, Generic, TypeVar

from .cluster_errors import IMPORT, ClusterError, explained, known_failure
from .interrupts import check
from .memory import thread_memory, trial_memory

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT = 3  # tasks for each worker: one that runs, and the next ones at hand
LOOK_EVERY = 2.0  # seconds between two counts of the workers
ALONE = 60.0  # seconds without workers or outcomes after which that is looked into
PAUSED = (
    "all workers are paused by Dask, which takes their memory for used up; start them with a "
    "larger --memory-limit, or with 0 for none"
)
TRIES = 3  # to reach every worker while some die


class Distributed:
    """Tasks on the workers of a Dask client.

    Args:
        client: of a scheduler.
        local: whether its workers share this machine's memory.
        threads: whether they are threads of this process.
        tell: is told what a user should know, in lines.
        counts_deaths: whether to count workers that die; their events have one listener a client,
            which may be the caller's.
    """

    def __init__(
        self,
        client: Any,
        *,
        local: bool,
        threads: bool = False,
        tell: Callable[[str], None] = lambda text: None,
        counts_deaths: bool = True,
    ):
        self.client = client
        self.local = local
        self._share = thread_memory if threads else trial_memory
        self.tell = tell
        self.workers_lost = 0
        if counts_deaths:
            with explained():
                client.subscribe_topic("all", self._hear)

    def _hear(self, event: Any) -> None:
        """Count workers that leave without having been told to."""
        _, message = event
        if message.get("action") == "remove-worker" and not message.get("expected"):
            self.workers_lost += 1

    def close(self) -> None:
        """Hear no more of workers."""
        with suppress(Exception):
            self.client.unsubscribe_topic("all")

    @property
    def workers(self) -> int:
        """Threads of all workers together."""
        return max(1, self.count_threads())

    def count_threads(self) -> int:
        """Threads of all workers together; 0 if there is no worker."""
        with explained():
            return sum(int(threads) for threads in self.client.nthreads().values())

    def paused(self) -> bool:
        """Whether Dask lets no worker begin anything, for want of memory."""
        with explained():
            workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        return all(worker.get("status") == "paused" for worker in workers)

    @property
    def memory(self) -> float:
        """This machine's free memory shared out, or the least that a remote worker gives."""
        if self.local:
            return self._share(self.workers)
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        return min(
            (w["memory_limit"] / w["nthreads"] for w in workers if w.get("memory_limit")),
            default=float("inf"),
        )

    def everywhere(self, function: Callable[[], Result]) -> list[Result]:
        """Call it once on each worker process; again if one dies meanwhile."""
        with explained():
            for attempt in range(TRIES):
                answers = list(self.client.run(function, on_error="return").values())
                failures = [answer for answer in answers if isinstance(answer, Exception)]
                if not failures:
                    return answers
                if attempt == TRIES - 1 or not all(isinstance(f, OSError) for f in failures):
                    raise failures[0]
                time.sleep(attempt + 1)
        raise AssertionError("unreachable")

    def check_imports(self) -> None:
        """See that the workers have what they need.

        Raises:
            ClusterError: they have not.
        """
        with explained():
            for answer in self.client.run(exec, IMPORT, on_error="return").values():
                if isinstance(answer, ImportError):
                    raise answer

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Submit it and wait."""
        watch = Watch(self)
        with explained():
            future = self.client.submit(function, *arguments, pure=False)
            while not future.done():
                with suppress(TimeoutError):
                    future.exception(timeout=LOOK_EVERY)
                watch.look()
            result: Result = future.result()
            return result

    def stream(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> "DistributedStream[Item, Result]":
        """Keep a few tasks a worker in flight, so that the scheduler never holds the whole sweep.

        Workers that join meanwhile get their share.
        """
        return DistributedStream(self, function, items)


class Watch:
    """Counts the workers now and then, lest one waits in silence for some that are not there."""

    def __init__(self, executor: Distributed):
        self._executor = executor
        self._told = ""
        self._looked = self._seen = self.heard = time.monotonic()
        self.threads = executor.workers

    def look(self) -> None:
        """Count them if that is some time ago.

        Raises:
            ClusterError: local workers died, and none came back.
        """
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        if threads := self._executor.count_threads():
            self.threads, self._seen = threads, now
            if not self._executor.local and now - self.heard > ALONE:
                self.heard = now
                if self._executor.paused():
                    self._tell(PAUSED)
        elif not self._executor.local:
            self._tell("the scheduler has no workers; waiting for some")
        elif now - self._seen > ALONE:
            raise ClusterError(
                f"all workers died, and none came back within {ALONE:.0f} s. What was finished is "
                "kept; repeat the same command with fewer --workers."
            )

    def _tell(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self._executor.tell(text)


class DistributedStream(Generic[Item, Result]):
    """Outcomes of tasks as they come; iteration goes on after an interruption."""

    def __init__(
        self, executor: Distributed, function: Callable[[Item], Result], items: Iterable[Item]
    ):
        self._executor = executor
        self._function = function
        self._waiting = iter(items)
        self._flying: dict[Any, Item] = {}
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._watch = Watch(executor)
        self._deadline: float | None = None

    def __iter__(self) -> "DistributedStream[Item, Result]":
        return self

    def __next__(self) -> tuple[Item, Result | BaseException]:
        with explained():
            self._top_up()
            future = self._next_done()
            if future is not None:
                return self._outcome(future)
        raise StopIteration

    def stop(self, seconds: float) -> int:
        """Start nothing more, and end within some seconds.

        Returns:
            How many tasks are running.
        """
        self._deadline = time.monotonic() + seconds
        return min(sum(not future.done() for future in self._flying), self._watch.threads)

    def close(self) -> None:
        """Forget what is still to come."""
        with suppress(Exception):
            self._executor.client.cancel(list(self._flying))
        self._flying.clear()

    def _top_up(self) -> None:
        if self._deadline is not None:
            return
        self._watch.look()
        for item in islice(
            self._waiting, max(0, IN_FLIGHT * self._watch.threads - len(self._flying))
        ):
            future = self._executor.client.submit(self._function, item, pure=False)
            self._flying[future] = item
            future.add_done_callback(self._done.put)

    def _next_done(self) -> Any:
        """Wait for a task; None if there is none to wait for."""
        while self._flying:
            check()
            left = float("inf") if self._deadline is None else self._deadline - time.monotonic()
            if left <= 0:
                return None
            with suppress(queue.Empty):
                future = self._done.get(timeout=min(left, LOOK_EVERY))
                if future in self._flying:
                    return future
                continue
            if self._deadline is None:
                self._watch.look()
            # An interruption may have come between a task's end and its outcome.
            if (late := next((f for f in self._flying if f.done()), None)) is not None:
                return late
        return None

    def _outcome(self, future: Any) -> tuple[Item, Result | BaseException]:
        item = self._flying.pop(future)
        self._watch.heard = time.monotonic()
        failure = future.exception()
        if isinstance(failure, CancelledError):
            raise failure
        if failure is None:
            result: Result = future.result()
            future.release()
            return item, result
        if type(failure).__name__ == "KilledWorker":
            self._executor.check_imports()  # or they die of what they lack
        elif (known := known_failure(failure)) is not None:
            raise known
        future.release()
        return item, failure
