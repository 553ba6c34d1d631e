"""Nested TOML tables read as dotted keys."""

from collections.abc import Collection
from typing import Any

from .dependent import Dependent
from .parameters import PARAMETERS, groups
from .told import ask_more

# Keys by which a table of an unknown name is seen to be a value itself, of an axis or a rule: a
# name that is no parameter may be that of an axis that multiplies, or misspelt.
VALUE_KEYS: dict[str, Collection[str]] = {"axes": {"stop"}, "dependent": Dependent.model_fields}


def flatten(written: Any, table: str = "", prefix: str = "") -> Any:
    """Read nested tables of parameters as dotted keys.

    Which tables there are is known from the parameters. The table of a range or a rule is a value.

    Args:
        written: the table; anything else is given back.
        table: the key of a sweep file that has it, such as `axes`.
        prefix: what goes before its keys.

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
    # Of an unknown table the whole key is told, `sovler.step`, so that a near one is found.
    return key in groups() or bool(value and not set(value) & set(VALUE_KEYS.get(table, ())))
