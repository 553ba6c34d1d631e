"""Recovery problems, each a class in a file of its own; docs/problems.md shows how to add one."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from ...sweeps import Grid, Point, SweepError
from ...sweeps.errors import did_you_mean
from ..checks import check_optional, check_points
from ..generators import GENERATOR_PARAMETERS, check_generator
from ..lasso import check_lasso
from .base import OPTIONAL, Misfit, Problem, Quadratic
from .compressed_sensing import CompressedSensing
from .denoising import Denoising
from .inversion import Inversion
from .one_bit import OneBit
from .phase_retrieval import PhaseRetrieval
from .spiked_wigner import SpikedWigner
from .spiked_wishart import SpikedWishart

GROUP = "genprior.problems"
CHECKED = (
    "problem", "k", "depth", "widths", "n", "target", "target_norm", "target_codes",
    "success.metric", "solver.start", "solver.method", *GENERATOR_PARAMETERS, *OPTIONAL,
)  # fmt: skip
BUILT_IN: dict[str, type[Problem]] = {
    problem.name: problem
    for problem in (
        CompressedSensing,
        Inversion,
        Denoising,
        PhaseRetrieval,
        SpikedWishart,
        SpikedWigner,
        OneBit,
    )
}

__all__ = [
    "BUILT_IN",
    "OPTIONAL",
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
    "foreign_problems",
    "package_of",
    "problem_class",
]


@cache
def offered_problems() -> dict[str, EntryPoint]:
    """The problems that installed packages offer, by name; looking for them takes a while."""
    return {point.name: point for point in entry_points(group=GROUP)}


def problem_class(name: str) -> type[Problem]:
    """Find a problem by name: one of ours, or one that an installed package offers.

    Raises:
        SweepError: there is none of that name, it cannot be loaded, or it is not complete.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    offered = offered_problems()
    if name not in offered:
        raise SweepError(
            f"problem: there is none named {name!r}. {did_you_mean(name, (*BUILT_IN, *offered))}"
        )
    where = f"problem: {name!r}, offered as {offered[name].value},"
    try:
        found = offered[name].load()
    except (Exception, SystemExit) as error:
        raise SweepError(f"{where} cannot be loaded: {error}") from None
    if not (isinstance(found, type) and issubclass(found, Problem)):
        raise SweepError(f"{where} is no subclass of genprior.tasks.problems.Problem.")
    if lacking := sorted(found.__abstractmethods__):
        raise SweepError(f"{where} lacks {', '.join(lacking)}.")
    if (named := getattr(found, "name", None)) != name:
        raise SweepError(f"{where} is named {named!r} in its class; give it one name.")
    if not isinstance(found.uses, tuple) or not set(found.uses) <= set(OPTIONAL):
        raise SweepError(f"{where} uses {found.uses!r}; known: {', '.join(OPTIONAL)}.")
    return found


def problem_names(grid: Grid) -> list[str]:
    """List the problems of a sweep."""
    column = grid.column("problem")
    return sorted(set(column.values.ravel())) if column is not None else []


def foreign_problems(grid: Grid) -> list[str]:
    """List the problems of a sweep that other packages offer."""
    return [name for name in problem_names(grid) if name not in BUILT_IN]


def package_of(name: str) -> str:
    """Name the package, with its version, that offers a problem; empty if none does."""
    if name not in offered_problems():
        return ""
    package = offered_problems()[name].dist
    return f"{package.name} {package.version}" if package else "unknown"


def check_point(point: Point) -> None:
    """Refuse a point whose parameters its problem cannot have.

    Raises:
        SweepError: there is no such problem.
        ValueError: saying what is wrong, in one line.
    """
    problem = problem_class(point.problem)
    check_generator(point)
    check_lasso(point)
    try:
        problem.check(point)
        problem.entries(point)
        problem.residuals(point)
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(
            f"problem '{point.problem}' cannot judge this point: {type(error).__name__}: {error}"
        ) from None


def check_sweep(grid: Grid) -> None:
    """Refuse parameters that no problem of a sweep has, and points that lack what theirs needs.

    Raises:
        SweepError: with the point.
    """
    problems = problem_names(grid)
    used = {name for problem in problems for name in problem_class(problem).uses}
    check_optional(grid, OPTIONAL, used, f"problem {' or '.join(map(repr, problems))}")
    check_points(grid, CHECKED, check_point)
