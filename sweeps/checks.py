"""Checks of a whole sweep: its names, its size, and which draws its points share."""

import re
from math import prod
from typing import TYPE_CHECKING

from .errors import SweepError, did_you_mean
from .parameters import (
    PARAMETERS,
    check_is_task,
    groups,
    is_added,
    names_with,
    point_model,
    task_has,
)
from .point import Given
from .readings import readings
from .reserved import reserved_names
from .told import ask_more
from .values import is_foreign

if TYPE_CHECKING:
    from .sweep import Sweep

MAX_POINTS = 10_000_000
MAX_TRIALS = 1_000_000_000


def check_names(sweep: "Sweep", stored: bool = False) -> None:
    """Refuse names that are not parameters, are given twice, or are missing.

    Args:
        sweep: the sweep.
        stored: whether a store holds it. Then a class that declares one of its parameters may be
            missing here.

    Raises:
        SweepError: names the table and the name.
    """
    tables = [*sweep.axes, *sweep.parameters, *sweep.dependent]
    if set(tables) - set(PARAMETERS):
        ask_more()

    def names_of_task() -> list[str]:
        return [name for name in PARAMETERS if sweep.has(name)]

    used = {name for rule in sweep.dependent.values() for name in rule.inputs}
    for name, rule in sweep.dependent.items():
        if isinstance(rule.times, str) and rule.times not in {*tables, *PARAMETERS}:
            raise SweepError(
                f"dependent.{name}.times: '{rule.times}' is not an axis. "
                f"{did_you_mean(rule.times, sweep.axes)}"
            )
    for table, names in (
        ("axes", set(sweep.axes) - used),
        ("parameters", set(sweep.parameters)),
        ("dependent", set(sweep.dependent)),
    ):
        for name in sorted(names - set(PARAMETERS)):
            if stored and is_foreign(name):
                continue
            raise SweepError(
                f"{table}: unknown key '{name}'. {did_you_mean(name, names_of_task())}"
            )
    for name in sorted(set(sweep.axes) - set(PARAMETERS)):
        if stored and is_foreign(name):
            continue
        if (
            name in groups()
            or not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII)
            or name in reserved_names()
        ):
            raise SweepError(
                f"axes: '{name}' cannot name an axis; use letters and digits, and not a name that "
                "a store uses."
            )
    for name in sorted({name for name in tables if tables.count(name) > 1}):
        raise SweepError(f"'{name}' is given twice; keep it in one of axes, parameters, dependent.")
    for name in tables:
        # A store that an older version made may have tables of classes that it does not name.
        if name not in PARAMETERS or sweep.has(name) or (stored and is_added(name)):
            continue
        if is_added(name) and task_has(sweep.task, name):
            raise SweepError(
                f"'{name}' is given, but the sweep names no class that has it; leave it out, or "
                "name one."
            )
        raise SweepError(
            f"'{name}' is given, but task '{sweep.task}' has no such parameter; leave it out."
        )
    given = Given(tables, sweep.has, sweep.given_values)
    if not stored and (lacking := point_model().missing(given)) is not None:
        # If there is no such experiment, this is the mistake to report.
        check_is_task(sweep.task)
        raise SweepError(f"'{lacking}' is not given; put it in axes, parameters or dependent.")
    for name, rule in sweep.dependent.items():
        for needed in rule.inputs:
            if needed not in {*tables, *PARAMETERS}:
                raise SweepError(
                    f"dependent.{name}: '{needed}' is neither a parameter nor an axis. "
                    f"{did_you_mean(needed, (*names_of_task(), *sweep.axes))}"
                )
    named: list[tuple[str, str | None]] = [("paired", name) for name in sweep.paired]
    named += [("fit.along", sweep.fit.along), ("plot.x", sweep.plot.x)]
    for key, axis in named:
        _check_axis(sweep, key, axis)
    for reading in readings():
        for key, axis in reading.axes(sweep):
            _check_axis(sweep, key, axis)
            if axis in names_with("variant"):
                raise SweepError(f"{key}: of several {axis}s the worst counts; name another axis.")


def _check_axis(sweep: "Sweep", key: str, axis: str | None) -> None:
    if axis is not None and axis not in sweep.axes:
        raise SweepError(f"{key}: '{axis}' is not an axis. {did_you_mean(axis, sweep.axes)}")


def check_size(lengths: dict[str, int], trials: int) -> None:
    """Refuse a grid that is too large, before any of it is made.

    Raises:
        SweepError: names the sizes and the limits.
    """
    points = prod(lengths.values())
    if points > MAX_POINTS or points * trials > MAX_TRIALS:
        sizes = " × ".join(f"{name} {length:,}" for name, length in lengths.items())
        raise SweepError(
            f"the grid has {points:,} points × {trials:,} trials ({sizes}); at most "
            f"{MAX_POINTS:,} points and {MAX_TRIALS:,} trials fit. Make it coarser."
        )


def check_pairing(sweep: "Sweep") -> None:
    """Refuse paired names that decide no draws, and an axis of the fit that is not numeric.

    Raises:
        SweepError: names the axis.
    """
    for name in sweep.paired:
        if name not in PARAMETERS:
            raise SweepError(
                f"paired: '{name}' only multiplies; the draws depend on what it is multiplied to."
            )
    along = sweep.fit.along
    if along is None:
        return
    if not has_positions(sweep, along):
        raise SweepError(f"fit.along: '{along}' is not numeric; a transition needs positions.")


def has_positions(sweep: "Sweep", axis: str) -> bool:
    """Say whether all values of an axis are numbers; truth values are not."""
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in sweep.axes[axis])
