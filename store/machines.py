"""Which machine and process this is, and whether a process of a record still runs."""

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

Identity = dict[str, Any]
ENDED = ("Z", "X")  # of a process whose parent has not asked how it ended, too
START = 19  # the field of /proc/PID/stat, after the name, with the start in ticks since the boot


def identity() -> Identity:
    """Describe this process so that others can tell whether it still runs.

    `boot` differs between machines and changes when one is started again. `namespace` differs
    between containers of one machine, which count their processes separately.
    """
    process = os.getpid()
    return {
        "process": process,
        "start": _state(process)[1],
        "host": socket.gethostname() or "?",
        "boot": _boot(),
        "namespace": _namespace(),
    }


def is_here(record: Identity) -> bool:
    """Say whether a process was started on this machine, where its number means something."""
    own = identity()
    return all(record.get(key) == own[key] for key in ("host", "boot", "namespace"))


def runs_here(record: Identity) -> bool:
    """Say whether a process of this machine still runs. Clocks do not matter."""
    process = record.get("process")
    if not isinstance(process, int) or process <= 0:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # the process of another user
        pass
    state, start = _state(process)
    if state in ENDED:
        return False
    return start is None or record.get("start") in (None, start)


def batch_job() -> str:
    """Name the batch job of this process, or the element of its array; "" outside of one."""
    array, element = (os.environ.get(f"SLURM_ARRAY_{of}_ID") for of in ("JOB", "TASK"))
    if array and element:
        return f"Slurm job {array}_{element}"
    systems = {
        "SLURM_JOB_ID": "Slurm job",
        "PBS_JOBID": "PBS job",
        "LSB_JOBID": "LSF job",
        "OAR_JOB_ID": "OAR job",
        "JOB_ID": "SGE job",
    }
    return next((f"{name} {os.environ[v]}" for v, name in systems.items() if os.environ.get(v)), "")


def _state(process: int) -> tuple[str, int | None]:
    """Give the state of a process, and its start in ticks since the boot.

    "" and None if they cannot be known.
    """
    with suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return fields[0], int(fields[START])
    return "", None


def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def _namespace() -> str:
    with suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return ""
