"""Values as people read them: the same text in tables, pictures and messages."""

from typing import Any

DIGITS = 12  # significant ones; numbers that agree in so many are one number


def value_label(value: Any) -> str:
    """Write a value of a parameter so that two values of an axis never read alike.

    Numbers are written with up to 12 significant digits, for axis values that agree in so many are
    refused as one; everything else as text.
    """
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)
