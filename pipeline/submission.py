"""What `genprior submit` asks for, checked before anything is in the queue."""

import re
import secrets
from pathlib import Path
from typing import NamedTuple

from ..sweeps import Sweep
from ..sweeps.catalogue import preset_names
from .executors.allocation import task_memory
from .executors.profiles import ProfileError, load_profile, walltime_seconds
from .executors.slurm_job import SlurmJob, core_bytes, mebibytes
from .run.pilot import check_memory
from .run.request import check_request

JOBS = ".jobs"  # after the store's name: the folder of scripts and logs


class Submission(NamedTuple):
    """The size of what is submitted.

    Attributes:
        tasks: trials at a time, of each element if it is an array; those of the profile if None.
        nodes: number of nodes; chosen by the batch system if None.
        walltime: time that a job may run; that of the profile if None.
        chain: number of jobs that follow each other.
        array: number of elements of an array; 0 if it is none.
    """

    tasks: int | None = None
    nodes: int | None = None
    walltime: str | None = None
    chain: int = 1
    array: int = 0


def slurm_job(
    sweep: Sweep,
    named: str,
    store: Path,
    wanted: Submission,
    options: tuple[str, ...],
    cluster: str | None,
    profile_name: str | None,
) -> SlurmJob:
    """Check a sweep, a store and a profile, and make the job that runs them.

    Args:
        sweep: what to run, with its options applied.
        named: how the user names the sweep: a preset, or a file.
        store: the store, which need not exist.
        wanted: the size of the job.
        options: further options of `genprior run`.
        cluster: the batch system; that of the profile if None.
        profile_name: the profile.

    Raises:
        UserError: the sweep cannot be run into this store.
        ProfileError: the profile does not exist or does not fit, or is not for Slurm.
    """
    profile = load_profile(cluster, profile_name)
    if profile.cluster != "slurm":
        raise ProfileError(
            f"--cluster {profile.cluster}: submit is for slurm; start the workers from a login "
            f"node with 'genprior run SWEEP STORE --cluster {profile.cluster}'."
        )
    if wanted.array and wanted.nodes is not None:
        raise ProfileError("--nodes: each element of an array has one node; leave it out.")
    path = store.absolute()
    request = check_request(sweep, path)
    room = float("inf")
    if profile.memory is not None:
        granted = mebibytes(core_bytes(profile, 0))
        room = task_memory({"SLURM_MEM_PER_CPU": str(granted)})
    needed = check_memory(request.grid, request.kind, room)
    usual = profile.cores if wanted.array else profile.workers
    folder = profile.folder("log_directory") or path.with_name(path.name + JOBS)
    sweep_name = named if named in preset_names() else str(Path(named).expanduser().absolute())
    return SlurmJob(
        name=f"{_plain(path.stem)}-{secrets.token_hex(3)}",
        folder=folder,
        profile=profile,
        arguments=(sweep_name, str(path), *options),
        seconds=_seconds(wanted.walltime) or profile.seconds,
        core_bytes=core_bytes(profile, needed),
        tasks=wanted.tasks or usual,
        nodes=wanted.nodes,
        array=wanted.array,
        chain=wanted.chain,
    )


def _plain(name: str) -> str:
    """Give the beginning of a job's name, in which Slurm takes few characters."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name).lstrip("-.")[:40] or "genprior"


def _seconds(walltime: str | None) -> int:
    """Read a wall time of the command line; 0 if there is none.

    Raises:
        ProfileError: it is no wall time.
    """
    try:
        return 0 if walltime is None else walltime_seconds(walltime)
    except ValueError as error:
        raise ProfileError(f"--walltime {error}.") from None
