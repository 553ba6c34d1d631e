"""Values as text. Two numbers with the same text count as one value."""

from typing import Any

DIGITS = 12  # significant digits; numbers that agree in all of them are one value


def value_label(value: Any) -> str:
    """Write a value of a parameter as text, different for any two values of an axis.

    Numbers get up to 12 significant digits: two values of an axis that agree in these are refused.
    """
    # Adding 0.0 turns −0 into 0.
    return f"{value + 0.0:.{DIGITS}g}" if isinstance(value, float) else str(value)


def list_label(values: tuple[Any, ...]) -> str:
    """Write a list of whole numbers as text, `700-650`."""
    return "-".join(str(value) for value in values)


def rounded(value: Any) -> Any:
    """Round a float to 12 significant digits, so that 0.1 · 3 and 0.3 compare equal."""
    return float(value_label(value)) if isinstance(value, float) else value


def same_value(one: Any, other: Any) -> bool:
    """Say whether two settings are the same.

    Numbers are compared in 12 significant digits, also inside lists. A truth value is not a number.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return set(one) == set(other) and all(same_value(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same_value, one, other))
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    return bool(rounded(one) == rounded(other))
