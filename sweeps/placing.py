"""Sweeps whose trials are placed along an axis by their own outcomes, instead of on its values.

The axis then gives the ends between which every whole number may be placed. The values of the other
axes are the groups. A placed trial has the same point, number and draws as in a sweep over values.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from .errors import SweepError
from .parameter import is_whole
from .parameters import PARAMETERS, names_with
from .rules import operands
from .tables import Strict

if TYPE_CHECKING:
    from .grid import Grid
    from .sweep import Sweep

PRECISION = 0.05
MOST, MOST_OF_A_GROUP = 1024, 100_000
BATCH = 16  # trials of a round's smallest part, which one task runs
MOST_VALUES = 1_000_000  # between the ends of the axis


class Adaptive(Strict):
    """Trials place themselves along an axis, until the 50 % point of each group is known.

    `precision` is the half-width of its 95 % interval over the 50 % point. `most` is the number of
    trials after which a group ends in any case. The axis is `fit.along` if `along` is not given.
    """

    along: str | None = None
    precision: float = Field(PRECISION, gt=0, le=1)
    most: int = Field(MOST, ge=4 * BATCH, le=MOST_OF_A_GROUP)


def check_placing(sweep: "Sweep") -> None:
    """Refuse an axis along which no trials can be placed.

    Raises:
        SweepError: names the axis.
    """
    if sweep.adaptive is None:
        return
    along = sweep.placed
    if along is None:
        raise SweepError(
            "adaptive: along which axis? Give adaptive.along or fit.along one of "
            f"{', '.join(sweep.axes)}."
        )
    if along not in sweep.axes:
        raise SweepError(f"adaptive.along: '{along}' is not an axis.")
    whole = along in PARAMETERS and is_whole(PARAMETERS[along].annotation)
    if not whole or along in names_with("variant"):
        raise SweepError(
            f"adaptive.along: '{along}' cannot be placed: its values are not whole numbers."
            if not whole
            else f"adaptive.along: '{along}' numbers variants of one trial; name another axis."
        )
    first, last = ends(sweep)
    if first == last:
        raise SweepError(
            f"adaptive.along: '{along}' has one value; give the ends between which trials may be "
            f"placed, as in {along}={first},{10 * first or 10}."
        )
    if last - first > MOST_VALUES:
        raise SweepError(
            f"adaptive.along: between {first:,} and {last:,} are more than {MOST_VALUES:,} values "
            f"of '{along}'; give nearer ends."
        )
    if along in sweep.paired:
        raise SweepError(
            f"adaptive.along: the values of '{along}' share their draws (paired); trials can only "
            "be placed where each has its own."
        )
    if dependents := [name for name, rule in sweep.dependent.items() if along in rule.inputs]:
        raise SweepError(
            f"adaptive.along: '{dependents[0]}' depends on '{along}', so that trials cannot be "
            "placed along it."
        )


def adapted(sweep: "Sweep", adaptive: bool, precision: float | None) -> "Sweep":
    """Give the sweep with placed trials, and with another precision.

    Args:
        sweep: the sweep.
        adaptive: place its trials, also if it has no table `[adaptive]`.
        precision: half-width of the interval over the 50 % point; that of the sweep if None.

    Raises:
        SweepError: a precision is given, and its trials are not placed; or they cannot be.
    """
    if sweep.adaptive is None and not adaptive:
        if precision is not None:
            raise SweepError("precision: only trials that place themselves have one; add adaptive.")
        return sweep
    if precision is None and sweep.adaptive is not None:
        return sweep
    written = sweep.as_dict()
    chosen = {"precision": PRECISION if precision is None else precision}
    written["adaptive"] = {**written.get("adaptive", {}), **chosen}
    return sweep.reparsed(written, sweep.name)


def ends(sweep: "Sweep") -> tuple[int, int]:
    """Give the least and the largest value that may be placed."""
    values = sweep.axes[str(sweep.placed)]
    return min(values), max(values)


def axis_sizes(sweep: "Sweep") -> dict[str, int]:
    """Count the values of each axis; of one along which trials are placed, all between its ends."""
    sizes = {name: len(values) for name, values in sweep.axes.items()}
    if sweep.placed is not None:
        first, last = ends(sweep)
        sizes[sweep.placed] = last - first + 1
    return sizes


def group_dims(sweep: "Sweep") -> tuple[str, ...]:
    """Name the axes of the groups: all but the one along which trials are placed."""
    return tuple(axis for axis in sweep.axes if axis != sweep.placed)


def excluded_groups(grid: "Grid") -> np.ndarray:
    """Give the mask of the groups of which every value is excluded, over `group_dims`.

    Of a sweep over values this is the mask of its excluded points.
    """
    placed = grid.sweep.placed
    if placed is None:
        return grid.excluded
    return np.asarray(grid.excluded.all(axis=grid.dims.index(placed)))


def over_values(sweep: "Sweep", values: Sequence[int], trials: int) -> "Sweep":
    """Give the sweep over values that has the placed trials.

    Args:
        sweep: a sweep whose trials are placed.
        values: the values at which trials were placed.
        trials: number of trials of the value that has most.
    """
    written = sweep.as_dict()
    del written["adaptive"]
    written["axes"] = {**written["axes"], str(sweep.placed): [int(value) for value in values]}
    written["trials"] = max(1, trials)
    return type(sweep).parse(written, "the placed sweep", stored=True)


def of_group(sweep: "Sweep", group: Sequence[int], values: Sequence[int]) -> "Sweep":
    """Give the sweep over some values in one group, without analyses.

    Args:
        sweep: a sweep whose trials are placed.
        group: index of the group along each of `group_dims`.
        values: values of the axis along which trials are placed.
    """
    at = dict(zip(group_dims(sweep), group, strict=True))
    axes: dict[str, list[Any]] = {
        name: [known[at[name]]] if name in at else [int(value) for value in values]
        for name, known in sweep.axes.items()
    }
    written = sweep.as_dict()
    kept = ("task", "seed", "parameters", "dependent", "paired")
    reduced = {key: written[key] for key in kept if key in written}
    return type(sweep).parse({**reduced, "axes": axes, "trials": 1}, "the group", stored=True)


def allowed_values(sweep: "Sweep", group: Sequence[int]) -> np.ndarray:
    """Give the values at which trials of a group may be placed, increasing; without rules, all."""
    from .grid import Grid

    first, last = ends(sweep)
    values = np.arange(first, last + 1)
    if not any(sweep.placed in operands(rule) for rule in sweep.exclude):
        return values
    named = of_group(sweep, group, values.tolist()).as_dict()
    grid = Grid(type(sweep).parse({**named, "exclude": list(sweep.exclude)}, stored=True))
    return np.asarray(values[~grid.excluded.ravel()])
