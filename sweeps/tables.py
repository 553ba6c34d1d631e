"""What the tables of a sweep file have in common: frozen, and closed to what they do not know."""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from .errors import shown


def refuse_lookalikes(value: Any, kind: Any) -> Any:
    """Refuse text and truth values for a number, and anything but a truth value for one.

    Pydantic would convert them; in a sweep file they are slips.
    """
    if kind is bool and not isinstance(value, bool):
        raise ValueError(f"must be true or false, got {shown(value)}")
    if kind in (int, float, int | None, float | None) and isinstance(value, bool | str):
        raise ValueError(f"must be a number, got {shown(value)}")
    return value


def is_stored(info: ValidationInfo) -> bool:
    """Say whether a sweep is read from a store, which an older version may have made."""
    return bool((info.context or {}).get("stored"))


class Strict(BaseModel):
    """A frozen table that refuses unknown keys, and values that only look like its numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_lookalikes(cls, value: Any, info: ValidationInfo) -> Any:
        return refuse_lookalikes(value, cls.model_fields[str(info.field_name)].annotation)
