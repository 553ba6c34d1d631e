"""Recovery problems, each a class in a module of its own; docs/problems.md shows how to add one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...sweeps import Grid
from ..checks import check_optional, check_points
from ..generators import check_generator
from ..registry import Registry, parameters_of
from .base import Misfit, Problem, Quadratic
from .compressed_sensing import CompressedSensing
from .denoising import Denoising
from .inversion import Inversion
from .one_bit import OneBit
from .phase_retrieval import PhaseRetrieval
from .spiked_wigner import SpikedWigner
from .spiked_wishart import SpikedWishart

if TYPE_CHECKING:
    from ..point import Point

__all__ = [
    "PROBLEMS",
    "CompressedSensing",
    "Denoising",
    "Inversion",
    "Misfit",
    "OneBit",
    "PhaseRetrieval",
    "Problem",
    "Quadratic",
    "SpikedWigner",
    "SpikedWishart",
    "check_point",
    "check_sweep",
    "problem_class",
]


PROBLEMS: Registry[Problem] = Registry(
    "problem",
    Problem,  # type: ignore[type-abstract]
    (
        CompressedSensing,
        Inversion,
        Denoising,
        PhaseRetrieval,
        SpikedWishart,
        SpikedWigner,
        OneBit,
    ),
)


def problem_class(name: str) -> type[Problem]:
    """Find a problem by name.

    Raises:
        SweepError: no problem has that name, it cannot be loaded, or it is not complete.
    """
    return PROBLEMS.find(name)


def check_point(point: Point) -> None:
    """Refuse a point whose parameters do not fit its problem.

    Raises:
        SweepError: there is no such problem.
        ValueError: says what is wrong, in one line.
    """
    PROBLEMS.find(point.problem)
    check_generator(point)
    PROBLEMS.ask(point.problem, "check", point)
    PROBLEMS.ask_number(point.problem, "entries", point)
    PROBLEMS.ask_number(point.problem, "residuals", point)


def check_sweep(grid: Grid) -> None:
    """Refuse parameters that no problem of a sweep has, and points that lack what theirs needs.

    Raises:
        SweepError: names the point.
    """
    problems = PROBLEMS.named_by(grid)
    used = {name for problem in problems for name in parameters_of(problem_class(problem))}
    optional = {*PROBLEMS.parameters(), *used}
    check_optional(grid, optional, used, f"problem {' or '.join(map(repr, problems))}")
    check_points(grid, check_point)
