"""Which parameters a check reads: one point for each combination of them stands for all others."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import new_class
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

from ..sweeps import Grid
from ..sweeps.parameter import parameter_fields
from ..sweeps.parameters import PARAMETERS

if TYPE_CHECKING:
    from .point import Point

# Where a watched table keeps the names that were read. Genprior's tables have no private values.
NOTES = "__pydantic_private__"


def points_to_check(grid: Grid, at_most: int) -> Iterator[tuple[tuple[int, ...], Point]]:
    """Run through the points that a check can tell apart, with their indices.

    The points note what is read of them. What a check reads depends on values that it has read
    before, so that it meets more points until it reads nothing new; it has to give the same for the
    same values.

    Args:
        grid: the sweep.
        at_most: of more combinations, that many spread evenly, the last among them.
    """
    read: set[str] = set()
    while True:
        names = tuple(name for name in PARAMETERS if name in read)
        for index in grid.distinct(names, at_most):
            yield index, watched(grid.point(index), read)
        if read <= set(names):
            return


def watched(point: Point, read: set[str]) -> Point:
    """Give a point that adds the names of its parameters to a set when they are read."""
    return cast("Point", _watched(point, "", read))


def _watched(table: BaseModel, prefix: str, read: set[str]) -> BaseModel:
    model = _watching(type(table), prefix)
    made = model.__new__(model)
    object.__setattr__(made, "__dict__", vars(table))
    object.__setattr__(made, "__pydantic_fields_set__", table.model_fields_set)
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, NOTES, {"read": read})
    return made


@cache
def _watching(model: type[BaseModel], prefix: str) -> type[BaseModel]:
    """Make the class of a table that notes what is read of it; of all its values, all of them."""
    fields, every = frozenset(model.model_fields), frozenset(parameter_fields(model, prefix))

    def read_attribute(self: Any, name: str) -> Any:
        value = object.__getattribute__(self, name)
        if name not in fields and name != "__dict__":
            return value
        read = object.__getattribute__(self, NOTES)["read"]
        if isinstance(value, BaseModel):
            return _watched(value, f"{prefix}{name}.", read)
        read.update(every if name == "__dict__" else {f"{prefix}{name}"})
        return value

    body = {"__module__": __name__, "__getattribute__": read_attribute}
    return new_class(model.__name__, (model,), exec_body=lambda names: names.update(body))
