"""Where blocks run: in this process, in threads, in local processes, on a running scheduler."""

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing import resource_tracker
from typing import Any, Protocol, TypeVar

import psutil
from dask.system import CPU_COUNT

from ..sweeps import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")
Outcome = tuple[Item, Result | BaseException]

LOCAL = ("processes", "threads", "synchronous")
CONNECT_TIMEOUT = 10.0
IN_FLIGHT = 3  # tasks for each worker: one that runs, and the next ones at hand
LOOK_EVERY = 2.0  # seconds between two counts of the workers


class SchedulerError(UserError):
    """No scheduler of that name or at that address."""

    exit_status = 2


class ClusterError(UserError):
    """A cluster that went away, or whose workers lack something."""


class Executor(Protocol):
    """Runs functions on workers."""

    @property
    def workers(self) -> int:
        """How many tasks run at a time."""
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
    ) -> Generator[Outcome[Item, Result], None, None]:
        """Run a function over items with a bounded number in flight; give outcomes as they come."""
        ...


class Synchronous:
    """One task after the other in this process: for debugging and small things."""

    workers = 1

    @property
    def memory(self) -> float:
        """What is free here."""
        return available_memory()

    def everywhere(self, function: Callable[[], Result]) -> list[Result]:
        """Call it here."""
        return [function()]

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call it here."""
        return function(*arguments)

    def stream(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Generator[Outcome[Item, Result], None, None]:
        """Compute one single-task graph after the other."""
        import dask

        for item in items:
            outcome: Result | BaseException
            try:
                task = dask.delayed(function, pure=False)(item)
                (outcome,) = dask.compute(task, scheduler="synchronous")
            except Exception as error:
                outcome = error
            yield item, outcome


class Distributed:
    """Tasks on the workers of a Dask client."""

    def __init__(self, client: Any, *, local: bool):
        self.client = client
        self.local = local

    @property
    def workers(self) -> int:
        """Threads of all workers together."""
        return max(1, sum(int(threads) for threads in self.client.nthreads().values()))

    @property
    def memory(self) -> float:
        """This machine's free memory shared out, or the least that a remote worker gives."""
        if self.local:
            return available_memory() / self.workers
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        return min(
            (w["memory_limit"] / w["nthreads"] for w in workers if w.get("memory_limit")),
            default=float("inf"),
        )

    def everywhere(self, function: Callable[[], Result]) -> list[Result]:
        """Call it once on each worker process."""
        with _reaching():
            return list(self.client.run(function).values())

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Submit it and wait."""
        with _reaching():
            result: Result = self.client.submit(function, *arguments, pure=False).result()
            return result

    def stream(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Generator[Outcome[Item, Result], None, None]:
        """Keep a few tasks a worker in flight, so that the scheduler never holds the whole sweep.

        Workers that join meanwhile get their share.
        """
        from distributed import as_completed

        waiting = iter(items)
        futures: dict[Any, Item] = {}
        completed = as_completed(raise_errors=False, loop=self.client.loop)

        def top_up(window: int) -> None:
            for following in islice(waiting, max(0, window - len(futures))):
                submitted = self.client.submit(function, following, pure=False)
                futures[submitted] = following
                completed.add(submitted)

        window, looked = IN_FLIGHT * self.workers, time.monotonic()
        try:
            with _reaching():
                top_up(window)
                for future in completed:
                    item = futures.pop(future)
                    failure = future.exception()
                    if isinstance(failure, CancelledError):
                        raise failure
                    outcome = failure if failure is not None else future.result()
                    future.release()
                    if time.monotonic() - looked > LOOK_EVERY:
                        window, looked = IN_FLIGHT * self.workers, time.monotonic()
                    top_up(window)
                    yield item, outcome
        finally:
            with suppress(Exception):
                self.client.cancel(list(futures))


@contextmanager
def _reaching() -> Iterator[None]:
    """Explain a cluster that goes away, or that cannot run our functions."""
    try:
        yield
    except (OSError, CancelledError) as error:
        raise ClusterError(
            f"the Dask scheduler went away ({type(error).__name__}). What was finished is kept; "
            "start it again and repeat the same command."
        ) from error
    except ImportError as error:
        raise ClusterError(
            f"the workers cannot import what they are to run ({error}); install the same genprior "
            "where they run."
        ) from error


@contextmanager
def open_executor(scheduler: str = "processes", workers: int | None = None) -> Iterator[Executor]:
    """Open what `--scheduler` names.

    Args:
        scheduler: processes, threads, synchronous, or the address of a running Dask scheduler.
        workers: how many tasks at a time, for the local ones; the number of processors if None.

    Raises:
        SchedulerError: the address is not one, or nothing answers there.
    """
    if workers is not None and scheduler not in ("processes", "threads"):
        raise SchedulerError(
            f"--workers {workers}: only processes and threads are started here; "
            f"--scheduler {scheduler} has the workers it has."
        )
    if scheduler == "synchronous":
        yield Synchronous()
        return
    from distributed import Client, LocalCluster  # sets the levels of its own loggers

    with _quiet():
        if scheduler in LOCAL:
            count = workers or CPU_COUNT
            processes = scheduler == "processes"
            with (
                _local(
                    LocalCluster,
                    n_workers=count if processes else 1,
                    threads_per_worker=1 if processes else count,
                    processes=processes,
                    # Threads talk within the process and listen nowhere.
                    host="127.0.0.1" if processes else None,
                    dashboard_address="127.0.0.1:0",
                    worker_dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                ) as cluster,
                Client(cluster, set_as_default=False) as client,
            ):
                yield Distributed(client, local=True)
            return
        with _connect(Client, scheduler) as client:
            yield Distributed(client, local=False)


def available_memory() -> float:
    """Bytes free on this machine, within the limits of a batch job or a container."""
    from distributed.system import MEMORY_LIMIT

    return float(min(psutil.virtual_memory().available, MEMORY_LIMIT))


@contextmanager
def _local(cluster: Any, **settings: Any) -> Iterator[Any]:
    """Run a local cluster whose processes never see Ctrl-C: the terminal sends it to them too.

    What is started while SIGINT is blocked keeps it blocked, and so do workers that replace dead
    ones. The resource tracker would unblock it. A half-started cluster cannot be closed, so that
    an interruption during the start is heeded only behind it.
    """
    import dask

    resource_tracker.ensure_running()
    with _deferred_interrupts() as interrupted:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            # A block that waits on a worker would share the blame when another kills that worker.
            with dask.config.set({"distributed.scheduler.worker-saturation": 1.0}):
                started = cluster(**settings)
        except (RuntimeError, OSError, TimeoutError) as error:
            raise ClusterError(
                f"the local workers could not be started ({error}); try fewer --workers, or "
                "--scheduler synchronous."
            ) from None
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        if interrupted:
            raise KeyboardInterrupt
        yield started
    finally:
        started.close()


@contextmanager
def _deferred_interrupts() -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM instead of obeying them; only the main thread gets them."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    kinds = [kind for kind in ends if signal.getsignal(kind) != signal.SIG_IGN]
    previous = [signal.signal(kind, lambda number, frame: caught.append(number)) for kind in kinds]
    try:
        yield caught
    finally:
        for kind, handler in zip(kinds, previous, strict=True):
            signal.signal(kind, handler)


def _connect(client: Any, address: str) -> Any:
    if ":" not in address:
        raise SchedulerError(
            f"--scheduler {address}: not one of {', '.join(LOCAL)}, nor an address such as "
            "tcp://127.0.0.1:8786."
        )
    try:
        # A client that cannot connect is hard to be rid of; so see first whether it can.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _knock(address)).result()
        connected = client(address, timeout=CONNECT_TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError, ImportError, TimeoutError) as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise SchedulerError(
            f"--scheduler {address}: no Dask scheduler answers there ({reason})."
        ) from None
    try:
        connected.wait_for_workers(1, timeout=CONNECT_TIMEOUT)
    except TimeoutError:
        connected.close()
        raise SchedulerError(f"--scheduler {address}: it has no workers.") from None
    return connected


async def _knock(address: str) -> None:
    from distributed.comm import connect
    from distributed.security import Security

    encryption = Security().get_connection_args("client")
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
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
