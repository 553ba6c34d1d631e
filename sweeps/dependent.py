"""Parameters that are computed from others: by a table, by a multiplier, or both."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, ValidationInfo, model_validator

from .errors import SweepError, shown
from .tables import Strict, is_stored
from .values import key_label


def _check_times(written: Any) -> Any:
    """Accept a number, a list of numbers, or the name of an axis."""
    for part in written if isinstance(written, list) else [written]:
        is_number = isinstance(part, int | float) and not isinstance(part, bool)
        # This also refuses NaN and infinity.
        if not (is_number and abs(part) < 1e15) and not (part is written and isinstance(part, str)):
            raise ValueError(
                f"must be a number, a list of numbers or the name of an axis, got {shown(written)}"
            )
    return written


def _check_table(written: Any) -> Any:
    """Refuse a table in a table: TOML reads `{ 0.1 = 3 }` as one."""
    for key, entry in written.items() if isinstance(written, dict) else ():
        if isinstance(entry, dict):
            raise ValueError(f"entry '{key}' is a table; put keys with a dot in quotes")
    if isinstance(written, dict):
        return {str(key): entry for key, entry in written.items()}
    return written


class Dependent(Strict):
    """A parameter computed from others.

    The value is `table[by]` or `times`. It is multiplied by `of` if `of` is given, and rounded to
    the nearest integer (halves up) if the parameter is an integer. `of`, `times` and `by` may name
    an axis that is no parameter.
    """

    of: str | None = None
    times: Annotated[float | str | list[float] | None, BeforeValidator(_check_times)] = None
    by: str | None = None
    table: Annotated[dict[str, Any] | None, BeforeValidator(_check_table)] = None

    @model_validator(mode="after")
    def _one_way(self, info: ValidationInfo) -> Self:
        if (self.times is None) == (self.table is None) or (self.by is None) != (
            self.table is None
        ):
            raise ValueError(
                "give either 'times' (with 'of') or 'by' and 'table' (with or without 'of')"
            )
        if self.times is not None and self.of is None:
            raise ValueError("'times' needs 'of', the parameter it multiplies")
        if self.table is not None and self.by is not None:
            table = _labelled(self.by, self.table, is_stored(info))
            object.__setattr__(self, "table", table)
        return self

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names this parameter is computed from."""
        named = (self.of, self.by, self.times if isinstance(self.times, str) else None)
        return tuple(name for name in named if name is not None)


def _labelled(by: str, table: dict[str, Any], stored: bool) -> dict[str, Any]:
    """Write the keys of a table, which are text in TOML, as the labels of their values.

    The keys "0.10" and "0.1" are one number. An older store with both uses the first.

    Raises:
        ValueError: a key is not a value of the parameter `by`, or two keys are one value.
    """
    labels: dict[str, str] = {}
    for key in table:
        try:
            label = key_label(by, key)
        except SweepError as error:
            if not stored:
                raise ValueError(f"key {shown(key)} of its table: {error}") from None
            label = key
        if label in labels and not stored:
            raise ValueError(
                f"{shown(labels[label])} and {shown(key)} in its table are one value of '{by}', "
                f"{label}; keep one"
            )
        labels.setdefault(label, key)
    return {label: table[key] for label, key in labels.items()}
