"""Runs of both engines on problems of all kinds, and what it means that they agree."""

from typing import Any

import numpy as np
from helpers import SensingLoss, gaussian_sensing
from hypothesis import strategies as st

from genprior.sweeps import Grid, Point, load_sweep
from genprior.tasks.generators import gaussian_network
from genprior.tasks.instance import draw_instance
from genprior.tasks.numerics.latent_loss import LatentLoss
from genprior.tasks.numerics.machine import limit_blas_threads
from genprior.tasks.numerics.network import Network
from genprior.tasks.problems import problem_class
from genprior.tasks.solvers.descent import (
    NO_END,
    Descent,
    Patience,
    SubgradientDescent,
    Verdict,
    descend,
)
from genprior.tasks.solvers.fast import descend_fast
from genprior.tasks.solvers.fast.policy import Policy

limit_blas_threads()

COCOLA = Grid(load_sweep("cocola-fig1"))
METHOD = SubgradientDescent(0.7, 1e-10)

OTHERS = (
    "inversion",
    "denoising",
    "phase-retrieval",
    "one-bit",
    "compressed-sensing, subsampled-dct",
    "phase-retrieval, subsampled-dct",
)


def draw_problem(
    rng: np.random.Generator, k: int, widths: list[int], m: int, sigma: float = 0.0
) -> SensingLoss:
    """A problem whose signal has a norm of 1, unless the network is dead."""
    network = gaussian_network(rng, k, widths)
    target = rng.standard_normal(k)
    target /= max(np.linalg.norm(network(target)), 1e-3)
    sensing = gaussian_sensing(rng, m, widths[-1])
    observed = sensing @ network(target) + sigma * rng.standard_normal(m)
    return SensingLoss(network, sensing, observed)


def draw_other(
    rng: np.random.Generator, kind: str, k: int, widths: list[int], m: int, sigma: float
) -> LatentLoss:
    """Another loss that is a sum of squares, or compressed sensing by a fast transform."""
    name, _, ensemble = kind.partition(", ")
    point = Point(
        problem=name,
        k=k,
        depth=len(widths),
        widths=tuple(widths),
        m=min(m, widths[-1]) if ensemble else m,
        ensemble=ensemble or "gaussian",
        noise={"sigma": sigma},
        dither={"amplitude": 3.0},
    )
    network = gaussian_network(rng, k, widths)
    signal = network(rng.standard_normal(k))
    signal /= max(np.linalg.norm(signal), 1e-3)
    return LatentLoss(network, problem_class(name).draw(point, signal, lambda purpose: rng))


def cocola(depth: int, k: int, trial: int = 0) -> tuple[SensingLoss, np.ndarray]:
    """A trial of cocola-fig1, and its start."""
    axes = COCOLA.sweep.axes
    point = COCOLA.point((axes["depth"].index(depth), axes["k"].index(k)))
    instance = draw_instance(point, trial, COCOLA.sweep.seed)
    problem = instance.objective.problem
    loss = SensingLoss(instance.objective.network, problem.sensing.matrix, problem.observed)
    return loss, instance.start


def both(
    problem, method, start, max_steps, patience=NO_END, policy=Policy
) -> tuple[Descent, Descent]:
    """The runs of both engines."""
    plain = descend(problem, method, start, max_steps=max_steps, patience=patience)
    return plain, descend_fast(
        problem, method, start, max_steps=max_steps, patience=patience, policy=policy
    )


def ending(run: Descent) -> tuple[int, Verdict, bool]:
    """How a run ended."""
    return run.steps, run.verdict, run.hopeless_code is not None


def agree(one: Descent, other: Descent) -> bool:
    """The contract: same steps, verdicts and negations, codes to 1e-9."""
    if ending(one) != ending(other):
        return False
    if one.state.negations != other.state.negations:
        return False
    if one.verdict is Verdict.DIVERGED:
        return True
    difference = np.linalg.norm(other.state.code - one.state.code)
    return bool(difference <= 1e-9 * np.linalg.norm(one.state.code))


def is_chaotic(problem, method, start, max_steps, patience, plain: Descent) -> bool:
    """Whether rounding alone parts the plain engine from itself: weights moved by last digits."""
    rng = np.random.default_rng(0)
    *lower, last = problem.network.weights
    for _ in range(3):
        moved = last * (1 + 3e-15 * rng.standard_normal(last.shape))
        other = LatentLoss(Network((*lower, moved)), problem.problem)
        again = descend(other, method, start, max_steps=max_steps, patience=patience)
        if not agree(plain, again):
            return True
    return False


@st.composite
def runs(draw: Any) -> tuple[Any, ...]:
    """Shapes, noise, starts, step sizes and budgets of all kinds."""
    k = draw(st.sampled_from([1, 2, 3, 5, 8, 13, 30, 60]))
    depth = draw(st.integers(1, 6 if k < 30 else 3))
    widths = [draw(st.integers(k, 6 * k + 30)) for _ in range(depth)]
    m = draw(st.sampled_from([max(1, k // 2), k + 3, 3 * k + 10, 2 * widths[-1]]))
    sigma = draw(st.sampled_from([0.0, 0.0, 1e-3, 0.05]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["compressed-sensing", *OTHERS]))
    problem = draw_problem(rng, k, widths, m, sigma)
    if kind != "compressed-sensing":
        problem = draw_other(rng, kind, k, widths, m, sigma)
    start = rng.standard_normal(k) * draw(st.sampled_from([1.0, 1.0, 30.0, 1e-3, 1e-12]))
    # α = 0.7·2^{d−2} suits a depth d; much larger ones make the descent oscillate or diverge.
    step = draw(st.sampled_from([0.05, 0.7, 0.7 * 2.0 ** (depth - 2), 2.0, 8.0, 30.0]))
    tolerance = draw(st.sampled_from([1e-10, 1e-7, 1e-4]))
    method = SubgradientDescent(step, tolerance, draw(st.booleans() | st.just(True)))
    patience = draw(
        st.just(NO_END)
        | st.builds(
            Patience,
            st.integers(0, 80),
            st.sampled_from([1 + 1e-9, 1.01, 2.0]),
            st.booleans(),
            st.sampled_from([0, 0, 7, 60]),
        )
    )
    return problem, method, start, draw(st.sampled_from([1, 7, 100, 600])), patience
