"""Profiles: what one worker job asks of a batch system, from a TOML file of the user."""

import os
import re
from datetime import time
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from ...sweeps import UserError, local_path
from ...sweeps.errors import did_you_mean, first_complaint, shown
from ...sweeps.tables import Strict
from ...sweeps.toml import read_toml
from ..limits import MOST_WORKERS
from .errors import configuration, import_dask
from .jobqueue_settings import configured_profile
from .memory import WORKER_BYTES
from .schedulers import SYSTEMS

System = Literal["slurm", "pbs", "sge", "lsf", "htcondor", "oar"]

HOUR = 3600
LONGEST_FILE = 1_000_000  # bytes
# Dask pauses a worker at 80 % of its memory; libraries and freed memory take as much again as an
# idle worker.
FULL, GROWTH = 0.8, 2
MARGINS = (10, 120)  # seconds, least and most
# How batch systems and options of commands call what a profile calls otherwise.
ALIASES = {
    "partition": "queue", "project": "account", "mem": "memory", "time": "walltime",
    "wall_time": "walltime", "timelimit": "walltime", "time_limit": "walltime", "ntasks": "cores",
    "tasks": "cores", "cpus": "cores", "nodes": "jobs",
}  # fmt: skip
WALLTIME = re.compile(r"(?:(\d{1,3})-)?(\d{1,4}):(\d{1,2})(?::(\d{1,2}))?", re.ASCII)
BARE = re.compile(r"(\d{1,5}) ?(?:(h|hours?)|m|min|minutes?)?", re.ASCII | re.IGNORECASE)
WORD = re.compile(r"[\w.@:/%+,=-]+")
MOST_BYTES = 1e15
LONGEST_WALLTIME = 366 * 24 * 3600
MEMORY = re.compile(r"\d+(\.\d+)? ?([kMGT]i?B|[KMGT])", re.ASCII)


class ProfileError(UserError):
    """A profile, or a batch system, that does not exist or cannot be used as written."""

    exit_status = 2


def _line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError(f"must be one line of printable text, got {shown(text)}")
    return text


def _walltime(value: Any) -> Any:
    # 01:30:00 without quotes is a time of day in TOML.
    text = value.isoformat() if isinstance(value, time) else value
    if isinstance(text, str):
        walltime_seconds(text)
    return text


def _memory(text: str) -> str:
    if not MEMORY.fullmatch(text.strip()):
        raise ValueError(f"must be a size such as '2 GB' or '500 MB', got {shown(text)}")
    if memory_bytes(text) < WORKER_BYTES:
        least = f"{WORKER_BYTES / 1e6:.0f} MB"
        raise ValueError(f"a worker process alone needs {least}, got {shown(text)}")
    if memory_bytes(text) > MOST_BYTES:
        raise ValueError(f"no job has so much memory, got {shown(text)}")
    return text.strip()


def _word(text: str) -> str:
    # Job scripts hold it as it is: more words would be options of their own.
    if not WORD.fullmatch(text):
        raise ValueError(f"must be one word without quotes or $, got {shown(text)}")
    return text


Word = Annotated[str, AfterValidator(_word)]
Line = Annotated[str, AfterValidator(_line)]
Walltime = Annotated[str, BeforeValidator(_walltime)]
Memory = Annotated[str, AfterValidator(_memory)]


class Profile(Strict):
    """What one worker job asks of a batch system; a table of `clusters.toml`.

    Attributes:
        cluster: the batch system.
        jobs: number of worker jobs.
        cores: cores of a job; each of them runs a trial at a time.
        processes: worker processes of a job; as many as cores if None.
        memory: memory of a job; what the trials of the sweep need if None.
        walltime: time that a job may run, as `[D-]HH:MM[:SS]`.
        lifetime: time after which a worker leaves; somewhat less than the wall time if None.
        queue: queue or partition.
        account: account or project that is charged.
        interface: network interface of scheduler and workers, such as `ib0`.
        local_directory: folder on a node for temporary files of workers; the node expands `~` and
            `$VARIABLES` in it.
        log_directory: folder for what jobs print; see `folder`.
        shared_directory: folder that all nodes see, for certificates; that of the store if None.
            See `folder`.
        python: the Python of the workers; that of the command if None.
        prologue: shell lines that a job runs before its workers, such as `module load …`.
        directives: more options of the batch system, such as `--gres=gpu:1`.
        skip: texts; lines of the job script's head that hold one of them are left out.
        requeue: whether Slurm may start a job again after its node failed.
        options: further arguments of dask-jobqueue's cluster.
    """

    cluster: System
    jobs: int = Field(1, ge=1, le=MOST_WORKERS)
    cores: int = Field(1, ge=1, le=MOST_WORKERS)
    processes: int | None = Field(None, ge=1)
    memory: Memory | None = None
    walltime: Walltime = "01:00:00"
    lifetime: Walltime | None = None
    queue: Word | None = None
    account: Word | None = None
    interface: Word | None = None
    local_directory: Line | None = None
    log_directory: Line | None = None
    shared_directory: Line | None = None
    python: Line | None = None
    prologue: tuple[Line, ...] = ()
    directives: tuple[Line, ...] = ()
    skip: tuple[Line, ...] = ()
    requeue: bool = False
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.processes is not None and self.processes > self.cores:
            raise ValueError(
                f"'processes' is {self.processes} and 'cores' is {self.cores}; a process needs a "
                "core of its own."
            )
        if self.workers > MOST_WORKERS:
            raise ValueError(
                f"{self.jobs} jobs of {self.cores} cores are more than {MOST_WORKERS:,} workers."
            )
        if self.lifetime and walltime_seconds(self.lifetime) >= walltime_seconds(self.walltime):
            raise ValueError(
                f"'lifetime' is {self.lifetime} and 'walltime' is {self.walltime}; workers have to "
                "leave before the wall time ends."
            )
        return self

    @property
    def workers(self) -> int:
        """Trials that all jobs together run at a time."""
        processes = self.processes or self.cores
        return self.jobs * processes * (self.cores // processes)

    @property
    def seconds(self) -> int:
        """The wall time of a job, in seconds."""
        return walltime_seconds(self.walltime)

    def folder(self, key: Literal["log_directory", "shared_directory"]) -> Path | None:
        """Give a folder as the command sees it: `~` and `$VARIABLES` are expanded.

        A relative path counts from the folder in which the command is given.

        Returns:
            None if the profile does not say it.
        """
        written: str | None = getattr(self, key)
        if written is None:
            return None
        return Path(os.path.expandvars(written)).expanduser().absolute()

    def job_bytes(self, trial_bytes: float) -> int:
        """Give the memory of a job: what the profile says, or what trials of a sweep need.

        Args:
            trial_bytes: memory of the largest trial, as `plan` estimates it.
        """
        if self.memory is not None:
            return memory_bytes(self.memory)
        # One more process starts the others again when they die.
        processes = GROWTH * (self.processes or self.cores) + 1
        needed = processes * WORKER_BYTES + self.cores * trial_bytes
        return ceil(needed / FULL / 1e6) * 1_000_000


def memory_bytes(text: str) -> int:
    """Read a size such as `2 GB`, in bytes."""
    from dask.utils import parse_bytes

    return int(parse_bytes(text))


def walltime_seconds(text: str) -> int:
    """Read a wall time `[D-]HH:MM[:SS]`, in seconds.

    Raises:
        ValueError: it is written in another way, or it is 0.
    """
    read = WALLTIME.fullmatch(text.strip())
    days, hours, minutes, seconds = (int(part or 0) for part in read.groups()) if read else [0] * 4
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if total > LONGEST_WALLTIME:
        raise ValueError(f"is longer than a year, got {shown(text)}")
    if not total or minutes > 59 or seconds > 59:
        raise ValueError(
            f"must be a time such as 01:30:00 or 2-12:00 ([days-]hours:minutes[:seconds]), got "
            f"{shown(text)}{_meant(text)}"
        )
    return total


def _meant(text: str) -> str:
    """Say how a number of minutes or of hours is written as a wall time; "" for other texts."""
    read = BARE.fullmatch(text.strip())
    number = int(read[1]) if read else 0
    if read is None or not number:
        return ""
    minutes = number * 60 if read[2] else number
    unit = ("hour" if read[2] else "minute") + ("" if number == 1 else "s")
    is_ = "is" if number == 1 else "are"
    return f"; {number} {unit} {is_} {minutes // 60}:{minutes % 60:02d}:00"


def system_walltime(system: str, seconds: int) -> str:
    """Write a wall time as a batch system reads it.

    Slurm takes two numbers for minutes and seconds, LSF for hours and minutes, and LSF knows no
    seconds; three numbers are hours, minutes and seconds everywhere else.
    """
    if system == "lsf":
        minutes = ceil(seconds / 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}"
    hours, rest = divmod(seconds, HOUR)
    return f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"


def margin_of(seconds: int) -> int:
    """Give the time before the wall time in which workers leave, in seconds."""
    return int(min(max(seconds / 20, MARGINS[0]), MARGINS[1]))


def profiles_file() -> Path:
    """Give the path of the user's file of profiles."""
    config = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(config) if os.path.isabs(config) else Path("~/.config").expanduser()
    return folder / "genprior" / "clusters.toml"


def is_file_name(named: str) -> bool:
    """Say whether a profile is named by the path of its file, and not by its table."""
    return named.endswith(".toml") or os.sep in named


def load_profile(cluster: str | None, named: str | None = None) -> Profile:
    """Load the profile that `--cluster` and `--profile` name.

    Without `--profile` it is the table of the user's file that is named like the batch system; if
    there is none, one core and one hour. What the user's own configuration of dask-jobqueue sets
    counts where the profile does not set it.

    Args:
        cluster: the batch system; that of the profile if None.
        named: a table of the user's file, or the path of a TOML file with the keys of one profile.

    Raises:
        ProfileError: there is no such batch system or profile, or it is not valid.
    """
    if cluster is not None and cluster not in SYSTEMS:
        hint = did_you_mean(cluster, SYSTEMS)
        raise ProfileError(f"--cluster {shown(cluster)}: no such batch system. {hint}")
    file = profiles_file()
    if named is None:
        if cluster is None:
            raise ProfileError(f"--cluster: give one of {', '.join(SYSTEMS)}, or a --profile.")
        written = _tables(file).get(cluster, {}) if os.path.lexists(file) else {}
        return _profile(written, f"{file} [{cluster}]", cluster)
    if is_file_name(named):
        path = local_path(named)
        return _profile(_read(path), str(path), cluster)
    tables = _tables(file) if os.path.lexists(file) else {}
    if named not in tables:
        has = f"it has {', '.join(tables)}" if tables else "it has no profile"
        missing = has if os.path.lexists(file) else "that file does not exist"
        raise ProfileError(f"--profile {shown(named)}: not in {file}; {missing}.")
    default = cluster or (named if named in SYSTEMS else None)
    return _profile(tables[named], f"{file} [{named}]", default)


def _profile(written: dict[str, Any], where: str, cluster: str | None) -> Profile:
    """Validate a profile.

    Args:
        written: its keys.
        where: its file and table, for messages.
        cluster: the batch system that is asked for; None if the profile names it.
    """
    if "cluster" not in written and cluster is None:
        raise ProfileError(f"{where}: names no batch system; give 'cluster' there, or --cluster.")
    system = written.get("cluster", cluster)
    known = _configured(system) if system in SYSTEMS else {}
    try:
        profile = Profile(**{"cluster": cluster, **known, **written})
    except ValidationError as error:
        raise ProfileError(f"{where}: {_complaint(error)}") from None
    if cluster not in (None, profile.cluster):
        raise ProfileError(
            f"{where}: is for {profile.cluster}, and --cluster says {cluster}; leave --cluster "
            "out, or choose another profile."
        )
    return profile


def _complaint(error: ValidationError) -> str:
    """Word what is wrong with a profile; for names of batch systems say how a profile calls it."""
    complaint = error.errors(include_url=False)[0]
    key = ".".join(map(str, complaint["loc"]))
    plain = key.lower().replace("-", "_")
    if complaint["type"] == "extra_forbidden" and plain in ALIASES:
        return f"unknown key '{key}'. Did you mean '{ALIASES[plain]}'?"
    return first_complaint(error, Profile)


def _configured(system: str) -> dict[str, Any]:
    """Read what the user's configuration of dask-jobqueue says, which a profile may overrule."""
    import_dask()
    where = f"dask-jobqueue's configuration, jobqueue.{system} ({configuration()})"
    try:
        known = configured_profile(system)
        Profile(**{"cluster": system, **known})
    except ValidationError as error:
        raise ProfileError(f"{where}: {first_complaint(error, Profile)}") from None
    except ValueError as error:
        raise ProfileError(f"{where}: {error}") from None
    return known


def _tables(file: Path) -> dict[str, dict[str, Any]]:
    written = _read(file)
    for name, table in written.items():
        if not isinstance(table, dict):
            raise ProfileError(
                f"{file}: {shown(name)} is outside of a table; put it under the name of a batch "
                "system or of a profile, such as [slurm]."
            )
    return written


def _read(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ProfileError: there is no such file, or it is not TOML; in one line.
    """
    try:
        if not path.is_file():
            missing = "is no file" if path.exists() else "this file does not exist"
            raise ProfileError(f"{path}: {missing}.")
        with path.open("rb") as opened:
            text = opened.read(LONGEST_FILE + 1)
        if len(text) > LONGEST_FILE:
            raise ProfileError(f"{path}: is too long for a profile.")
        return read_toml(text.decode("utf-8-sig"))
    except OSError as error:
        raise ProfileError(f"{shown(str(path))}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ProfileError(f"{path}: not a text file in UTF-8.") from None
    except ValueError as error:
        raise ProfileError(f"{path}: {error}") from None
