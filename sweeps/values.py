"""Values from sweep files and the command line: lists, ranges and text, and their checks."""

from datetime import date, time
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, NamedTuple

from pydantic import ConfigDict, TypeAdapter, ValidationError

from .errors import SweepError, complaint_text, shown
from .labels import DIGITS, list_label, value_label
from .parameter import derived
from .parameters import PARAMETERS, facts
from .tables import refuse_lookalikes
from .toml import read_toml

MAX_AXIS_LENGTH = 100_000
# Outside these limits, decimal arithmetic with 28 digits would not be exact.
LARGEST, SMALLEST_STEP = Decimal("1e12"), Decimal("1e-12")
RANGE_KEYS = ("start", "stop", "step")
BRACKETS = ('"', "'", "[", "{")  # text that starts with one of these is TOML


class Range(NamedTuple):
    """Equally spaced decimal numbers: 0:0.4:0.1 is 0, 0.1, 0.2, 0.3, 0.4 without rounding."""

    start: Decimal
    stop: Decimal
    step: Decimal
    length: int

    def values(self) -> list[int | float]:
        """List the numbers: integers if all are integers, else floats."""
        whole = all(number == number.to_integral_value() for number in (self.start, self.step))
        numbers = (self.start + index * self.step for index in range(self.length))
        return [int(number) if whole else float(number) for number in numbers]


def axis_length(name: str, written: Any) -> int:
    """Count the values of an axis without making them.

    Raises:
        SweepError: the axis is empty or too long, or its range is not valid.
    """
    span = _range(name, written)
    if span is not None:
        length = span.length
    else:
        length = len(written) if isinstance(written, list | tuple) else 1
    if not length:
        raise SweepError(f"axis '{name}' is empty; give it at least one value.")
    if length > MAX_AXIS_LENGTH:
        raise SweepError(f"axis '{name}' has {length:,} values, at most {MAX_AXIS_LENGTH:,}.")
    return length


def expand_axis(name: str, written: Any) -> list[Any]:
    """Expand an axis as written in a sweep file into its values, in the order written.

    Args:
        name: the axis, for messages.
        written: a list, a range `"start:stop:step"` (stop included), a table with the keys
            start, stop and step, or one value.

    Raises:
        SweepError: the axis is empty or too long, or its range is not valid.
    """
    axis_length(name, written)
    span = _range(name, written)
    if span is not None:
        return list(span.values())
    return list(written) if isinstance(written, list | tuple) else [written]


def check_stop(name: str, written: Any) -> None:
    """Refuse a range whose stop is not one of its values. Sweep files may have such ranges.

    Raises:
        SweepError: gives the two ranges that may be meant, or says that it is not a range.
    """
    span = _range(name, written)
    if span is None or not span.length:
        return
    last = span.start + (span.length - 1) * span.step
    if last != span.stop:
        shorter, longer = (f"{span.start}:{stop}:{span.step}" for stop in (last, last + span.step))
        raise SweepError(
            f"axis '{name}': from {span.start} in steps of {span.step} the stop {span.stop} is not "
            f"reached; write {shorter} or {longer}."
        )


def is_text(name: str) -> bool:
    """Say whether the values of a parameter are text, so that it has no ranges."""
    return name in PARAMETERS and PARAMETERS[name].annotation is str


def _range(name: str, written: Any) -> Range | None:
    """Read a range, stop included; None if the axis lists its values."""
    if isinstance(written, str) and ":" in written and not is_text(name):
        parts = written.split(":")
    elif isinstance(written, dict):
        if set(written) != set(RANGE_KEYS):
            raise SweepError(
                f"axis '{name}': a range has the keys start, stop and step, "
                f"got {shown(sorted(written))}."
            )
        parts = [str(written[key]) for key in RANGE_KEYS]
    else:
        return None
    try:
        start, stop, step = (Decimal(part.strip()) for part in parts if part.isascii())
    except (ValueError, InvalidOperation):
        raise SweepError(
            f"axis '{name}': {shown(':'.join(parts))} is not a range; write start:stop:step, "
            "as in 5:60:5."
        ) from None
    if not all(number.is_finite() for number in (start, stop, step)):
        raise SweepError(f"axis '{name}': the numbers of a range must be finite.")
    if step <= 0:
        raise SweepError(f"axis '{name}': the step of a range must be positive, got {step}.")
    if max(abs(start), abs(stop)) > LARGEST or step < SMALLEST_STEP:
        raise SweepError(
            f"axis '{name}': the numbers of a range must lie within ±{LARGEST:.0e} and its step "
            f"must be at least {SMALLEST_STEP:.0e}."
        )
    return Range(start, stop, step, max(int((stop - start) // step) + 1, 0))


def read_value(text: str) -> Any:
    """Read a value of `--set` or a key of a table: TOML, or text if it is not valid TOML.

    Dates and times are read as text, because no parameter is one. Numbers may also be written as
    `.5` or `007`, which TOML refuses.

    Raises:
        SweepError: it starts with a quote or a bracket and is not one TOML value.
    """
    text = text.strip()
    is_toml = text.startswith(BRACKETS)
    if not is_toml and "#" in text:
        return text  # TOML would take the # for a comment
    # The labels of truth values in stores are True and False.
    written = text.lower() if text.lower() in ("true", "false") else text
    try:
        read = read_toml(f"value = {written}")
    except ValueError as error:
        if is_toml:
            raise SweepError(f"{shown(text)} is not TOML: {error}") from None
        return _number_or_text(text)
    if set(read) != {"value"}:
        raise SweepError(f"{shown(text)} is more than one value.")
    return text if isinstance(read["value"], date | time) else read["value"]


def _number_or_text(text: str) -> float | str:
    try:
        # `float` accepts the digits of every script.
        return float(text) if text.isascii() else text
    except ValueError:
        return text


def axis_values(name: str, written: Any, stored: bool = False) -> list[Any]:
    """Expand an axis and check its values; numbers are sorted, others stay as written.

    Args:
        name: the axis.
        written: as for `expand_axis`.
        stored: whether a store holds it; its values may agree in 12 digits.

    Raises:
        SweepError: a value is not valid, or is listed twice.
    """
    values = [check_value(name, value, stored) for value in expand_axis(name, written)]
    if twice := None if stored else repeated(values):
        one, other = twice
        if one == other:
            raise SweepError(f"axis '{name}' lists {value_label(one)} twice.")
        raise SweepError(
            f"axis '{name}' lists {one} and {other}, which agree in {DIGITS} digits and are one "
            "value; keep one."
        )
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return sorted(values)
    return values


def repeated(values: list[Any]) -> tuple[Any, Any] | None:
    """Find two values of an axis with the same label; None if there are none."""
    known: dict[str, Any] = {}
    for value in values:
        label = value_label(value)
        if label in known:
            return known[label], value
        known[label] = value
    return None


def key_label(by: str, key: str) -> str:
    """Write the key of a table as a label.

    Args:
        by: the parameter or axis whose values are the keys.
        key: the key.

    Raises:
        SweepError: the key is not a value of the parameter.
    """
    if by not in PARAMETERS:
        return value_label(read_value(key))
    value = key if is_text(by) else read_value(key)
    if PARAMETERS[by].annotation is bool and value in (0, 1):
        value = bool(value)
    return value_label(check_value(by, value))


@derived
def _adapter(name: str) -> TypeAdapter[Any]:
    field = PARAMETERS[name]
    kind: Any = Annotated[field.annotation, field]
    return TypeAdapter(kind, config=ConfigDict(allow_inf_nan=False))


def is_foreign(name: str) -> bool:
    """Say whether a name can only be a parameter of a class that is missing here."""
    return "." in name and name not in PARAMETERS


def check_value(name: str, value: Any, stored: bool = False) -> Any:
    """Validate one value of a parameter, or of an axis that only multiplies (a positive number).

    Args:
        name: the parameter, or the axis.
        value: its value.
        stored: whether a store holds it. Then a parameter of a class that is missing here is not
            checked.

    Returns:
        The value as a point has it; a list is written as its label.

    Raises:
        SweepError: names the parameter and the value.
    """
    if stored and is_foreign(name):
        return value
    if name not in PARAMETERS:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
            raise SweepError(
                f"'{name}': a multiplier must be a positive number, got {shown(value)}"
            )
        return value
    try:
        refuse_lookalikes(value, PARAMETERS[name].annotation)
        checked = _adapter(name).validate_python(value)
        absent = facts(name).absent
        if absent is not None and checked == absent:
            raise ValueError("Input should be greater than or equal to 1, got 0")
    except ValidationError as error:
        raise SweepError(f"'{name}': {complaint_text(error)}") from None
    except ValueError as error:
        raise SweepError(f"'{name}': {error}") from None
    return list_label(checked) if isinstance(checked, tuple) else checked
