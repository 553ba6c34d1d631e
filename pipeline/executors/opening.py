"""Executors of blocks: this process, threads, local processes, or a running scheduler."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Protocol, TypeVar

from ..run.interrupts import announced, interrupts_deferred
from ..run.memory import thread_memory
from .distributed import IN_FLIGHT, PAUSED, Distributed
from .errors import ClusterError, SchedulerError, import_dask, reason
from .local_cluster import affordable_workers, local_workers
from .schedulers import LOCAL
from .silence import silenced

__all__ = [
    "IN_FLIGHT", "LOCAL", "ClusterError", "Distributed", "Executor", "Outcomes", "SchedulerError",
    "Synchronous", "open_executor", "processors", "use_client",
]  # fmt: skip

Item = TypeVar("Item")
Result = TypeVar("Result")
Item_co = TypeVar("Item_co", covariant=True)
Result_co = TypeVar("Result_co", covariant=True)

CONNECT_TIMEOUT = 10.0
CLOSE_TIMEOUT = 2.0


class Outcomes(Protocol[Item_co, Result_co]):
    """Pairs of an item and its result or exception, in the order in which they end.

    It can be iterated further after an interruption was raised in it.
    """

    def __iter__(self) -> Iterator[tuple[Item_co, Result_co | BaseException]]:
        """Return itself."""
        ...

    def __next__(self) -> tuple[Item_co, Result_co | BaseException]:
        """Wait for the next outcome."""
        ...

    def stop(self, seconds: float) -> int:
        """Start no further item, end within some seconds, and return how many items are running."""
        ...

    def close(self) -> None:
        """Drop the items that have not ended."""
        ...


class Executor(Protocol):
    """Runs functions on workers."""

    @property
    def workers(self) -> int:
        """Number of tasks that run at a time."""
        ...

    @property
    def workers_lost(self) -> int:
        """Number of workers that died so far."""
        ...

    @property
    def memory(self) -> float:
        """Bytes of memory that one task may use."""
        ...

    def everywhere(self, function: Callable[[], Result]) -> list[Result]:
        """Call a function once on every worker."""
        ...

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a function on one worker."""
        ...

    def stream(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Outcomes[Item, Result]:
        """Run a function over items, a bounded number at a time; give outcomes as items end."""
        ...


class Synchronous:
    """Runs one task after the other in this process, for debugging and small sweeps."""

    workers = 1
    workers_lost = 0

    @property
    def memory(self) -> float:
        """Bytes of memory that are free for this process."""
        return thread_memory(1)

    def everywhere(self, function: Callable[[], Result]) -> list[Result]:
        """Call the function in this process."""
        return [function()]

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call the function in this process."""
        return function(*arguments)

    def stream(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> "SynchronousOutcomes[Item, Result]":
        """Compute one item after the other, when its outcome is requested."""
        return SynchronousOutcomes(function, items)


class SynchronousOutcomes(Iterator[tuple[Item, Result | BaseException]]):
    """Computes each item when its outcome is requested."""

    def __init__(self, function: Callable[[Item], Result], items: Iterable[Item]):
        self._function = function
        self._items = iter(items)

    def __next__(self) -> tuple[Item, Result | BaseException]:
        """Compute the next item as a Dask graph of one task."""
        import dask

        item = next(self._items)
        try:
            task = dask.delayed(self._function, pure=False)(item)
            (result,) = dask.compute(task, scheduler="synchronous")
        except Exception as error:
            return item, error
        return item, result

    def stop(self, seconds: float) -> int:
        """Drop the remaining items; no item is running."""
        self._items = iter(())
        return 0

    def close(self) -> None:
        """Drop the remaining items."""
        self._items = iter(())


def processors() -> int:
    """Count the processors that this process may use.

    Raises:
        ClusterError: Dask's configuration cannot be read.
    """
    import_dask()
    from dask.system import CPU_COUNT

    return int(CPU_COUNT)


@contextmanager
def open_executor(
    scheduler: str = "processes",
    workers: int | None = None,
    tell: Callable[[str], None] = lambda text: None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Iterator[Executor]:
    """Open the executor that `--scheduler` names.

    Args:
        scheduler: processes, threads, synchronous, or the address of a running Dask scheduler.
        workers: tasks at a time, for processes and threads; the number of processors if None.
        tell: called with each line that the user should see at once.
        meanwhile: called while local workers start, or before a connection is made; an exception
            from it ends the start.

    Raises:
        SchedulerError: the name is neither a local scheduler nor an address.
        ClusterError: no scheduler answers there, or Dask or its workers cannot be started.
    """
    if workers is not None and scheduler not in ("processes", "threads"):
        raise SchedulerError(
            f"--workers {workers}: it is for processes and threads only; leave it out with "
            f"--scheduler {scheduler}."
        )
    if scheduler not in LOCAL and ":" not in scheduler:
        raise SchedulerError(
            f"--scheduler {scheduler}: give one of {', '.join(LOCAL)}, or an address such as "
            "tcp://127.0.0.1:8786."
        )
    import_dask(workers=scheduler != "synchronous")
    if scheduler == "synchronous":
        with announced(tell):
            meanwhile()
        yield Synchronous()
        return
    # Errors of Dask are reported as `ClusterError`, in one line.
    with silenced("distributed", "tornado", "asyncio"):
        if scheduler in LOCAL:
            count, processes = workers or processors(), scheduler == "processes"
            if processes:
                count = affordable_workers(count, tell)
            with (
                local_workers(count, tell, meanwhile, processes=processes) as cluster,
                _executor(
                    _client(cluster), local=True, threads=not processes, tell=tell
                ) as executor,
            ):
                yield executor
            return
        with announced(tell):
            meanwhile()
            client = _connect(scheduler)
        with _executor(client, local=False, threads=False, tell=tell) as executor:
            executor.check_imports()
            if executor.paused():
                raise ClusterError(f"--scheduler {scheduler}: {PAUSED}.")
            yield executor


@contextmanager
def use_client(
    client: Any, tell: Callable[[str], None], meanwhile: Callable[[], None]
) -> Iterator[Executor]:
    """Run tasks with the caller's client, which stays open and unchanged.

    Args:
        client: a Dask client; its workers may be anywhere.
        tell: called with each line that the user should see at once.
        meanwhile: called before the client is used.

    Raises:
        SchedulerError: it is not a client, or an asynchronous one.
        ClusterError: it is closed, has no workers, or its workers are paused or cannot import
            genprior.
    """
    if not (hasattr(client, "submit") and hasattr(client, "scheduler_info")):
        raise SchedulerError(
            f"client: {type(client).__name__} is not a dask.distributed.Client; give one."
        )
    if client.asynchronous:
        raise SchedulerError("client: it is asynchronous; give one made with asynchronous=False.")
    if client.status != "running":
        raise ClusterError(f"client: it is {client.status}; give one that is connected.")
    with announced(tell):
        meanwhile()
    executor = Distributed(client, local=False, tell=tell, counts_deaths=False)
    if not executor.count_threads():
        raise ClusterError("client: its scheduler has no workers; start some.")
    executor.check_imports()
    if executor.paused():
        raise ClusterError(f"client: {PAUSED}.")
    yield executor


def _client(cluster: Any) -> Any:
    """Connect to a local cluster."""
    from distributed import Client

    try:
        return Client(cluster, set_as_default=False)
    except Exception as error:
        raise ClusterError(f"the local workers cannot be reached: {reason(error)}.") from None


@contextmanager
def _executor(client: Any, **settings: Any) -> Iterator[Distributed]:
    """Run tasks with a client; at the end close it, without waiting for a lost scheduler."""
    executor = Distributed(client, **settings)
    try:
        yield executor
    finally:
        with interrupts_deferred(), suppress(Exception):
            executor.close()
            client.close(timeout=CLOSE_TIMEOUT)


def _connect(address: str) -> Any:
    from distributed import Client

    try:
        # A client that cannot connect is hard to close, so the connection is tested first.
        _in_thread(partial(asyncio.run, _test_connection(address)))
        client = Client(address, timeout=CONNECT_TIMEOUT, set_as_default=False)
    except Exception as error:
        why = reason(error)
        if why == CancelledError.__name__:  # Dask gave up trying again
            why = "the connection is refused"
        # Dask raises these for a text that is not an address, before it connects.
        kind = SchedulerError if isinstance(error, ValueError | TypeError) else ClusterError
        raise kind(f"--scheduler {address}: no Dask scheduler answers there ({why}).") from None
    try:
        client.wait_for_workers(1, timeout=CONNECT_TIMEOUT)
    except TimeoutError:
        client.close(timeout=CLOSE_TIMEOUT)
        raise ClusterError(
            f"--scheduler {address}: it has no workers. Start some with 'dask worker {address}'."
        ) from None
    return client


def _in_thread(function: Callable[[], None]) -> None:
    """Call a function in a thread, so that an interruption ends the wait for it."""
    outcome: Future[None] = Future()

    def call() -> None:
        try:
            function()
            outcome.set_result(None)
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    outcome.result()


async def _test_connection(address: str) -> None:
    from distributed.comm import connect
    from distributed.security import Security

    encryption = Security().get_connection_args("client")
    # Another program that listens there may accept the connection and never answer.
    async with asyncio.timeout(CONNECT_TIMEOUT):
        comm = await connect(address, timeout=CONNECT_TIMEOUT, **encryption)
        await comm.close()
