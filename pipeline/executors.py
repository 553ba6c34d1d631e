"""Where blocks run: in this process, in threads, in local processes, on a running scheduler."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Protocol, TypeVar

from .cluster_errors import ClusterError, SchedulerError, import_dask, reason
from .dask_executor import IN_FLIGHT, PAUSED, Distributed
from .interrupts import announced, undisturbed
from .local_cluster import affordable_workers, local_workers
from .memory import thread_memory
from .schedulers import LOCAL

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
    """What became of items, as they are done: results, or exceptions in place of them.

    Iteration may go on after an interruption was raised in it.
    """

    def __iter__(self) -> Iterator[tuple[Item_co, Result_co | BaseException]]:
        """Give itself."""
        ...

    def __next__(self) -> tuple[Item_co, Result_co | BaseException]:
        """Wait for the next one."""
        ...

    def stop(self, seconds: float) -> int:
        """Start nothing more, end within some seconds, and say how many items are running."""
        ...

    def close(self) -> None:
        """Forget what is still to come."""
        ...


class Executor(Protocol):
    """Runs functions on workers."""

    @property
    def workers(self) -> int:
        """How many tasks run at a time."""
        ...

    @property
    def workers_lost(self) -> int:
        """How many workers died so far."""
        ...

    @property
    def memory(self) -> float:
        """Bytes that one task may hold."""
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
        """Run a function over items with a bounded number in flight; give outcomes as they come."""
        ...


class Synchronous:
    """One task after the other in this process: for debugging and small things."""

    workers = 1
    workers_lost = 0

    @property
    def memory(self) -> float:
        """What is free here."""
        return thread_memory(1)

    def everywhere(self, function: Callable[[], Result]) -> list[Result]:
        """Call it here."""
        return [function()]

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call it here."""
        return function(*arguments)

    def stream(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> "SynchronousOutcomes[Item, Result]":
        """Compute one item after the other."""
        return SynchronousOutcomes(function, items)


class SynchronousOutcomes(Iterator[tuple[Item, Result | BaseException]]):
    """Computes when it is asked."""

    def __init__(self, function: Callable[[Item], Result], items: Iterable[Item]):
        self._function = function
        self._items = iter(items)

    def __next__(self) -> tuple[Item, Result | BaseException]:
        """Compute a graph of one task."""
        import dask

        item = next(self._items)
        try:
            task = dask.delayed(self._function, pure=False)(item)
            (result,) = dask.compute(task, scheduler="synchronous")
        except Exception as error:
            return item, error
        return item, result

    def stop(self, seconds: float) -> int:
        """Nothing runs while this is called."""
        self._items = iter(())
        return 0

    def close(self) -> None:
        """Forget the items."""
        self._items = iter(())


def processors() -> int:
    """Processors that this process may use.

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
    """Open what `--scheduler` names.

    Args:
        scheduler: processes, threads, synchronous, or the address of a running Dask scheduler.
        workers: how many tasks at a time, for the local ones; the number of processors if None.
        tell: is told what a user should know, in lines.
        meanwhile: is called while local workers start, else before anything is connected; what it
            raises ends the start.

    Raises:
        SchedulerError: what is named is neither local nor an address.
        ClusterError: nothing answers there, or Dask or its workers cannot be started.
    """
    if workers is not None and scheduler not in ("processes", "threads"):
        raise SchedulerError(
            f"--workers {workers}: only processes and threads are started here; "
            f"--scheduler {scheduler} has the workers it has."
        )
    if scheduler not in LOCAL and ":" not in scheduler:
        raise SchedulerError(
            f"--scheduler {scheduler}: not one of {', '.join(LOCAL)}, nor an address such as "
            "tcp://127.0.0.1:8786."
        )
    import_dask(workers=scheduler != "synchronous")
    if scheduler == "synchronous":
        with announced(tell):
            meanwhile()
        yield Synchronous()
        return
    with _quiet():
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
    """Run tasks by a client of the caller's, which stays as it is and open.

    Args:
        client: a Dask client; its workers may be anywhere.
        tell: is told what a user should know, in lines.
        meanwhile: is called before anything is asked of the client.

    Raises:
        SchedulerError: it is no client, or one that only asynchronous code can use.
        ClusterError: it is closed, has no workers, or they lack something.
    """
    if not (hasattr(client, "submit") and hasattr(client, "scheduler_info")):
        raise SchedulerError(f"client: {type(client).__name__} is no client of Dask's distributed.")
    if client.asynchronous:
        raise SchedulerError("client: it is asynchronous; give one made with asynchronous=False.")
    if client.status != "running":
        raise ClusterError(f"client: it is {client.status}; give one that is connected.")
    with announced(tell):
        meanwhile()
    executor = Distributed(client, local=False, tell=tell, counts_deaths=False)
    if not executor.count_threads():
        raise ClusterError("client: its scheduler has no workers. Start some.")
    executor.check_imports()
    if executor.paused():
        raise ClusterError(f"client: {PAUSED}.")
    yield executor


def _client(cluster: Any) -> Any:
    """Connect with a local cluster."""
    from distributed import Client

    try:
        return Client(cluster, set_as_default=False)
    except Exception as error:
        raise ClusterError(f"the local workers cannot be reached: {reason(error)}.") from None


@contextmanager
def _executor(client: Any, **settings: Any) -> Iterator[Distributed]:
    """Run tasks by a client, and close it without waiting for a scheduler that is gone."""
    executor = Distributed(client, **settings)
    try:
        yield executor
    finally:
        with undisturbed(), suppress(Exception):
            executor.close()
            client.close(timeout=CLOSE_TIMEOUT)


def _connect(address: str) -> Any:
    from distributed import Client

    try:
        # A client that cannot connect is hard to be rid of; so see first whether it can.
        _in_thread(partial(asyncio.run, _knock(address)))
        client = Client(address, timeout=CONNECT_TIMEOUT, set_as_default=False)
    except Exception as error:
        why = reason(error)
        if why == CancelledError.__name__:  # Dask gave up trying again
            why = "the connection is refused"
        # Dask knows from the words alone that an address is none.
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
    """Call a function in a thread that nobody waits for after an interruption."""
    outcome: Future[None] = Future()

    def call() -> None:
        try:
            function()
            outcome.set_result(None)
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    outcome.result()


async def _knock(address: str) -> None:
    from distributed.comm import connect
    from distributed.security import Security

    encryption = Security().get_connection_args("client")
    # Whatever else listens there may take the connection and never answer.
    async with asyncio.timeout(CONNECT_TIMEOUT):
        comm = await connect(address, timeout=CONNECT_TIMEOUT, **encryption)
        await comm.close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's own log off the terminal: what matters of it is said in one line elsewhere."""
    loggers = [
        logging.getLogger(name)
        for name in ("tornado", "asyncio", *logging.root.manager.loggerDict)
        if name.split(".")[0] in ("distributed", "tornado", "asyncio")
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
