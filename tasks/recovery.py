"""One recovery trial: draw a problem, descend, measure the outcome."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from ..sweeps import Grid, Point, Purpose, point_identity, random_stream
from ..sweeps.variables import Flag, Variable
from .checks import check_points
from .descent import Descent, Patience, Progress, Verdict, descend
from .fast import descend_fast, engine_entries
from .generators import check_metric, generator_class
from .instance import Instance, draw_instance, mirror_ratio_of
from .lasso import solve_lasso
from .network import Vector
from .problems import check_sweep, problem_class
from .stopwatch import Stopwatch
from .unused import RECOVERY_RULES, refuse_unused

# Raised whenever a stored number may change; results of two versions do not mix. Since 5 a run that
# ends where the loss is constant all around has the verdict flat; before it counted as converged.
KERNEL_VERSION = 5
STALL_AFTER = 500  # steps, where noise leaves a kink to end at
LOSS_UNITS = "signal units squared; to the fourth in spiked models"
# A code has the signal's units.
VECTOR_UNITS = "signal units; to the third in spiked models"
ENGINES = {"fast": descend_fast, "plain": descend}


class Abandonment(IntEnum):
    """What became of a run that may be abandoned; the numbers are stored."""

    NEVER_HOPELESS = 0
    ABANDONED = 1
    AUDITED = 2
    AUDITED_WRONG = 3


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


def recover(
    point: Point, trial: int, seed: int, paired: Collection[str] = ()
) -> dict[str, int | float]:
    """Run one trial: a pure function of the point, the trial index and the root seed.

    Args:
        point: all parameters.
        trial: trial index t ≥ 0.
        seed: root seed of the sweep.
        paired: parameters whose values share their draws.

    Returns:
        A value for each of `VARIABLES`.
    """
    instance = draw_instance(point, trial, seed, paired)
    if point.solver.method == "lasso":
        return lasso_outcome(point, instance)
    patience = draw_patience(point, trial, seed, paired)
    return outcome(point, instance, run_descent(point, instance, patience))


def run_descent(
    point: Point, instance: Instance, patience: Patience, progress: Progress | None = None
) -> Descent:
    """Run the descent of a trial that was drawn, by the point's engine."""
    return ENGINES[point.solver.engine](
        instance.objective,
        instance.method,
        instance.start,
        max_steps=point.solver.max_steps,
        patience=patience,
        progress=progress,
    )


def lasso_outcome(point: Point, instance: Instance) -> dict[str, int | float]:
    """Run the Lasso on a trial's data; there is no code, so that errors of one are infinite."""
    form = instance.objective.problem.quadratic()
    if form is None:
        raise ValueError(f"problem '{point.problem}' has no A y ≈ b that the Lasso could solve.")
    solver = point.solver
    fit = solve_lasso(form.sensing, form.observed, point.n, solver.penalty, solver.max_rounds)
    verdict = Verdict.CONVERGED if fit.converged else Verdict.BUDGET_SPENT
    if not np.isfinite(fit.loss):
        verdict = Verdict.DIVERGED
    error = float(np.linalg.norm(fit.signal - instance.signal) / np.linalg.norm(instance.signal))
    return {
        "success": int(error < point.success.below),
        "latent_error": np.inf,
        "signal_error": error,
        "mirror_error": np.inf,
        "loss": fit.loss,
        "gradient_norm": fit.violation,
        "iterations": fit.steps,
        "negations": 0,
        "verdict": int(verdict),
        "abandonment": int(Abandonment.NEVER_HOPELESS),
    }


def draw_patience(point: Point, trial: int, seed: int, paired: Collection[str] = ()) -> Patience:
    """When a trial has stalled or is abandoned, and whether it is audited instead."""
    solver, problem = point.solver, problem_class(point.problem)
    stall_after = solver.stall_after
    if stall_after is None:
        stall_after = STALL_AFTER if problem.has_noise(point) else 0
    if not solver.abandon_after:
        return Patience(stall_after=stall_after)
    identity = point_identity(point, paired)
    stream = random_stream(seed, identity, trial, Purpose.AUDIT, point.target)
    audited = bool(stream.random() < solver.audit)
    return Patience(solver.abandon_after, solver.abandon_factor, audited, stall_after)


def outcome(point: Point, instance: Instance, run: Descent) -> dict[str, int | float]:
    """Measure how a run ended, as a value for each of `VARIABLES`."""
    measured = errors(point, instance, run.state.code)
    with np.errstate(over="ignore", invalid="ignore"):
        loss = run.state.loss + instance.objective.problem.offset
    if run.verdict is Verdict.DIVERGED:
        measured = dict.fromkeys(measured, np.inf)
    measured |= {"loss": loss, "gradient_norm": run.state.gradient_norm}
    # A diverged run may end in NaN, which in the store means "not run".
    measured = {name: value if np.isfinite(value) else np.inf for name, value in measured.items()}
    success = run.verdict is not Verdict.DIVERGED and is_success(
        point, instance, run.state.code, measured
    )
    return {
        "success": int(success),
        **measured,
        "iterations": run.steps,
        "negations": run.state.negations,
        "verdict": int(run.verdict),
        "abandonment": int(_abandonment(point, instance, run, success)),
    }


def errors(point: Point, instance: Instance, code: Vector) -> dict[str, float]:
    """Measure how far a code is from the target, relative to it.

    Where y and −y have the same data, the nearer of both counts; so does the nearer of x and −x
    where their signals are then alike.
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
    """‖a − b‖, or the smaller of ‖a − b‖ and ‖a + b‖."""
    away = float(np.linalg.norm(one - other))
    return min(away, float(np.linalg.norm(one + other))) if up_to_sign else away


def is_success(
    point: Point, instance: Instance, code: Vector, measured: Mapping[str, float]
) -> bool:
    """Tell whether a code with these errors counts as recovered."""
    if point.success.metric == "nearest_target":
        signal = instance.objective.network(code)
        away = [float(np.linalg.norm(signal - rival)) for rival in instance.rivals]
        own = away.pop(point.target)
        return all(own < other for other in away)
    return measured[point.success.metric] < point.success.below


def _abandonment(point: Point, instance: Instance, run: Descent, success: bool) -> Abandonment:
    if run.hopeless_code is None:
        return Abandonment.NEVER_HOPELESS
    if run.verdict is Verdict.ABANDONED:
        return Abandonment.ABANDONED
    before = errors(point, instance, run.hopeless_code)
    wrong = success and not is_success(point, instance, run.hopeless_code, before)
    return Abandonment.AUDITED_WRONG if wrong else Abandonment.AUDITED


@dataclass(frozen=True)
class Recovery:
    """The task kind `recovery`."""

    name: str = "recovery"
    version: int = KERNEL_VERSION
    variables: tuple[Variable, ...] = VARIABLES
    inner: tuple[str, ...] = ()

    def check(self, grid: Grid) -> None:
        """Refuse parameters that do not fit the problem.

        Raises:
            SweepError: with the point.
        """
        check_sweep(grid)
        check_points(grid, ("generator", "success.metric"), check_metric)
        refuse_unused(grid, RECOVERY_RULES)

    def run(self, point: Point, trial: int, seed: int, paired: Collection[str]) -> dict[str, Any]:
        """Run one trial."""
        return recover(point, trial, seed, paired)

    def pilot(
        self, point: Point, trial: int, seed: int, paired: Collection[str], seconds: float
    ) -> float:
        """Estimate the processor time of a trial within about the given time, both in seconds.

        A descent that does not end within that time is taken to go on as it did.
        """
        begun = time.thread_time()
        if point.solver.method == "lasso":
            recover(point, trial, seed, paired)
            return time.thread_time() - begun
        patience = draw_patience(point, trial, seed, paired)
        instance = draw_instance(point, trial, seed, paired)
        shortest = instance.method.step_size * instance.method.tolerance
        watch = Stopwatch(point.solver.max_steps, patience, seconds, shortest)
        outcome(point, instance, run_descent(point, instance, patience, watch))
        return time.thread_time() - begun + watch.rest()

    def memory(self, point: Point) -> int:
        """Bytes a trial holds at once: weights and data, a few vectors, its engine's."""
        problem = problem_class(point.problem)
        rows = problem.residuals(point)
        entries = generator_class(point.generator).entries(point) + problem.entries(point)
        entries += 10 * (sum(point.widths) + rows)
        if point.success.metric == "nearest_target":
            entries += len(point.codes) * point.n
        if point.solver.method == "lasso":
            # A written out, and turned for it.
            entries += 3 * rows * point.n
        plain = ("gaussian", "identity", "trained")
        if point.solver.engine == "fast" and point.generator in plain:
            widths = (*point.widths, 2 * rows) if problem.phaseless else point.widths
            entries += engine_entries(point.k, widths, rows, problem.has_matrix(point))
        # A twentieth more, for what is small beside these.
        return 8 * entries * 21 // 20
