"""Which points of a sweep share their draws: those with the same identity.

Two points with the same draws have the same trials. If an analysis counts them as independent, its
intervals are too short. Points share draws because the sweep asks for it (`paired`), because they
differ only in settings such as the solver, or because rounding makes them equal: 2 · 2 and 2 · 2.1
measurements are both 4.
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
    """Two points that share their draws, while other points along the axis do not.

    Attributes:
        axis: the first axis along which they differ.
        values: their values along it.
        place: where on the other axes, as in "k = 2"; empty if that does not matter.
    """

    axis: str
    values: tuple[str, str]
    place: str


class SharedDraws(NamedTuple):
    """How the points along some axes share their draws.

    Attributes:
        shared: the axes along which all draws are the same.
        clash: two points that share their draws and differ along another axis; None if there are
            none. Then two points are independent unless they differ only along `shared`.
    """

    shared: tuple[str, ...]
    clash: Clash | None


def shared_draws(grid: Grid, axes: Sequence[str]) -> SharedDraws:
    """Compare the identities of all points that differ only along some axes.

    Excluded points do not count. The result is as if `point_identity` were compared for every pair
    of points. Faster, only the parameters that decide draws are compared, over the axes that they
    vary with. The whole grid is needed only if a rule excludes points and the rest does not decide.

    Args:
        grid: the points.
        axes: the axes along which points are compared.
    """
    columns = [column for column in _deciding(grid) if set(axes) & set(column.dims)]
    # Two points that differ along one of these axes never share draws.
    apart = {c.dims[0] for c in columns if len(c.dims) == 1 and _is_distinct(c)}
    if set(axes) <= apart:
        return SharedDraws((), None)
    codes = _codes(grid, columns)
    shared = tuple(a for a in axes if a not in apart and _is_constant(grid, codes, a))
    own = [axis for axis in axes if axis not in shared]
    return SharedDraws(shared, _clash(grid, codes, axes, own) if own else None)


def share_along(grid: Grid, axis: str, key: str) -> bool:
    """Say whether all points along an axis have the same draws, trial by trial.

    Args:
        grid: the points.
        axis: the axis of a fit.
        key: the key that names the axis, for the message.

    Raises:
        SweepError: only some points share draws, or all values make the same points.
    """
    sharing = shared_draws(grid, [axis])
    twins = _twins(grid, axis) if axis in sharing.shared else None
    if clash := twins or sharing.clash:
        raise SweepError(_refusal(key, clash))
    return axis in sharing.shared


def shared_wholly(grid: Grid, axes: Sequence[str], key: str) -> tuple[str, ...]:
    """Find the axes along which all draws are the same; refuse axes that share only some.

    Raises:
        SweepError: names the axis and two of its values.
    """
    sharing = shared_draws(grid, axes)
    if sharing.clash:
        raise SweepError(_refusal(key, sharing.clash))
    return sharing.shared


def check_reading(grid: Grid) -> None:
    """Refuse a sweep if a fit or another analysis would count the same draws twice.

    Raises:
        SweepError: names the key, the axis and two of its values.
    """
    sweep = grid.sweep
    along = sweep.fit.along
    if along is not None:
        share_along(grid, along, "fit.along")
    for reading in readings():
        reading.check_draws(grid)


def check_compared(grid: Grid, over: str, along: str | None, key: str = "compare.over") -> bool:
    """Refuse a comparison of values that share only some of their draws.

    Args:
        grid: the points.
        over: the axis whose values are compared.
        along: the axis of the transitions that are compared; None if they are not transitions.
        key: the key that asks for the comparison, for the message.

    Returns:
        Whether all values have the same draws, trial by trial.

    Raises:
        SweepError: names the axis and two of its values.
    """
    axes = [over] if along is None else [over, along]
    return over in shared_wholly(grid, axes, key)


def _twins(grid: Grid, axis: str) -> Clash | None:
    """Give two values of an axis that decides draws if all its values make the same points."""
    values = grid.axes[axis]
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
    """Give the columns of the parameters that decide draws, with the values of points.

    A parameter of a class that is missing here counts as one that decides draws; that was checked
    where the class is installed.
    """
    left_out = carriers(grid.sweep.paired)
    foreign = [name for name in grid.axes if is_foreign(name)]
    names = [name for name in (*names_with("draws"), *foreign) if name not in left_out]
    columns = [grid.completed(name) for name in names]
    return [column for column in columns if column is not None and column.dims]


def _is_distinct(column: Column) -> bool:
    return len(set(column.values.tolist())) == column.values.size


def _codes(grid: Grid, columns: list[Column]) -> np.ndarray:
    """Number the identities of points: equal numbers mean equal draws.

    Returns:
        Integers, broadcastable to the grid.
    """
    codes = np.zeros((1,) * len(grid.dims), dtype=np.int64)
    for column in columns:
        known: dict[object, int] = {}
        numbers = [known.setdefault(value, len(known)) for value in column.values.ravel().tolist()]
        part = np.reshape(np.array(numbers, dtype=np.int64), column.values.shape)
        order = [column.dims.index(dim) for dim in grid.dims if dim in column.dims]
        lengths = [len(grid.axes[d]) if d in column.dims else 1 for d in grid.dims]
        mixed = codes * len(known) + np.transpose(part, order).reshape(lengths)
        # Make the numbers small again, so that no product overflows.
        codes = np.unique(mixed, return_inverse=True)[1].reshape(mixed.shape)
    return codes


def _is_constant(grid: Grid, codes: np.ndarray, axis: str) -> bool:
    """Say whether any two points that differ only along an axis have the same draws."""
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
    """Find two points with the same code that differ along one of the axes `own`."""
    spans = [len(grid.axes[a]) if a in own else codes.shape[i]
             for i, a in enumerate(grid.dims)]  # fmt: skip
    # Without excluded points, the axes that codes do not vary with do not matter.
    clash = _search(grid, np.broadcast_to(codes, spans), axes, own)
    if clash is None or not grid.sweep.exclude:
        return clash
    whole = np.array(np.broadcast_to(codes, grid.shape))
    excluded = grid.excluded
    # Each excluded point gets a code of its own, so that it clashes with no other point.
    whole[excluded] = -1 - np.arange(int(excluded.sum()))
    return _search(grid, whole, axes, own)


def _search(grid: Grid, codes: np.ndarray, axes: Sequence[str], own: Sequence[str]) -> Clash | None:
    places = [grid.dims.index(axis) for axis in axes]
    rest = [i for i in range(codes.ndim) if i not in places]
    lines = np.transpose(codes, [*rest, *places])
    inner = lines.shape[len(rest) :]
    lines = lines.reshape(-1, int(np.prod(inner)))
    # Points that differ only along shared axes have the same label: they may share their draws.
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
    one, other = (value_label(grid.axes[axis][int(index[at])]) for index in pair)
    outer = np.unravel_index(row, [codes.shape[i] for i in rest])
    named = [
        f"{grid.dims[i]} = {value_label(grid.axes[grid.dims[i]][int(index)])}"
        for i, index in zip(rest, outer, strict=True)
        if codes.shape[i] > 1
    ]
    return Clash(axis, (one, other), ", ".join(named))
