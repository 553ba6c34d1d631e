"""Subgradient descent as a solver, by the fast engine or the plain one."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from ...sweeps import Purpose
from ...sweeps.parameter import setting
from ..generators import generator_class
from ..problems import PROBLEMS, problem_class
from ..problems.base import Streams
from .base import MethodTable, Solution, Solver
from .descent import Descent, Patience, Progress, descend
from .fast import descend_fast, engine_entries
from .stopwatch import Stopwatch

if TYPE_CHECKING:
    from ..instance import Instance
    from ..point import Point

ENGINES = {"fast": descend_fast, "plain": descend}
STALL_AFTER = 500  # steps, where noise makes runs end on a kink


class DescentTable(MethodTable):
    """How the descent runs.

    Where step, tolerance and start_scale are not given, the problem sets them from its data.
    """

    engine: Literal["fast", "plain"] = setting(
        "fast",
        "implementation of the descent; both give the same iterates but for rounding",
        memory=True,
    )
    step: float | None = setting(
        None,
        "step size α of the descent; by default 0.175·(2/gain)^d over the loss's curvature",
        gt=0,
        symbol="step size $\\alpha$",
    )
    max_steps: int = setting(10_000, "step budget of the descent", "steps", ge=1, le=1_000_000_000)
    tolerance: float | None = setting(
        None,
        "descent stops when the descent vector is shorter; by default 1e-10 of what it is at first",
        "signal units; to the third in spiked models",
        ge=0,
    )
    negation: bool = setting(True, "whether x is replaced by −x when f(−x) < f(x)")
    start: Literal["gaussian", "mirror", "ones", "prior"] = setting(
        "gaussian",
        "first iterate: a standard normal draw, the mirror point −ρ_d x*, all ones, or a draw like "
        "that of the true code",
    )
    start_scale: float | None = setting(
        None, "factor on a first iterate that is drawn or all ones; by default the problem's", gt=0
    )
    stall_after: int | None = setting(
        None,
        "a run stops as stalled if its best loss did not fall by 1e-9 over so many steps; 0: only "
        "seen at the end; by default 500 for noisy data and 0 otherwise",
        "steps",
        ge=0,
        le=1_000_000_000,
    )
    abandon_after: int = setting(
        0,
        "a run is abandoned if its best loss did not fall by abandon_factor over so many steps; "
        "0: never",
        "steps",
        ge=0,
        le=1_000_000_000,
    )
    abandon_factor: float = setting(
        2.0, "factor by which the best loss must fall over abandon_after steps", gt=1
    )
    audit: float = setting(
        0.1, "probability that a run to be abandoned is run to its end all the same", ge=0, le=1
    )


class Subgradient(Solver):
    """x̃ ← −x if f(−x) < f(x), else x; then x ← x̃ − α v(x̃).

    Source: Cocola 2022, Algorithm 2.
    """

    name: ClassVar[str] = "descent"
    uses: ClassVar[tuple[str, ...]] = DescentTable.own()

    @classmethod
    def solve(cls, point: Point, instance: Instance, streams: Streams) -> Solution:
        """Descend from the start."""
        run = run_descent(point, instance, draw_patience(point, streams))
        return _solution(instance, run)

    @classmethod
    def timed(
        cls, point: Point, instance: Instance, streams: Streams, seconds: float
    ) -> tuple[Solution, float]:
        """Descend within about `seconds`; the rest of a longer run is extrapolated."""
        patience = draw_patience(point, streams)
        shortest = instance.method.step_size * instance.method.tolerance
        watch = Stopwatch(point.solver.max_steps, patience, seconds, shortest)
        return _solution(instance, run_descent(point, instance, patience, watch)), watch.rest()

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count the fast engine's maps and columns; the plain engine needs no more."""
        if point.solver.engine != "fast" or not generator_class(point.generator).is_dense:
            return 0
        problem = problem_class(point.problem)
        rows = PROBLEMS.ask_number(point.problem, "residuals", point)
        widths = (*point.widths, 2 * rows) if problem.phaseless else point.widths
        has_matrix = PROBLEMS.ask(point.problem, "has_matrix", point)
        return engine_entries(point.k, widths, rows, has_matrix)


def run_descent(
    point: Point, instance: Instance, patience: Patience, progress: Progress | None = None
) -> Descent:
    """Run the descent of a drawn trial, by the point's engine."""
    return ENGINES[point.solver.engine](
        instance.objective,
        instance.method,
        instance.start,
        max_steps=point.solver.max_steps,
        patience=patience,
        progress=progress,
    )


def draw_patience(point: Point, streams: Streams) -> Patience:
    """Draw when a trial has stalled or is abandoned, and whether it is audited instead."""
    solver = point.solver
    stall_after = solver.stall_after
    if stall_after is None:
        stall_after = STALL_AFTER if problem_class(point.problem).has_noise(point) else 0
    if not solver.abandon_after:
        return Patience(stall_after=stall_after)
    audited = bool(streams(Purpose.AUDIT).random() < solver.audit)
    return Patience(solver.abandon_after, solver.abandon_factor, audited, stall_after)


def _solution(instance: Instance, run: Descent) -> Solution:
    state = run.state
    return Solution(
        state.code,
        None,
        state.loss + instance.objective.problem.offset,
        state.gradient_norm,
        run.steps,
        run.verdict,
        state.negations,
        run.hopeless_code,
    )
