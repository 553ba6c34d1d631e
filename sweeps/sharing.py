"""Which points of a sweep meet the same draws, by their identities.

Two points whose parameters decide the same draws hold the same trials, not twice as many: counted
as independent they make every interval too short. Points share draws on purpose (`paired`), by
nature (two solvers), or because rounding makes them one: 2 · 2 and 2 · 2.1 measurements are both 4.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .errors import SweepError
from .grid import Column, Grid
from .identity import carriers
from .labels import value_label
from .parameters import names_with
from .readings import readings
from .values import is_foreign


class Clash(NamedTuple):
    """Two points that share their draws where others do not.

    Attributes:
        axis: the first axis along which they differ.
        values: their values along it.
        place: the axes on which that depends, as in "k = 2"; empty if there are none.
    """

    axis: str
    values: tuple[str, str]
    place: str


class SharedDraws(NamedTuple):
    """How the points along some axes share their draws.

    Attributes:
        shared: the axes all along which the draws are the same.
        clash: two points that share their draws though they differ along another axis; None if
            there are none, so that points are independent unless they differ along `shared` only.
    """

    shared: tuple[str, ...]
    clash: Clash | None


def shared_draws(grid: Grid, axes: Sequence[str]) -> SharedDraws:
    """Compare the identities of all points that differ along some axes only.

    Excluded points do not count. Only the parameters that decide draws are compared, over the axes
    that they vary with; the whole grid is looked at only where a rule excludes points and the rest
    does not settle it. The result is that of `point_identity`, point by point.

    Args:
        grid: the points.
        axes: those along which points are taken together.
    """
    columns = [column for column in _deciding(grid) if set(axes) & set(column.dims)]
    # An axis that decides draws by itself keeps its points apart.
    apart = {c.dims[0] for c in columns if len(c.dims) == 1 and _is_distinct(c)}
    if set(axes) <= apart:
        return SharedDraws((), None)
    codes = _codes(grid, columns)
    shared = tuple(a for a in axes if a not in apart and _is_constant(grid, codes, a))
    own = [axis for axis in axes if axis not in shared]
    return SharedDraws(shared, _clash(grid, codes, axes, own) if own else None)


def check_separate(grid: Grid, axis: str, key: str) -> None:
    """Refuse an axis along which points share draws, wholly or in part.

    Args:
        grid: the points.
        axis: the axis of a fit that takes its points as independent.
        key: where the axis was named, for the message.

    Raises:
        SweepError: naming the axis and two of its values.
    """
    found = shared_draws(grid, [axis])
    if axis in found.shared and (twins := _twins(grid, axis)):
        raise SweepError(_refusal(key, twins))
    if axis in found.shared:
        ask = ", or take it out of 'paired'" if axis in grid.sweep.paired else ""
        raise SweepError(
            f"{key}: the same draws are used all along '{axis}', which would ruin the intervals. "
            f"Fit along another axis{ask}."
        )
    if found.clash:
        raise SweepError(_refusal(key, found.clash))


def shared_wholly(grid: Grid, axes: Sequence[str], key: str) -> tuple[str, ...]:
    """Find the axes all along which draws are shared, and refuse those that share some only.

    Raises:
        SweepError: naming the axis and two of its values.
    """
    found = shared_draws(grid, axes)
    if found.clash:
        raise SweepError(_refusal(key, found.clash))
    return found.shared


def check_reading(grid: Grid) -> None:
    """Refuse a sweep of which a fit or another analysis would count the same draws twice.

    Raises:
        SweepError: naming the key, the axis and two of its values.
    """
    sweep = grid.sweep
    along = sweep.fit.along
    if along is not None:
        check_separate(grid, along, "fit.along")
    for reading in readings():
        reading.check_draws(grid)


def check_compared(grid: Grid, over: str, along: str | None, key: str = "compare.over") -> bool:
    """Refuse a comparison of values that share some of their draws only.

    Args:
        grid: the points.
        over: the axis whose values are compared.
        along: the axis of the transitions that are compared; None without them.
        key: where the comparison was asked for, for the message.

    Returns:
        Whether all its values meet the same draws, trial by trial.

    Raises:
        SweepError: naming the axis and two of its values.
    """
    axes = [over] if along is None else [over, along]
    return over in shared_wholly(grid, axes, key)


def _twins(grid: Grid, axis: str) -> Clash | None:
    """Give two values of an axis that decides draws, but whose values all make the same points."""
    values = grid.sweep.axes[axis]
    if len(values) < 2 or not any(axis in column.dims for column in _deciding(grid)):
        return None
    return Clash(axis, (value_label(values[0]), value_label(values[1])), "")


def _refusal(key: str, clash: Clash) -> str:
    one, other = clash.values
    return (
        f"{key}: along '{clash.axis}' the values {one} and {other} make the same point"
        f"{f' at {clash.place}' if clash.place else ''}, so that one draw would count twice. Space "
        "them wider, leave one of them out, or choose another axis."
    )


def _deciding(grid: Grid) -> list[Column]:
    """Give the columns that identities hold, their values complete.

    What a class has that is not here is taken to decide draws; where it was, that was checked.
    """
    left_out = carriers(grid.sweep.paired)
    foreign = [name for name in grid.sweep.axes if is_foreign(name)]
    names = [name for name in (*names_with("draws"), *foreign) if name not in left_out]
    found = [grid.completed(name) for name in names]
    return [column for column in found if column is not None and column.dims]


def _is_distinct(column: Column) -> bool:
    return len(set(column.values.tolist())) == column.values.size


def _codes(grid: Grid, columns: list[Column]) -> np.ndarray:
    """Number the identities, broadcastable to the grid: equal numbers, equal draws.

    Columns that do not vary along the axes looked at are the same for all points compared.
    """
    codes = np.zeros((1,) * len(grid.dims), dtype=np.int64)
    for column in columns:
        known: dict[object, int] = {}
        numbers = [known.setdefault(value, len(known)) for value in column.values.ravel().tolist()]
        part = np.reshape(np.array(numbers, dtype=np.int64), column.values.shape)
        order = [column.dims.index(dim) for dim in grid.dims if dim in column.dims]
        lengths = [len(grid.sweep.axes[d]) if d in column.dims else 1 for d in grid.dims]
        mixed = codes * len(known) + np.transpose(part, order).reshape(lengths)
        # Small numbers again, so that no product overflows.
        codes = np.unique(mixed, return_inverse=True)[1].reshape(mixed.shape)
    return codes


def _is_constant(grid: Grid, codes: np.ndarray, axis: str) -> bool:
    """Say whether any two points that differ along an axis only have the same draws."""
    at = grid.dims.index(axis)
    if codes.shape[at] == 1 or (codes == codes.take([0], axis=at)).all():
        return True
    if not grid.sweep.exclude:
        return False
    wanted = ~grid.excluded
    least = np.where(wanted, codes, codes.max() + 1).min(axis=at)
    most = np.where(wanted, codes, -1).max(axis=at)
    pairs = wanted.sum(axis=at) > 1
    return bool(pairs.any() and (least == most)[pairs].all())


def _clash(grid: Grid, codes: np.ndarray, axes: Sequence[str], own: Sequence[str]) -> Clash | None:
    """Find two points of one code that differ along an axis of their own."""
    spans = [len(grid.sweep.axes[a]) if a in own else codes.shape[i]
             for i, a in enumerate(grid.dims)]  # fmt: skip
    # Without excluded points the axes that codes do not vary with need not be looked at.
    found = _search(grid, np.broadcast_to(codes, spans), axes, own)
    if found is None or not grid.sweep.exclude:
        return found
    whole = np.array(np.broadcast_to(codes, grid.shape))
    excluded = grid.excluded
    # Each a code of its own, which clashes with none.
    whole[excluded] = -1 - np.arange(int(excluded.sum()))
    return _search(grid, whole, axes, own)


def _search(grid: Grid, codes: np.ndarray, axes: Sequence[str], own: Sequence[str]) -> Clash | None:
    places = [grid.dims.index(axis) for axis in axes]
    rest = [i for i in range(codes.ndim) if i not in places]
    lines = np.transpose(codes, [*rest, *places])
    inner = lines.shape[len(rest) :]
    lines = lines.reshape(-1, int(np.prod(inner)))
    # Points that differ along shared axes only have one label, and may share their draws.
    indices = [np.arange(n) * (axis in own) for axis, n in zip(axes, inner, strict=True)]
    labels = np.ravel_multi_index(tuple(np.meshgrid(*indices, indexing="ij")), inner).ravel()
    order = np.argsort(lines, axis=1, kind="stable")
    ranked = np.take_along_axis(lines, order, axis=1)
    twice = (ranked[:, 1:] == ranked[:, :-1]) & (labels[order][:, 1:] != labels[order][:, :-1])
    if not twice.any():
        return None
    row, column = (int(i) for i in np.argwhere(twice)[0])
    pair = [np.unravel_index(int(flat), inner) for flat in order[row, column : column + 2]]
    axis = next(a for i, a in enumerate(axes) if a in own and pair[0][i] != pair[1][i])
    at = axes.index(axis)
    one, other = (value_label(grid.sweep.axes[axis][int(index[at])]) for index in pair)
    outer = np.unravel_index(row, [codes.shape[i] for i in rest])
    named = [
        f"{grid.dims[i]} = {value_label(grid.sweep.axes[grid.dims[i]][int(index)])}"
        for i, index in zip(rest, outer, strict=True)
        if codes.shape[i] > 1
    ]
    return Clash(axis, (one, other), ", ".join(named))
