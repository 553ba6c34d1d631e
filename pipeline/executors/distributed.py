"""The executor that runs tasks on the workers of a Dask client."""

import queue
import time
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError
from contextlib import suppress
from itertools import islice
from typing import Any, Generic, TypeVar

from ..interrupts import check
from .errors import IMPORT, ClusterError, WorkersDiedError, explained, known_failure, no_genprior
from .memory import thread_memory, trial_memory

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT = 3  # tasks for each worker: one that runs, and two that wait
COUNT_EVERY = 2.0  # seconds between two counts of the workers
ALONE = 60.0  # seconds without workers or outcomes after which the cause is looked for
RESTARTED = 180.0  # seconds in which a local worker starts, on the busiest machine
RESUMED = 5.0  # seconds in which a worker resumes whose memory was full for a moment
PAUSED = (
    "Dask has paused all workers, because it takes their memory to be full; start them with a "
    "larger --memory-limit, or with --memory-limit 0 for no limit"
)
TRIES = 3  # to reach every worker while some die


def pack(function: Callable[..., Any], *arguments: Any) -> bytes:
    """Pickle a call. A scheduler unpickles what is submitted to it, but does not look into bytes.

    It lacks the classes that a user registers, and needs none of them.
    """
    from cloudpickle import dumps

    return bytes(dumps((function, arguments)))


def run_packed(packed: bytes) -> Any:
    """Call on a worker what `pack` pickled."""
    from cloudpickle import loads

    function, arguments = loads(packed)
    return function(*arguments)


class Distributed:
    """Tasks on the workers of a Dask client.

    Args:
        client: a client of a scheduler.
        local: whether its workers share this machine's memory.
        threads: whether they are threads of this process.
        tell: called with each line that the user should see at once.
        counts_deaths: whether to count workers that die. A client has only one listener for their
            events, which may be the caller's.
        expected: number of threads of all workers together, when all of them have come; 0 if it is
            not known.
        watch: called now and then, while outcomes are waited for; an exception ends the wait.
    """

    loss = "died"

    def __init__(
        self,
        client: Any,
        *,
        local: bool,
        threads: bool = False,
        tell: Callable[[str], None] = lambda text: None,
        counts_deaths: bool = True,
        expected: int = 0,
        watch: Callable[[], None] | None = None,
    ):
        self.client = client
        self.expected = expected
        self.watch = watch
        self._stream: DistributedStream[Any, Any] | None = None
        self.local = local
        self._share = thread_memory if threads else trial_memory
        self.tell = tell
        self.workers_lost = 0
        if counts_deaths:
            with explained():
                client.subscribe_topic("all", self._hear)

    def _hear(self, event: Any) -> None:
        """Count workers that leave unexpectedly."""
        _, message = event
        if message.get("action") == "remove-worker" and not message.get("expected"):
            self.workers_lost += 1

    def close(self) -> None:
        """Stop listening to the events of workers."""
        with suppress(Exception):
            self.client.unsubscribe_topic("all")

    @property
    def workers(self) -> int:
        """Number of threads of all workers together, those that are expected among them."""
        return max(1, self.expected, self.count_threads())

    def count_threads(self) -> int:
        """Count the threads of all workers together; 0 if there is no worker."""
        with explained():
            return sum(int(threads) for threads in self.client.nthreads().values())

    def paused(self) -> bool:
        """Say whether Dask has paused all workers because of their memory."""
        workers = self._known_workers()
        return bool(workers) and all(worker.get("status") == "paused" for worker in workers)

    def check_paused(self, name: str) -> None:
        """Refuse workers that stay paused; other tasks of a shared worker may pause it shortly.

        Args:
            name: of the option that gave the workers, for the message.

        Raises:
            ClusterError: all workers have been paused for `RESUMED` seconds.
        """
        deadline = time.monotonic() + RESUMED
        while self.paused():
            check()
            if time.monotonic() > deadline:
                raise ClusterError(f"{name}: {PAUSED}.")
            time.sleep(0.1)

    @property
    def memory(self) -> float:
        """Bytes for each task: a share of this machine's free memory, or the least remote limit."""
        if self.local:
            return self._share(self.workers)
        return min(
            (
                worker["memory_limit"] / worker["nthreads"]
                for worker in self._known_workers()
                if worker.get("memory_limit")
            ),
            default=float("inf"),
        )

    def _known_workers(self) -> list[dict[str, Any]]:
        """Ask the scheduler what it knows of each worker: its status, threads and memory limit.

        `Client.scheduler_info` gives what the client knew last, which is now and then refreshed
        without the workers: for that moment there are none.
        """
        with explained():
            return list(self.client.sync(self.client.scheduler.identity)["workers"].values())

    def everywhere(self, function: Callable[[], Result]) -> list[Result]:
        """Call a function once on each worker process, and again if a worker dies meanwhile."""
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
        """Check that the workers can import genprior.

        Raises:
            ClusterError: one of them cannot.
        """
        with explained():
            for answer in self.client.run(exec, IMPORT, on_error="return").values():
                if isinstance(answer, ImportError):
                    raise no_genprior("the workers", str(answer)) from answer

    def stream(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, more: bool = False
    ) -> "DistributedStream[Item, Result]":
        """Run a function over items, with a few tasks for each worker at the scheduler at a time.

        The scheduler never holds the whole sweep. Workers that join later get their share.
        """
        stream = DistributedStream(self, function, items)
        self._stream = None if more else stream
        return stream

    def unfinished(self) -> int | None:
        """Count the tasks that have not ended; None if there are more than the scheduler has."""
        return None if self._stream is None else self._stream.unfinished


class Watch:
    """Counts the workers regularly, so that waiting for missing workers is reported."""

    def __init__(self, executor: Distributed):
        self._executor = executor
        self._told = ""
        self._counted = self._seen = self.heard = time.monotonic()
        self.threads = max(1, executor.count_threads())

    def count(self) -> None:
        """Count the workers, if the last count was more than `COUNT_EVERY` seconds ago.

        Raises:
            ClusterError: all local workers died, and none was started again.
        """
        now = time.monotonic()
        if now - self._counted < COUNT_EVERY:
            return
        self._counted = now
        if self._executor.watch is not None:
            self._executor.watch()
        if threads := self._executor.count_threads():
            self.threads, self._seen = threads, now
            if not self._executor.local and now - self.heard > ALONE:
                self.heard = now
                if self._executor.paused():
                    self._tell(PAUSED)
        elif self._executor.watch is None and not self._executor.local:
            self._tell("the scheduler has no workers; waiting until one joins")
        elif self._executor.watch is not None and now - self._seen > ALONE:
            self._tell(f"no worker has been there for {ALONE:.0f} s; waiting until one joins")
        elif self._executor.local and now - self._seen > RESTARTED:
            raise ClusterError(
                f"all workers died, and none was started again within {RESTARTED:.0f} s. Finished "
                "trials are kept; repeat the same command with fewer --workers."
            )

    def _tell(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self._executor.tell(text)


class DistributedStream(Generic[Item, Result]):
    """Outcomes of tasks in the order in which they end; can be iterated after an interruption."""

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
        self.unfinished: int | None = None

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
        """Start no further task, and end the iteration within some seconds.

        Returns:
            The number of running tasks.
        """
        self._deadline = time.monotonic() + seconds
        return min(sum(not future.done() for future in self._flying), self._watch.threads)

    def close(self) -> None:
        """Cancel the tasks that have not ended."""
        with suppress(Exception):
            self._executor.client.cancel(list(self._flying))
        self._flying.clear()

    def _top_up(self) -> None:
        if self._deadline is not None:
            return
        self._watch.count()
        room = max(0, IN_FLIGHT * self._watch.threads - len(self._flying))
        items = list(islice(self._waiting, room))
        for item in items:
            packed = pack(self._function, item)
            future = self._executor.client.submit(run_packed, packed, pure=False)
            self._flying[future] = item
            future.add_done_callback(self._done.put)
        if len(items) < room:
            self.unfinished = len(self._flying)

    def _next_done(self) -> Any:
        """Wait for a task to end; None if no task is left, or the time is over."""
        while self._flying:
            check()
            left = float("inf") if self._deadline is None else self._deadline - time.monotonic()
            if left <= 0:
                return None
            with suppress(queue.Empty):
                future = self._done.get(timeout=min(left, COUNT_EVERY))
                if future in self._flying:
                    return future
                continue
            if self._deadline is None:
                self._watch.count()
            elif not self._executor.count_threads():
                return None  # no worker is left that could end a task
            # An interruption may have come after a task ended and before its outcome was taken.
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
        known = known_failure(failure)
        if isinstance(known, WorkersDiedError):
            self._executor.check_imports()  # a missing package also kills workers
        elif known is not None:
            raise known from failure
        future.release()
        return item, known or failure
