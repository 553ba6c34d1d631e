"""All parameters by name and what is known of each, those of classes from outside too."""

from collections.abc import Callable, Collection
from typing import Any

from pydantic import BaseModel, create_model

from .errors import SweepError
from .parameter import (
    Facts,
    derived,
    facts_of,
    forget_derived,
    nested,
    parameter_fields,
)
from .point import Point
from .told import ask

PARAMETERS = parameter_fields(Point)

# Tables of parameters that classes from outside declare.
_ADDED: dict[str, type[BaseModel]] = {}


def add_table(name: str, table: type[BaseModel], *, replace: bool = False) -> None:
    """Let points have a table of parameters, each declared by `quantity`, with a default.

    Args:
        name: of the table, in sweep files.
        table: the model, a subclass of `Strict`.
        replace: put it in place of another table of that name.

    Raises:
        SweepError: the name is taken, or a parameter has no default.
    """
    if _ADDED.get(name) is table:
        return
    is_taken = name in Point.model_fields or (name in _ADDED and not replace)
    if is_taken or not name.isidentifier():
        raise SweepError(f"a table of parameters cannot be named {name!r}; choose another name.")
    fields = parameter_fields(table, f"{name}.")
    if lacking := [each for each, field in fields.items() if field.is_required()]:
        raise SweepError(f"parameter '{lacking[0]}' has no default; give it one.")
    remove_table(name)
    _ADDED[name] = table
    PARAMETERS.update(fields)
    forget_derived()


def remove_table(name: str) -> None:
    """Take a table back that was added."""
    if _ADDED.pop(name, None) is not None:
        for parameter in [each for each in PARAMETERS if each.startswith(f"{name}.")]:
            del PARAMETERS[parameter]
        forget_derived()


def is_added(name: str) -> bool:
    """Say whether a parameter is of a table that a class declares."""
    return name.split(".")[0] in _ADDED


@derived
def point_model() -> type[Point]:
    """Give what a point is: `Point`, with the tables that were added."""
    if not _ADDED:
        return Point
    added: dict[str, Any] = {name: (table, table()) for name, table in _ADDED.items()}
    return create_model("Point", __base__=Point, **added)


def make_point(values: dict[str, Any]) -> Point:
    """Make a point of its values by name, dotted or in tables.

    Raises:
        ValidationError: they do not fit together.
    """
    return point_model().model_validate(nested(values))


# Who knows the experiments says which parameters, or tables of them, one has; None: all.
_TOLD: list[Callable[[str], Collection[str] | None]] = []


def tell_tasks(parameters_of: Callable[[str], Collection[str] | None]) -> None:
    """Say who knows which parameters an experiment has.

    Args:
        parameters_of: gives names of parameters, or of tables; None for all. It raises SweepError
            for a name that is none.
    """
    _TOLD.append(parameters_of)


def task_has(task: str, name: str) -> bool:
    """Say whether an experiment has a parameter."""
    ask()
    try:
        known = _TOLD[-1](task) if _TOLD else None
    except SweepError:
        # That there is no such experiment is said where it is looked for.
        known = None
    return known is None or name in known or name.split(".")[0] in known


@derived
def groups() -> frozenset[str]:
    """List the tables of parameters, such as `solver`."""
    return frozenset(name.split(".")[0] for name in PARAMETERS if "." in name)


@derived
def facts(name: str) -> Facts:
    """Give the facts of a parameter."""
    return facts_of(PARAMETERS[name])


@derived
def names_with(fact: str) -> tuple[str, ...]:
    """List the parameters of which a fact is told, such as those with `draws`, in their order."""
    untold = getattr(Facts(), fact)
    return tuple(name for name in PARAMETERS if getattr(facts(name), fact) != untold)


def parameter_attributes(name: str) -> dict[str, str]:
    """Give the long name and the unit of a parameter, for the coordinate that carries it."""
    return {"long_name": PARAMETERS[name].description or name, "units": facts(name).units}
