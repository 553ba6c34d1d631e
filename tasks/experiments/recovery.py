"""One recovery trial: draw a problem, solve it, measure the outcome."""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import numpy as np

from ...sweeps import Draws, Grid
from ...sweeps.parameter import setting
from ...sweeps.point import PointBase
from ...sweeps.tables import Strict
from ...sweeps.variables import Flag, Variable
from ..checks import check_points
from ..experiment import NETWORK, PROBLEM, Experiment
from ..generators import GENERATORS, check_metric
from ..instance import Instance, draw_problem, mirror_ratio_of
from ..numerics.network import Vector
from ..problems import PROBLEMS, check_point, check_sweep
from ..solvers import SOLVERS, Solution, check_solver, solver_class
from ..solvers.descent import Verdict
from ..unused import recovery_rules, refuse_unused

if TYPE_CHECKING:
    from ..point import Point

# Increase it whenever a stored number may change; results of two versions do not mix. Since 5 a run
# that ends where the loss is constant all around has the verdict flat; before it was converged.
KERNEL_VERSION = 5
LOSS_UNITS = "signal units squared; to the fourth in spiked models"
# Codes are in signal units.
VECTOR_UNITS = "signal units; to the third in spiked models"


class Abandonment(IntEnum):
    """What happened to a run that may be abandoned; the numbers are stored."""

    NEVER_HOPELESS = 0
    ABANDONED = 1
    AUDITED = 2
    AUDITED_WRONG = 3


class Success(Strict):
    """When a trial counts as recovered."""

    metric: Literal["latent_error", "signal_error", "nearest_target"] = setting(
        "latent_error",
        "error that decides success, or whether no other of target_codes gives a nearer signal",
        memory=True,
    )
    below: float = setting(1e-3, "relative error below which a trial is a success", gt=0)


class SuccessParameters(PointBase):
    """What counts as success."""

    success: Success = Success()


VARIABLES = (
    Variable(
        "success",
        "int8",
        "whether the code was recovered",
        flags=(Flag(0, "failed"), Flag(1, "recovered")),
        symbol="success probability",
    ),
    Variable(
        "latent_error",
        "float64",
        "relative latent error ‖x̂ − x*‖/‖x*‖, infinite for the Lasso, which has none",
        symbol="relative latent error $\\|\\hat x - x^*\\|/\\|x^*\\|$",
    ),
    Variable(
        "signal_error",
        "float64",
        "relative signal error ‖G(x̂) − y*‖/‖y*‖",
        symbol="relative signal error $\\|G(\\hat x) - y^*\\|/\\|y^*\\|$",
    ),
    Variable(
        "mirror_error",
        "float64",
        "relative distance from the mirror ‖x̂ + ρ_d x*‖/‖x*‖, infinite where there is none",
    ),
    Variable("loss", "float64", "loss f(x̂)", LOSS_UNITS, symbol="loss $f(\\hat x)$"),
    Variable(
        "gradient_norm",
        "float64",
        "norm of the descent vector ‖v(x̂)‖, or of the Lasso's shortest subgradient",
        VECTOR_UNITS,
    ),
    Variable(
        "iterations",
        "int64",
        "steps taken; of the Lasso, rounds over all coordinates",
        "steps",
        symbol="steps",
    ),
    Variable("negations", "int64", "times x was replaced by −x"),
    Variable(
        "verdict",
        "int8",
        "why the descent stopped",
        flags=tuple(Flag(v.value, v.name.lower()) for v in Verdict),
    ),
    Variable(
        "abandonment",
        "int8",
        "whether the run became hopeless, and was abandoned or, for an audit, run to its end; "
        "wrong if it recovered only after the step where it would have been abandoned",
        flags=tuple(Flag(a.value, a.name.lower()) for a in Abandonment),
    ),
)


class RecoveryTrial(NamedTuple):
    """A drawn problem, and the streams of its solver."""

    point: Point
    instance: Instance
    draws: Draws

    def run(self) -> dict[str, int | float]:
        """Solve it and measure the outcome; give a value for each of `VARIABLES`."""
        solver = solver_class(self.point.solver.method)
        solution = solver.solve(self.point, self.instance, self.draws)
        return outcome(self.point, self.instance, solution)


def outcome(point: Point, instance: Instance, found: Solution) -> dict[str, int | float]:
    """Measure where a solver ended; give a value for each of `VARIABLES`."""
    if found.code is None:
        measured = signal_errors(instance, found.signal)
    else:
        measured = errors(point, instance, found.code)
        if found.verdict is Verdict.DIVERGED:
            measured = dict.fromkeys(measured, np.inf)
    measured |= {"loss": float(found.loss), "gradient_norm": float(found.gradient_norm)}
    # A diverged run may end in NaN, which in the store means "not run".
    measured = {name: value if np.isfinite(value) else np.inf for name, value in measured.items()}
    success = found.verdict is not Verdict.DIVERGED and is_success(
        point, instance, found.code, measured
    )
    return {
        "success": int(success),
        **measured,
        "iterations": int(found.steps),
        "negations": int(found.negations),
        "verdict": int(found.verdict),
        "abandonment": int(_abandonment(point, instance, found, success)),
    }


def signal_errors(instance: Instance, signal: Vector | None) -> dict[str, float]:
    """Measure how far a signal without a code is from y*; the errors of codes are infinite."""
    if signal is None:
        raise ValueError("the solver gave neither a code nor a signal; a Solution needs one.")
    with np.errstate(over="ignore", invalid="ignore"):
        away = _distance(signal, instance.signal, instance.objective.problem.sign_blind)
        error = float(away / np.linalg.norm(instance.signal))
    return {"latent_error": np.inf, "signal_error": error, "mirror_error": np.inf}


def errors(point: Point, instance: Instance, code: Vector) -> dict[str, float]:
    """Measure how far a code is from the target, relative to it.

    Where y and −y have the same data, the nearer of both counts. The nearer of x and −x counts
    where the two then have the same signal.
    """
    target, signal = instance.target, instance.signal
    network, problem = instance.objective.network, instance.objective.problem
    sign_blind = problem.sign_blind
    is_even = network.symmetry == "even" or (network.symmetry == "odd" and sign_blind)
    ratio = mirror_ratio_of(point)
    mirror = np.inf if np.isnan(ratio) else ratio * target
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        size, found = np.linalg.norm(target), network(code)
        return {
            "latent_error": float(_distance(code, target, is_even) / size),
            "signal_error": float(_distance(found, signal, sign_blind) / np.linalg.norm(signal)),
            "mirror_error": float(np.linalg.norm(code + mirror) / size),
        }


def _distance(one: Vector, other: Vector, up_to_sign: bool) -> float:
    """Compute ‖a − b‖, or the smaller of ‖a − b‖ and ‖a + b‖."""
    away = float(np.linalg.norm(one - other))
    return min(away, float(np.linalg.norm(one + other))) if up_to_sign else away


def is_success(
    point: Point, instance: Instance, code: Vector | None, measured: Mapping[str, float]
) -> bool:
    """Tell whether a code with these errors counts as recovered."""
    if point.success.metric == "nearest_target" and code is not None:
        signal = instance.objective.network(code)
        away = [float(np.linalg.norm(signal - rival)) for rival in instance.rivals]
        own = away.pop(point.target)
        return all(own < other for other in away)
    return measured[point.success.metric] < point.success.below


def _abandonment(point: Point, instance: Instance, found: Solution, success: bool) -> Abandonment:
    if found.hopeless_code is None:
        return Abandonment.NEVER_HOPELESS
    if found.verdict is Verdict.ABANDONED:
        return Abandonment.ABANDONED
    before = errors(point, instance, found.hopeless_code)
    wrong = success and not is_success(point, instance, found.hopeless_code, before)
    return Abandonment.AUDITED_WRONG if wrong else Abandonment.AUDITED


class Recovery(Experiment):
    """The experiment `recovery`: solve a drawn problem, measure the distance from the truth."""

    name: ClassVar[str] = "recovery"
    version: ClassVar[int] = KERNEL_VERSION
    variables: ClassVar[tuple[Variable, ...]] = VARIABLES
    parameters: ClassVar[tuple[str, ...] | None] = (*PROBLEM, *NETWORK, "solver", "success")

    def check(self, grid: Grid) -> None:
        """Refuse parameters that do not fit the problem.

        Raises:
            SweepError: names the point.
        """
        check_sweep(grid)
        check_points(grid, check_metric)
        check_points(grid, check_solver)
        refuse_unused(grid, recovery_rules(SOLVERS.named_by(grid)))

    def check_point(self, point: Point) -> None:
        """Refuse a point that its problem, generator or solver does not allow.

        Raises:
            ValueError: says what is wrong, in one line.
        """
        check_point(point)
        check_solver(point)

    def draw(self, point: Point, draws: Draws) -> RecoveryTrial:
        """Draw network, target, data and start."""
        return RecoveryTrial(point, draw_problem(point, draws), draws)

    def pilot(self, point: Point, draws: Draws, seconds: float) -> float:
        """Estimate the processor time of a trial, in seconds, within about `seconds`."""
        begun = time.thread_time()
        instance = draw_problem(point, draws)
        solution, rest = solver_class(point.solver.method).timed(point, instance, draws, seconds)
        outcome(point, instance, solution)
        return time.thread_time() - begun + rest

    def memory(self, point: Point) -> int:
        """Count the bytes held at once: weights and data, a few vectors, the solver's numbers."""
        rows = PROBLEMS.ask_number(point.problem, "residuals", point)
        entries = GENERATORS.ask_number(point.generator, "entries", point)
        entries += PROBLEMS.ask_number(point.problem, "entries", point)
        entries += 10 * (sum(point.widths) + rows)
        if point.success.metric == "nearest_target":
            entries += len(point.codes) * point.n
        entries += SOLVERS.ask_number(point.solver.method, "entries", point)
        # A twentieth more, for small arrays.
        return int(8 * entries * 21 // 20)
