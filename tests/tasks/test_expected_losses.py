"""Losses in the mean over networks: printed formulas, mirror points, wide networks."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from genprior.sweeps import Point
from genprior.tasks.instance import draw_instance
from genprior.tasks.theory import (
    angle_between,
    expected_descent,
    expected_loss,
    iterated_angles,
    mirror_decrease,
    mirror_hessian,
    mirror_ratio,
    phaseless_expected_descent,
    phaseless_expected_loss,
    phaseless_mirror_ratio,
    spiked_expected_descent,
    spiked_expected_loss,
)

SIGNED = (expected_loss, expected_descent)
PHASELESS = (phaseless_expected_loss, phaseless_expected_descent)
SPIKED = (spiked_expected_loss, spiked_expected_descent)
each_kind = pytest.mark.parametrize(
    ("loss", "descent"), [SIGNED, PHASELESS, SPIKED], ids=["signed", "phaseless", "spiked"]
)
DEPTHS = (0, 1, 2, 3, 7)
TARGET = np.array([0.6, -0.3, 0.8])


def codes(count: int, k: int = 3, seed: int = 4) -> np.ndarray:
    """Codes in general position, seeded."""
    return np.random.default_rng(seed).standard_normal((count, k))


def printed_descent(code: np.ndarray, target: np.ndarray, depth: int) -> np.ndarray:
    """HV (31), term by term; also at its awkward points, of which the test keeps clear."""
    angles = iterated_angles(angle_between(code, target), depth)[:depth]
    shrink = (np.pi - angles) / np.pi
    scale = np.linalg.norm(target) / np.linalg.norm(code)
    pulled = sum(np.sin(a) / np.pi * np.prod(shrink[i + 1 :]) for i, a in enumerate(angles))
    return 2.0**-depth * (code - np.prod(shrink) * target - pulled * scale * code)


# Against the printed formulas


@pytest.mark.parametrize("depth", [1, 2, 3, 7])
def test_the_expected_descent_vector_is_the_printed_one(depth):
    """Ours has cos θ̄_d in place of the sum: cos θ̄_{i+1} = cos θ̄_i (π − θ̄_i)/π + sin θ̄_i/π."""
    for code in codes(10):
        assert_allclose(
            expected_descent(code, TARGET, depth), printed_descent(code, TARGET, depth), atol=1e-15
        )


@pytest.mark.parametrize("depth", [1, 2, 3, 7])
def test_what_the_code_has_in_common_with_the_descent_vector(depth):
    """⟨x, 2^{−d} x − h⟩ = 2^{−d}‖x‖‖x*‖ cos θ̄_d, and f_E is the half squares less that."""
    for code in codes(10):
        common = code @ (2.0**-depth * code - expected_descent(code, TARGET, depth))
        product = np.linalg.norm(code) * np.linalg.norm(TARGET)
        angle = iterated_angles(angle_between(code, TARGET), depth)[-1]
        assert_allclose(common, 2.0**-depth * product * np.cos(angle), atol=1e-15)
        squares = 2.0**-depth * (code @ code + TARGET @ TARGET) / 2
        assert_allclose(expected_loss(code, TARGET, depth), squares - common, atol=1e-15)


def test_no_layer_leaves_the_linear_problem():
    """f_E = ½‖x − x*‖² and h = x − x*; the spiked one is ½‖x*x*ᵀ − xxᵀ‖²."""
    for code in codes(5):
        matrix = np.outer(TARGET, TARGET) - np.outer(code, code)
        assert_allclose(expected_loss(code, TARGET, 0), 0.5 * np.sum((code - TARGET) ** 2))
        assert_allclose(expected_descent(code, TARGET, 0), code - TARGET, atol=1e-15)
        assert_allclose(spiked_expected_loss(code, TARGET, 0), 0.5 * np.sum(matrix**2))
        assert_allclose(spiked_expected_descent(code, TARGET, 0), -2 * matrix @ code, atol=1e-14)
        assert_allclose(
            phaseless_expected_loss(code, TARGET, 0), phaseless_expected_loss(-code, TARGET, 0)
        )


@each_kind
@pytest.mark.parametrize("depth", DEPTHS)
def test_the_expected_descent_vector_is_the_slope_of_the_expected_loss(loss, descent, depth):
    """Central differences with h = 10⁻⁵ miss by h²f'''/6, about 10⁻¹⁰, and rounding ε/h = 10⁻¹¹."""
    for code in codes(8):
        steps = 1e-5 * np.eye(3)
        slope = (loss(code + steps, TARGET, depth) - loss(code - steps, TARGET, depth)) / 2e-5
        assert_allclose(descent(code, TARGET, depth), slope, atol=3e-9)


# Awkward points


@each_kind
@pytest.mark.parametrize("depth", DEPTHS)
def test_the_target_is_a_zero(loss, descent, depth):
    """At gain 2 nothing is scaled away."""
    assert_allclose(descent(TARGET, TARGET, depth, gain=2), 0, atol=1e-300)
    assert loss(TARGET, TARGET, depth, gain=2) == 0


@pytest.mark.parametrize("depth", range(2, 51))
def test_the_mirror_is_a_zero(depth):
    """ρ_d from its sum, h from the cosine of θ̄_d."""
    for target in (TARGET, np.array([2.0])):
        mirror = -mirror_ratio(depth) * target
        assert_allclose(expected_descent(mirror, target, depth, gain=2), 0, atol=1e-14)
        # Half the size of the quartic's zero: 2ρ·(ρ² − cos² θ̌_d).
        assert_allclose(spiked_expected_descent(mirror, target, depth, gain=2), 0, atol=1e-13)
        blind = -phaseless_mirror_ratio(depth) * target
        assert_allclose(phaseless_expected_descent(blind, target, depth, gain=2), 0, atol=1e-14)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("distance", [1e-3, 1e-6, 1e-9, 1e-12])
def test_digits_near_the_target(depth, distance):
    """Near x*, 1 − cos θ̄_d ≈ θ̄_d²/2 and θ̄_d ≈ θ, so that f_E is ½ 2^{−d}‖x − x*‖² and h its slope.

    Corrections are of relative size d‖x − x*‖; a difference of squares would lose all digits.
    """
    step = distance * np.array([0.0, 0.6, -0.8])
    code = TARGET + step
    step = code - TARGET
    allowed = 2 * depth * distance + 1e-12
    assert_allclose(2.0**depth * expected_loss(code, TARGET, depth), step @ step / 2, rtol=allowed)
    error = 2.0**depth * expected_descent(code, TARGET, depth) - step
    assert np.linalg.norm(error) <= allowed * distance


@each_kind
@pytest.mark.parametrize("depth", DEPTHS)
def test_the_origin_is_where_all_units_are_off(loss, descent, depth):
    """f_E(0) is half the square of the target's side alone, and the descent vector is 0."""
    size = TARGET @ TARGET if loss is spiked_expected_loss else 1.0
    power = 2 if loss is spiked_expected_loss else 1
    expected = 0.5 * size * (TARGET @ TARGET) * 2.0 ** (-power * depth)
    assert_allclose(loss(np.zeros(3), TARGET, depth), expected, rtol=1e-14)
    assert_array_equal(descent(np.zeros(3), TARGET, depth), 0)
    assert_array_equal(descent(np.zeros(3), np.zeros(3), depth), 0)


@pytest.mark.parametrize("depth", [2, 3, 7])
@pytest.mark.parametrize("loss", [expected_loss, phaseless_expected_loss])
def test_the_origin_is_a_local_maximum(loss, depth):
    """The slope at 0 is at most −2^{−d}‖x*‖ρ_d in every direction, as θ̄_d is at most θ̌_d."""
    rays = codes(200)
    rays = np.vstack([rays / np.linalg.norm(rays, axis=1)[:, None], TARGET, -TARGET])
    step = 1e-3 * mirror_ratio(depth)
    slope = (loss(step * rays, TARGET, depth) - loss(np.zeros(3), TARGET, depth)) / step
    assert slope.max() < -0.9 * 2.0**-depth * np.linalg.norm(TARGET) * mirror_ratio(depth)


@each_kind
def test_codes_in_one_array_are_codes_one_by_one(loss, descent):
    """Shapes (2, 3, k) against one target, and against as many."""
    many = codes(6, k=4).reshape(2, 3, 4)
    targets = codes(6, k=4, seed=9).reshape(2, 3, 4)
    assert loss(many, targets, 3).shape == (2, 3)
    for index in np.ndindex(2, 3):
        assert_array_equal(
            descent(many, targets, 3)[index], descent(many[index], targets[index], 3)
        )
        assert_array_equal(loss(many, targets[0, 0], 3)[index], loss(many[index], targets[0, 0], 3))


@each_kind
@pytest.mark.parametrize("depth", [1, 3])
def test_scaling_and_turning_both_codes(loss, descent, depth):
    """Losses scale like c², the spiked one like c⁴; only lengths and the angle count."""
    power = 4 if loss is spiked_expected_loss else 2
    turn = np.linalg.qr(codes(3, seed=2))[0]
    many = codes(5)
    values, vectors = loss(many, TARGET, depth), descent(many, TARGET, depth)
    assert_allclose(loss(5 * many, 5 * TARGET, depth), 5.0**power * values)
    assert_allclose(descent(5 * many, 5 * TARGET, depth), 5.0 ** (power - 1) * vectors)
    assert_allclose(loss(many @ turn.T, turn @ TARGET, depth), values)
    assert_allclose(
        descent(many @ turn.T, turn @ TARGET, depth), vectors @ turn.T, rtol=1e-12, atol=1e-15
    )
    gained = 1.5 ** (depth * power / 2)
    assert_allclose(loss(many, TARGET, depth, gain=3), gained * values * 2.0 ** (depth * power / 2))


# The mirror


def orthonormal(target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A direction x̂* and one orthogonal to it."""
    along = target / np.linalg.norm(target)
    aside = np.cross(along, [0.0, 0.0, 1.0])
    return along, aside / np.linalg.norm(aside)


@pytest.mark.parametrize("depth", [2, 3, 6])
@pytest.mark.parametrize("gain", [1.0, 2.0])
def test_the_mirror_is_a_degenerate_saddle(depth, gain):
    """Differences of h over 10⁻⁵: along x* h is linear; aside it is 3K s² x 10⁻⁵, off by 10⁻⁵."""
    mirror = -mirror_ratio(depth) * TARGET
    steps = 1e-5 * np.eye(3)
    columns = expected_descent(mirror + steps, TARGET, depth, gain) - expected_descent(
        mirror - steps, TARGET, depth, gain
    )
    expected = mirror_hessian(TARGET, depth, gain)
    assert_allclose(columns / 2e-5, expected, atol=3e-5 * (gain / 2) ** depth)
    along, aside = orthonormal(TARGET)
    assert_allclose(along @ expected @ along, (gain / 2) ** depth)
    assert_allclose(expected @ aside, 0, atol=1e-16)


@pytest.mark.parametrize(("depth", "constant"), [(2, np.pi / 6), (3, 0.13126), (6, None)])
@pytest.mark.parametrize("gain", [1.0, 2.0])
def test_the_loss_falls_by_the_cube_of_a_step_aside(depth, constant, gain):
    """K_2 = ½/(3π/π²) = π/6; K_3 = ½(1 − 1.2468/π)/(3π · 0.4937²) = 0.1313, without (gain/2)^d.

    The next term, of relative size s/(Kρ²‖x*‖), is up to 0.02 at s = 10⁻³; two steps remove it.
    """
    found = mirror_decrease(depth)
    if constant is not None:
        assert_allclose(found, constant, rtol=1e-4)
    size = np.linalg.norm(TARGET)
    mirror, (_, aside) = -mirror_ratio(depth) * TARGET, orthonormal(TARGET)
    start = expected_loss(mirror, TARGET, depth, gain)
    fine, coarse = (
        (start - expected_loss(mirror + s * aside, TARGET, depth, gain)) / s**3
        for s in (1e-3, 2e-3)
    )
    assert_allclose(2 * fine - coarse, (gain / 2) ** depth * found / size, rtol=5e-3)


def test_the_mirror_of_one_dimension_is_a_minimum():
    """For k = 1 there is nothing aside of x*, and f_E is a parabola around −ρ_d x*."""
    target, ratio = np.array([1.5]), mirror_ratio(2)
    steps = np.linspace(-0.1, 0.1, 5)[:, None]
    losses = expected_loss(-ratio * target + steps, target, 2)
    assert_allclose(losses - losses[2], 0.25 * 0.5 * steps[:, 0] ** 2, atol=1e-15)
    assert_allclose(mirror_hessian(target, 2), [[0.25]])


@pytest.mark.parametrize("depth", [0, 1])
def test_a_mirror_at_the_origin_has_no_hessian(depth):
    for ask in (mirror_decrease, lambda d: mirror_hessian(TARGET, d)):
        with pytest.raises(ValueError, match="2"):
            ask(depth)


# Against networks


@dataclass(frozen=True)
class Case:
    """A problem, the expectations that are its, and how much its measurements scatter."""

    problem: str
    kind: tuple
    changes: dict
    scatter: float = 0.0


M = 2000
INVERSION = Case("inversion", SIGNED, {})
CASES = [
    Case("compressed-sensing", SIGNED, {"m": M}, M**-0.5),
    Case("phase-retrieval", PHASELESS, {"m": M}, M**-0.5),
    Case("spiked-wigner", SPIKED, {}),
    Case("spiked-wishart", SPIKED, {"samples": M}, M**-0.5),
]


def compare(case: Case, widths: list[int], trials: int) -> None:
    """Hold the averages over trials to the expectations, at three angles, relative to the scale.

    A loss and a descent vector are averages over n_i units of each layer (and over measurements)
    of terms whose size is their own: they scatter by about c/√n_i, c = 2 for a quadratic loss and
    4 for a quartic; we allow three such deviations of the mean.
    """
    loss, descent = case.kind
    depth, power = len(widths), 2 if case.kind == SPIKED else 1
    values = {
        "problem": case.problem, "k": 3, "depth": depth, "widths": widths, "gain": 2.0,
        "target_codes": "0.6 0 0.8", **case.changes,
    }  # fmt: skip
    target = np.array([0.6, 0, 0.8])
    aside = np.array([0.8, 0, -0.6])
    places = [0.7 * (np.cos(a) * target + np.sin(a) * aside) for a in (0.4, 1.7, np.pi)]
    losses, vectors = np.zeros(3), np.zeros((3, 3))
    for trial in range(trials):
        objective = draw_instance(Point.model_validate(values), trial, 77).objective
        for i, code in enumerate(places):
            evaluation = objective.evaluate(objective.first(code))
            losses[i] += evaluation.loss / trials
            vectors[i] += objective.descent_vector(evaluation) / trials
    variance = sum(1 / n for n in widths) + case.scatter**2
    allowed = 3 * 2 * power * np.sqrt(variance / trials)
    assert allowed < 0.35 * power
    assert_allclose(losses, loss(np.array(places), target, depth, gain=2.0), atol=allowed)
    assert_allclose(vectors, descent(np.array(places), target, depth, gain=2.0), atol=allowed)


@pytest.mark.parametrize(
    ("widths", "trials"), [([20_000], 4), ([3000, 3000], 3), ([2000, 2000, 2000], 4)]
)
def test_wide_networks_have_the_expected_loss_and_descent_vector(widths, trials):
    """Allowed are 0.02, 0.09 and 0.12, of losses up to 0.75 and vectors up to 1."""
    compare(INVERSION, widths, trials)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.problem)
def test_wide_networks_have_it_for_every_problem(case):
    """Allowed are 0.09 to 0.13, and twice that for the spiked models."""
    compare(case, [1500, 1500], trials=4)


def test_one_bit_recovery_has_twice_the_descent_vector():
    """E s_i a_i = y*/λ where the dither covers every measurement, so ∇L = 2Λᵀ(y − y*), QWY 4.3.

    With λ = 5 the back-projection scatters by λ/√m in each direction: 0.02 for m = 6·10⁴, twice
    that in v; and the network's 600 units by 2·2/√600 = 0.16. Of 4 trials, 3 deviations are 0.25.
    """
    target = np.array([0.6, 0, 0.8])
    values = {
        "problem": "one-bit", "k": 3, "depth": 1, "widths": [600], "gain": 2.0, "m": 60_000,
        "dither": {"amplitude": 5.0}, "target_codes": "0.6 0 0.8",
    }  # fmt: skip
    code, found = np.array([0.5, -0.4, 0.1]), np.zeros(3)
    for trial in range(4):
        objective = draw_instance(Point.model_validate(values), trial, 77).objective
        found += objective.descent_vector(objective.evaluate(objective.first(code))) / 4
    assert_allclose(found, 2 * expected_descent(code, target, 1, gain=2.0), atol=0.25)
