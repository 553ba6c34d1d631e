"""Mistakes a user can make, each told in one line."""

import difflib
import reprlib
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60

MOST_NAMES = 12  # that a message lists
NEAR = 0.7  # likeness from which another name may be meant
LEAF_ALONE = 0.15  # what a last part alone is less like than a whole name
# What pydantic tells in Python's words, by its type of error.
IN_TOML = {
    "dict_type": "Input should be a valid table",
    "model_type": "Input should be a valid table",
    "tuple_type": "Input should be a valid list",
}


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


def did_you_mean(wrong: str, known: Iterable[str], otherwise: str = "") -> str:
    """Complete a message about an unknown name with a near known one, or with all if they are few.

    Args:
        wrong: what was written.
        known: the names that there are.
        otherwise: what to say if there are many names and none is near.
    """
    names = list(dict.fromkeys(known))
    near = max(names, key=lambda name: _likeness(wrong, name), default="")
    if near and _likeness(wrong, near) >= NEAR:
        return f"Did you mean {near!r}?"
    if len(names) > MOST_NAMES:
        return otherwise
    return f"Known: {', '.join(names) or 'none'}."


def _likeness(wrong: str, name: str) -> float:
    """From 0 to 1; of dotted names table and last part must both be alike.

    A name without its table is as near as its last part: 'sigma' is meant for 'noise.sigma'.
    """
    (wrong_table, _, wrong_leaf), (table, _, leaf) = wrong.rpartition("."), name.rpartition(".")
    if wrong_table and table:
        return min(_ratio(wrong_table, table), _ratio(wrong_leaf, leaf))
    return max(_ratio(wrong, name), 0.0 if wrong_table else _ratio(wrong, leaf) - LEAF_ALONE)


def _ratio(one: str, other: str) -> float:
    """Likeness of two words; one that begins the other is near if it is 3/7 of it."""
    ratio = difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio()
    begins = bool(one) and (other.startswith(one) or one.startswith(other))
    return max(ratio, NEAR) if begins and ratio >= 0.6 else ratio


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
    kind = complaint["type"]
    if kind == "value_error":
        return str(complaint["ctx"]["error"])
    message = IN_TOML.get(kind, complaint["msg"])
    return message if kind == "missing" else f"{message}, got {shown(complaint['input'])}"


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
