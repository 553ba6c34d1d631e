"""Mistakes a user can make, each told in one line."""

import difflib
import re
import reprlib
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60

MOST_NAMES = 30  # that a message lists one by one


class UserError(Exception):
    """Something the user can mend; shown as one line, without a traceback."""

    exit_status = 1

    def __init__(self, message: str):
        line = " ".join(message.split())
        # A control character in a file's name or key shall not reach the terminal.
        super().__init__("".join(c if c.isprintable() else ascii(c)[1:-1] for c in line))


class SweepError(UserError):
    """A sweep that cannot be run as written."""

    exit_status = 2


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Complete a message about an unknown name with the nearest known one, or with all.

    Of very many, those of a table are named by the table.
    """
    names = list(dict.fromkeys(known))
    near = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    if len(names) > MOST_NAMES:
        tables = (f"{name.split('.')[0]}.…" if "." in name else name for name in names)
        names = list(dict.fromkeys(tables))
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(names) or 'none'}."


def shown(value: Any) -> str:
    """Write a value for a message, not at any length."""
    return _short.repr(value)


def first_complaint(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """Say the first thing pydantic found wrong as `where: what, got value`."""
    complaint = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in complaint["loc"])
    if complaint["type"] == "extra_forbidden":
        hint = did_you_mean(str(complaint["loc"][-1]), _known(model, complaint["loc"]))
        return f"unknown key '{where}'. {hint}"
    return f"'{where}': {complaint_text(error)}" if where else complaint_text(error)


def complaint_text(error: ValidationError) -> str:
    """Say the first thing pydantic found wrong, in TOML's words, without where."""
    complaint = error.errors(include_url=False)[0]
    message = complaint["msg"].removeprefix("Value error, ")
    message = re.sub(r"dictionary( or instance of \w+)?", "table", message).replace("tuple", "list")
    if complaint["type"] in ("value_error", "missing"):
        return message
    return f"{message}, got {shown(complaint['input'])}"


def _known(model: type[BaseModel] | None, where: tuple[int | str, ...]) -> Iterable[str]:
    """List the keys of the table in which a key was not known."""
    if model is None:
        return ()
    for part in where[:-1]:
        field = model.model_fields.get(str(part))
        kinds = (field.annotation, *get_args(field.annotation)) if field else ()
        tables = (kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
        model = next(tables, model)
    return model.model_fields
