"""Errors for mistakes of the user, each with a message in one line."""

import difflib
import reprlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60

LONGEST = 1200  # characters of a message
LONGEST_NAME = 100  # characters that are compared with known names
MOST_NAMES = 12  # in a message
NEAR = 0.7  # a name is suggested if its likeness is at least this
LEAF_ALONE = 0.15  # subtracted from the likeness if only the last part is compared
# Messages for errors that pydantic words in terms of Python, by its type of error.
IN_TOML = {
    "dict_type": "Input should be a valid table",
    "model_type": "Input should be a valid table",
    "tuple_type": "Input should be a valid list",
}


class UserError(Exception):
    """A mistake that the user can correct; shown as one line, without a traceback."""

    exit_status = 1

    def __init__(self, message: str):
        line = " ".join(_cut(message).split())
        if not line.isprintable():
            # A control character in the name of a file or key must not reach the terminal.
            line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
        super().__init__(_cut(line))


def _cut(message: str) -> str:
    """Leave out the middle of a message that is too long to be read."""
    half = LONGEST // 2
    return message if len(message) <= LONGEST else f"{message[:half]} … {message[-half:]}"


class SweepError(UserError):
    """A sweep that cannot be run as written."""

    exit_status = 2


def did_you_mean(wrong: str, known: Iterable[str], otherwise: str = "") -> str:
    """Hint at what an unknown name may mean: a similar name, or all names if they are few.

    Args:
        wrong: what was written.
        known: all valid names.
        otherwise: the text if there are many names and none is similar.
    """
    wrong = wrong[:LONGEST_NAME]  # the time to compare grows with the length
    names = tuple(dict.fromkeys(known))
    near, likeness = _nearest(wrong, names)
    if likeness >= NEAR:
        return f"Did you mean {near!r}?"
    if len(names) > MOST_NAMES:
        return otherwise
    return f"Known: {', '.join(names) or 'none'}."


@lru_cache(maxsize=256)  # a store whose class is not here asks for it thousands of times
def _nearest(wrong: str, names: tuple[str, ...]) -> tuple[str, float]:
    """Find the name that is most like a wrong one, and its likeness; 0 if there are no names."""
    likenesses = [_likeness(wrong, name) for name in names]
    best = max(likenesses, default=0.0)
    return (names[likenesses.index(best)] if names else ""), best


def _likeness(wrong: str, name: str) -> float:
    """Compute the likeness of two names, from 0 to 1.

    In two dotted names both the table and the last part must be alike. A name without a table is
    compared with the last part too, so that 'sigma' suggests 'noise.sigma'.
    """
    (wrong_table, _, wrong_leaf), (table, _, leaf) = wrong.rpartition("."), name.rpartition(".")
    if wrong_table and table:
        return min(_ratio(wrong_table, table), _ratio(wrong_leaf, leaf))
    return max(_ratio(wrong, name), 0.0 if wrong_table else _ratio(wrong, leaf) - LEAF_ALONE)


def _ratio(one: str, other: str) -> float:
    """Compute the likeness of two words; the first 3/7 of a word are similar to it."""
    ratio = difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio()
    begins = bool(one) and (other.startswith(one) or one.startswith(other))
    return max(ratio, NEAR) if begins and ratio >= 0.6 else ratio


def shown(value: Any) -> str:
    """Write a value for a message, shortened if it is long."""
    return _short.repr(value)


def first_complaint(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """Word the first error that pydantic found, as `where: what, got value`."""
    complaint = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in complaint["loc"])
    if complaint["type"] == "extra_forbidden":
        hint = did_you_mean(str(complaint["loc"][-1]), _known(model, complaint["loc"]))
        return f"unknown key '{where}'. {hint}"
    return f"'{where}': {complaint_text(error)}" if where else complaint_text(error)


def complaint_text(error: ValidationError) -> str:
    """Word the first error that pydantic found in terms of TOML, without its place."""
    complaint = error.errors(include_url=False)[0]
    kind = complaint["type"]
    if kind == "value_error":
        return str(complaint["ctx"]["error"])
    message = IN_TOML.get(kind, complaint["msg"])
    return message if kind == "missing" else f"{message}, got {shown(complaint['input'])}"


def _known(model: type[BaseModel] | None, where: tuple[int | str, ...]) -> Iterable[str]:
    """List the keys of the table that has the unknown key."""
    if model is None:
        return ()
    for part in where[:-1]:
        field = model.model_fields.get(str(part))
        kinds = (field.annotation, *get_args(field.annotation)) if field else ()
        tables = (kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
        model = next(tables, model)
    return model.model_fields
