"""The user's own configuration of dask-jobqueue, as values of a profile."""

import re
from typing import Any

# Keys of a profile by those of dask-jobqueue's configuration; the later of two counts.
FIELDS = {
    "cores": "cores",
    "processes": "processes",
    "memory": "memory",
    "queue": "queue",
    "project": "account",
    "account": "account",
    "interface": "interface",
    "local-directory": "local_directory",
    "log-directory": "log_directory",
    "shared-temp-directory": "shared_directory",
    "python": "python",
    "job-script-prologue": "prologue",
    "job-extra-directives": "directives",
    "job-directives-skip": "skip",
}
UNITS = (1, 60, 3600)  # seconds of a second, a minute, an hour


def configured(system: str) -> dict[str, Any]:
    """Read the user's configuration of dask-jobqueue for a batch system.

    Returns:
        The values that the user sets, by key, with hyphens; those that dask-jobqueue ships are not
        among them.
    """
    import dask.config

    written = dask.config.collect().get("jobqueue", {})
    table = written.get(system) if isinstance(written, dict) else None
    if not isinstance(table, dict):
        return {}
    return {str(k).replace("_", "-"): value for k, value in table.items() if value is not None}


def configured_profile(system: str) -> dict[str, Any]:
    """Give the user's configuration of dask-jobqueue as keys of a profile.

    Raises:
        ValueError: the wall time cannot be read.
    """
    known = configured(system)
    values = {FIELDS[key]: known[key] for key in FIELDS if key in known}
    if isinstance(values.get("directives"), dict):  # those of HTCondor
        values["directives"] = [f"{key} = {value}" for key, value in values["directives"].items()]
    if "walltime" in known:
        minutes, seconds = divmod(system_seconds(system, str(known["walltime"])), 60)
        values["walltime"] = f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
    return values


def system_seconds(system: str, text: str) -> int:
    """Read a wall time as a batch system does, in seconds.

    A single number is minutes for Slurm and LSF, and seconds elsewhere. Two numbers are hours and
    minutes for LSF, and after Slurm's days; elsewhere they are minutes and seconds.

    Raises:
        ValueError: it is no wall time.
    """
    if not re.fullmatch(r"(\d{1,3}-)?\d{1,6}(:\d{1,2}){0,2}", text.strip()):
        raise ValueError(f"'walltime': {text!r} is no wall time; write it as 'HH:MM:SS'.")
    days, dash, clock = text.strip().rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if dash:
        smallest = UNITS[3 - len(parts)]
    elif len(parts) == 3:
        smallest = 1
    else:
        smallest = 60 if system == "lsf" or (system == "slurm" and len(parts) == 1) else 1
    total = smallest * sum(part * unit for part, unit in zip(reversed(parts), UNITS, strict=False))
    return total + int(days or 0) * 24 * 3600
