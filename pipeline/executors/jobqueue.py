"""What dask-jobqueue is told: its own configuration, the arguments of a cluster, job scripts."""

import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

from ...sweeps.errors import shown
from .certificates import Certificates
from .errors import ClusterError, import_dask, reason
from .jobqueue_settings import configured
from .profiles import Profile, ProfileError, margin_of, system_walltime, walltime_seconds


class Names(NamedTuple):
    """What dask-jobqueue and a batch system call things.

    Attributes:
        cluster: the class of dask-jobqueue.
        submit: the command that submits a job.
        account: the argument for an account or a project; "" if there is none.
        queue: whether there are queues.
        walltime: whether there is a wall time.
        longest_name: characters of the name of a job.
    """

    cluster: str
    submit: str
    account: str = "project"
    queue: bool = True
    walltime: bool = True
    longest_name: int = 50


NAMES = {
    "slurm": Names("SLURMCluster", "sbatch", account="account"),
    "pbs": Names("PBSCluster", "qsub", account="account", longest_name=15),
    "sge": Names("SGECluster", "qsub"),
    "lsf": Names("LSFCluster", "bsub"),
    "htcondor": Names("HTCondorCluster", "condor_submit", account="", queue=False, walltime=False),
    "oar": Names("OARCluster", "oarsub"),
}
# What dask-jobqueue needs beyond a profile, unless the user sets it.
NEEDED = {"htcondor": {"disk": "1 GB"}, "oar": {"memory_per_core_property_name": "not_applicable"}}
OURS = frozenset(
    {
        "asynchronous", "job_cls", "loop", "n_workers", "name", "protocol", "scheduler_cls",
        "security", "shared_temp_directory",
    }
)  # fmt: skip
JOB_NAME = "genprior"
WORKER_MODULE = "genprior.pipeline.executors.job_worker"


def import_jobqueue() -> Any:
    """Import dask-jobqueue, which handles SIGINT from then on; restore how it was handled.

    Raises:
        ProfileError: it is not installed.
        ClusterError: it cannot be imported.
    """
    import_dask(workers=True)
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    try:
        import cryptography  # noqa: F401

        return import_module("dask_jobqueue")
    except ImportError as error:
        raise ProfileError(
            f"--cluster needs what is not installed ({error}); run pip install 'genprior[cluster]'."
        ) from None
    except Exception as error:
        late = "" if main else "; import dask_jobqueue in the main thread first"
        raise ClusterError(f"dask-jobqueue cannot be used: {reason(error)}{late}.") from None
    finally:
        if main:
            signal.signal(signal.SIGINT, handler)


def cluster_class(system: str) -> Any:
    """Give dask-jobqueue's class for a batch system."""
    return getattr(import_jobqueue(), NAMES[system].cluster)


def arguments(
    profile: Profile,
    memory: int,
    folder: str,
    certificates: Certificates | None,
    name: str = JOB_NAME,
) -> dict[str, Any]:
    """Give the arguments of dask-jobqueue's cluster.

    Args:
        profile: what a job asks for.
        memory: bytes of a job.
        folder: the run's own folder, which all nodes see.
        certificates: of scheduler and workers; None if connections are not encrypted.
        name: the name of the jobs in the queue.

    Raises:
        ProfileError: the profile has options that are not for the user to set.
    """
    from .private import PrivateScheduler

    names, known = NAMES[profile.cluster], configured(profile.cluster)
    if refused := OURS & set(profile.options):
        raise ProfileError(f"options.{min(refused)}: genprior sets it; leave it out.")
    logs = str(profile.folder("log_directory") or folder)
    for path in (folder, logs, *filter(None, certificates or ())):
        if shlex.quote(path) != path:
            raise ProfileError(
                f"{shown(path)}: a path in a job script has letters, digits and _@%+=:,./- only; "
                "choose another store, or set 'shared_directory' and 'log_directory' in a profile."
            )
    asked: dict[str, Any] = {
        "cores": profile.cores,
        "processes": profile.processes or profile.cores,
        "memory": f"{memory} B",
        "python": shlex.quote(profile.python or sys.executable),
        "worker_command": WORKER_MODULE,
        "job_name": known.get("name", name[: names.longest_name]),
        "interface": profile.interface,
        # The node expands it.
        "local_directory": profile.local_directory and shlex.quote(profile.local_directory),
        "log_directory": logs,
        # Workers do not import modules from the folder in which a job happens to start.
        "job_script_prologue": [*profile.prologue, "export PYTHONSAFEPATH=1"],
        "job_extra_directives": _directives(profile),
        "job_directives_skip": list(profile.skip),
        "worker_extra_args": [*known.get("worker-extra-args", ()), *_worker_arguments(profile)],
    }
    if names.walltime:
        asked["walltime"] = system_walltime(profile.cluster, profile.seconds)
    if names.queue:
        asked["queue"] = profile.queue
    if names.account:
        asked[names.account] = profile.account
    needed = NEEDED.get(profile.cluster, {})
    asked |= {key: needed[key] for key in needed if key.replace("_", "-") not in known}
    asked |= profile.options
    scheduler = {
        **known.get("scheduler-options", {}),
        **asked.get("scheduler_options", {}),
        "dashboard": False,
    }
    asked |= {
        "name": JOB_NAME,
        "protocol": "tls" if certificates else "tcp",
        "scheduler_cls": PrivateScheduler,
        "scheduler_options": scheduler,
        "security": certificates.security() if certificates else None,
        "silence_logs": None,
    }
    return asked


def job_script(
    profile: Profile,
    memory: int,
    folder: str,
    certificates: Certificates | None,
    name: str = JOB_NAME,
) -> str:
    """Write the script of a worker job as it would be submitted; nothing is started or kept.

    The scheduler's address is known only when it runs, and so is the worker's name.

    Args:
        profile: what a job asks for.
        memory: bytes of a job.
        folder: the name of the run's own folder.
        certificates: of scheduler and workers; None if connections are not encrypted.
        name: the name of the jobs in the queue.

    Raises:
        ProfileError: dask-jobqueue refuses the profile.
    """
    job = cluster_class(profile.cluster).job_cls
    asked = arguments(profile, memory, folder, certificates, name)
    for key in (*OURS, "scheduler_options", "silence_logs"):
        if key not in ("security", "protocol"):
            asked.pop(key, None)
    with tempfile.TemporaryDirectory() as there:
        # A job makes the folder of its logs.
        logs, asked["log_directory"] = asked["log_directory"], there
        scheduler = f"{asked['protocol']}://SCHEDULER:PORT"
        with refusals_explained(profile.cluster):
            script = job(scheduler, name=f"{JOB_NAME}-0", **asked).job_script()
        return str(script).replace(there, logs)


@contextmanager
def refusals_explained(system: str) -> Iterator[None]:
    """Explain what dask-jobqueue refuses in a profile, in one line.

    Raises:
        ProfileError: a value or a key of the profile cannot be used.
    """
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ProfileError(
            f"--cluster {system}: dask-jobqueue refuses the profile: {reason(error)}."
        ) from None


def _worker_arguments(profile: Profile) -> list[str]:
    """Give arguments of `dask worker`: how many there are, and that they leave in time."""
    processes = profile.processes or profile.cores
    several = ["--nworkers", str(processes)] if processes > 1 else []
    margin = margin_of(profile.seconds)
    if profile.lifetime is not None:
        seconds = walltime_seconds(profile.lifetime)
    elif NAMES[profile.cluster].walltime:
        seconds = max(profile.seconds - 2 * margin, profile.seconds // 2)
    else:
        return several
    return ["--lifetime", f"{seconds}s", "--lifetime-stagger", f"{margin}s", *several]


def _directives(profile: Profile) -> Any:
    """Give the profile's directives as dask-jobqueue takes them; Slurm starts no job again."""
    if profile.cluster == "htcondor":
        pairs = (directive.partition("=") for directive in profile.directives)
        return {key.strip(): value.strip() for key, _, value in pairs}
    kept = profile.cluster == "slurm" and not profile.requeue
    return [*(["--no-requeue"] if kept else []), *profile.directives]
