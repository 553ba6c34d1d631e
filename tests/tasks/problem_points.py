"""Points of every recovery problem; their losses, descent vectors and streams."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from genprior.sweeps import Point, Purpose, point_identity, random_stream
from genprior.tasks.instance import Instance
from genprior.tasks.numerics.latent_loss import LatentLoss

SEED = 11
# A noisy point of each problem.
NOISY: dict[str, dict[str, Any]] = {
    "compressed-sensing": {"m": 25, "noise": {"sigma": 0.1}},
    "inversion": {},
    "denoising": {"noise": {"sigma": 0.1}},
    "phase-retrieval": {"m": 25, "noise": {"sigma": 0.1}},
    "spiked-wishart": {"samples": 8, "noise": {"sigma": 0.3}},
    "spiked-wigner": {"noise": {"sigma": 0.3}},
    "one-bit": {"m": 90, "noise": {"sigma": 0.2}, "dither": {"amplitude": 1.5}},
}
# What is enough of each without noise, on networks of these widths.
WIDTHS = [60, 80, 100, 120]
ENOUGH: dict[str, dict[str, Any]] = {
    "compressed-sensing": {"m": 90},
    "inversion": {},
    "denoising": {},
    "phase-retrieval": {"m": 200},
    "spiked-wishart": {"samples": 40},
    "spiked-wigner": {},
}
each_problem = pytest.mark.parametrize("problem", NOISY)
each_noiseless = pytest.mark.parametrize("problem", ENOUGH)


def point(problem: str, **changes: Any) -> Point:
    written = {"problem": problem, "k": 3, "depth": 2, "widths": [12, 20], **NOISY[problem]}
    return Point.model_validate({**written, **changes})


def noiseless(problem: str, depth: int = 2, **changes: Any) -> Point:
    """A point with several times the data that recovery needs."""
    written = {"problem": problem, "k": 3, "depth": depth, "widths": WIDTHS[:depth]}
    return Point.model_validate({**written, **ENOUGH.get(problem, {"m": 500}), **changes})


def streams(made: Point, trial: int = 0) -> Callable[[Purpose], np.random.Generator]:
    """The random streams of a trial, to draw its data once more by hand."""
    return lambda purpose: random_stream(SEED, point_identity(made), trial, purpose, made.target)


def loss(objective: LatentLoss, code: np.ndarray) -> float:
    return objective.evaluate(objective.first(code)).loss


def descent_vector(objective: LatentLoss, code: np.ndarray) -> np.ndarray:
    return objective.descent_vector(objective.evaluate(objective.first(code)))


def pattern(objective: LatentLoss, code: np.ndarray) -> list[float]:
    """Which units are on; for phase retrieval also the signs of A y."""
    evaluated = objective.evaluate(objective.first(code))
    on = [float(unit) for layer in evaluated.activations for unit in layer > 0]
    signs = np.sign(evaluated.misfit.measured) if objective.problem.phaseless else []
    return on + list(signs)


def hessian(made: Instance) -> np.ndarray:
    """F'' at x*, by central differences of v, which are exact for quadratic f."""
    h = 1e-6 * np.linalg.norm(made.target)
    columns = [
        descent_vector(made.objective, made.target + step)
        - descent_vector(made.objective, made.target - step)
        for step in h * np.eye(made.target.size)
    ]
    return np.array(columns) / (2 * h)


def one_bit(m: int, n: int, **changes: Any) -> Point:
    written = {"problem": "one-bit", "k": 2, "depth": 1, "widths": [n], "m": m, **changes}
    return Point.model_validate(written)
