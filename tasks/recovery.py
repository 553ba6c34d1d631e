"""One recovery trial: draw a problem, descend, measure the outcome."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from ..sweeps import Point, Purpose, point_identity, random_stream
from ..sweeps.variables import Flag, Variable
from .descent import Descent, Patience, SubgradientDescent, Verdict, descend
from .fast import descend_fast, engine_entries
from .network import Network, Vector, gaussian_network
from .problems import CompressedSensing, gaussian_sensing, noise_of_snr
from .theory import mirror_ratio

# Raised whenever a stored number may change; results of two versions do not mix.
KERNEL_VERSION = 2
MAX_TARGET_DRAWS = 1000
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
    ),
    Variable("latent_error", "float64", "relative latent error ‖x̂ − x*‖/‖x*‖"),
    Variable("signal_error", "float64", "relative signal error ‖G(x̂) − y*‖/‖y*‖"),
    Variable("mirror_error", "float64", "relative distance from the mirror ‖x̂ + ρ_d x*‖/‖x*‖"),
    Variable("loss", "float64", "loss f(x̂)", "signal units squared"),
    Variable(
        "gradient_norm", "float64", "norm of the descent vector ‖v(x̂)‖", "signal units squared"
    ),
    Variable("iterations", "int64", "steps taken", "steps"),
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
        "wrong if it recovered only behind the step where it would have been abandoned",
        flags=tuple(Flag(a.value, a.name.lower()) for a in Abandonment),
    ),
)


class Instance(NamedTuple):
    """A drawn problem: what is to be found, what is known of it, where the descent starts."""

    problem: CompressedSensing
    target: Vector
    signal: Vector
    start: Vector


def draw_instance(point: Point, trial: int, seed: int, paired: Collection[str] = ()) -> Instance:
    """Draw network, target, measurements, noise and start of one trial.

    The target is standard normal, scaled so that ‖G(x*)‖ = 1; b = A y* + η.

    Source: Cocola 2022, Appendix H.
    """
    identity = point_identity(point, paired)

    def stream(purpose: Purpose) -> np.random.Generator:
        return random_stream(seed, identity, trial, purpose)

    network = gaussian_network(stream(Purpose.NETWORK), point.k, point.widths, point.gain)
    target, signal = draw_target(stream(Purpose.TARGET), network, point.k)
    sensing = gaussian_sensing(stream(Purpose.MEASUREMENTS), point.m, point.n)
    observed = sensing @ signal
    if point.noise.snr_db is not None:
        observed += noise_of_snr(stream(Purpose.NOISE), observed, point.noise.snr_db)
    elif point.noise.sigma > 0:
        observed += point.noise.sigma * stream(Purpose.NOISE).standard_normal(point.m)
    if point.solver.start == "mirror":
        start = -mirror_ratio(point.depth) * target
    else:
        start = stream(Purpose.START).standard_normal(point.k)
    return Instance(CompressedSensing(network, sensing, observed), target, signal, start)


def draw_target(random: np.random.Generator, network: Network, k: int) -> tuple[Vector, Vector]:
    """Draw x* and y* = G(x*), ‖y*‖ = 1; codes that the network sends to 0 are drawn again."""
    for _ in range(MAX_TARGET_DRAWS):
        code = random.standard_normal(k)
        with np.errstate(over="ignore", invalid="ignore"):
            signal = network(code)
            norm = np.linalg.norm(signal)
        if 0 < norm < np.inf:
            return code / norm, signal / norm
    raise ArithmeticError(
        f"no code in {MAX_TARGET_DRAWS} draws gives a signal that is neither 0 nor infinite: the "
        "network is too narrow, or its gain too small or too large for its depth."
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
    solver = point.solver
    method = SubgradientDescent(solver.step, solver.tolerance, solver.negation)
    run = ENGINES[solver.engine](
        instance.problem,
        method,
        instance.start,
        max_steps=solver.max_steps,
        patience=draw_patience(point, trial, seed, paired),
    )
    return outcome(point, instance, run)


def draw_patience(
    point: Point, trial: int, seed: int, paired: Collection[str] = ()
) -> Patience | None:
    """When a trial is abandoned, and whether it is audited instead."""
    solver = point.solver
    if not solver.abandon_after:
        return None
    stream = random_stream(seed, point_identity(point, paired), trial, Purpose.AUDIT)
    audited = bool(stream.random() < solver.audit)
    return Patience(solver.abandon_after, solver.abandon_factor, audited)


def outcome(point: Point, instance: Instance, run: Descent) -> dict[str, int | float]:
    """Measure how a run ended, as a value for each of `VARIABLES`."""
    measured = errors(point, instance, run.state.code)
    measured |= {"loss": run.state.loss, "gradient_norm": run.state.gradient_norm}
    # A diverged run may end in NaN, which in the store means "not run".
    measured = {name: value if np.isfinite(value) else np.inf for name, value in measured.items()}
    success = measured[point.success.metric] < point.success.below
    return {
        "success": int(success),
        **measured,
        "iterations": run.steps,
        "negations": run.state.negations,
        "verdict": int(run.verdict),
        "abandonment": int(_abandonment(point, instance, run, success)),
    }


def errors(point: Point, instance: Instance, code: Vector) -> dict[str, float]:
    """Measure how far a code is from the target, relative to it."""
    target = instance.target
    size = np.linalg.norm(target)
    with np.errstate(over="ignore", invalid="ignore"):
        return {
            "latent_error": float(np.linalg.norm(code - target) / size),
            "signal_error": float(np.linalg.norm(instance.problem.network(code) - instance.signal)),
            "mirror_error": float(np.linalg.norm(code + mirror_ratio(point.depth) * target) / size),
        }


def _abandonment(point: Point, instance: Instance, run: Descent, success: bool) -> Abandonment:
    if run.hopeless_code is None:
        return Abandonment.NEVER_HOPELESS
    if run.verdict is Verdict.ABANDONED:
        return Abandonment.ABANDONED
    before = errors(point, instance, run.hopeless_code)[point.success.metric]
    wrong = success and not before < point.success.below
    return Abandonment.AUDITED_WRONG if wrong else Abandonment.AUDITED


@dataclass(frozen=True)
class Recovery:
    """The task kind `recovery`."""

    name: str = "recovery"
    version: int = KERNEL_VERSION
    variables: tuple[Variable, ...] = VARIABLES

    def run(self, point: Point, trial: int, seed: int, paired: Collection[str]) -> dict[str, Any]:
        """Run one trial."""
        return recover(point, trial, seed, paired)

    def pilot(
        self, point: Point, trial: int, seed: int, paired: Collection[str], seconds: float
    ) -> float:
        """Estimate the processor time of a trial within about the given time, both in seconds.

        A run that does not end within that time is taken to spend its whole step budget.
        """
        budget = point.solver.max_steps
        steps, spent, first = 1, 0.0, 0.0
        while True:
            begun, clock = time.thread_time(), time.perf_counter()
            values = recover(_with_budget(point, steps), trial, seed, paired)
            duration = time.thread_time() - begun
            spent += time.perf_counter() - clock
            if values["iterations"] < steps or steps == budget:
                return duration
            # The shortest run is nearly all draws; the steps of a longer one come on top.
            first = first or duration
            a_step = max(duration - first, 0.0) / (steps - 1) if steps > 1 else first
            affordable = int((seconds - spent - first) / max(a_step, 1e-7))
            if steps > 1 and affordable <= steps:
                return first + a_step * budget
            steps = min(budget, 5 * steps, max(affordable, steps + 4))

    def memory(self, point: Point) -> int:
        """Bytes a trial holds at once: weights and measurements, a few vectors, its engine's."""
        layers = [
            rows * columns
            for rows, columns in zip(point.widths, (point.k, *point.widths[:-1]), strict=True)
        ]
        entries = sum(layers) + point.m * point.n + 10 * (sum(point.widths) + point.m)
        if point.solver.engine == "fast":
            entries += engine_entries(point.k, point.widths, point.m)
        return 8 * entries


def _with_budget(point: Point, steps: int) -> Point:
    return point.model_copy(update={"solver": point.solver.model_copy(update={"max_steps": steps})})
