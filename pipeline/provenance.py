"""Who made and continued a store: versions, revision, host, and what computed its trials."""

import datetime
import json
import os
import platform
import socket
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..tasks.environment import Environment, major_minor

PACKAGES = ("numpy", "scipy", "xarray", "zarr", "dask", "distributed")
TIMES = ("first", "latest", "runs")  # of an entry of the history


def provenance(environments: Sequence[Environment]) -> dict[str, Any]:
    """Describe the software and the machine, as attributes of a new store.

    Args:
        environments: what its workers compute with.
    """
    found = {
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "created": _now(),
        "genprior_version": own_version(),
        "git_revision": git_revision(),
        **{f"{name}_version": version(name) for name in PACKAGES},
        **together(environments),
    }
    here = platform.python_version()
    if major_minor(here) == found["python_version"]:
        found["python_version"] = here
    return found


def together(environments: Sequence[Environment]) -> dict[str, str | int]:
    """Give workers' environments as one, values that differ joined by semicolons."""
    joined: dict[str, str | int] = {}
    for key in dict.fromkeys(key for each in environments for key in each):
        values = sorted({each.get(key, "unknown") for each in environments}, key=str)
        joined[key] = values[0] if len(values) == 1 else "; ".join(map(str, values))
    return joined


def with_run(history: str, computed_with: Environment) -> str:
    """Enter a run that computes something in a store's history.

    An entry has the times of its first and its latest run and their number: runs that differ in
    nothing else share one, so that a store's history stays short.

    Args:
        history: the store's attribute, JSON.
        computed_with: what its workers have.
    """
    entry: dict[str, Any] = {
        "host": socket.gethostname(),
        "genprior_version": own_version(),
        "git_revision": git_revision(),
        **computed_with,
    }
    entries: list[dict[str, Any]] = json.loads(history)
    for known in entries:
        if {key: value for key, value in known.items() if key not in TIMES} == entry:
            known |= {"latest": _now(), "runs": known["runs"] + 1}
            return json.dumps(entries)
    return json.dumps([*entries, {"first": _now(), "latest": _now(), "runs": 1, **entry}])


def unlike(there: Mapping[str, Any], here: Mapping[str, str | int]) -> dict[str, str | int]:
    """Give what of an environment is not as a store's attributes say.

    What an older version did not record counts as alike.
    """
    found = {}
    for key, value in here.items():
        recorded = there.get(key, "" if key.endswith("_packages") else value)
        if key == "python_version":
            recorded = "; ".join(major_minor(each) for each in str(recorded).split("; "))
        if recorded != value:
            found[key] = value
    return found


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def own_version() -> str:
    """Version of the installed distribution."""
    try:
        return version("genprior")
    except PackageNotFoundError:
        return "unknown"


@cache
def git_revision() -> str:
    """Commit of the source checkout this runs from, `+changes` after it; empty if installed."""
    return revision_of(Path(__file__).resolve().parents[1])


def revision_of(root: Path) -> str:
    """Commit of the checkout that a folder is the root of, `+changes` after it; else empty.

    Git looks nowhere else: neither in a repository around the folder nor where variables of the
    environment, which hooks and tools set, would send it. The checkout is left as it is.
    """
    if not (root / ".git").exists():
        return ""
    others = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    where = (f"--git-dir={root / '.git'}", f"--work-tree={root}")
    try:
        return subprocess.run(
            ["git", *where, "describe", "--always", "--abbrev=12", "--dirty=+changes"],
            cwd=root,
            env={**others, "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        ).stdout.strip()
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
