"""Workers as jobs of a batch system, through dask-jobqueue."""

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from ...store.signals import signals_handled_after
from ..interrupts import announced, check, interrupts_deferred
from .caller_state import caller_state_kept, forget_servers
from .certificates import Certificates, write_temporary
from .distributed import Distributed
from .errors import ClusterError, reason
from .jobqueue import (
    NAMES,
    arguments,
    cluster_class,
    import_jobqueue,
    refusals_explained,
)
from .local_cluster import our_configuration
from .profiles import Profile, ProfileError
from .silence import silenced
from .worker_jobs import WorkerJobs

LOOK_EVERY = 0.2  # seconds
END_TIMEOUT, CLOSE_TIMEOUT = 30.0, 5.0
INSECURE = (
    "--insecure: the connections are not encrypted, and everybody who reaches them can run "
    "programs as you"
)


def folder_name(store: Path) -> str:
    """Give the beginning of the name of a run's own folder, next to its store."""
    return f".{store.name}.jobs."


def job_name(store: Path) -> str:
    """Give the beginning of the name of a store's jobs, in which batch systems take few characters.

    Some refuse a name that does not begin with a letter.
    """
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", store.stem)[:40]
    return name if name[:1].isalpha() else f"genprior-{name}".rstrip("-")


def shared_folder(profile: Profile, store: Path) -> Path:
    """Give the folder for what all nodes have to see: the profile's, or that of the store."""
    if (shared := profile.folder("shared_directory")) is not None:
        return shared
    folder = store.absolute().parent
    return next(path for path in (folder, *folder.parents) if path.is_dir())


class InWorkerJobs(Distributed):
    """Tasks in worker jobs of a batch system."""

    loss = "died or was cancelled"


@contextmanager
def open_batch(
    profile: Profile,
    memory: int,
    store: Path,
    tell: Callable[[str], None],
    certificates: Certificates | None = None,
    *,
    secure: bool = True,
) -> Iterator[Distributed]:
    """Run tasks in worker jobs of a batch system; at the end cancel them.

    Args:
        profile: what a job asks for, and how many jobs there are.
        memory: bytes of a job.
        store: the store of the run, whose folder all nodes see.
        tell: called with each line that the user should see at once.
        certificates: of scheduler and workers; made for this run if None.
        secure: whether connections are encrypted, and only who has the certificate can connect.

    Raises:
        ProfileError: the batch system or dask-jobqueue is not installed here, or refuses the
            profile.
        ClusterError: no worker job starts, or its workers cannot import genprior.
    """
    import_jobqueue()
    command = NAMES[profile.cluster].submit
    if shutil.which(command) is None:
        raise ProfileError(
            f"--cluster {profile.cluster}: there is no command '{command}' here; run this on a "
            "login node of the cluster."
        )
    if not secure:
        tell(INSECURE)
    with (
        silenced("distributed", "tornado", "asyncio", "dask_jobqueue"),
        caller_state_kept(),
        our_configuration(),
        ExitStack() as ends,
    ):
        with announced(tell):
            folder = ends.enter_context(_own_folder(profile, store))
            if secure and certificates is None:
                certificates = write_temporary(folder)
            logs = profile.folder("log_directory") or folder
            processes = profile.processes or profile.cores
            jobs = WorkerJobs(
                profile.cluster, profile.jobs, processes, profile.cores // processes, logs, tell
            )
            used = certificates if secure else None
            asked = arguments(profile, memory, str(folder), used, job_name(store))
            ends.callback(_end, jobs)
            cluster = _start(profile.cluster, asked, jobs)
            executor = _connect(cluster, profile, jobs, tell)
            ends.callback(_close, executor)
            jobs.unfinished = executor.unfinished
            cluster.loop.add_callback(jobs.keep)
            _await_first(executor, jobs)
            executor.check_imports()
            executor.check_paused(f"--cluster {profile.cluster}")
        yield executor


@contextmanager
def _own_folder(profile: Profile, store: Path) -> Iterator[Path]:
    """Make a folder that only this user can read, for certificates and what jobs print."""
    there = shared_folder(profile, store)
    try:
        folder = Path(tempfile.mkdtemp(prefix=folder_name(store), dir=there))
    except OSError as error:
        raise ProfileError(
            f"{there}: {error.strerror}; certificates and logs of the jobs cannot be written. Set "
            "'shared_directory' in a profile."
        ) from None
    try:
        yield folder
    finally:
        with interrupts_deferred():
            shutil.rmtree(folder, ignore_errors=True)


def _start(system: str, asked: dict[str, Any], jobs: WorkerJobs) -> Any:
    """Start the scheduler in this process; no job is submitted yet."""
    with signals_handled_after(), refusals_explained(system):
        from .private import own_folder

        try:
            asked["scheduler_options"].setdefault("local_directory", own_folder())
            jobs.cluster = jobs.cluster_class(cluster_class(system))(**asked)
        except (OSError, RuntimeError) as error:
            raise ClusterError(
                f"--cluster {system}: the scheduler cannot be started: {reason(error)}."
            ) from None
        return jobs.cluster


def _connect(
    cluster: Any, profile: Profile, jobs: WorkerJobs, tell: Callable[[str], None]
) -> Distributed:
    from distributed import Client

    try:
        client = Client(cluster, set_as_default=False)
    except Exception as error:
        raise ClusterError(
            f"--cluster {profile.cluster}: the scheduler in this process cannot be reached: "
            f"{reason(error)}. Set 'interface' in a profile."
        ) from None
    return InWorkerJobs(client, local=False, tell=tell, expected=profile.workers, watch=jobs.check)


def _await_first(executor: Distributed, jobs: WorkerJobs) -> None:
    """Wait until the first worker arrives.

    Raises:
        ClusterError: no job can be submitted, or jobs end before their workers arrive.
    """
    while not executor.count_threads():
        check()
        jobs.check()
        time.sleep(LOOK_EVERY)


def _end(jobs: WorkerJobs) -> None:
    """Cancel the jobs, and close the scheduler, if it was started."""
    if (cluster := jobs.cluster) is None:
        return
    with interrupts_deferred(), suppress(Exception):
        with suppress(Exception):
            cluster.sync(jobs.end, callback_timeout=END_TIMEOUT)
        jobs.tell_lines()
        scheduler = cluster.scheduler
        cluster.close(timeout=CLOSE_TIMEOUT)
        forget_servers([scheduler])


def _close(executor: Distributed) -> None:
    with interrupts_deferred(), suppress(Exception):
        executor.close()
        executor.client.close(timeout=CLOSE_TIMEOUT)
