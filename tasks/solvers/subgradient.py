"""Subgradient descent as a solver, by the fast engine or the plain one."""

from typing import TYPE_CHECKING, ClassVar

from ...sweeps import Point, Purpose
from ..generators import generator_class
from ..problems import problem_class
from ..problems.base import Streams
from .base import Solution, Solver
from .descent import Descent, Patience, Progress, descend
from .fast import descend_fast, engine_entries
from .stopwatch import Stopwatch

if TYPE_CHECKING:
    from ..instance import Instance

ENGINES = {"fast": descend_fast, "plain": descend}
STALL_AFTER = 500  # steps, where noise makes runs end on a kink


class Subgradient(Solver):
    """x̃ ← −x if f(−x) < f(x), else x; then x ← x̃ − α v(x̃).

    Source: Cocola 2022, Algorithm 2.
    """

    name: ClassVar[str] = "descent"
    uses: ClassVar[tuple[str, ...]] = (
        "solver.engine",
        "solver.step",
        "solver.max_steps",
        "solver.tolerance",
        "solver.negation",
        "solver.start",
        "solver.start_scale",
        "solver.stall_after",
        "solver.abandon_after",
        "solver.abandon_factor",
        "solver.audit",
    )

    @classmethod
    def solve(cls, point: Point, instance: "Instance", streams: Streams) -> Solution:
        """Descend from the start."""
        run = run_descent(point, instance, draw_patience(point, streams))
        return _solution(instance, run)

    @classmethod
    def timed(
        cls, point: Point, instance: "Instance", streams: Streams, seconds: float
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
        rows = problem.residuals(point)
        widths = (*point.widths, 2 * rows) if problem.phaseless else point.widths
        return engine_entries(point.k, widths, rows, problem.has_matrix(point))


def run_descent(
    point: Point, instance: "Instance", patience: Patience, progress: Progress | None = None
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


def _solution(instance: "Instance", run: Descent) -> Solution:
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
