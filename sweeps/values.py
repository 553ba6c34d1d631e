"""Axis values as people write them: lists, ranges, text from the command line."""

from decimal import Decimal, InvalidOperation
from typing import Any

from .errors import SweepError

MAX_AXIS_LENGTH = 1_000_000


def expand_axis(name: str, written: Any) -> list[Any]:
    """Expand an axis as written in a sweep file into its values.

    Args:
        name: the axis, for messages.
        written: a list, a range `"start:stop:step"` (stop included), a table with the keys
            start, stop and step, or one value.

    Returns:
        The values, numbers ascending; text and truth values in the order written.

    Raises:
        SweepError: the axis is empty, too long, has duplicates, or is no range.
    """
    if isinstance(written, str) and ":" in written:
        values = expand_range(name, *written.split(":"))
    elif isinstance(written, dict):
        if set(written) != {"start", "stop", "step"}:
            raise SweepError(
                f"axis '{name}': a range has the keys start, stop and step, got {sorted(written)}."
            )
        values = expand_range(name, *(str(written[key]) for key in ("start", "stop", "step")))
    elif isinstance(written, list | tuple):
        values = list(written)
    else:
        values = [written]
    if not values:
        raise SweepError(f"axis '{name}' is empty; give it at least one value.")
    if len(values) > MAX_AXIS_LENGTH:
        raise SweepError(f"axis '{name}' has {len(values):,} values, at most {MAX_AXIS_LENGTH:,}.")
    return values


def expand_range(name: str, *parts: str) -> list[Any]:
    """Expand start:stop:step, stop included, in decimal: 0:0.4:0.1 is five clean values."""
    try:
        start, stop, step = (Decimal(part.strip()) for part in parts)
    except (ValueError, InvalidOperation):
        raise SweepError(
            f"axis '{name}': '{':'.join(parts)}' is no range; write start:stop:step, as in 5:60:5."
        ) from None
    if not all(number.is_finite() for number in (start, stop, step)):
        raise SweepError(f"axis '{name}': the numbers of a range must be finite.")
    if step <= 0:
        raise SweepError(f"axis '{name}': the step of a range must be positive, got {step}.")
    length = int((stop - start) // step) + 1
    if length > MAX_AXIS_LENGTH:
        raise SweepError(f"axis '{name}' has {length:,} values, at most {MAX_AXIS_LENGTH:,}.")
    whole = all(number == number.to_integral_value() for number in (start, step))
    return [
        int(value) if whole else float(value)
        for value in (start + index * step for index in range(max(length, 0)))
    ]


def parse_scalar(text: str) -> Any:
    """Read one value of `--set` as the TOML value it looks like, else as text."""
    text = text.strip()
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


def parse_setting(text: str) -> tuple[str, Any]:
    """Split `KEY=VALUE`; a list `a,b,c` and a range `start:stop:step` make several values.

    Returns:
        The key, and one value or a list of values.
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise SweepError(f"'{text}' is no setting; write KEY=VALUE, as in k=5:60:5.")
    if not value.strip():
        raise SweepError(f"'{key}' is empty; give it at least one value.")
    if ":" in value:
        return key, expand_axis(key, value)
    if "," in value:
        parts = [part for part in value.split(",") if part.strip()]
        return key, [parse_scalar(part) for part in parts]
    return key, parse_scalar(value)
