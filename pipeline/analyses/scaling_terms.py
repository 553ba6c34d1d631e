"""The terms of a scaling law in every group of a sweep, from the networks of its points."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...sweeps import Grid, SweepError
from ...tasks.statistics.scaling import FormValues
from ...tasks.theory.terms import FORMS, SHAPES, TERMS, Formula

Booleans = NDArray[np.bool_]
SEEN = 1e-6  # difference from which on terms or logarithms of shapes are not alike
NUMBERS = 201  # values of the free number of a form
ALWAYS_FREE = ("k", "depth")  # terms on which slopes and ceilings depend if the law has them


class GroupTerms(NamedTuple):
    """What a law needs to know of the groups.

    Attributes:
        quantity: the parameter that the law is about, such as m.
        offset: logarithm of that parameter over the value of the axis, over groups and axis.
        terms: by name, over the groups.
        shapes: by name, the logarithm of a theorem's shape, over the groups.
    """

    quantity: str
    offset: xr.DataArray
    terms: dict[str, xr.DataArray]
    shapes: dict[str, xr.DataArray]


def group_terms(grid: Grid, axis: str, terms: Sequence[str], shapes: Sequence[str]) -> GroupTerms:
    """Compute terms and shapes at every group; NaN where no point of a group is asked for.

    Args:
        grid: the points.
        axis: the axis of the transitions.
        terms: names of terms.
        shapes: names of shapes.
    """
    dims = [name for name in grid.dims if name != axis]
    shape = tuple(len(grid.axes[name]) for name in dims)
    quantity, along = _quantity(grid, axis), grid.dims.index(axis)
    positions = np.array(grid.axes[axis], dtype=float)
    offset = np.full((*shape, positions.size), math.nan)
    values = {name: np.full(shape, math.nan) for name in terms}
    shape_values = {name: np.full(shape, math.nan) for name in shapes}
    for group, asked, point in groups_of(grid, axis):
        _check_constant(grid, axis, group, asked, point, terms)
        offset[group][asked] = 0.0
        if quantity != axis:
            # The parameter itself, which may be a rounded product.
            for place in np.flatnonzero(asked):
                at = grid.point((*group[:along], int(place), *group[along:]))
                offset[group][place] = math.log(_value(at, quantity) / positions[place])
        for name in terms:
            values[name][group] = TERMS[name].formula(point.k, point.widths)
        for name in shapes:
            shape_values[name][group] = _logarithm(SHAPES[name].formula(point.k, point.widths))
    return GroupTerms(
        quantity,
        xr.DataArray(offset, dims=[*dims, axis]),
        {name: xr.DataArray(found, dims=dims) for name, found in values.items()},
        {name: xr.DataArray(found, dims=dims) for name, found in shape_values.items()},
    )


def form_values(grid: Grid, axis: str, forms: Sequence[str]) -> dict[str, FormValues]:
    """Compute what may hold instead of terms, at every group and many numbers b."""
    dims = [name for name in grid.dims if name != axis]
    shape = tuple(len(grid.axes[name]) for name in dims)
    found = {}
    for name in forms:
        form = FORMS[name]
        numbers = np.linspace(0, form.largest, NUMBERS)
        values = np.full((*shape, NUMBERS), math.nan)
        for group, _, point in groups_of(grid, axis):
            values[group] = [form.formula(float(b), point.k, point.widths) for b in numbers]
        found[name] = FormValues(form.replaces, numbers, xr.DataArray(values, dims=[*dims, "b"]))
    return found


def _check_constant(
    grid: Grid,
    axis: str,
    group: tuple[int, ...],
    asked: Booleans,
    first: Any,
    terms: Sequence[str],
) -> None:
    """Refuse a term that changes along the axis whose 50 % point the law is about."""
    along = grid.dims.index(axis)
    last = grid.point((*group[:along], int(np.flatnonzero(asked)[-1]), *group[along:]))
    for name in terms:
        values = [TERMS[name].formula(point.k, point.widths) for point in (first, last)]
        if abs(values[0] - values[1]) > SEEN:
            raise SweepError(
                f"scaling.terms: {name!r} changes along {axis!r}, whose 50 % point the law is "
                "about."
            )


def way_out(grid: Grid, axis: str, formulas: Sequence[Formula]) -> str:
    """Say what a grid has to vary so that what looks alike on it no longer does.

    Args:
        grid: the points.
        axis: the axis of the transitions.
        formulas: of k and the widths; on the grid the last one is a constant plus multiples of the
            others.

    Returns:
        A sentence; "" if the formulas are not alike on the whole grid.
    """
    networks = [(point.k, tuple(point.widths)) for _, _, point in groups_of(grid, axis)]

    def rows(of: Sequence[tuple[int, tuple[int, ...]]]) -> NDArray[np.float64]:
        return np.array([[1.0, *(formula(*network) for formula in formulas)] for network in of])

    known = rows(networks)
    known = known[np.isfinite(known).all(axis=1)]
    weights = np.append(-np.linalg.lstsq(known[:, :-1], known[:, -1], rcond=None)[0], 1.0)
    if np.abs(known @ weights).max() > SEEN:
        return ""
    k, widths = networks[0]
    wider = tuple(2 * n for n in widths)
    changed = {"n/k": (k, wider), "depth": (k, (*widths, widths[-1])), "k": (2 * k, wider)}
    found = [name for name, new in changed.items() if abs((rows([new]) @ weights).item()) > SEEN]
    listed = " or ".join(filter(None, [", ".join(found[:-1]), *found[-1:]]))
    return f"To tell them apart, vary {listed} alone." if found else ""


def groups_of(grid: Grid, axis: str) -> Iterator[tuple[tuple[int, ...], Booleans, Any]]:
    """Iterate over the groups with points that are asked for.

    Yields:
        The indices of a group along the other axes, which of its points are asked for, and the
        first of these.
    """
    along = grid.dims.index(axis)
    for group in np.ndindex(*(*grid.shape[:along], *grid.shape[along + 1 :])):
        asked = ~grid.excluded[(*group[:along], slice(None), *group[along:])]
        if asked.any():
            first = int(np.argmax(asked))
            yield group, asked, grid.point((*group[:along], first, *group[along:]))


def _quantity(grid: Grid, axis: str) -> str:
    """Give the parameter that an axis is, or that it computes as a multiplier of another."""
    for name, rule in grid.sweep.dependent.items():
        if rule.times == axis and rule.of is not None and rule.table is None:
            return name
    return axis


def _value(point: Any, name: str) -> float:
    """Give a number of a point by its dotted name."""
    for part in name.split("."):
        point = getattr(point, part)
    return float(point)


def _logarithm(value: float) -> float:
    return math.log(value) if value > 0 else math.nan
