"""Checks of the arguments of `import genprior`: a wrong one is told in one line, with its name."""

import os
from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from ..sweeps import Sweep, UserError, load_sweep, local_path
from ..sweeps.errors import shown
from .executors.schedulers import LOCAL, SRUN


def store_path(given: Any) -> Path:
    """Give the path of a store.

    Raises:
        UserError: it is no path, or no file can have it.
    """
    return local_path(_path_text("store", given, "the path of a store, a text or a Path"))


def sweep_of(given: Any) -> Sweep:
    """Give a sweep, or load the preset or the file that is named.

    Raises:
        UserError: it is neither a sweep nor a text nor a path.
        SweepError: there is no such preset or file, or it is no sweep.
    """
    if isinstance(given, Sweep):
        return given
    if isinstance(given, Mapping):
        raise UserError("sweep: it is a mapping, not a Sweep; give Sweep.parse(tables).")
    takes = "a Sweep, the name of a preset, or the path of a sweep file"
    return load_sweep(_path_text("sweep", given, takes))


def number_in(name: str, value: Any, low: int, high: int) -> int:
    """Give a whole number, also one of NumPy's, that the command's option would take.

    Raises:
        UserError: it is something else.
    """
    is_whole = type(value) is not bool and isinstance(value, Integral)
    number = int(value) if is_whole else low - 1
    if not low <= number <= high:
        raise UserError(f"{name}: {shown(value)} is not a whole number from {low} to {high}.")
    return number


def seconds_in(name: str, value: Any, most: float, *, zero: bool = True) -> float:
    """Give a number of seconds that the command's option would take.

    Args:
        name: the argument.
        value: what was given.
        most: the largest number.
        zero: whether 0 is possible.

    Raises:
        UserError: it is something else.
    """
    is_number = type(value) is not bool and isinstance(value, Real)
    seconds = float(value) if is_number else -1.0
    if not (0 <= seconds <= most and (zero or seconds > 0)):
        least = "from 0 to" if zero else "above 0 and at most"
        raise UserError(f"{name}: {shown(value)} is not a number of seconds {least} {most:g}.")
    return seconds


def positive(name: str, value: Any, most: float) -> float:
    """Give a positive number that the command's option would take.

    Raises:
        UserError: it is something else.
    """
    is_number = type(value) is not bool and isinstance(value, Real)
    number = float(value) if is_number else -1.0
    if not 0 < number <= most:
        raise UserError(f"{name}: {shown(value)} is not a number above 0 and at most {most:g}.")
    return number


def truth(name: str, value: Any) -> bool:
    """Give a truth value.

    Raises:
        UserError: it is neither true nor false.
    """
    if not isinstance(value, bool) and type(value).__name__ not in ("bool", "bool_"):
        raise UserError(f"{name}: {shown(value)} is not True or False.")
    return bool(value)


def text_or_none(name: str, value: Any, what: str) -> str | None:
    """Give a text that is not blank, or None.

    Args:
        name: the argument.
        value: what was given.
        what: what the argument takes, for the message.

    Raises:
        UserError: it is something else.
    """
    if value is None or (isinstance(value, str) and value.strip()):
        return value
    raise UserError(f"{name}: {shown(value)} is not {what}.")


def scheduler_name(value: Any) -> str | None:
    """Give the name, the address or the file of a scheduler, or None.

    Raises:
        UserError: it is something else.
    """
    takes = f"one of {', '.join((*LOCAL, SRUN))}, an address, or the path of a scheduler file"
    return text_or_none("scheduler", _path_as_text(value), takes)


def profile_name(value: Any) -> str | None:
    """Give the name or the path of a profile, or None.

    Raises:
        UserError: it is something else.
    """
    if isinstance(value, os.PathLike):
        value = os.path.abspath(value)  # a name without a folder would be that of a table
    return text_or_none("profile", value, "the name of a profile, or the path of a TOML file")


def _path_as_text(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _path_text(name: str, given: Any, takes: str) -> str:
    written = os.fspath(given) if isinstance(given, str | os.PathLike) else given
    if not isinstance(written, str):
        raise UserError(f"{name}: {shown(given)} is not {takes}.")
    return written
