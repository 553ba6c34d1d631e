"""How widths and codes are written, as lists or as text, and their bounds."""

from math import isfinite
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ..sweeps.errors import shown

MAX_WIDTH = 10_000_000


def parse_widths(written: Any) -> Any:
    """Accept widths as a list or as their label, `700-650`."""
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
    """Read codes as they are written, `1 0; 1 0.5`."""
    return tuple(tuple(float(number) for number in row.split()) for row in label.split(";"))


def _code_entry(entry: Any) -> str:
    return repr(entry) if isinstance(entry, int | float) else f"'{entry}'"


def check_codes(written: Any) -> Any:
    """Refuse what is no list of different codes of one length, and write it in one way.

    They may be lists of numbers, or text as in `1 0; 1 0.5`.
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
    # Every digit, for codes are part of a point's identity.
    return "; ".join(" ".join(repr(number).removesuffix(".0") for number in row) for row in rows)


Codes = Annotated[str, BeforeValidator(check_codes)]
Size = Annotated[int, Field(ge=1, le=MAX_WIDTH)]
Count = Annotated[int, Field(ge=0, le=MAX_WIDTH)]
Widths = Annotated[tuple[Size, ...], BeforeValidator(parse_widths)]
