"""Mistakes a user can make, each told in one line."""

import difflib
from collections.abc import Iterable

from pydantic import ValidationError


class UserError(Exception):
    """Something the user can mend; shown as one line, without a traceback."""

    exit_status = 1


class SweepError(UserError):
    """A sweep that cannot be run as written."""

    exit_status = 2


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Complete a message about an unknown name with the nearest known one, or with all."""
    names = list(known)
    near = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(names)}."


def first_complaint(error: ValidationError, known: Iterable[str] = ()) -> str:
    """Say the first thing pydantic found wrong as `where: what, got value`."""
    complaint = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in complaint["loc"])
    if complaint["type"] == "extra_forbidden":
        hint = did_you_mean(str(complaint["loc"][-1]), known) if known else ""
        return f"unknown key '{where}'. {hint}".strip()
    message = complaint["msg"].removeprefix("Value error, ")
    prefix = f"'{where}': " if where else ""
    if complaint["type"] in ("value_error", "missing"):
        return f"{prefix}{message}"
    return f"{prefix}{message}, got {complaint['input']!r}"
