"""Who made a store: versions, revision, host, machine."""

import datetime
import platform
import socket
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..tasks import TaskKind

PACKAGES = ("numpy", "scipy", "xarray", "zarr", "dask", "distributed")


def provenance(kind: TaskKind, machine: str) -> dict[str, Any]:
    """Describe the software and the machine, as attributes of a store.

    Args:
        kind: the task kind that runs.
        machine: what the workers say of their machine.
    """
    return {
        "kernel_version": kind.version,
        "machine": machine,
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "genprior_version": own_version(),
        "git_revision": git_revision(),
        "python_version": platform.python_version(),
        **{f"{name}_version": version(name) for name in PACKAGES},
    }


def own_version() -> str:
    """Version of the installed distribution."""
    try:
        return version("genprior")
    except PackageNotFoundError:
        return "unknown"


@cache
def git_revision() -> str:
    """Commit of the source checkout this runs from, `+changes` behind it; empty if installed."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return ""
    try:
        return subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--abbrev=12", "--dirty=+changes"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
