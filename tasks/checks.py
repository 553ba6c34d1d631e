"""Checks of all points of a sweep, before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from ..sweeps import Grid, Sweep, SweepError
from ..sweeps.parameters import PARAMETERS
from .watched import points_to_check

if TYPE_CHECKING:
    from .point import Point

MOST_CHECKED = 20_000  # points of a sweep


def check_optional(grid: Grid, optional: Collection[str], used: Collection[str], who: str) -> None:
    """Refuse optional parameters that a sweep gives but that none of its classes has.

    Args:
        grid: the sweep.
        optional: parameters that only some classes have.
        used: the optional parameters of the classes that the sweep names.
        who: names these classes, for the message.

    Raises:
        SweepError: names the parameter.
    """
    for name in given_parameters(grid.sweep):
        if name in optional and name not in used:
            raise SweepError(
                f"'{name}' is given, but {who} has "
                f"{', '.join(sorted(used)) or 'no parameters of its own'}. Leave it out, on the "
                f"command line with --set {name}=default."
            )


def given_parameters(sweep: Sweep) -> tuple[str, ...]:
    """List the parameters that a sweep gives: axes, dependent ones, and values not at a default."""
    fixed = {n for n, value in sweep.parameters.items() if value != PARAMETERS[n].default}
    return (*sweep.axes, *sorted(fixed), *sweep.dependent)


def check_points(grid: Grid, check: Callable[[Point], None]) -> None:
    """Check a point for each combination of the parameters that the check reads.

    Raises:
        SweepError: names the point; `check` raised a ValueError.
    """
    for index, point in points_to_check(grid, MOST_CHECKED):
        try:
            check(point)
        except ValueError as error:
            place = grid.place(index)
            raise SweepError(f"{place}: {error}" if place else str(error)) from None
