"""Recovery problems: data, losses and gradients as the papers write them; symmetries; defaults."""

from collections.abc import Callable
from math import erf, log, pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import ValidationError

from genprior.sweeps import Point, Purpose, SweepError, point_identity, random_stream
from genprior.tasks.experiments.recovery import recover
from genprior.tasks.instance import Instance, draw_instance
from genprior.tasks.latent_loss import LatentLoss
from genprior.tasks.machine import limit_blas_threads
from genprior.tasks.problems import (
    PROBLEMS,
    PhaseRetrieval,
    SpikedWishart,
    check_point,
)
from genprior.tasks.problems.one_bit import back_project, dither_amplitude
from genprior.tasks.problems.spiked_wigner import orthogonal_ensemble
from genprior.tasks.sensing import DenseSensing
from genprior.tasks.solvers import SolverTable
from genprior.tasks.solvers.descent import Verdict
from genprior.tasks.theory import mirror_ratio, phaseless_mirror_ratio

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


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    limit_blas_threads()


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


# Stationary points


@each_noiseless
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_without_noise_the_target_is_stationary(problem, depth):
    """All of M − y* y*ᵀ, |A y*| − b and the rest vanish; of Wishart data at (‖u‖/√N) y*."""
    made = noiseless(problem, depth)
    drawn = draw_instance(made, 0, SEED)
    factor = 1.0
    if problem == "spiked-wishart":
        weights = streams(made)(Purpose.MEASUREMENTS).standard_normal(made.samples)
        factor = np.linalg.norm(weights) / sqrt(made.samples)
        assert abs(factor - 1) > 1e-3
        assert np.linalg.norm(descent_vector(drawn.objective, drawn.target)) > 1e-4
    at = factor * drawn.target
    assert_allclose(descent_vector(drawn.objective, at), 0, atol=1e-13)
    assert_allclose(loss(drawn.objective, at), 0, atol=1e-13)


def one_bit(m: int, n: int, **changes: Any) -> Point:
    written = {"problem": "one-bit", "k": 2, "depth": 1, "widths": [n], "m": m, **changes}
    return Point.model_validate(written)


@pytest.mark.parametrize("sigma", [0.0, 0.7])
@pytest.mark.parametrize("amplitude", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("norm", [1.0, 3.0])
def test_the_mean_back_projection_of_gaussian_rows_is_an_error_function(amplitude, sigma, norm):
    """E v = y*·P(|t| < λ) = y*·erf(λ/√(2(‖y*‖² + σ²))) for t = ⟨a, y*⟩ + ξ.

    E[s | t] is t/λ, cut off at ±1, and t is normal with variance ‖y*‖² + σ²: by Stein's lemma λ
    E[s a] is y* times the mean slope of λ E[s | t]. A coordinate of v is the mean of m terms λ s
    a_j of variance at most λ²; we allow five standard deviations, 5λ/√m.
    """
    m, signal = 100_000, norm * np.array([0.6, 0.0, 0.0, 0.8, 0.0])
    made = one_bit(m, 5, noise={"sigma": sigma}, dither={"amplitude": amplitude})
    factor = erf(amplitude / sqrt(2 * (norm**2 + sigma**2)))
    found = back_project(made, signal, streams(made))
    assert_allclose(found, factor * signal, rtol=0, atol=5 * amplitude / sqrt(m))


@pytest.mark.parametrize(("amplitude", "factor"), [(1, 0.683), (2, 0.954), (3, 0.9973)])
def test_the_bias_of_a_dither_of_one_two_three_standard_deviations(amplitude, factor):
    """A normal variable lies so often within one, two or three of its standard deviations."""
    assert_allclose(erf(amplitude / sqrt(2)), factor, atol=5e-4)


def test_without_dither_only_the_direction_of_the_signal_is_seen():
    """E v = λ E[sign(t) a] = λ √(2/π) y*/√(‖y*‖² + σ²): y* and 10 y* are one and the same.

    Terms have variance λ² at most; we allow 5λ/√m.
    """
    m, amplitude = 100_000, 1.3
    made = one_bit(m, 5, dither={"enabled": False, "amplitude": amplitude})
    signal = np.array([0.6, 0.0, 0.0, 0.8, 0.0])
    found = back_project(made, signal, streams(made))
    expected = amplitude * sqrt(2 / pi) * signal
    assert_allclose(found, expected, rtol=0, atol=5 * amplitude / sqrt(m))
    assert_array_equal(back_project(made, 10 * signal, streams(made)), found)


@pytest.mark.parametrize(("amplitude", "unbiased"), [(1.4, True), (0.7, False)])
def test_a_dither_that_covers_all_measurements_leaves_no_bias(amplitude, unbiased):
    """With a_i = ±1, |⟨a, y*⟩| ≤ 0.6 + 0.8 = 1.4: from λ = 1.4 on E[s | t] = t/λ and E v = y*.

    With λ = 0.7, s = sign(t) where |t| = 1.4 and E[s | t] = t/λ where |t| = 0.2:
    E v = λ E[s a] = (½(0.7 − 0.2), ½(0.7 + 0.2)) = (0.25, 0.45).
    """
    m, signal = 100_000, np.array([0.6, 0.0, 0.0, 0.8, 0.0])
    made = one_bit(m, 5, ensemble="rademacher", dither={"amplitude": amplitude})
    found = back_project(made, signal, streams(made))
    expected = signal if unbiased else np.array([0.25, 0, 0, 0.45, 0])
    assert_allclose(found, expected, rtol=0, atol=5 * amplitude / sqrt(m))


def test_signs_of_rademacher_rows_confuse_two_signals_until_there_is_dither():
    """sign(±1 ± ½) is the sign of the first entry, and so is sign(±1) (QWY 1.1).

    With dither v is near either signal: λ = 1.6 ≥ 3/2, 5λ/√m = 0.06, and ½ lies between them.
    """
    made = {
        (enabled, target): draw_instance(
            Point.model_validate(
                {
                    "problem": "one-bit",
                    "k": 2,
                    "depth": 1,
                    "widths": [2],
                    "generator": "identity",
                    "target_codes": "1 0; 1 0.5",
                    "target": target,
                    "m": 20_000,
                    "ensemble": "rademacher",
                    "dither": {"enabled": enabled, "amplitude": 1.6},
                    "success": {"metric": "nearest_target"},
                }
            ),
            0,
            SEED,
        )
        for enabled in (False, True)
        for target in (0, 1)
    }
    seen = {key: one.objective.problem.back_projection for key, one in made.items()}
    assert_array_equal(seen[False, 0], seen[False, 1])
    assert_allclose(seen[True, 0], [1, 0], atol=0.06)
    assert_allclose(seen[True, 1], [1, 0.5], atol=0.06)


# Defaults


@pytest.mark.parametrize("norm", [1e-3, 1.0, 1e3])
def test_every_problem_estimates_the_norm_of_its_target(norm):
    """‖A y*‖/‖y*‖ has a standard deviation of 1/√(2m), and ‖u‖/√N one of 1/√(2N).

    The other noiseless data give the norm itself, but for the 10⁻³ of an eigenvalue. Of one-bit
    data ‖v − E v‖² is nλ²/m at most on average: with λ = 3‖y*‖, n = 80, m = 10⁵ the norm is off by
    0.085 at most, and E v by a factor of 0.9973.
    """
    for problem, bound in {
        "compressed-sensing": 5 / sqrt(2 * 90),
        "phase-retrieval": 5 / sqrt(2 * 200),
        "inversion": 1e-12,
        "denoising": 1e-12,
        "spiked-wigner": 1e-3,
        "spiked-wishart": 5 / sqrt(2 * 40),
    }.items():
        drawn = draw_instance(noiseless(problem, target_norm=norm), 1, SEED)
        assert_allclose(drawn.objective.problem.scale() / norm, 1, atol=bound)
    made = one_bit(100_000, 80, target_norm=norm, dither={"amplitude": 3 * norm})
    drawn = draw_instance(made, 0, SEED)
    assert_allclose(drawn.objective.problem.scale() / norm, 1, atol=0.09)


@pytest.mark.parametrize("problem", ["spiked-wishart", "spiked-wigner"])
def test_an_eigenvalue_is_the_same_to_the_bit_every_time(problem):
    """The step follows from it: a trial that differs from run to run could not be resumed."""
    for trial in range(5):
        made = noiseless(problem)
        draws = {draw_instance(made, trial, SEED).objective.problem.scale() for _ in range(4)}
        assert len(draws) == 1


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_smallest_matrices_have_eigenvalues_too(n):
    """Down to one entry, where iterative methods give up."""
    signal = np.arange(1.0, n + 1)
    spiked = PROBLEMS.built_in["spiked-wigner"](np.outer(signal, signal))
    assert_allclose(spiked.scale(), np.linalg.norm(signal), rtol=1e-3)
    rows = PROBLEMS.built_in["spiked-wishart"](np.outer([1.0], signal), 1)
    assert_allclose(rows.scale(), np.linalg.norm(signal), rtol=1e-3)


@pytest.mark.parametrize("problem", [*ENOUGH, "one-bit"])
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize(("norm", "gain"), [(1e-3, 1), (1.0, 2), (1e3, 1)])
def test_the_default_step_is_stable_at_the_target(problem, depth, norm, gain):
    """Linear descent is stable for α·λ_max(f'') < 2. And it is no waste: α·λ_max is 0.02 or more.

    ΛᵀΛ ≈ (gain/2)^d would make it 0.175 for quadratic losses, ⅔ of that or less for spiked ones
    (4‖y*‖² radially and 2‖y*‖² across, of the 6‖y*‖² that the step allows for), if layers were
    wide.
    """
    dither = {"dither": {"amplitude": 3 * norm}} if problem == "one-bit" else {}
    made = noiseless(problem, depth, target_norm=norm, gain=gain, **dither)
    for trial in range(3):
        drawn = draw_instance(made, trial, SEED)
        stiffness = drawn.method.step_size * np.linalg.eigvalsh(hessian(drawn))[-1]
        assert 0.02 < stiffness < 2


@each_noiseless
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_defaults_recover_whatever_the_scale(problem, depth):
    """Step, tolerance and start follow the data: 10⁻³ ≤ ‖y*‖ ≤ 10³, and so for the gain.

    v is below 10⁻¹⁰ of its size at the start then, so that codes are known to 10⁻⁶ if f'' has a
    condition number below 10⁴. Wishart data are met by (‖u‖/√N) x*. Draws are shared but for
    scale, as other small networks trap some of the starts.
    """
    paired = ["target_norm", "gain"]
    for norm, gain in ((1.0, 1), (1e-3, 1), (1e3, 2), (1e3, 1), (1.0, 1e-3), (1.0, 1e3)):
        made = noiseless(problem, depth, target_norm=norm, gain=gain)
        drawn = draw_instance(made, 0, SEED, paired)
        factor = drawn.objective.problem.scale() / norm if problem == "spiked-wishart" else 1.0
        values = recover(made, 0, SEED, paired)
        assert values["verdict"] == Verdict.CONVERGED
        assert_allclose(values["latent_error"], abs(factor - 1), atol=1e-6)


@each_noiseless
def test_a_run_in_other_units_is_the_same_run(problem):
    """Start, step and tolerance grow as they must: to the bit, where units differ by 2¹⁰."""
    runs = []
    for norm in (2.0**-10, 1.0, 2.0**10):
        values = recover(noiseless(problem, 3, target_norm=norm), 0, SEED, ["target_norm"])
        runs.append([values[name] for name in ("latent_error", "iterations", "negations")])
    assert runs[0] == runs[1] == runs[2]


@each_noiseless
def test_a_run_at_another_gain_is_the_same_run(problem):
    """Layers of 4^{±3} times the variance make G larger by 2^{±9} at depth 3, exactly."""
    runs = []
    for gain in (4.0**-3, 1.0, 4.0**3):
        values = recover(noiseless(problem, 3, gain=gain), 0, SEED, ["gain"])
        runs.append([values[name] for name in ("latent_error", "iterations", "negations")])
    assert runs[0] == runs[1] == runs[2]


# Noise


@pytest.mark.parametrize("problem", ["compressed-sensing", "denoising", "phase-retrieval"])
@pytest.mark.parametrize(("snr_db", "ratio"), [(20, 100), (3, 10**0.3)])
def test_a_signal_to_noise_ratio_is_one_of_norms(problem, snr_db, ratio):
    """10·log10(‖A y*‖/‖η‖), not 20 (Cocola, App. H); of phase retrieval ‖|A y*|‖ is the same."""
    made = point(problem, noise={"snr_db": snr_db})
    drawn = draw_instance(made, 0, SEED)
    clean = drawn.signal
    if problem != "denoising":
        clean = drawn.objective.problem.sensing.matrix @ clean
    if problem == "phase-retrieval":
        clean = np.abs(clean)
    noise = drawn.objective.problem.observed - clean
    assert_allclose(np.linalg.norm(clean) / np.linalg.norm(noise), ratio, rtol=1e-12)


@pytest.mark.parametrize(
    ("law", "fourth", "eighth"),
    [("gaussian", 3, 105), ("laplace", 6, 2520), ("uniform", 1.8, 9), ("student-t", 4.2, 2401)],
)
def test_noise_has_the_stated_law(law, fourth, eighth):
    """The mean of N fourth powers has the variance (μ₈ − μ₄²)/N, that of squares (μ₄ − 1)/N.

    Of Student's t with ν = 9, μ₄ = 3 + 6/(ν − 4) and μ₈ = 105 (ν − 2)³/((ν − 4)(ν − 6)(ν − 8)).
    We allow five standard deviations.
    """
    n = 200_000
    noise = {"sigma": 0.2, "law": law}
    made = Point.model_validate(
        {"problem": "denoising", "k": 1, "depth": 1, "n": n, "noise": noise, "student_df": 9}
    )
    drawn = draw_instance(made, 0, SEED)
    found = (drawn.objective.problem.observed - drawn.signal) / 0.2
    assert_allclose((found**2).mean(), 1, atol=5 * sqrt((fourth - 1) / n))
    assert_allclose((found**4).mean(), fourth, atol=5 * sqrt((eighth - fourth**2) / n))


def test_inversion_has_no_noise_even_beside_problems_that_have():
    """In a sweep over problems noise.sigma is there for all of them."""
    made = Point.model_validate(
        {"problem": "inversion", "k": 3, "depth": 1, "widths": [9], "noise": {"sigma": 0.5}}
    )
    drawn = draw_instance(made, 0, SEED)
    assert_array_equal(drawn.objective.problem.observed, drawn.signal)
    assert recover(made, 0, SEED) == recover(
        made.model_copy(update={"solver": SolverTable(stall_after=0)}), 0, SEED
    )


# Mirror points


@pytest.mark.parametrize(("depth", "ratio"), [(1, 2 / pi), (2, 0.669), (3, 0.716)])
def test_the_mirror_ratio_of_phase_retrieval(depth, ratio):
    """((π − 2θ̌) cos θ̌ + 2 sin θ̌)/π is 2/π at θ̌_1 = π/2.

    At θ̌_2 = arccos(1/π) = 1.2468 it is (0.6480 · 0.3183 + 2 · 0.9480)/π = 0.0657 + 0.6035.
    """
    assert_allclose(phaseless_mirror_ratio(depth), ratio, atol=5e-4)


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("problem", ["phase-retrieval", "compressed-sensing"])
def test_the_descent_vector_nearly_vanishes_at_the_mirror_of_the_problem(problem, depth):
    """On the ray −t x* no unit and no sign flips: v is linear in t, and ≈ 2^{−d}(ρ − t) x*.

    v is an average over m measurements and over n_i units in each layer, off by about
    √(1/m + Σ 1/n_i): for m = n_i = 2000 and three layers that is 0.045, and 0.022 for the mean of
    4 trials. We allow 0.05; the two mirrors are 0.35 and 0.22 apart.
    """
    ours = {"phase-retrieval": phaseless_mirror_ratio, "compressed-sensing": mirror_ratio}
    made = Point.model_validate(
        {"problem": problem, "k": 2, "depth": depth, "widths": [2000] * depth, "m": 2000}
    )
    assert PROBLEMS.built_in[problem].mirror_ratio(depth) == ours[problem](depth)
    ratio, trials = ours[problem](depth), 4
    offsets = (-0.2, 0.0, 0.2)
    found = np.zeros(len(offsets))
    for trial in range(trials):
        drawn = draw_instance(made, trial, SEED)
        size = 2.0**-depth * drawn.target @ drawn.target
        for i, offset in enumerate(offsets):
            v = descent_vector(drawn.objective, -(ratio + offset) * drawn.target)
            found[i] += v @ drawn.target / size / trials
    assert_allclose(found, np.negative(offsets), atol=0.05)


@each_problem
def test_a_start_at_the_mirror_is_at_the_mirror_of_the_problem(problem):
    drawn = draw_instance(point(problem, solver={"start": "mirror"}), 0, SEED)
    assert_array_equal(drawn.start, -PROBLEMS.built_in[problem].mirror_ratio(2) * drawn.target)


# Dither


def test_the_rule_for_the_dither_grows_with_the_logarithm_of_m():
    """½ √(‖y*‖² + σ²) log m, and √(‖y*‖² + σ²) for m below e²."""
    rule = {"dither": {"rule": "log-m"}, "target_norm": 3, "noise": {"sigma": 4}}
    assert_allclose(dither_amplitude(one_bit(1000, 5, **rule)), 2.5 * log(1000))
    assert_allclose(dither_amplitude(one_bit(2, 5, **rule)), 5)
    assert dither_amplitude(one_bit(2, 5, dither={"amplitude": 0.3})) == 0.3


# Refusals

SHAPE = {"k": 2, "depth": 1, "widths": [8]}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"problem": "compressed-sensing"}, "problem 'compressed-sensing' needs 'm', the number"),
        ({"problem": "phase-retrieval", "m": 0}, "problem 'phase-retrieval' needs 'm'"),
        ({"problem": "spiked-wishart"}, "problem 'spiked-wishart' needs 'samples', the number of"),
        ({"problem": "spiked-wishart", "samples": 0}, "needs 'samples'"),
        ({"problem": "one-bit", "dither": {"amplitude": 1}}, "problem 'one-bit' needs 'm'"),
        ({"problem": "one-bit", "m": 5}, "problem 'one-bit' needs 'dither.amplitude', the λ"),
        (
            {"problem": "one-bit", "m": 5, "dither": {"enabled": False}},
            "problem 'one-bit' needs 'dither.amplitude'",
        ),
        (
            {"problem": "one-bit", "m": 5, "dither": {"amplitude": 1, "rule": "log-m"}},
            "'dither.rule' is 'log-m' and 'dither.amplitude' is 1.0; give one.",
        ),
        (
            {"problem": "one-bit", "m": 5, "dither": {"amplitude": 1}, "noise": {"snr_db": 20}},
            "problem 'one-bit' has no 'noise.snr_db'; it has m, ensemble,",
        ),
        (
            {"problem": "spiked-wigner", "noise": {"snr_db": 20}},
            "problem 'spiked-wigner' has no 'noise.snr_db'; it has noise.sigma.",
        ),
        (
            {"problem": "inversion", "noise": {"snr_db": 20}},
            "problem 'inversion' has no 'noise.snr_db'; it has no parameters of its own.",
        ),
        (
            {"problem": "compressed-sensing", "m": 9, "ensemble": "subsampled-dct"},
            "m = 9 exceeds n = 8: 'subsampled-dct' draws its rows without replacement.",
        ),
        ({"problem": "phase-retreival", "m": 5}, "Did you mean 'phase-retrieval'?"),
        ({"problem": "tomography"}, "Known: compressed-sensing, inversion, denoising,"),
    ],
)
def test_a_point_that_its_problem_cannot_have_is_refused(written, expected):
    """Before anything is drawn; `draw_instance` refuses it as well."""
    made = Point.model_validate({**SHAPE, **written})
    for refuse in (check_point, lambda p: draw_instance(p, 0, 0)):
        with pytest.raises((ValueError, SweepError)) as refusal:
            refuse(made)
        assert expected in str(refusal.value)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "written",
    [
        {"problem": "one-bit", "m": 5, "dither": {"rule": "log-m"}},
        {"problem": "one-bit", "m": 5, "dither": {"enabled": False, "amplitude": 1}},
        {"problem": "compressed-sensing", "m": 8, "ensemble": "subsampled-dct"},
        {"problem": "compressed-sensing", "m": 9},
        {"problem": "inversion"},
    ],
)
def test_a_point_that_has_what_it_needs_is_not_refused(written):
    check_point(Point.model_validate({**SHAPE, **written}))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"noise": {"sigma": -0.1}}, "greater than or equal to 0"),
        ({"dither": {"amplitude": 0}}, "greater than 0"),
        ({"dither": {"amplitude": -1}}, "greater than 0"),
        ({"samples": -1}, "greater than or equal to 0"),
        ({"student_df": 2}, "greater than 2"),
        ({"target_norm": 0}, "greater than or equal to"),
        ({"noise": {"sigma": 0.1, "snr_db": 20}}, "give one"),
        ({"target_codes": "1 0 0; 0 1 0"}, "target_codes have 3 coordinates and k is 2"),
        ({"target_codes": "1 0; 1"}, "must be codes of the same length"),
        ({"target_codes": "1 x"}, "must be codes as in '1 0; 1 0.5'"),
        ({"target_codes": "1 inf"}, "must be finite numbers"),
        ({"target_codes": "1 0; 0 1", "target": 2}, "target is 2 and target_codes list 2"),
        ({"success": {"metric": "nearest_target"}}, "needs two target_codes or more"),
        (
            {"success": {"metric": "nearest_target"}, "target_codes": "1 0"},
            "needs two target_codes or more",
        ),
    ],
)
def test_values_that_no_problem_could_have_make_no_point(written, expected):
    with pytest.raises(ValidationError, match=expected):
        Point.model_validate({**SHAPE, "m": 5, **written})


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    path = tmp_path / "problems.toml"
    path.write_text("trials = 2\naxes.k = [1, 2]\nparameters = {depth = 1, widths = [8]}\n")
    return path


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("problem=one-bit m=5 noise.sigma=-1", "'noise.sigma': Input should be greater"),
        ("problem=one-bit m=5 dither.amplitude=0", "'dither.amplitude': Input should be greater"),
        ("problem=one-bit m=5", "problem 'one-bit' needs 'dither.amplitude', the λ"),
        ("problem=one-bit m=5 dither.enabled=false", "needs 'dither.amplitude'"),
        ("problem=one-bit m=5 dither.amplitude=1 dither.rule=log-m", "give one"),
        ("problem=one-bit m=5 dither.amplitude=1 noise.snr_db=20", "'noise.snr_db' is given"),
        ("problem=spiked-wigner noise.snr_db=20", "'noise.snr_db' is given"),
        ("problem=spiked-wigner,denoising noise.snr_db=20", "problem=spiked-wigner: problem"),
        ("problem=spiked-wishart", "problem 'spiked-wishart' needs 'samples'"),
        ("problem=spiked-wishart samples=0", "'samples': Input should be greater than or equal"),
        ("problem=compressed-sensing", "problem 'compressed-sensing' needs 'm'"),
        ("problem=compressed-sensing,inversion", "problem 'compressed-sensing' needs 'm'"),
        ("m=5:9:1 ensemble=subsampled-dct", "m=9: m = 9 exceeds n = 8"),
        ("m=5 samples=3", "'samples' is given, but problem 'compressed-sensing' has ensemble, m"),
        ("problem=inversion m=5", "'m' is given, but problem 'inversion' has no parameters"),
        ("problem=inversion,denoising m=5", "'m' is given, but problem 'denoising' or 'inversion'"),
        ("problem=inversion noise.sigma=0.1", "'noise.sigma' is given, but problem 'inversion'"),
        ("m=5 dither.amplitude=1", "'dither.amplitude' is given"),
        ("problem=onebit m=5", "problem: there is none named 'onebit'. Did you mean 'one-bit'?"),
        ("m=5 ensemble=student-t student_df=2", "'student_df': Input should be greater than 2"),
        ("m=5 ensemble=cauchy", "'ensemble': Input should be 'gaussian', 'rademacher'"),
        ("m=5 target_codes=1;2 target=0:1:1", "target_codes have 1 coordinates and k is 2"),
        ("m=5 k=1 target_codes=1;2 target=0:2:1", "target is 2 and target_codes list 2"),
        ("m=5 success.metric=nearest_target", "'nearest_target' needs two target_codes or more"),
        ("m=5 noise.snr_db=20 noise.law=laplace", "'noise.law' is 'laplace', but noise of a given"),
    ],
)
def test_a_sweep_that_its_problem_cannot_have_is_refused(
    genprior: Callable[..., Result], sweep_file: Path, settings: str, expected: str
) -> None:
    result = genprior("plan", sweep_file, *(p for s in settings.split() for p in ("--set", s)))
    lines = result.stderr.splitlines()
    assert (result.exit_code, len(lines)) == (2, 1), result.output
    assert lines[0].startswith("genprior: ")
    assert expected in lines[0]


def test_a_sweep_over_problems_may_have_what_only_some_of_them_need(
    genprior: Callable[..., Result], sweep_file: Path
) -> None:
    settings = ["problem=inversion,denoising,compressed-sensing", "m=5", "noise.sigma=0.1"]
    result = genprior("plan", sweep_file, *(p for s in settings for p in ("--set", s)))
    assert result.exit_code == 0, result.output
