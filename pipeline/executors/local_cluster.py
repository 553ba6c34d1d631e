"""Worker processes and threads of this machine: their number, their start and their end."""

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any

from ...tasks.numerics.shared_context import shared
from ..interrupts import SIGNALS, announced, check, interrupts_deferred
from .caller_state import SAFE_PATH, caller_state_kept, forget_servers
from .errors import ClusterError, configuration, reason
from .memory import (
    CLIENT_ADDRESSES,
    CLIENT_FILES,
    WORKER_BYTES,
    WORKER_FILES,
    address_limit,
    available_memory,
    file_limit,
    more_files,
    process_limits,
    process_memory,
)
from .spawning import without_script

START_TIMEOUT = 180.0
CHECK_EVERY = 0.2  # seconds after which an interruption that Python dropped is raised again
END_TIMEOUT = 1.0  # seconds that an idle worker has to end before it is killed
RESTARTS = 5  # of a worker that dies while it starts
ROUTES = "distributed.scheduler.http.routes"


def affordable_workers(asked: int, tell: Callable[[str], None]) -> int:
    """Count the worker processes that memory and open files allow.

    Args:
        asked: the number that is asked for, which is the most.
        tell: called with a line if fewer are possible.

    Raises:
        ClusterError: there is too little memory, or too few open files, for one worker.
    """
    from dask.utils import format_bytes

    free, limits = available_memory(), process_limits()
    note = f", and {limits}" if limits else ""
    fitting = int(free // WORKER_BYTES)
    if process_memory() <= 0 or address_limit() < CLIENT_ADDRESSES or fitting < 1:
        addresses = f", or {format_bytes(CLIENT_ADDRESSES)} of addresses" if limits else ""
        raise ClusterError(
            f"too little memory for a worker process: it needs {format_bytes(WORKER_BYTES)}"
            f"{addresses}; {format_bytes(free)} are free{note}. Make room, or use --scheduler "
            "synchronous."
        )
    if fitting < asked:
        tell(
            f"{asked} workers would need {format_bytes(asked * WORKER_BYTES)} of memory and "
            f"{format_bytes(free)} are free{note}; running with {fitting}."
        )
    files = (file_limit() - CLIENT_FILES) // WORKER_FILES
    if files < 1:
        raise ClusterError(
            f"too few open files for a worker process: {CLIENT_FILES + WORKER_FILES} are needed, "
            f"and ulimit -n allows {file_limit():.0f}. Raise it, or use --scheduler synchronous."
        )
    if files < min(asked, fitting):
        allowed = f"ulimit -n allows {file_limit():.0f} open files"
        tell(f"{allowed}; running with {files:.0f} of {asked} workers.")
    return int(min(asked, fitting, files))


class LocalWorkers:
    """Workers of this machine, started in a thread while the caller continues.

    Terminals and batch systems send Ctrl-C and other signals to every process. Worker processes
    do not receive them: the command ends its workers. For that the signals are blocked while
    workers start, and a started process keeps them blocked, as do workers that replace dead ones.
    Workers do not import modules from the working directory, unless this process does.
    """

    def __init__(self, count: int, *, processes: bool) -> None:
        self._cluster: Future[Any] = Future()
        self._nannies: list[Any] = []
        self._thread = threading.Thread(
            target=self._start, args=(count, processes), name="start of workers", daemon=True
        )

    def start(self) -> None:
        """Start the workers; `close` ends them also if an interruption comes meanwhile."""
        try:
            self._thread.start()
        except RuntimeError as error:
            self._cluster.set_exception(error)

    def _start(self, count: int, processes: bool) -> None:
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
            if processes:
                # It ignores Ctrl-C and SIGTERM, and keeps the other signals blocked. Python
                # unblocks these two when it has started it.
                resource_tracker.ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
            self._cluster.set_result(_start_cluster(count, processes, self._nannies))
        except BaseException as error:
            self._cluster.set_exception(error)

    def cluster(self) -> Any:
        """Wait for the Dask cluster.

        Raises:
            ClusterError: it could not be started; the message says why.
        """
        deadline = time.monotonic() + START_TIMEOUT
        check()
        while not self._cluster.done() and time.monotonic() < deadline:
            wait([self._cluster], timeout=CHECK_EVERY)
            check()
        try:
            return self._cluster.result(0)
        except Exception as error:
            late = f"not within {START_TIMEOUT:.0f} s"
            why = reason(error) if self._cluster.done() else late
        limits = process_limits()
        raise ClusterError(
            f"the local workers could not be started: {why}{f' ({limits})' if limits else ''}. "
            f"{_advice(why)}"
        ) from None

    def close(self) -> None:
        """End the workers at once: unfinished tasks are lost."""
        with interrupts_deferred(), suppress(Exception):
            self._break_off()
            try:
                cluster = self._cluster.result(0)
                with suppress(Exception):
                    cluster.sync(_end_workers, cluster, callback_timeout=2 * END_TIMEOUT)
            finally:
                self._kill()
            servers = (cluster.scheduler, *cluster.workers.values(), *self._nannies)
            cluster.close(timeout=10 * END_TIMEOUT)
            forget_servers(servers)

    def _break_off(self) -> None:
        """Kill worker processes until the thread that starts them has ended."""
        deadline = time.monotonic() + 10 * END_TIMEOUT
        while self._thread.is_alive() and time.monotonic() < deadline:
            self._kill()
            time.sleep(0.05)

    def _kill(self) -> None:
        """Kill the remaining worker processes."""
        for nanny in tuple(self._nannies):
            if nanny.pid:
                with suppress(ProcessLookupError):
                    os.kill(nanny.pid, signal.SIGKILL)


@contextmanager
def local_workers(
    count: int, tell: Callable[[str], None], meanwhile: Callable[[], object], *, processes: bool
) -> Iterator[Any]:
    """Run a Dask cluster of workers on this machine.

    Args:
        count: number of workers.
        tell: called with each line that the user should see at once.
        meanwhile: called while the workers start.
        processes: whether they are processes; else threads of this process.

    Raises:
        ClusterError: they could not be started.
    """
    with caller_state_kept(), more_files(count if processes else 0), ExitStack() as ends:
        os.environ[SAFE_PATH] = "1"
        # An interruption is announced from the moment that there is anything to end.
        with announced(tell):
            workers = LocalWorkers(count, processes=processes)
            ends.callback(workers.close)
            workers.start()
            meanwhile()
            cluster = workers.cluster()
        yield cluster


def _start_cluster(count: int, processes: bool, nannies: list[Any]) -> Any:
    from distributed import Nanny, SpecCluster
    from distributed.core import Status
    from distributed.deploy.cluster import Cluster

    from .private import PrivateScheduler, PrivateWorker, certified, no_encryption, own_folder

    class KnownNanny(Nanny):  # type: ignore[misc]
        """A nanny that is in `nannies` before the cluster is complete."""

        def __init__(self, *arguments: Any, **settings: Any):
            super().__init__(*arguments, **settings)
            nannies.append(self)

        async def instantiate(self) -> Any:
            """Start the worker process, or a new one after it died.

            Dask gives a nanny up if its new worker dies while it starts, which is when a block
            that kills workers arrives.
            """
            with without_script():
                for _ in range(RESTARTS if self.process is not None else 0):
                    with suppress(Exception):
                        return await self.process.start()
                    if self.status != Status.running:
                        break
                return await super().instantiate()

    class KeepingCluster(SpecCluster):  # type: ignore[misc]
        """A cluster that keeps the nanny of a worker that is away for long.

        Dask closes it after 15 s, for good. On a busy machine a new worker takes longer to start,
        or dies before, when a block that kills workers arrives.
        """

        def _update_worker_status(self, op: str, msg: Any) -> None:
            """Take note of workers that join and leave, and no more."""
            Cluster._update_worker_status(self, op, msg)

    common: dict[str, Any] = {"local_directory": own_folder()}
    if processes:
        common |= {"protocol": "tls://", "host": "127.0.0.1", "security": certified()}
    else:
        # Threads communicate inside the process and open no port.
        common |= {"protocol": "inproc://", "security": no_encryption()}
    options = {
        **common,
        **({"worker_class": PrivateWorker} if processes else {}),
        "nthreads": 1 if processes else count,
        # With a limit, Dask would pause workers forever: it cannot move their memory to disk.
        "memory_limit": None,
        "silence_logs": logging.CRITICAL,
    }
    worker = {"cls": KnownNanny if processes else PrivateWorker, "options": options}
    with our_configuration():
        return KeepingCluster(
            scheduler={"cls": PrivateScheduler, "options": {**common, "port": 0}},
            workers=dict.fromkeys(range(count if processes else 1), worker),
            worker=worker,
            security=common["security"],
            silence_logs=logging.CRITICAL,
        )


async def _end_workers(cluster: Any) -> None:
    """Close the workers without waiting for their tasks."""
    closing = []
    for worker in cluster.workers.values():
        thread = {} if hasattr(worker, "process") else {"executor_wait": False}
        closing.append(worker.close(timeout=END_TIMEOUT, **thread))
    await asyncio.gather(*closing)


@shared
@contextmanager
def our_configuration() -> Iterator[None]:
    """Start clusters with settings of ours in Dask's configuration."""
    import dask

    ours = {
        # With a larger value, blocks that wait at a worker count as failed when another block kills
        # that worker.
        "distributed.scheduler.worker-saturation": 1.0,
        # After the first death of its worker a block runs again with care (`run.journal`).
        "distributed.scheduler.allowed-failures": 0,
        # Copied, because a scheduler appends to this list, which may be the caller's.
        ROUTES: [*dask.config.get(ROUTES, [])],
        # There is no dashboard to show them: profiles, and how late events are, every 20 ms.
        "distributed.worker.profile.enabled": False,
        "distributed.admin.tick.interval": "500ms",
    }
    with dask.config.set(ours):
        yield


def _advice(why: str) -> str:
    """Give the next move after a failed start."""
    scarce = ("new thread", "memory", "temporarily unavailable", "Nanny", "not within")
    if any(word in why for word in scarce):
        return "Try fewer --workers, or --scheduler synchronous."
    return f"Dask's configuration may be the reason ({configuration()})."
