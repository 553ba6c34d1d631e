"""Opening an executor: this process, threads, local processes, or a running scheduler."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..interrupts import announced, interrupts_deferred
from .addresses import address_of
from .allocation import open_allocation
from .base import Executor
from .certificates import Certificates
from .connecting import CLOSE_TIMEOUT, connect
from .distributed import Distributed
from .errors import ClusterError, SchedulerError, import_dask, reason
from .local_cluster import affordable_workers, local_workers
from .schedulers import LOCAL, SRUN
from .silence import silenced
from .synchronous import Synchronous


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
    meanwhile: Callable[[], object] = lambda: None,
    certificates: Certificates | None = None,
) -> Iterator[Executor]:
    """Open the executor that `--scheduler` names.

    Args:
        scheduler: processes, threads, synchronous, srun (inside a Slurm job), the address of a
            running Dask scheduler, or the path of its scheduler file.
        workers: tasks at a time, for processes and threads, the number of processors if None; for
            srun, the number of tasks of the job if None.
        tell: called with each line that the user should see at once.
        meanwhile: called while local workers start, or before a connection is made; an exception
            from it ends the start.
        certificates: for a scheduler with TLS; those of Dask's configuration if None.

    Raises:
        SchedulerError: the name is neither a local scheduler nor an address nor a scheduler file.
        ClusterError: no scheduler answers there, or Dask or its workers cannot be started.
    """
    if workers is not None and scheduler not in ("processes", "threads", SRUN):
        raise SchedulerError(
            f"--workers {workers}: it is for processes and threads only; leave it out with "
            f"--scheduler {scheduler}."
        )
    if scheduler not in (*LOCAL, SRUN):
        address = address_of(scheduler)
    import_dask(workers=scheduler != "synchronous")
    if scheduler == "synchronous":
        with announced(tell):
            meanwhile()
        yield Synchronous()
        return
    # Errors of Dask are reported as `ClusterError`, in one line.
    with silenced("distributed", "tornado", "asyncio"):
        if scheduler == SRUN:
            with open_allocation(workers, tell, meanwhile) as executor:
                yield executor
            return
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
            client = connect(scheduler, address, certificates)
        with _executor(client, local=False, threads=False, tell=tell) as executor:
            executor.check_imports()
            executor.check_paused(f"--scheduler {scheduler}")
            yield executor


@contextmanager
def use_client(
    client: Any, tell: Callable[[str], None], meanwhile: Callable[[], object]
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
    executor.check_paused("client")
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
