"""Where the losses of recovery problems are stationary: targets, mirror points, dither."""

from math import erf, log, pi, sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from problem_points import (
    SEED,
    descent_vector,
    each_noiseless,
    each_problem,
    loss,
    noiseless,
    one_bit,
    point,
    streams,
)

from genprior.sweeps import Point, Purpose
from genprior.tasks.instance import draw_instance
from genprior.tasks.numerics.machine import limit_blas_threads
from genprior.tasks.problems import PROBLEMS
from genprior.tasks.problems.one_bit import back_project, dither_amplitude
from genprior.tasks.theory import mirror_ratio, phaseless_mirror_ratio


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    limit_blas_threads()


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
