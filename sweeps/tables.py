"""The base class for tables of a sweep file: frozen, without unknown keys, with strict types."""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from .errors import shown


def refuse_lookalikes(value: Any, kind: Any) -> Any:
    """Refuse text or a truth value for a number, and anything but a truth value for a truth value.

    Pydantic would convert them; in a sweep file they are mistakes.

    Raises:
        ValueError: the value has the wrong type.
    """
    if kind is bool and not isinstance(value, bool):
        raise ValueError(f"must be true or false, got {shown(value)}")
    if kind in (int, float, int | None, float | None) and isinstance(value, bool | str):
        raise ValueError(f"must be a number, got {shown(value)}")
    return value


def is_stored(info: ValidationInfo) -> bool:
    """Say whether the sweep being validated is read from a store, maybe of an older version."""
    return bool((info.context or {}).get("stored"))


class Strict(BaseModel):
    """A frozen table that refuses unknown keys, and text or truth values for numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_lookalikes(cls, value: Any, info: ValidationInfo) -> Any:
        return refuse_lookalikes(value, cls.model_fields[str(info.field_name)].annotation)
