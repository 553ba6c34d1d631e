"""Workers on the nodes of a Slurm allocation: one job holds scheduler, client and workers.

The scheduler and the client are in this process, next to the job script on the first node, where
they need little: all tasks of the allocation are workers. `srun` starts these, as one step of the
job. The certificates are made for this run; they stay in memory, and reach the workers through the
standard input of `srun`.
"""

import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from shutil import which
from typing import Any

from ..interrupts import announced, check, interrupts_deferred
from .base import Executor
from .caller_state import SAFE_PATH, caller_state_kept
from .distributed import Distributed
from .errors import ClusterError, SchedulerError, reason
from .local_cluster import our_configuration
from .memory import WORKER_BYTES, more_files
from .schedulers import SRUN

LOOPBACK = "127.0.0.1"
WORKER_MODULE = "genprior.pipeline.executors.srun_worker"
START_TIMEOUT = 180.0  # seconds until the first worker
END_TIMEOUT = 15.0  # seconds that workers have to leave before their step is ended
SHORT = 30.0  # seconds; a step that ended earlier is not started again more than `TRIES` times
TRIES = 3
PAUSE = 1.0  # seconds before a step is started again
MEBIBYTE = 2**20
NO_TLS = (
    "workers of several nodes are reached over TLS, which needs the package cryptography: "
    "pip install 'genprior[cluster]'."
)
# Bytes of this process with its scheduler, and of the process that keeps a worker alive.
CLIENT_BYTES, NANNY_BYTES = 250e6, 80e6


class Step:
    """The workers of an allocation: a step of the job, started again if it ends too early.

    A step ends when all of its tasks have ended. A worker that dies is started again by its own
    task, so that a step which ends has lost all of its tasks.
    """

    def __init__(self, count: int, tell: Callable[[str], None]):
        self._command, self._contact, self._tell = _command(count), "", tell
        self._closing, self._lock = threading.Event(), threading.Lock()
        self._restarts: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._said = ""
        self._failure = ""
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._keep, name="srun", daemon=True)

    def start(self, contact: str) -> None:
        """Start the workers; the contact says how they join."""
        self._contact = contact
        self._process = self._begin()
        self._thread.start()

    def check(self) -> None:
        """Tell of workers that were started again, and refuse to go on without any.

        Raises:
            ClusterError: the step could not be started, or not again.
        """
        while not self._restarts.empty():
            self._tell(self._restarts.get())
        if self._failure:
            raise ClusterError(
                f"srun could not start the workers: {self._failure}. Finished trials are kept."
            )

    def close(self) -> None:
        """Wait for the workers to leave, and end those that do not."""
        with interrupts_deferred():
            with self._lock:
                self._closing.set()
            if self._process is not None:
                _end(self._process)
                self._thread.join(END_TIMEOUT)

    def _begin(self) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # Ctrl-C is for this process alone: srun would end the workers.
            start_new_session=True,
        )
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(self._contact)
        return process

    def _keep(self) -> None:
        """Print what srun and the workers print, and start the step again if it ends."""
        tries = 0
        while (process := self._process) is not None:
            begun = time.monotonic()
            assert process.stdout is not None
            for line in process.stdout:
                self._said = line.strip() or self._said
                with suppress(OSError, ValueError):
                    sys.stderr.write(line)
            status = process.wait()
            tries = tries + 1 if time.monotonic() - begun < SHORT else 1
            if self._closing.wait(PAUSE):
                return
            if tries >= TRIES:
                self._failure = self._said.rstrip(".") or f"its exit status is {status}"
                return
            self._restarts.put("the workers of the job ended; starting them again")
            with self._lock:
                if self._closing.is_set():
                    return
                try:
                    self._process = self._begin()
                except OSError as error:
                    self._failure = reason(error)
                    return


def _end(process: "subprocess.Popen[str]") -> None:
    """Wait for srun to end; it ends its tasks if they do not end by themselves."""
    for end in (process.terminate, process.kill):
        try:
            process.wait(END_TIMEOUT)
            return
        except subprocess.TimeoutExpired:
            end()
    process.wait()


class InAllocation(Distributed):
    """Tasks on the workers of an allocation."""

    @property
    def memory(self) -> float:
        """Bytes that Slurm grants for each trial."""
        return task_memory(os.environ)


def task_memory(job: "os._Environ[str] | dict[str, str]") -> float:
    """Give the bytes that a trial may use in a task of an allocation.

    Args:
        job: the variables of the job.
    """
    cores = int(job.get("SLURM_CPUS_PER_TASK", 1))
    if "SLURM_MEM_PER_CPU" in job:
        task = cores * float(job["SLURM_MEM_PER_CPU"])
    elif float(job.get("SLURM_MEM_PER_NODE", 0)):
        processors = float(job.get("SLURM_CPUS_ON_NODE", cores))
        task = float(job["SLURM_MEM_PER_NODE"]) * cores / processors
    else:
        return float("inf")
    return task * MEBIBYTE - NANNY_BYTES - WORKER_BYTES


@contextmanager
def open_allocation(
    workers: int | None, tell: Callable[[str], None], meanwhile: Callable[[], object]
) -> Iterator[Executor]:
    """Start one worker in every task of this Slurm allocation.

    Args:
        workers: their number; the number of tasks of the allocation if None.
        tell: called with each line that the user should see at once.
        meanwhile: called while they start.

    Raises:
        SchedulerError: this process is in no allocation, or in a smaller one.
        ClusterError: the workers could not be started, or did not join.
    """
    count = _tasks(workers)
    with caller_state_kept(), more_files(count), ExitStack() as ends:
        os.environ[SAFE_PATH] = "1"
        # Without the scheduler's folder, which on another node may be somebody else's.
        path = [*sys.path]
        with announced(tell):
            # The workers leave when their scheduler ends, so that this waits for them last.
            step = Step(count, tell)
            ends.callback(step.close)
            cluster, security = ends.enter_context(_scheduler())
            step.start(_contact(cluster, security, path))
            client = ends.enter_context(_client(cluster))
            executor = InAllocation(
                client, local=False, tell=tell, expected=count, watch=step.check
            )
            ends.callback(executor.close)
            meanwhile()
            _await_first(executor, step)
        yield executor


def _tasks(workers: int | None) -> int:
    """Give the number of workers.

    Raises:
        SchedulerError: this process is in no allocation, or in a smaller one.
    """
    if "SLURM_JOB_ID" not in os.environ or which(SRUN) is None:
        raise SchedulerError(
            "--scheduler srun: this is for the inside of a Slurm job, and this shell is in none. "
            "Use 'genprior submit SWEEP STORE --cluster slurm', or ask for nodes with salloc."
        )
    tasks = int(os.environ.get("SLURM_NTASKS") or os.environ.get("SLURM_JOB_NUM_NODES") or 1)
    if workers is not None and workers > tasks:
        raise SchedulerError(
            f"--workers {workers}: job {os.environ['SLURM_JOB_ID']} has {tasks} tasks, and a "
            "worker needs one. Ask Slurm for more with --ntasks."
        )
    return workers or tasks


def _command(count: int) -> list[str]:
    return [
        SRUN,
        f"--ntasks={count}",
        # Since Slurm 22.05 a step does not take it from the job.
        f"--cpus-per-task={os.environ.get('SLURM_CPUS_PER_TASK', 1)}",
        "--overlap",  # this process is next to the workers of its node
        "--no-kill",  # the workers of other nodes go on when a node fails
        "--kill-on-bad-exit=0",
        "--wait=0",
        "--mpi=none",
        "--input=all",
        "--export=ALL",
        sys.executable,
        "-m",
        WORKER_MODULE,
    ]


def _contact(cluster: Any, security: Any, path: list[str]) -> str:
    """Write what a worker needs to join; it holds a key, and is never written to a file."""
    return json.dumps(
        {
            "address": cluster.scheduler_address,
            "certificate": security.tls_worker_cert,
            "key": security.tls_worker_key,
            "interface": _interface(),
            "host": LOOPBACK if _is_alone() else None,
            "path": path,
        }
    )


def _interface() -> str | None:
    """Give the network interface that Dask's configuration names for jobs of Slurm."""
    import dask

    named = dask.config.get("jobqueue.slurm.interface", None)
    return None if named is None else str(named)


def _host() -> str:
    """Give the address at which the workers reach this node."""
    from distributed.utils import get_ip, get_ip_interface

    if (interface := _interface()) is not None:
        return str(get_ip_interface(interface))
    return LOOPBACK if _is_alone() else str(get_ip())


def _is_alone() -> bool:
    """Say whether all workers are on this node; after salloc, this may be a login node."""
    only = os.environ.get("SLURM_JOB_NUM_NODES") == "1" and "SLURMD_NODENAME" in os.environ
    return only and _interface() is None


@contextmanager
def _scheduler() -> Iterator[tuple[Any, Any]]:
    """Run a scheduler in this process, with certificates of its own."""
    try:
        from distributed import SpecCluster

        from .private import PrivateScheduler, certified, own_folder

        try:
            security = certified()
        except ImportError:
            raise ClusterError(NO_TLS) from None
        options = {
            "host": _host(),
            "port": 0,
            "protocol": "tls://",
            "security": security,
            "local_directory": own_folder(),
        }
        with our_configuration():
            cluster = SpecCluster(
                scheduler={"cls": PrivateScheduler, "options": options},
                security=security,
                silence_logs=logging.CRITICAL,
            )
    except ClusterError:
        raise
    except Exception as error:
        raise ClusterError(f"the scheduler could not be started: {reason(error)}.") from None
    try:
        yield cluster, security
    finally:
        with interrupts_deferred(), suppress(Exception):
            cluster.close(timeout=END_TIMEOUT)


@contextmanager
def _client(cluster: Any) -> Iterator[Any]:
    from distributed import Client

    client = Client(cluster, set_as_default=False)
    try:
        yield client
    finally:
        with interrupts_deferred(), suppress(Exception):
            client.close(timeout=END_TIMEOUT)


def _await_first(executor: InAllocation, step: Step) -> None:
    """Wait for the first worker; the others get work when they come.

    Raises:
        ClusterError: no worker comes.
    """
    begun = time.monotonic()
    while not executor.count_threads():
        check()
        step.check()
        if time.monotonic() - begun > START_TIMEOUT:
            raise ClusterError(
                f"no worker joined within {START_TIMEOUT:.0f} s. The nodes may not reach each "
                "other over this network: name another 'interface' in the profile."
            )
        time.sleep(0.1)
