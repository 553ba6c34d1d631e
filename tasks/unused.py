"""Refusal of parameters that a sweep gives but that none of its points uses."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ..sweeps import Grid, SweepError
from .checks import MOST_CHECKED, given_parameters
from .problems import problem_class
from .registry import parameters_of
from .solvers import SOLVERS, solver_class
from .watched import points_to_check

if TYPE_CHECKING:
    from .point import Point

Uses = Callable[["Point"], Collection[str]]


class Rule(NamedTuple):
    """A rule for when a point uses some parameters.

    Attributes:
        names: the parameters.
        used: says whether a point uses them.
        otherwise: the reason why no point uses them, for the message.
    """

    names: tuple[str, ...]
    used: Callable[[Point], bool]
    otherwise: str


# Descents on a plane start on a circle of it and run with the plain engine to their end.
OF_NO_LANDSCAPE = (
    "solver.engine", "solver.start", "solver.start_scale", "solver.stall_after",
    "solver.abandon_after", "solver.abandon_factor", "solver.audit",
)  # fmt: skip


def refuse_unused(grid: Grid, rules: Collection[Rule]) -> None:
    """Refuse parameters that a sweep gives but that none of its points uses.

    A value at its default counts as not given, because stores write out all defaults.

    Raises:
        SweepError: names the parameter, and the reason why nothing uses it.
    """
    given = given_parameters(grid.sweep)
    for rule in rules:
        names = [name for name in given if name in rule.names]
        if not names:
            continue
        if not any(rule.used(point) for _, point in points_to_check(grid, MOST_CHECKED)):
            raise SweepError(
                f"'{names[0]}' is given, but nothing uses it: {rule.otherwise}. Leave it out, on "
                f"the command line with --set {names[0]}=default."
            )


def uses_of_problem(point: Point) -> Collection[str]:
    """Give the optional parameters that a point's problem has."""
    return parameters_of(problem_class(point.problem))


def law_rules(uses: Uses) -> tuple[Rule, ...]:
    """Make the rules for the laws of noise and measurements.

    Args:
        uses: gives the optional parameters that a point has.
    """

    def has_law(point: Point) -> bool:
        return "noise.law" in uses(point) and point.noise.sigma > 0

    def has_student(point: Point) -> bool:
        measured = "ensemble" in uses(point) and point.ensemble == "student-t"
        return measured or (has_law(point) and point.noise.law == "student-t")

    return (
        Rule(("noise.law",), has_law, "noise.sigma is 0"),
        Rule(
            ("student_df",), has_student, "neither measurements nor noise have the law 'student-t'"
        ),
    )


def _uses(point: Point, name: str) -> bool:
    return name in parameters_of(solver_class(point.solver.method))


def _scales_start(point: Point) -> bool:
    return _uses(point, "solver.start_scale") and point.solver.start in ("gaussian", "ones")


def _uses_norm(point: Point) -> bool:
    scaled = _scales_start(point) and point.solver.start_scale is None
    prior = _uses(point, "solver.start") and point.solver.start == "prior"
    return not point.codes or scaled or prior


def recovery_rules(solvers: Collection[str]) -> tuple[Rule, ...]:
    """Make the rules for a sweep of the experiment `recovery`.

    Args:
        solvers: names of the sweep's solvers.
    """
    names = sorted({name for solver in solvers for name in parameters_of(solver_class(solver))})
    shown = " and ".join(name.removeprefix("solver.") for name in names[:3]) or "no parameters"
    others = " and others" if names[3:] else ""
    otherwise = f"solver.method is {' or '.join(map(repr, solvers))}, which has {shown}{others}"
    of_solvers = (
        Rule((name,), partial(_uses, name=name), otherwise) for name in SOLVERS.parameters()
    )
    return (*of_solvers, *RECOVERY_RULES)


RECOVERY_RULES = (
    Rule(
        ("solver.start_scale",),
        _scales_start,
        "solver.start is neither 'gaussian' nor 'ones', the only starts that it scales",
    ),
    Rule(
        ("solver.abandon_factor", "solver.audit"),
        lambda p: _uses(p, "solver.audit") and p.solver.abandon_after > 0,
        "solver.abandon_after is 0, so that no run is abandoned",
    ),
    Rule(
        ("success.below",),
        lambda p: p.success.metric != "nearest_target",
        "success.metric is 'nearest_target', which has no bound",
    ),
    Rule(("target_norm",), _uses_norm, "target_codes keep the norm they have"),
    *law_rules(uses_of_problem),
)
LANDSCAPE_RULES = (
    Rule(
        OF_NO_LANDSCAPE,
        lambda p: False,
        "descents on a plane start on a circle of it and run to their end",
    ),
    Rule(("target_norm",), lambda p: not p.codes, "target_codes keep the norm they have"),
    *law_rules(uses_of_problem),
)
