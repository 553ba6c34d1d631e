"""Widths and codes as lists or text, and their bounds."""

from math import isfinite
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ..sweeps.errors import shown

MAX_WIDTH = 10_000_000


def parse_widths(written: Any) -> Any:
    """Read widths from a list, one number, or a label such as `700-650`.

    Raises:
        ValueError: a width is a truth value.
    """
    if isinstance(written, int) and not isinstance(written, bool):
        return (written,)
    if isinstance(written, str):
        return tuple(
            int(part) if part.isascii() and part.isdecimal() else part
            for part in written.split("-")
        )
    if isinstance(written, list | tuple) and any(isinstance(width, bool) for width in written):
        raise ValueError(f"widths must be whole numbers, got {shown(written)}")
    return written


def code_rows(label: str) -> tuple[tuple[float, ...], ...]:
    """Read codes from text such as `1 0; 1 0.5`; all have the same length."""
    return tuple(tuple(float(number) for number in row.split()) for row in label.split(";"))


def _code_entry(entry: Any) -> str:
    return repr(entry) if isinstance(entry, int | float) else f"'{entry}'"


def check_codes(written: Any) -> Any:
    """Check codes and write them as text, such as `1 0; 1 0.5`.

    Args:
        written: lists of numbers, or text in that form.

    Raises:
        ValueError: these are not codes of one length, or two codes are the same.
    """
    if isinstance(written, int | float) and not isinstance(written, bool):
        written = str(written)
    if isinstance(written, list | tuple) and all(isinstance(row, list | tuple) for row in written):
        written = "; ".join(" ".join(map(_code_entry, row)) for row in written)
    if not isinstance(written, str) or not written:
        return written
    try:
        if "_" in written or not written.isascii():
            raise ValueError
        rows = code_rows(written)
    except ValueError:
        raise ValueError(f"must be codes as in '1 0; 1 0.5', got {shown(written)}") from None
    if len({len(row) for row in rows}) > 1 or not rows[0]:
        raise ValueError(f"must be codes of the same length, got {shown(written)}")
    if not all(isfinite(number) for row in rows for number in row):
        raise ValueError(f"must be finite numbers, got {shown(written)}")
    if len(set(rows)) < len(rows):
        raise ValueError(f"must be different codes, got {shown(written)}")
    # With every digit, because codes are part of a point's identity.
    return "; ".join(" ".join(repr(number).removesuffix(".0") for number in row) for row in rows)


Codes = Annotated[str, BeforeValidator(check_codes)]
Size = Annotated[int, Field(ge=1, le=MAX_WIDTH)]
Count = Annotated[int, Field(ge=0, le=MAX_WIDTH)]
Widths = Annotated[tuple[Size, ...], BeforeValidator(parse_widths)]
