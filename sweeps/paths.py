"""Paths as people write them, on the command line and in sweep files."""

import os
from pathlib import Path

from .errors import SweepError


def local_path(written: str) -> Path:
    """Read a path, `~` and `~user` as home folders: a shell leaves them as they are in quotes.

    Raises:
        SweepError: there is no such user, or it is a URL.
    """
    expanded = os.path.expanduser(written)
    if expanded.startswith("~"):
        user = written.split(os.sep)[0]
        raise SweepError(
            f"{written}: no home folder of {user} is known; write ./{written} for a file of that "
            "name."
        )
    check_local(Path(expanded))
    return Path(expanded)


def check_local(path: Path) -> None:
    """Refuse what is written as a URL: it would become a local folder named `s3:`.

    Raises:
        SweepError: the path begins with a scheme and a colon.
    """
    scheme = "" if path.is_absolute() or not path.parts else path.parts[0]
    if len(scheme) > 1 and scheme.endswith(":"):
        raise SweepError(
            f"{scheme}//{'/'.join(path.parts[1:])}: is a URL, and only local folders and files can "
            "be read and written; give a path."
        )
