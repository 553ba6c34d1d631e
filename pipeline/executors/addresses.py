"""Where a running scheduler is: its address, or the scheduler file that it wrote."""

import json
import re
from pathlib import Path
from typing import Any

from ...sweeps import UserError, local_path
from ...sweeps.errors import shown
from .errors import SchedulerError
from .schedulers import LOCAL, SRUN

ADDRESS = re.compile(r"(?:(?:tcp|tls)://)?[^\s/]+:\d{1,5}", re.ASCII)
LONGEST_FILE = 10_000_000  # bytes; a file lists all workers


def address_of(scheduler: str) -> str:
    """Give the address of the scheduler that `--scheduler` names.

    Args:
        scheduler: an address such as `tls://host:8786`, or the path of a scheduler file.

    Raises:
        SchedulerError: it is neither, or the file holds no address.
    """
    if "://" in scheduler:
        return scheduler
    if is_file(scheduler):
        return _in_file(scheduler)
    if ":" in scheduler:
        return scheduler
    raise SchedulerError(
        f"--scheduler {scheduler}: give one of {', '.join((*LOCAL, SRUN))}, an address such as "
        "tcp://127.0.0.1:8786, or the path of a scheduler file."
    )


def is_file(scheduler: str) -> bool:
    """Say whether `--scheduler` names a file, which need not exist."""
    if scheduler in (*LOCAL, SRUN) or "://" in scheduler:
        return False
    try:
        exists = local_path(scheduler).exists()
    except (UserError, OSError):
        return False
    return exists or scheduler.endswith(".json") or "/" in scheduler


def _in_file(scheduler: str) -> str:
    """Read the address in a scheduler file.

    Raises:
        SchedulerError: there is no such file, or it holds no address.
    """
    path = local_path(scheduler)
    try:
        if not path.is_file():
            missing = "is no file" if path.exists() else "this file does not exist"
            raise SchedulerError(
                f"--scheduler {scheduler}: {missing}; 'dask scheduler --scheduler-file' writes it."
            )
        written = _read_json(path)
    except OSError as error:
        raise SchedulerError(f"--scheduler {scheduler}: {error.strerror}.") from None
    except (ValueError, RecursionError):
        written = None
    address = written.get("address") if isinstance(written, dict) else None
    if not isinstance(address, str) or not ADDRESS.fullmatch(address):
        got = "" if address is None else f"; its address is {shown(address)}"
        raise SchedulerError(
            f"--scheduler {scheduler}: is no scheduler file{got}; 'dask scheduler "
            "--scheduler-file' writes one, in JSON with the key 'address'."
        )
    return address


def _read_json(path: Path) -> Any:
    with path.open("rb") as opened:
        text = opened.read(LONGEST_FILE + 1)
    if len(text) > LONGEST_FILE:
        raise ValueError("too long")
    return json.loads(text)
