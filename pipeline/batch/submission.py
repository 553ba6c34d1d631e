"""What `genprior submit` asks for, checked before anything is in the queue."""

import secrets
from math import ceil
from pathlib import Path
from typing import NamedTuple

from ...sweeps.catalogue import preset_names
from ..executors.allocation import MEBIBYTE, task_memory
from ..executors.batch import job_name
from ..executors.memory import WORKER_BYTES
from ..executors.profiles import Profile, ProfileError, is_file_name, load_profile, walltime_seconds
from ..run.pilot import check_memory
from ..run.request import RunRequest
from .slurm_job import SlurmJob, core_bytes, mebibytes
from .submitted import jobs_folder


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
    request: RunRequest,
    named: str,
    wanted: Submission,
    options: tuple[str, ...],
    cluster: str | None,
    profile_name: str | None,
) -> SlurmJob:
    """Check a profile and the size of a job, and make the job that runs a sweep into a store.

    Args:
        request: what to run, with its options applied, and the store.
        named: how the user names the sweep: a preset, or a file.
        wanted: the size of the job.
        options: further options of `genprior run`.
        cluster: the batch system; that of the profile if None.
        profile_name: the profile.

    Raises:
        SweepError: a trial needs more memory than the profile grants.
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
    if wanted.nodes is not None and wanted.tasks is not None and wanted.tasks < wanted.nodes:
        raise ProfileError(
            f"--tasks {wanted.tasks}: each of the {wanted.nodes} nodes needs a task; give more "
            "tasks, or fewer nodes."
        )
    usual = profile.cores if wanted.array else max(profile.workers, wanted.nodes or 1)
    tasks = wanted.tasks or usual
    needed = _trial_bytes(request, profile, array=bool(wanted.array))
    folder = profile.folder("log_directory") or jobs_folder(request.path)
    sweep_name = named if named in preset_names() else str(Path(named).expanduser().absolute())
    arguments = (sweep_name, str(request.path), *options)
    return SlurmJob(
        name=f"{job_name(request.path)}-{secrets.token_hex(3)}",
        folder=folder,
        profile=profile,
        arguments=arguments,
        seconds=_seconds(wanted.walltime) or profile.seconds,
        core_bytes=core_bytes(profile, needed),
        tasks=tasks,
        nodes=wanted.nodes,
        array=wanted.array,
        chain=wanted.chain,
        again=(*arguments, *_as_options(wanted, cluster, profile_name)),
    )


def _as_options(
    wanted: Submission, cluster: str | None, profile_name: str | None
) -> tuple[str, ...]:
    """Write the size of a job, and where it runs, as options of `genprior submit`."""
    sizes = wanted._replace(chain=0 if wanted.chain == 1 else wanted.chain)._asdict()
    if profile_name is not None and is_file_name(profile_name):
        profile_name = str(Path(profile_name).expanduser().absolute())
    given = {"cluster": cluster, "profile": profile_name, **sizes}
    return tuple(f"--{name}={value}" for name, value in given.items() if value)


def _trial_bytes(request: RunRequest, profile: Profile, *, array: bool) -> int:
    """Give the memory of the largest trial, and refuse a profile that has too little for it.

    Raises:
        ProfileError: its memory does not even suffice for workers.
        SweepError: it does not suffice for a trial; the message names the point.
    """
    if profile.memory is None:
        return check_memory(request.grid, request.kind, float("inf"))
    # As much as the job asks for; in an allocation each worker has a process that starts it again.
    granted = mebibytes(core_bytes(profile, 0))
    room = task_memory({"SLURM_MEM_PER_CPU": str(granted)})
    if array:
        room = granted * MEBIBYTE - WORKER_BYTES
    if room <= 0:
        largest = check_memory(request.grid, request.kind, float("inf"))
        least = ceil(profile.cores * (granted * MEBIBYTE - room + largest) / 1e6)
        raise ProfileError(
            f"memory = {profile.memory!r} in the profile is too little for {profile.cores} "
            f"{'core' if profile.cores == 1 else 'cores'}: workers with their trials need at least "
            f"'{least} MB'."
        )
    return check_memory(request.grid, request.kind, room)


def _seconds(walltime: str | None) -> int:
    """Read a wall time of the command line; 0 if there is none.

    Raises:
        ProfileError: it is no wall time.
    """
    try:
        return 0 if walltime is None else walltime_seconds(walltime)
    except ValueError as error:
        raise ProfileError(f"--walltime {error}.") from None
