"""Nested TOML tables read as dotted keys."""

from typing import Any

from .parameters import PARAMETERS, groups

# Keys of a table that is a value itself: a range, or the rule of a dependent parameter.
VALUE_KEYS = {"start", "stop", "of", "times", "by", "table"}


def flatten(written: Any, prefix: str = "") -> Any:
    """Read nested TOML tables as dotted keys; the table of a range or a rule is a value.

    Raises:
        ValueError: a key is given twice.
    """
    if not isinstance(written, dict):
        return written
    flat: dict[str, Any] = {}
    for name, value in written.items():
        key = f"{prefix}{name}"
        is_level = isinstance(value, dict) and (key in groups() or not VALUE_KEYS & set(value))
        is_level = is_level and key not in PARAMETERS and (value or key in groups())
        below = flatten(value, f"{key}.") if is_level else {key: value}
        twice = sorted(set(flat) & set(below))
        if twice:
            raise ValueError(f"'{twice[0]}' is given twice")
        flat |= below
    return flat
