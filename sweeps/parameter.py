"""Facts of a parameter. They are declared with it, and all lists of names are derived from them.

A pydantic field holds them in `json_schema_extra`, so that the JSON schema of a table has them too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, cast, get_args, get_origin

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Facts of a parameter, in addition to its type, default, bounds and description.

    Attributes:
        units: its unit; "1" if it has no unit.
        symbol: its name in pictures, with mathematics between dollar signs; empty for its own name.
        short: a short name for pictures; empty for `symbol`.
        draws: whether the random draws of a trial depend on it: it is part of a point's identity.
        carried_by: parameters through which it decides draws, if it decides none by itself.
        shapes: whether other parameters may be derived from it.
        absent: the value that means "not given"; None if there is no such value.
        memory: whether the memory that a trial needs depends on it.
        labelled: whether a store has it as a coordinate even if the sweep does not give it.
        setting: whether it says how trials are run and judged. A store has it as a coordinate if
            the sweep gives it, even at its default.
        success: whether success rises or falls with it if all other parameters stay the same; None
            if that is not known.
        list_depth: depth of the list that writes one value; 0 if a value is not a list.
        instead_of: parameters that the same sweep cannot give together with it.
        variant: whether it numbers the variants of a trial, which share most draws of the trial.
    """

    units: str = "1"
    symbol: str = ""
    short: str = ""
    draws: bool = False
    carried_by: tuple[str, ...] = ()
    shapes: bool = False
    absent: int | None = None
    memory: bool = False
    labelled: bool = False
    setting: bool = False
    success: Literal["rising", "falling"] | None = None
    list_depth: int = 0
    instead_of: tuple[str, ...] = ()
    variant: bool = False

    def __post_init__(self) -> None:
        if (self.draws or self.carried_by) and self.setting:
            raise TypeError("a setting decides no draws; leave out one of these facts.")

    def given(self) -> dict[str, Any]:
        """Give the facts that differ from their defaults, by name."""
        return {name: fact for name, fact in vars(self).items() if fact != getattr(_NONE, name)}


_NONE = Facts()


def quantity(
    default: Any,
    description: str,
    units: str = "1",
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    **facts: Any,
) -> Any:
    """Declare a parameter with its long name, its unit, its bounds and its `Facts`.

    Raises:
        TypeError: a fact has an unknown name, or two facts contradict each other.
    """
    limits = {"ge": ge, "gt": gt, "le": le, "lt": lt}
    bounds: dict[str, Any] = {name: bound for name, bound in limits.items() if bound is not None}
    extra = {"units": units, **Facts(units=units, **facts).given()}
    return Field(default, description=description, json_schema_extra=extra, **bounds)


# Declares a parameter that says how trials are run and judged. No draw depends on it.
setting = partial(quantity, setting=True)


def facts_of(field: FieldInfo) -> Facts:
    """Read the facts of a field; a plain pydantic field has the defaults."""
    extra = field.json_schema_extra
    return Facts(**cast(dict[str, Any], extra)) if isinstance(extra, dict) else Facts()


def is_whole(kind: Any) -> bool:
    """Say whether the values of a type are whole numbers, or lists of them, or None."""
    if get_origin(kind) is Annotated:
        return is_whole(get_args(kind)[0])
    parts = [part for part in get_args(kind) if part is not Ellipsis and part is not type(None)]
    return all(map(is_whole, parts)) if parts else kind is int


def derived(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Cache a function of the parameters; `forget_derived` clears the cache."""
    kept = cache(function)
    _forget.append(kept.cache_clear)
    return cast(Callable[Arguments, Result], kept)


_forget: list[Callable[[], None]] = []


def forget_derived() -> None:
    """Clear all caches of `derived` functions, because parameters were added or removed."""
    for forget in _forget:
        forget()


def parameter_fields(model: type[BaseModel], prefix: str = "") -> dict[str, FieldInfo]:
    """List the fields of all parameters by dotted name, such as `solver.step`."""
    fields: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields |= parameter_fields(kind, f"{prefix}{name}.")
        else:
            fields[f"{prefix}{name}"] = field
    return fields


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Turn a dict with dotted keys into nested tables."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *parents, leaf = name.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[leaf] = value
    return tree


def flat_values(point: BaseModel, prefix: str = "") -> dict[str, Any]:
    """List the values of a point by dotted name."""
    values: dict[str, Any] = {}
    for name in type(point).model_fields:
        value = getattr(point, name)
        if isinstance(value, BaseModel):
            values |= flat_values(value, f"{prefix}{name}.")
        else:
            values[f"{prefix}{name}"] = value
    return values
