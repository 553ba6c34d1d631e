"""Solvers of recovery problems, each a class in a module of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...sweeps.point import PointBase
from ..registry import Registry
from .base import Solution, Solver
from .lasso import Lasso, LassoTable
from .subgradient import DescentTable, Subgradient

if TYPE_CHECKING:
    from ..point import Point

__all__ = [
    "SOLVERS",
    "Lasso",
    "Solution",
    "Solver",
    "Subgradient",
    "check_solver",
    "solver_class",
]


SOLVERS: Registry[Solver] = Registry(
    "solver.method",
    Solver,  # type: ignore[type-abstract]
    (Subgradient, Lasso),
)


# The fields of the last base come first.
class SolverTable(DescentTable, LassoTable):
    """The settings of all solvers, in one table."""


class SolverParameters(PointBase):
    """How a problem is solved."""

    solver: SolverTable = SolverTable()


def solver_class(name: str) -> type[Solver]:
    """Find a solver by name.

    Raises:
        SweepError: no solver has that name, it cannot be loaded, or it is not complete.
    """
    return SOLVERS.find(name)


def check_solver(point: Point) -> None:
    """Refuse a point that its solver cannot solve.

    Raises:
        SweepError: there is no such solver.
        ValueError: says what is wrong, in one line.
    """
    SOLVERS.ask(point.solver.method, "check", point)
    SOLVERS.ask_number(point.solver.method, "entries", point)
