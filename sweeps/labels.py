"""Values as people read them, and when two numbers are one: where they read alike."""

from typing import Any

DIGITS = 12  # significant ones; numbers that agree in so many are one number


def value_label(value: Any) -> str:
    """Write a value of a parameter so that two values of an axis never read alike.

    Numbers are written with up to 12 significant digits, for axis values that agree in so many are
    refused as one; everything else as text.
    """
    # + 0.0 turns −0 into 0.
    return f"{value + 0.0:.{DIGITS}g}" if isinstance(value, float) else str(value)


def list_label(values: tuple[Any, ...]) -> str:
    """Write a list of whole numbers as text, `700-650`."""
    return "-".join(str(value) for value in values)


def rounded(value: Any) -> Any:
    """Round a float to 12 significant digits, so that 0.1 · 3 and 0.3 compare equal."""
    return float(value_label(value)) if isinstance(value, float) else value


def same_value(one: Any, other: Any) -> bool:
    """Say whether two settings are the same: numbers by 12 significant digits, also within lists.

    Truth values are no numbers.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return set(one) == set(other) and all(same_value(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same_value, one, other))
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    return bool(rounded(one) == rounded(other))
