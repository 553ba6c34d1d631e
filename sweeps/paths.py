"""Paths as people write them, on the command line and in sweep files."""

import os
from pathlib import Path

from .errors import SweepError


def local_path(written: str) -> Path:
    """Read a path, `~` and `~user` as home folders: a shell leaves them as they are in quotes.

    Raises:
        SweepError: there is no such user.
    """
    expanded = os.path.expanduser(written)
    if expanded.startswith("~"):
        user = written.split(os.sep)[0]
        raise SweepError(
            f"{written}: no home folder of {user} is known; write ./{written} for a file of that "
            "name."
        )
    return Path(expanded)
