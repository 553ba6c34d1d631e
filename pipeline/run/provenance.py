"""Attributes that say how a store was made: versions, Git revision, host, and environments."""

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
from typing import Any, NamedTuple

from ...tasks.environment import Environment, in_words, major_minor

PACKAGES = ("numpy", "scipy", "xarray", "zarr", "dask", "distributed")
TIMES = ("first", "latest", "runs")  # keys of an entry of the history that change with each run
FILE = "SHA-256 of "


def provenance(environments: Sequence[Environment]) -> dict[str, Any]:
    """Describe the software and the machine, as attributes of a new store.

    Args:
        environments: the environments of the workers.
    """
    attributes = {
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "created": _now(),
        "genprior_version": own_version(),
        "git_revision": git_revision(),
        **{f"{name}_version": version(name) for name in PACKAGES},
        **joined_environments(environments),
    }
    python = platform.python_version()
    if major_minor(python) == attributes["python_version"]:
        attributes["python_version"] = python
    return attributes


def joined_environments(environments: Sequence[Environment]) -> dict[str, str | int]:
    """Join the environments of workers into one; values that differ are joined by semicolons."""
    joined: dict[str, str | int] = {}
    for key in dict.fromkeys(key for kind in environments for key in kind):
        values = sorted({kind.get(key, "unknown") for kind in environments}, key=str)
        joined[key] = values[0] if len(values) == 1 else "; ".join(map(str, values))
    return joined


def with_run(history: str, computed_with: Environment) -> str:
    """Add a run that computes something to a store's history.

    Runs that differ only in their time share an entry, so that the history stays short. An entry
    has the times of its first and its latest run, and the number of runs.

    Args:
        history: the store's attribute, JSON.
        computed_with: the environment of the run's workers.

    Returns:
        The new attribute, JSON.
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


def differing(stored: Mapping[str, Any], present: Mapping[str, str | int]) -> dict[str, str | int]:
    """Give the entries of an environment that differ from a store's attributes.

    An entry that an older version did not record counts as equal.

    Args:
        stored: the store's attributes.
        present: the environment of the workers, from `joined_environments`.
    """
    different = {}
    for key, value in present.items():
        recorded = stored.get(key, "" if key.endswith("_packages") else value)
        if key == "python_version":
            recorded = "; ".join(major_minor(part) for part in str(recorded).split("; "))
        if recorded != value:
            different[key] = value
    return different


class Difference(NamedTuple):
    """Something that results were computed with, and that differs: they may differ too.

    Attributes:
        key: an attribute, or the digest of a weights file.
        there: its value in the store.
        here: its other value.
    """

    key: str
    there: Any
    here: Any

    @property
    def what(self) -> str:
        """Name it for a message."""
        return named(self.key)


def named(key: str) -> str:
    """Name an attribute of an environment, or the digest of a file, for a message."""
    return key if key.startswith(FILE) else in_words(key)


def compared(
    stored: Mapping[str, Any], present: Mapping[str, str | int], weights: Mapping[str, str]
) -> list[Difference]:
    """Compare what a store was computed with and something else.

    Args:
        stored: the store's attributes.
        present: another environment, as in `differing`.
        weights: the SHA-256 of weights files there, by path.
    """
    known = json.loads(stored.get("weights_sha256", "{}"))
    return [
        *(
            Difference(key, stored.get(key, ""), value)
            for key, value in differing(stored, present).items()
        ),
        *(
            Difference(f"{FILE}{path}", known[path], digest)
            for path, digest in weights.items()
            if known.get(path, digest) != digest
        ),
    ]


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def own_version() -> str:
    """Give the version of the installed distribution, or "unknown"."""
    try:
        return version("genprior")
    except PackageNotFoundError:
        return "unknown"


@cache
def git_revision() -> str:
    """Give the commit of the checkout from which this code runs, as in `revision_of`."""
    return revision_of(Path(__file__).resolve().parents[1])


def revision_of(root: Path) -> str:
    """Give the commit of a checkout, followed by `+changes` if files differ from it.

    Repositories above the folder are not considered, nor are Git's environment variables, which
    hooks and tools set. The checkout is not changed.

    Args:
        root: the folder of the checkout.

    Returns:
        The commit; "" if the folder is not the root of a checkout or Git fails.
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
