"""Paths as people write them, on the command line and in sweep files."""

import errno
import os
import re
from pathlib import Path

from .errors import SweepError, shown

NO_SCHEME = "is a URL; genprior reads and writes local folders and files only. Give a path."
LONGEST_PATH, LONGEST_NAME = 4095, 255  # bytes, on Linux


def local_path(written: str) -> Path:
    """Read a path and replace `~` and `~user`, which a shell does not do inside quotes.

    Raises:
        SweepError: there is no such user or home folder, the path is a URL, or no file can have
            this name.
    """
    check_name(written)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", written):
        raise SweepError(f"{written}: {NO_SCHEME}")
    user = written.split(os.sep)[0]
    # An empty HOME would turn ~/x into /x.
    homeless = user == "~" and os.environ.get("HOME") == ""
    expanded = written if homeless else os.path.expanduser(written)
    if expanded.startswith("~"):
        raise SweepError(
            f"{written}: the home folder of {user} is not known; write ./{written} for a file of "
            "that name."
        )
    check_local(Path(expanded))
    return Path(expanded)


def check_name(written: str) -> None:
    """Refuse a path that no file can have, or that nobody can mean.

    Raises:
        SweepError: it is blank, too long, or has a zero byte or half a character.
    """
    if not written.strip():
        raise SweepError(f"{written!r} is no path; give the name of a file or a folder.")
    if "\0" in written:
        raise SweepError(f"{shown(written)}: no path has a zero byte; there is no such file.")
    try:
        encoded = written.encode()
    except UnicodeEncodeError:
        raise SweepError(f"{shown(written)}: a path has to be text in UTF-8.") from None
    if len(encoded) > LONGEST_PATH or max(map(len, encoded.split(b"/"))) > LONGEST_NAME:
        raise SweepError(f"{shown(written)}: {os.strerror(errno.ENAMETOOLONG)}.")


def check_local(path: Path) -> None:
    """Refuse a path that is written as a URL: it would become a local folder such as `s3:`.

    Raises:
        SweepError: the path begins with a scheme and a colon.
    """
    scheme = "" if path.is_absolute() or not path.parts else path.parts[0]
    if len(scheme) > 1 and scheme.endswith(":"):
        # `Path` has removed one of the slashes.
        raise SweepError(f"{scheme}//{'/'.join(path.parts[1:])}: {NO_SCHEME}")
