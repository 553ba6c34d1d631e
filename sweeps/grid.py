"""The grid of a sweep: every parameter over the axes it varies with, and one point at a time.

Nothing here is as large as the grid but the mask of excluded points: parameters are kept over
their own axes only, and points are made where they are run.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from pydantic import ValidationError

from .dependent import Dependent
from .errors import SweepError, first_complaint
from .labels import value_label
from .notation import parse_widths, widths_label
from .parameters import PARAMETERS, make_point, names_with, task_has
from .point import Point
from .products import computed, products
from .rules import rule_mask
from .shapes import SHAPE, check_shapes, derived_shape, full_widths, shape_if_known
from .sweep import Sweep
from .values import check_value


@dataclass(frozen=True)
class Column:
    """A parameter over the axes it varies with; `values` has one dimension for each of `dims`."""

    dims: tuple[str, ...]
    values: np.ndarray


class Grid:
    """The points of a sweep, addressed by their index along each axis."""

    def __init__(self, sweep: Sweep):
        """Lay out the grid and check it.

        Raises:
            SweepError: a dependent value or a rule fails, layers do not fit, no point is left.
        """
        self.sweep = sweep
        self.dims = tuple(sweep.axes)
        self.shape = tuple(len(values) for values in sweep.axes.values())
        self.size = prod(self.shape)
        self._columns: dict[str, Column] = {}
        self._check_shapes()
        self._check_noise()

    def described_by(self, sweep: Sweep) -> "Grid":
        """Give the grid of a sweep that has the same points, though it describes them otherwise.

        So do its defaults written out, and other texts and ways to read its results. Nothing is
        checked again.
        """
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, sweep=sweep, _columns={})
        return other

    def column(self, name: str) -> Column | None:
        """Give a parameter over the axes it varies with; None where the sweep does not set it."""
        if name not in self._columns:
            made = self._make(name, ())
            if made is None:
                return None
            self._columns[name] = made
        return self._columns[name]

    def over_grid(self, name: str) -> np.ndarray | None:
        """Give a parameter broadcastable to the whole grid."""
        column = self.column(name)
        return None if column is None else _spread(column, self.dims)

    @cached_property
    def excluded(self) -> np.ndarray:
        """Truth values over the grid: points that a rule leaves out."""
        mask = np.zeros(self.shape, dtype=bool)
        for rule in self.sweep.exclude:
            mask |= rule_mask(rule, self.over_grid)
        return mask

    def point(self, index: tuple[int, ...]) -> Point:
        """Make the point at an index along each axis."""
        values = {name: self._at(name, index) for name in self._names if name in PARAMETERS}
        try:
            return make_point(values)
        except ValidationError as error:
            raise SweepError(f"{self.place(index)}: {first_complaint(error)}") from None

    def place(self, index: tuple[int, ...]) -> str:
        """Name a point by its values along the axes, `k=5, depth=2`."""
        return self.place_along(self.dims, index)

    def place_along(self, dims: tuple[str, ...], index: tuple[int, ...]) -> str:
        """Name a place by its values along some of the axes."""
        named = ((dim, self.sweep.axes[dim][i]) for dim, i in zip(dims, index, strict=True))
        return ", ".join(f"{dim}={value_label(value)}" for dim, value in named)

    def distinct(self, names: tuple[str, ...], at_most: int) -> Iterator[tuple[int, ...]]:
        """Run through one point for each combination of some parameters, leaving out excluded ones.

        Args:
            names: the parameters.
            at_most: of more combinations, that many spread evenly, the last among them.
        """
        columns = [self.column(name) for name in names]
        dims = {dim for column in columns if column is not None for dim in column.dims}
        others = tuple(i for i, dim in enumerate(self.dims) if dim not in dims)
        found = np.argwhere(~self.excluded.all(axis=others, keepdims=True))
        chosen = np.linspace(0, len(found) - 1, min(at_most, len(found))).astype(int)
        for start in found[chosen]:
            box = tuple(slice(None) if i in others else int(at) for i, at in enumerate(start))
            free = iter(np.argwhere(~self.excluded[box])[0])
            yield tuple(int(next(free)) if i in others else int(at) for i, at in enumerate(start))

    @property
    def _names(self) -> tuple[str, ...]:
        given = (*self.sweep.axes, *self.sweep.parameters, *self.sweep.dependent)
        return given if task_has(self.sweep.task, "depth") else (*given, "depth")

    def _at(self, name: str, index: tuple[int, ...]) -> Any:
        column = self.column(name)
        if column is None:
            return None
        return column.values[tuple(index[self.dims.index(dim)] for dim in column.dims)]

    def _make(self, name: str, path: tuple[str, ...]) -> Column | None:
        if name in path:
            raise SweepError(
                f"dependent: {' → '.join((*path, name))} goes round in a circle; "
                "give one of them as a number."
            )
        sweep = self.sweep
        if name in sweep.axes:
            return Column((name,), _objects(sweep.axes[name]))
        if name in sweep.parameters:
            return Column((), _objects(sweep.parameters[name]))
        if name in sweep.dependent:
            return self._dependent(name, sweep.dependent[name], (*path, name))
        if name == "n":
            return self._last_width((*path, name))
        if name == "depth" and not task_has(sweep.task, name):
            # Of a task without a network, one layer of width n stands for the signal.
            return Column((), _objects(1))
        if name in SHAPE and (derived := self._derived(name, (*path, name))) is not None:
            return derived
        field = PARAMETERS.get(name)
        if name in names_with("absent"):
            return None
        return None if field is None or field.is_required() else Column((), _objects(field.default))

    def _last_width(self, path: tuple[str, ...]) -> Column | None:
        widths = self._make("widths", path)
        if widths is None or not all(widths.values.ravel()):
            return None
        last = [parse_widths(w)[-1] for w in widths.values.ravel()]
        return Column(widths.dims, _objects(last).reshape(widths.values.shape))

    def _derived(self, name: str, path: tuple[str, ...]) -> Column | None:
        """Give what a generator's make, its file or a width rule sets, where one does."""
        if not {"generator", "width_rule"} & set(self._names):
            return None
        generators = self._make("generator", path)
        shapes = map(shape_if_known, set(generators.values.flat)) if generators is not None else ()
        needed = {need for shape in shapes if shape is not None for need in shape.needs}
        known_inputs = dict.fromkeys((*names_with("shapes"), *sorted(needed)))
        inputs = [each for each in known_inputs if each in self._names and each not in path]
        columns = {each: self._make(each, path) for each in inputs}
        known = {each: column for each, column in columns.items() if column is not None}
        dims = tuple(dim for dim in self.dims if any(dim in c.dims for c in known.values()))
        spread = {each: _spread(column, dims) for each, column in known.items()}
        values = np.empty(tuple(len(self.sweep.axes[dim]) for dim in dims), dtype=object)
        for index in np.ndindex(values.shape):
            try:
                value = derived_shape({each: _entry_at(spread[each], index) for each in known})
            except ValueError as error:
                raise SweepError(str(error)) from None
            found = value.get(name)
            values[index] = widths_label(found) if isinstance(found, tuple) else found
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
        shape = tuple(len(self.sweep.axes[dim]) for dim in dims)
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

    def _check_shapes(self) -> None:
        """Check every network of the grid, over the axes that shape it only."""
        columns = {name: self.column(name) for name in SHAPE}
        for name in ("k", "depth", "m", "samples"):
            self.column(name)
        own = {column.dims for column in columns.values() if column is not None}
        axes = tuple(dim for dim in self.dims if any(dim in dims for dims in own))
        dropped = tuple(i for i, dim in enumerate(self.dims) if dim not in axes)
        wanted = ~self.excluded.all(axis=dropped)
        given = "n" in self._names
        for short in np.argwhere(wanted):
            index = [0] * len(self.dims)
            for dim, i in zip(axes, short, strict=True):
                index[self.dims.index(dim)] = int(i)
            k, depth, widths, n = (self._at(name, tuple(index)) for name in SHAPE)
            try:
                full, _ = full_widths(parse_widths(widths or ()), n if given else None, depth)
                check_shapes(k, depth, full)
            except ValueError as error:
                if not widths and {"generator", "width_rule"} & set(self._names):
                    # What a rule or a make lacks, the point says.
                    self.point(tuple(index))
                place = self.place_along(axes, tuple(short))
                raise SweepError(f"{place}: {error}" if place else str(error)) from None
        if self.excluded.all():
            raise SweepError("exclude: the rules leave no point to run.")

    def _check_noise(self) -> None:
        """Refuse two laws of noise at once before anything runs, as `Noise` does for a point."""
        sigma, snr = self.column("noise.sigma"), self.column("noise.snr_db")
        if sigma is None or snr is None:
            return
        if any(sigma.values.ravel()) and any(value is not None for value in snr.values.ravel()):
            raise SweepError("'noise.sigma' and 'noise.snr_db' are both given; give one.")


def _objects(values: Any) -> np.ndarray:
    """Keep Python values as they are: NumPy's own scalars would change a point's hash."""
    array = np.empty(len(values) if isinstance(values, list) else (), dtype=object)
    array[...] = widths_label(values) if isinstance(values, tuple) else values
    return array


def _spread(column: Column, dims: tuple[str, ...]) -> np.ndarray:
    """Reorder and pad a column's dimensions to those of a grid, for broadcasting."""
    order = [column.dims.index(dim) for dim in dims if dim in column.dims]
    lengths = iter(np.transpose(column.values, order).shape)
    return np.transpose(column.values, order).reshape(
        tuple(next(lengths) if dim in column.dims else 1 for dim in dims)
    )


def _entry_at(values: np.ndarray, index: tuple[int, ...]) -> Any:
    """Look up a spread column, whose dimensions of length 1 stand for all."""
    return values[tuple(min(i, s - 1) for i, s in zip(index, values.shape, strict=True))]
