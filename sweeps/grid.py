"""The grid of a sweep: every parameter over the axes it varies with, and one point at a time.

Only the mask of excluded points is as large as the grid: parameters are kept over the axes that
they vary with, and a point is made when it is needed.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from math import prod
from typing import Any

import numpy as np
from pydantic import ValidationError

from .dependent import Dependent
from .errors import SweepError, first_complaint
from .labels import list_label, value_label
from .parameters import PARAMETERS, facts, make_point, names_with, point_model, required
from .point import Derivation, Given, NotDerivedError
from .products import computed, products
from .rules import compared_with, operands, rule_mask
from .sweep import Sweep
from .values import check_value


@dataclass(frozen=True)
class Column:
    """A parameter over the axes it varies with; `values` has one dimension for each of `dims`."""

    dims: tuple[str, ...]
    values: np.ndarray


class Grid:
    """The points of a sweep, addressed by their index along each axis.

    Attributes:
        sweep: the sweep.
        axes: the values along each axis. Where trials are placed, these are the values that the
            sweep lists, and those at which an exclusion begins or ends.
    """

    def __init__(self, sweep: Sweep):
        """Lay out the grid and check it.

        Raises:
            SweepError: a dependent parameter or a rule fails, values do not fit together, or the
                rules exclude every point.
        """
        self.sweep = sweep
        self.axes = dict(sweep.axes)
        self.dims = tuple(sweep.axes)
        self._columns: dict[str, Column] = {}
        if sweep.placed is not None:
            self.axes[sweep.placed] = self._values_at_edges(sweep.placed)
            self._columns.clear()
        self.shape = tuple(len(values) for values in self.axes.values())
        self.size = prod(self.shape)
        self._check_sizes()
        self._check_fit()
        self._check_exclusive()

    def described_by(self, sweep: Sweep) -> "Grid":
        """Give the same grid for a sweep with the same points. Nothing is checked again.

        Such a sweep may have its defaults written out, other texts, or other analyses.
        """
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, sweep=sweep, _columns={})
        return other

    def column(self, name: str) -> Column | None:
        """Give a parameter over the axes it varies with; None if the sweep does not set it."""
        if name not in self._columns:
            made = self._make(name, ())
            if made is None:
                return None
            self._columns[name] = made
        return self._columns[name]

    def over_grid(self, name: str) -> np.ndarray | None:
        """Give a parameter, broadcastable to the grid; None if the sweep does not set it."""
        column = self.column(name)
        return None if column is None else _spread(column, self.dims)

    @cached_property
    def excluded(self) -> np.ndarray:
        """Mask over the grid: True at points that a rule excludes."""
        mask = np.zeros(self.shape, dtype=bool)
        for rule in self.sweep.exclude:
            mask |= rule_mask(rule, self.over_grid)
        return mask

    def completed(self, name: str) -> Column | None:
        """Give a parameter with the values of points: a point may complete what the sweep gives."""
        completion = point_model().completion(name)
        return self.column(name) if completion is None else self._computed(completion, ())

    def point(self, index: tuple[int, ...]) -> Any:
        """Make a point.

        Args:
            index: its index along each axis.

        Returns:
            An instance of `point_model`.

        Raises:
            SweepError: the values do not fit together; the message names the point.
        """
        values = {name: self._at(name, index) for name in self._names if name in PARAMETERS}
        try:
            return make_point(values)
        except ValidationError as error:
            raise SweepError(f"{self.place(index)}: {first_complaint(error)}") from None

    def place(self, index: tuple[int, ...]) -> str:
        """Name a point by its values along all axes, as in `k=5, depth=2`."""
        return self.place_along(self.dims, index)

    def place_along(self, dims: tuple[str, ...], index: tuple[int, ...]) -> str:
        """Name a place by its values along some axes, `dims`."""
        named = ((dim, self.axes[dim][i]) for dim, i in zip(dims, index, strict=True))
        return ", ".join(f"{dim}={value_label(value)}" for dim, value in named)

    def distinct(self, names: tuple[str, ...], at_most: int) -> Iterator[tuple[int, ...]]:
        """Give the index of one point for each combination of some parameters.

        Excluded points are left out.

        Args:
            names: the parameters.
            at_most: number of points. If there are more combinations, the points are spread evenly
                over them, from the first to the last.
        """
        completions = map(point_model().completion, names)
        needs = (need for way in completions if way is not None for need in way.needs)
        columns = [self.column(name) for name in dict.fromkeys((*names, *needs))]
        dims = {dim for column in columns if column is not None for dim in column.dims}
        others = tuple(i for i, dim in enumerate(self.dims) if dim not in dims)
        combinations = np.argwhere(~self.excluded.all(axis=others, keepdims=True))
        last = len(combinations) - 1
        chosen = np.linspace(0, last, min(at_most, len(combinations))).astype(int)
        for start in combinations[chosen]:
            box = tuple(slice(None) if i in others else int(at) for i, at in enumerate(start))
            free = iter(np.argwhere(~self.excluded[box])[0])
            yield tuple(int(next(free)) if i in others else int(at) for i, at in enumerate(start))

    @property
    def _names(self) -> tuple[str, ...]:
        given = (*self.sweep.axes, *self.sweep.parameters, *self.sweep.dependent)
        # A point has them even if its experiment does not.
        others = (name for name in required() if not self.sweep.has(name))
        return (*given, *others)

    def _at(self, name: str, index: tuple[int, ...]) -> Any:
        column = self.column(name)
        if column is None:
            return None
        return column.values[tuple(index[self.dims.index(dim)] for dim in column.dims)]

    def _make(self, name: str, path: tuple[str, ...]) -> Column | None:
        if name in path:
            raise SweepError(
                f"dependent: {' → '.join((*path, name))} is a circle; "
                "give one of these parameters as a number."
            )
        sweep = self.sweep
        if name in self.axes:
            return Column((name,), _objects(self.axes[name]))
        if name in sweep.parameters:
            return Column((), _objects(sweep.parameters[name]))
        if name in sweep.dependent:
            return self._dependent(name, sweep.dependent[name], (*path, name))
        if (derived := self._derived(name, (*path, name))) is not None:
            return derived
        field = PARAMETERS.get(name)
        if name in names_with("absent"):
            return None
        return None if field is None or field.is_required() else Column((), _objects(field.default))

    def _derived(self, name: str, path: tuple[str, ...]) -> Column | None:
        """Give a parameter that follows from others; None if it does not."""
        given = Given(self._names, self.sweep.has, partial(self._values_of, path=path))
        derivation = point_model().derivation(name, given)
        return None if derivation is None else self._computed(derivation, path)

    def _values_of(self, name: str, path: tuple[str, ...]) -> set[Any]:
        column = self._make(name, path)
        return set() if column is None else set(column.values.flat)

    def _computed(self, derivation: Derivation, path: tuple[str, ...]) -> Column | None:
        """Compute a parameter from others; None if it does not follow at every point."""
        names = self._names
        taken = [each for each in derivation.takes if each in names and each not in path]
        columns = {each: self._make(each, path) for each in (*derivation.needs, *taken)}
        known = {each: column for each, column in columns.items() if column is not None}
        if derivation.needs and not known:
            return None
        dims = tuple(dim for dim in self.dims if any(dim in c.dims for c in known.values()))
        spread = {each: _spread(column, dims) for each, column in known.items()}
        values = np.empty(tuple(len(self.axes[dim]) for dim in dims), dtype=object)
        for index in np.ndindex(values.shape):
            try:
                value = derivation.compute({each: _entry_at(spread[each], index) for each in known})
            except ValueError as error:
                raise SweepError(str(error)) from None
            values[index] = list_label(value) if isinstance(value, tuple) else value
        return Column(dims, values) if all(value is not None for value in values.flat) else None

    def _dependent(self, name: str, rule: Dependent, path: tuple[str, ...]) -> Column:
        columns = {}
        for needed in rule.inputs:
            column = self._make(needed, path)
            if column is None:
                raise SweepError(f"dependent.{name}: '{needed}' is not given.")
            columns[needed] = column
        dims = tuple(dim for dim in self.dims if any(dim in c.dims for c in columns.values()))
        spread = {needed: _spread(column, dims) for needed, column in columns.items()}
        shape = tuple(len(self.axes[dim]) for dim in dims)
        if rule.table is None and not isinstance(rule.times, list):
            return Column(dims, products(name, rule, spread, shape))
        values = np.empty(shape, dtype=object)
        for index in np.ndindex(shape):
            given = {needed: _entry_at(spread[needed], index) for needed in rule.inputs}
            value = computed(name, rule, given)
            try:
                values[index] = check_value(name, value)
            except SweepError as error:
                place = ", ".join(f"{each}={value_label(given[each])}" for each in rule.inputs)
                raise SweepError(f"dependent.{name} at {place}: {error}") from None
        return Column(dims, values)

    def _values_at_edges(self, axis: str) -> list[Any]:
        """List whole numbers of an axis, one at least for each way in which rules treat them.

        Raises:
            SweepError: a rule names a parameter that follows from the axis.
        """
        listed = self.sweep.axes[axis]
        for rule in self.sweep.exclude:
            for name in operands(rule) - {axis}:
                column = self.column(name)
                if column is not None and axis in column.dims:
                    raise SweepError(
                        f"exclude: {rule!r} names '{name}', which follows from '{axis}', along "
                        f"which trials are placed; write the rule about '{axis}'."
                    )
        edges = {
            int(edge)
            for rule in self.sweep.exclude
            for number in compared_with(rule, axis, self.over_grid)
            for edge in (math.floor(number), math.floor(number) + 1)
        }
        return sorted({*listed, *(edge for edge in edges if listed[0] < edge < listed[-1])})

    def _check_sizes(self) -> None:
        """Compute every size, so that the results of rules are checked before anything runs."""
        for name in (*point_model().fitting, *required(), *names_with("absent")):
            self.column(name)

    def _check_fit(self) -> None:
        """Check the values that have to fit together, over the axes that they vary with."""
        model = point_model()
        columns = {name: self.column(name) for name in model.fitting}
        own = {column.dims for column in columns.values() if column is not None}
        axes = tuple(dim for dim in self.dims if any(dim in dims for dims in own))
        dropped = tuple(i for i, dim in enumerate(self.dims) if dim not in axes)
        wanted = ~self.excluded.all(axis=dropped)
        names = self._names
        for short in np.argwhere(wanted):
            index = [0] * len(self.dims)
            for dim, i in zip(axes, short, strict=True):
                index[self.dims.index(dim)] = int(i)
            try:
                model.check_fit({name: self._at(name, tuple(index)) for name in columns}, names)
            except ValueError as error:
                if isinstance(error, NotDerivedError):
                    self.point(tuple(index))
                place = self.place_along(axes, tuple(short))
                raise SweepError(f"{place}: {error}" if place else str(error)) from None
        if self.excluded.all():
            raise SweepError("exclude: the rules exclude every point; loosen one of them.")

    def _check_exclusive(self) -> None:
        """Refuse two parameters that exclude each other, before anything runs."""
        for name in names_with("instead_of"):
            for other in facts(name).instead_of:
                if self._is_given(name) and self._is_given(other):
                    raise SweepError(f"'{other}' and '{name}' are both given; give one.")

    def _is_given(self, name: str) -> bool:
        """Say whether a parameter differs from its default at any point."""
        column = self.column(name)
        default = PARAMETERS[name].default
        return column is not None and any(value != default for value in column.values.flat)


def _objects(values: Any) -> np.ndarray:
    """Make an array of Python values: NumPy's scalars would change the identity of a point."""
    array = np.empty(len(values) if isinstance(values, list) else (), dtype=object)
    array[...] = list_label(values) if isinstance(values, tuple) else values
    return array


def _spread(column: Column, dims: tuple[str, ...]) -> np.ndarray:
    """Order the dimensions of a column as in a grid, with length 1 where it lacks one."""
    order = [column.dims.index(dim) for dim in dims if dim in column.dims]
    lengths = iter(np.transpose(column.values, order).shape)
    return np.transpose(column.values, order).reshape(
        tuple(next(lengths) if dim in column.dims else 1 for dim in dims)
    )


def _entry_at(values: np.ndarray, index: tuple[int, ...]) -> Any:
    """Look up an entry of a column from `_spread`; a dimension of length 1 is constant."""
    return values[tuple(min(i, s - 1) for i, s in zip(index, values.shape, strict=True))]
