"""Recovery problems: data, losses and gradients as the papers write them; symmetries."""

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from one_trial import recover
from problem_points import (
    NOISY,
    SEED,
    descent_vector,
    each_problem,
    loss,
    pattern,
    point,
    streams,
)

from genprior.sweeps import Point, Purpose
from genprior.tasks.instance import draw_instance
from genprior.tasks.numerics.machine import limit_blas_threads
from genprior.tasks.numerics.operators import DenseSensing
from genprior.tasks.problems import PROBLEMS, PhaseRetrieval, SpikedWishart
from genprior.tasks.problems.spiked_wigner import orthogonal_ensemble


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    limit_blas_threads()


# Gradients


@each_problem
@pytest.mark.parametrize(("k", "widths"), [(3, [12]), (3, [12, 20]), (2, [9, 8, 10])])
def test_the_descent_vector_is_the_slope_of_the_loss(problem, k, widths):
    """Between kinks f is smooth, and a central difference is off by h²|f'''|/6 and ε|f|/h.

    With h = 10⁻⁵ and |f|, |f'''| below 10³ both are below 10⁻⁷. The test asks that no unit and no
    sign of A y flips within h.
    """
    made = draw_instance(point(problem, k=k, depth=len(widths), widths=widths, gain=2), 0, SEED)
    h = 1e-5
    for code in np.random.default_rng(1).standard_normal((4, k)):
        slope = []
        for step in h * np.eye(k):
            ahead, behind = code + step, code - step
            assert pattern(made.objective, ahead) == pattern(made.objective, behind)
            slope.append((loss(made.objective, ahead) - loss(made.objective, behind)) / (2 * h))
        assert_allclose(descent_vector(made.objective, code), slope, rtol=1e-7, atol=1e-7)


# Losses as the papers write them


def transcribed(made: Point, signal: np.ndarray) -> Callable[[np.ndarray], float]:
    """The papers' loss with all of its data drawn at once, as matrices."""
    stream, n, m, sigma = streams(made), made.n, made.m, made.noise.sigma
    if made.problem in ("inversion", "denoising"):
        noise = sigma * stream(Purpose.NOISE).standard_normal(n)
        return lambda y: 0.5 * np.sum((y - (signal + noise)) ** 2)
    if made.problem in ("compressed-sensing", "phase-retrieval"):
        modulus = np.abs if made.problem == "phase-retrieval" else np.positive
        a = stream(Purpose.MEASUREMENTS).standard_normal((m, n)) / sqrt(m)
        b = modulus(a @ signal) + sigma * stream(Purpose.NOISE).standard_normal(m)
        return lambda y: 0.5 * np.sum((modulus(a @ y) - b) ** 2)
    if made.problem == "one-bit":
        amplitude = made.dither.amplitude
        a = stream(Purpose.MEASUREMENTS).standard_normal((m, n))
        xi = sigma * stream(Purpose.NOISE).standard_normal(m)
        tau = stream(Purpose.DITHER).uniform(-amplitude, amplitude, m)
        s = np.sign(a @ signal + xi + tau)
        return lambda y: y @ y - 2 * amplitude / m * sum(s[i] * (a[i] @ y) for i in range(m))
    if made.problem == "spiked-wigner":
        g = stream(Purpose.NOISE).standard_normal((n, n))
        matrix = np.outer(signal, signal) + sigma * (g + g.T) / sqrt(2 * n)
    else:
        u = stream(Purpose.MEASUREMENTS).standard_normal(made.samples)
        z = stream(Purpose.NOISE).standard_normal((made.samples, n))
        b = np.outer(u, signal) + sigma * z
        matrix = sum(np.outer(row, row) for row in b) / made.samples - sigma**2 * np.eye(n)
    return lambda y: 0.5 * np.linalg.norm(matrix - np.outer(y, y)) ** 2


@pytest.mark.parametrize(
    ("problem", "changes"),
    [*((problem, {}) for problem in NOISY), ("spiked-wishart", {"samples": 30})],
)
def test_the_loss_is_the_papers(problem, changes):
    """Also of Wishart data with 2N ≥ n, where M is kept rather than B."""
    made = point(problem, **changes)
    drawn = draw_instance(made, 0, SEED)
    expected = transcribed(made, drawn.signal)
    for signal in (drawn.signal, *np.random.default_rng(2).standard_normal((3, made.n))):
        found = drawn.objective.problem.misfit(signal).loss + drawn.objective.problem.offset
        assert_allclose(found, expected(signal), rtol=1e-11, atol=1e-13)


@each_problem
def test_the_stored_loss_is_the_papers(problem):
    """Stopped at once, as any ‖v‖ is below 10⁹: x̂ is the start."""
    made = point(problem, solver={"tolerance": 1e9, "negation": False})
    drawn = draw_instance(made, 0, SEED)
    expected = transcribed(made, drawn.signal)(drawn.objective.network(drawn.start))
    assert_allclose(recover(made, 0, SEED)["loss"], expected, rtol=1e-11)


def test_the_stored_loss_of_one_bit_recovery_ends_near_minus_the_square_of_the_target():
    """‖y‖² − 2⟨v, y⟩ is −‖y*‖² at y = y* = v; v is off by λ√(n/m) = 0.04 or so."""
    made = point("one-bit", m=50_000, noise={}, dither={"amplitude": 3.0})
    values = recover(made, 0, SEED)
    assert values["loss"] < 0
    assert_allclose(values["loss"], -1, atol=0.2)


@pytest.mark.parametrize("sigma", [0.0, 0.4])
@pytest.mark.parametrize("samples", [1, 5, 30])
def test_wishart_data_are_the_same_as_rows_and_as_a_matrix(samples, sigma):
    """M = BᵀB/N − σ²1; an eigenvalue is found to 10⁻³ at worst."""
    random = np.random.default_rng(3)
    rows = random.standard_normal((samples, 12))
    by_rows = SpikedWishart(rows, samples, sigma**2)
    by_matrix = SpikedWishart(rows.T @ rows / samples - sigma**2 * np.eye(12))
    for signal in random.standard_normal((4, 12)):
        one, other = by_rows.misfit(signal), by_matrix.misfit(signal)
        assert_allclose(one.loss, other.loss, rtol=1e-11)
        assert_allclose(by_rows.gradient(one), by_matrix.gradient(other), rtol=1e-10, atol=1e-12)
    assert_allclose(by_rows.scale(), by_matrix.scale(), rtol=1e-3)
    top = np.linalg.eigvalsh(by_matrix.matrix)[-1]
    assert_allclose(by_rows.scale(), sqrt(top), rtol=1e-3)


@pytest.mark.parametrize(("samples", "kept"), [(9, (9, 20)), (10, (20, 20))])
def test_wishart_data_are_kept_as_whatever_is_smaller(samples, kept):
    """M y takes 2Nn products with B and n² with M."""
    drawn = draw_instance(point("spiked-wishart", samples=samples), 0, SEED)
    assert drawn.objective.problem.matrix.shape == kept


def test_the_noise_of_the_wigner_model_is_the_orthogonal_ensemble():
    """H_ij has variance 1/n and H_ii 2/n; of N normals it is known to √(2/N), we allow five."""
    n = 400
    found = orthogonal_ensemble(np.random.default_rng(4), n)
    assert_array_equal(found, found.T)
    above = found[np.triu_indices(n, 1)]
    assert_allclose(n * above.var(), 1, atol=5 * sqrt(2 / above.size))
    assert_allclose(n * np.diag(found).var(), 2, atol=5 * 2 * sqrt(2 / n))


# Scale and sign


@pytest.mark.parametrize(
    ("problem", "power", "noise_power"),
    [
        ("compressed-sensing", 2, 1),
        ("inversion", 2, 1),
        ("denoising", 2, 1),
        ("phase-retrieval", 2, 1),
        ("spiked-wishart", 4, 1),
        ("spiked-wigner", 4, 2),
        ("one-bit", 2, 1),
    ],
)
def test_a_larger_target_is_the_same_problem_in_other_units(problem, power, noise_power):
    """In y* → c y*, L(cy) = c²L(y) or c⁴L(y), if noise and dither grow too; the noise of M as c².

    c = 8 is exact in binary, so that no sign of a one-bit measurement changes by rounding.
    """
    c, paired = 8.0, ["target_norm", "noise.sigma", "dither.amplitude"]
    one = point(problem)
    changes: dict[str, Any] = {"noise": {"sigma": c**noise_power * one.noise.sigma}}
    if problem == "one-bit":
        changes["dither"] = {"amplitude": c * one.dither.amplitude}
    other = point(problem, target_norm=c, **changes)
    first, second = (draw_instance(made, 0, SEED, paired) for made in (one, other))
    assert_allclose(second.target, c * first.target, rtol=1e-14)
    assert_allclose(second.signal, c * first.signal, rtol=1e-14)
    small, large = first.objective.problem, second.objective.problem
    for signal in np.random.default_rng(5).standard_normal((3, one.n)):
        less, more = small.misfit(signal), large.misfit(c * signal)
        assert_allclose(more.loss, c**power * less.loss, rtol=1e-11)
        gradients = large.gradient(more), c ** (power - 1) * small.gradient(less)
        assert_allclose(*gradients, rtol=1e-9, atol=1e-12)
    assert_allclose(large.offset, c**power * small.offset, rtol=1e-11)
    assert_allclose(large.scale(), c * small.scale(), rtol=1e-11)
    assert_allclose(large.curvature(), c ** (power - 2) * small.curvature(), rtol=1e-11)


@pytest.mark.parametrize("problem", ["phase-retrieval", "spiked-wishart", "spiked-wigner"])
def test_some_problems_cannot_see_the_sign_of_the_signal(problem):
    """|A y| and y yᵀ are even in y, and so are noiseless data in y*."""
    made = point(problem, noise={})
    signal = np.random.default_rng(6).standard_normal(made.n)
    drawn = PROBLEMS.built_in[problem]
    one, other = (drawn.draw(made, s, streams(made)) for s in (signal, -signal))
    for seen in np.random.default_rng(7).standard_normal((3, made.n)):
        assert one.misfit(seen).loss == one.misfit(-seen).loss
        assert_array_equal(one.gradient(one.misfit(seen)), -one.gradient(one.misfit(-seen)))
        assert one.misfit(seen).loss == other.misfit(seen).loss
    if isinstance(one, PhaseRetrieval):
        assert_array_equal(one.observed, other.observed)


def test_a_measurement_of_exactly_zero_has_no_sign():
    """sign(0) = 0: with A = 1 and y = (0, 2), b = (1, 1), g = ((0 − 1)·0, 2 − 1)."""
    problem = PhaseRetrieval(DenseSensing(np.eye(2)), np.ones(2))
    misfit = problem.misfit(np.array([0.0, 2.0]))
    assert misfit.loss == 1.0
    assert_array_equal(problem.gradient(misfit), [0, 1])


def test_noise_may_make_a_magnitude_negative():
    """B = |A y*| + η is not clipped: with b = −1 and A y = 2, the residual is 3."""
    problem = PhaseRetrieval(DenseSensing(np.eye(1)), np.array([-1.0]))
    assert problem.misfit(np.array([-2.0])).loss == 4.5
