"""Errors of a store, each with a message in one line."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..sweeps import UserError


class StoreError(UserError):
    """A store cannot be read or written."""


class WrongStoreError(StoreError):
    """The path holds something else than a store of this sweep: wrong usage."""

    exit_status = 2


class OtherLayoutError(StoreError):
    """A run changed the layout of the store since it was read."""


LIBRARIES = ("xarray", "zarr")
FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Turn an error of the file system into a `StoreError` that names the store and the action.

    Args:
        path: the store.
        doing: what was being done, such as "reading it".

    Raises:
        StoreError: for every OSError, and where memory or the depth of folders is exceeded.
    """
    try:
        yield
    except MemoryError:
        raise StoreError(f"{path}: too little memory for {doing}.") from None
    except RecursionError:
        raise StoreError(f"{path}: something in it is nested too deeply for {doing}.") from None
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in FULL:
            raise StoreError(
                f"{path}: {reason} while {doing}. Finished trials are kept; make room and repeat "
                "the same command."
            ) from error
        # Name the file if it is inside the store: it may be the user's.
        where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
        beside = (f"{path.absolute()}{os.sep}", f"{path.absolute().with_name(f'.{path.name}.')}")
        name = f" ({where})" if where.startswith(beside) else ""
        raise StoreError(f"{path}: {reason} while {doing}{name}.") from error


def in_short(error: Exception) -> str:
    """Give the first line of a library's error message, at most 120 characters."""
    message = str(error).split("\n")[0].split(". Stored:")[0][:120].rstrip(". ")
    return message or type(error).__name__


def library_error(path: Path, attributes: dict[str, Any], error: Exception) -> StoreError:
    """Give a library's message about a store in which no damage is found."""
    installed = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    writers = ", ".join(f"{name} {attributes.get(f'{name}_version', '?')}" for name in LIBRARIES)
    return StoreError(
        f"{path} cannot be read with {installed} ({type(error).__name__}: {in_short(error)}). No "
        f"damage was found in it; use the versions that wrote it ({writers}) or later ones."
    )
