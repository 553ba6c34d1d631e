"""What classes that sweep files name, their tables and their parameters may be called."""

import re
from keyword import iskeyword
from typing import Any

from .errors import SweepError

LONGEST_NAME = 64
# `--set KEY=default` leaves a key out.
NOT_NAMED = ("default",)
NAME = re.compile(rf"[A-Za-z][A-Za-z0-9_-]{{0,{LONGEST_NAME - 1}}}")
# Of what is an attribute, a key of JSON or an array.
IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def check_name(name: Any) -> None:
    """Refuse a name that no sweep file can give.

    Raises:
        SweepError: says what a name is; it follows the words for the class.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name) or name in NOT_NAMED:
        raise SweepError(
            f"is named {name!r}; a name is a letter, then letters, digits, hyphens or underscores, "
            f"{LONGEST_NAME} in all at most, and not 'default'."
        )


def is_identifier(name: Any) -> bool:
    """Say whether a name is a letter, then letters, digits or underscores, and no word of Python's.

    Only letters without accents count.
    """
    return isinstance(name, str) and bool(IDENTIFIER.fullmatch(name)) and not iskeyword(name)
