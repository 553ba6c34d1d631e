"""Nested TOML tables read as dotted keys."""

from collections.abc import Collection
from typing import Any

from .dependent import Dependent
from .parameters import PARAMETERS, groups
from .told import ask_more

# A table with one of these keys is a value: a range of an axis, or a rule. They are needed if its
# name is not a parameter: it may be an axis that only multiplies, or misspelt.
VALUE_KEYS: dict[str, Collection[str]] = {"axes": {"stop"}, "dependent": Dependent.model_fields}


def flatten(written: Any, table: str = "", prefix: str = "") -> Any:
    """Read nested tables of parameters as dotted keys.

    The parameters decide which tables are read so. The table of a range or a rule is a value.

    Args:
        written: the table; anything else is returned as it is.
        table: the key of the sweep file that holds it, such as `axes`.
        prefix: text before each of its keys.

    Raises:
        ValueError: a key is given twice.
    """
    if not isinstance(written, dict):
        return written
    flat: dict[str, Any] = {}
    for name, value in written.items():
        key = f"{prefix}{name}"
        below = flatten(value, table, f"{key}.") if _is_table(key, value, table) else {key: value}
        twice = sorted(set(flat) & set(below))
        if twice:
            raise ValueError(f"'{twice[0]}' is given twice")
        flat |= below
    return flat


def _is_table(key: str, value: Any, table: str) -> bool:
    if not isinstance(value, dict) or key in PARAMETERS:
        return False
    if key not in groups():
        ask_more()
    # For an unknown table give the whole key, `sovler.step`, so that a similar one is found.
    return key in groups() or bool(value and not set(value) & set(VALUE_KEYS.get(table, ())))
