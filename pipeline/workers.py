"""Where blocks run: what the options of `run` say about it, checked and opened."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from .executors.errors import SchedulerError
from .executors.schedulers import LOCAL, SRUN

if TYPE_CHECKING:
    from .executors.base import Executor
    from .executors.certificates import Certificates
    from .executors.profiles import Profile
    from .run.request import RunRequest


class Workers(NamedTuple):
    """What the options say; None, or False, where one is not given.

    Attributes:
        scheduler: a local scheduler, the address of a Dask scheduler, or a scheduler file.
        workers: number of local processes or threads.
        cluster: a batch system.
        profile: what a worker job asks for: a table of the user's file, or a file.
        jobs: number of worker jobs.
        insecure: connect without encryption.
        tls_ca: file with certificates of those who are trusted.
        tls_cert: file with the own certificate.
        tls_key: file with its key.
        dry_run: show the job script, and run nothing.
    """

    scheduler: str | None = None
    workers: int | None = None
    cluster: str | None = None
    profile: str | None = None
    jobs: int | None = None
    insecure: bool = False
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    dry_run: bool = False

    @property
    def in_jobs(self) -> bool:
        """Whether workers are jobs of a batch system."""
        return self.cluster is not None or self.profile is not None

    @property
    def phase(self) -> str:
        """What is done before a run begins."""
        if self.in_jobs:
            return "submitting worker jobs"
        if self.scheduler is None or self.scheduler in (*LOCAL, SRUN):
            return "starting workers"
        return f"connecting to {self.scheduler}"

    def check(self) -> None:
        """Refuse options that do not go together.

        Raises:
            SchedulerError: the message names two of them.
        """
        jobs = "--cluster" if self.cluster is not None else "--profile"
        where = "--scheduler" if self.scheduler is not None else "--workers"
        if self.in_jobs and (self.scheduler is not None or self.workers is not None):
            raise SchedulerError(
                f"{jobs} and {where}: worker jobs have a scheduler of their own, and --jobs says "
                "how many there are; leave one of the two out."
            )
        for_jobs = {"--jobs": self.jobs, "--insecure": self.insecure, "--dry-run": self.dry_run}
        given = [name for name, value in for_jobs.items() if value]
        if given and not self.in_jobs:
            raise SchedulerError(
                f"{given[0]}: it is for worker jobs of a batch system; give --cluster too."
            )
        if self.tls and self.insecure:
            raise SchedulerError(f"{self.tls[0]} and --insecure: leave one of the two out.")
        if self.tls and not self.in_jobs and (self.scheduler or LOCAL[0]) in (*LOCAL, SRUN):
            raise SchedulerError(
                f"{self.tls[0]}: it is for the address of a scheduler and for --cluster; other "
                "workers have certificates of their own."
            )

    @property
    def tls(self) -> list[str]:
        """The options for certificates that are given."""
        given = {"--tls-ca": self.tls_ca, "--tls-cert": self.tls_cert, "--tls-key": self.tls_key}
        return [name for name, value in given.items() if value is not None]

    def certificates(self) -> "Certificates | None":
        """Check the user's certificates; None if none are given.

        Raises:
            SchedulerError: a file cannot be used.
        """
        from .executors.certificates import given_certificates

        return given_certificates(self.tls_ca, self.tls_cert, self.tls_key)

    def job_profile(self) -> "Profile":
        """Load the profile of the worker jobs.

        Raises:
            ProfileError: there is no such batch system or profile, or it is not valid.
        """
        from .executors.profiles import load_profile

        profile = load_profile(self.cluster, self.profile)
        return profile if self.jobs is None else profile.model_copy(update={"jobs": self.jobs})


def open_workers(
    chosen: Workers,
    store: Path,
    tell: Callable[[str], None],
    checked: "Callable[[], RunRequest | None]",
) -> "AbstractContextManager[Executor]":
    """Open the executor that the options name.

    Args:
        chosen: the options.
        store: the store of the run.
        tell: called with each line that the user should see at once.
        checked: checks what is to be run, while local workers start.

    Raises:
        UserError: the options do not go together, the run cannot be made, or the workers cannot be
            started.
    """
    chosen.check()
    if chosen.in_jobs:
        return _worker_jobs(chosen, store, tell, cast("Callable[[], RunRequest]", checked))
    from .executors.opening import open_executor

    scheduler = chosen.scheduler or LOCAL[0]
    return open_executor(scheduler, chosen.workers, tell, checked, chosen.certificates())


@contextmanager
def _worker_jobs(
    chosen: Workers,
    store: Path,
    tell: Callable[[str], None],
    checked: "Callable[[], RunRequest]",
) -> "Iterator[Executor]":
    from .executors.batch import open_batch
    from .interrupts import announced

    profile, certificates = chosen.job_profile(), chosen.certificates()
    with announced(tell):
        memory = _job_bytes(profile, checked())
    secure = not chosen.insecure
    with open_batch(profile, memory, store, tell, certificates, secure=secure) as executor:
        yield executor


def worker_job_script(chosen: Workers, store: Path, request: "RunRequest") -> str:
    """Write the script of a worker job; nothing is started, and no store is made.

    Raises:
        UserError: the options do not go together, or there is no such profile.
    """
    from .executors.batch import folder_name, job_name, shared_folder
    from .executors.certificates import in_folder
    from .executors.jobqueue import job_script

    profile, given = chosen.job_profile(), chosen.certificates()
    folder = str(shared_folder(profile, store) / f"{folder_name(store)}XXXXXXXX")
    certificates = None if chosen.insecure else given or in_folder(folder)
    memory = _job_bytes(profile, request)
    return job_script(profile, memory, folder, certificates, job_name(store))


def _job_bytes(profile: "Profile", request: "RunRequest") -> int:
    """Give the memory of a job, from the largest trial of a sweep unless the profile says it."""
    from .run.pilot import check_memory

    return profile.job_bytes(check_memory(request.grid, request.kind, float("inf")))
