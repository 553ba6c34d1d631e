"""What can be wrong with a store, told in one line."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..sweeps import UserError


class StoreError(UserError):
    """A store that cannot be read or written."""


class WrongStoreError(StoreError):
    """A path that holds something else than the sweep asked for: wrong usage."""

    exit_status = 2


class OtherLayoutError(StoreError):
    """A store that a run has laid out again since it was read."""


FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Turn an error of the file system into one line that says what to do next."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in FULL:
            raise StoreError(
                f"{path}: {reason} while {doing}. What was finished is kept; make room and "
                "repeat the same command."
            ) from error
        # A file inside, such as one of the user's that cannot be read, is named.
        where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
        name = f" ({where})" if where.startswith(f"{path.absolute()}{os.sep}") else ""
        raise StoreError(f"{path}: {reason} while {doing}{name}.") from error


def in_short(error: Exception) -> str:
    """Say what an error of a library says, without its details."""
    said = str(error).split("\n")[0].split(". Stored:")[0][:120].rstrip(". ")
    return said or type(error).__name__
