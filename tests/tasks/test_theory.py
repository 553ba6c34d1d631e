"""Angles between codes from layer to layer, mirror ratios, and the pair matrix."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from genprior.tasks import theory
from genprior.tasks.theory import (
    angle_between,
    angle_map,
    iterated_angles,
    mirror_ratio,
    pair_matrix,
    phaseless_mirror_ratio,
)

# The square of the smallest is 0 in floating point.
SMALL = np.array([1e-200, 1e-30, 1e-12, 1e-9, 1e-8, 1e-6])


def turned(angle: float, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Two vectors of norms 3 and ½ at an angle, in a plane that is turned about, seeded."""
    plane = np.linalg.qr(np.random.default_rng(5).standard_normal((k, k)))[0][:2]
    return 3 * plane[0], 0.5 * (np.cos(angle) * plane[0] + np.sin(angle) * plane[1])


def test_all_that_is_listed_can_be_imported():
    assert sorted(theory.__all__) == theory.__all__
    assert all(callable(getattr(theory, name)) for name in theory.__all__)


def test_parallel_vectors_stay_parallel_and_opposite_ones_become_orthogonal():
    """g(0) = arccos(π/π) = 0 and g(π) = arccos(0) = π/2: no unit is on for both x and −x."""
    assert angle_map(0) == 0
    assert_allclose(angle_map(np.pi), np.pi / 2)


def test_orthogonal_vectors_come_closer():
    """g(π/2) = arccos(1/π)."""
    assert_allclose(angle_map(np.pi / 2), np.arccos(1 / np.pi), rtol=1e-15)


def test_the_angle_map_contracts_and_keeps_the_order():
    """0 < g(θ) < θ and g increases, HV after (4)."""
    angles = np.linspace(1e-3, np.pi, 1000)
    mapped = angle_map(angles)
    assert mapped.shape == angles.shape
    assert (mapped < angles).all()
    assert (np.diff(mapped) > 0).all()


def test_small_angles_keep_their_digits():
    """g(θ) = θ − θ²/(3π) + O(θ³): 1 − cos g = θ²/2 − θ³/(3π) + …; arccos sees 10⁻⁹ as 0."""
    assert_allclose(angle_map(SMALL), SMALL - SMALL**2 / (3 * np.pi), rtol=1e-12)
    # By 60-digit arithmetic.
    assert_allclose(angle_map(1e-3), 9.998938910679810194e-04, rtol=1e-15)


@pytest.mark.parametrize("angle", [*SMALL, 0.7, np.pi / 2, 2.5])
def test_angles_between_vectors_keep_their_digits(angle):
    """In a plane of axes; π less a small angle can only be as exact as π."""
    one, other = np.array([2.0, 0.0, 0.0]), 7 * np.array([np.cos(angle), np.sin(angle), 0])
    assert_allclose(angle_between(one, other), angle, rtol=1e-15)
    assert_allclose(angle_between(one, -other), np.pi - angle, rtol=1e-15)


def test_angles_of_parallel_opposite_and_vanishing_vectors():
    """Norms of 10²⁰⁰ have no square in floating point. 0 has no direction: π/2 by convention."""
    vectors = 1e200 * np.random.default_rng(1).standard_normal((20, 5))
    assert_array_equal(angle_between(vectors, vectors), 0)
    assert_array_equal(angle_between(vectors, -vectors), np.pi)
    assert_allclose(angle_between(vectors, 1e-350 * vectors), np.pi / 2)
    assert_array_equal(angle_between([[2.0], [-2.0]], [3.0]), [0, np.pi])


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.5, 2.5, np.pi])
def test_a_wide_gaussian_layer_maps_angles_as_the_formula_says(angle):
    """With n = 2·10⁵ units the cosine has a standard deviation of at most 2/√n; we allow 4/√n.

    Only the two coordinates in the plane of the vectors matter.
    """
    n = 200_000
    rows = np.random.default_rng(11).standard_normal((n, 2))
    one, other = np.maximum(rows @ np.array([[1, np.cos(angle)], [0, np.sin(angle)]]), 0).T
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert_allclose(cosine, np.cos(angle_map(angle)), atol=4 / np.sqrt(n))


def test_iterated_angles_begin_with_the_angle_itself():
    angles = iterated_angles(np.pi, 2)
    assert_allclose(angles, [np.pi, np.pi / 2, np.arccos(1 / np.pi)])
    assert iterated_angles(1.0, 0).tolist() == [1.0]


def test_iterated_angles_of_many_angles_at_once():
    """The first axis counts layers, the others are the angles'."""
    angles = np.array([[0.0, 0.3, 1.0], [2.0, 3.0, np.pi]])
    together = iterated_angles(angles, 4)
    assert together.shape == (5, 2, 3)
    for index in np.ndindex(angles.shape):
        assert_array_equal(together[(slice(None), *index)], iterated_angles(angles[index], 4))


def test_a_negative_number_of_layers_is_refused():
    with pytest.raises(ValueError, match=r"depth.* -1"):
        mirror_ratio(-1)


@pytest.mark.parametrize(
    ("depth", "ratio"),
    [
        (0, 0),
        (1, 0),
        (2, 1 / np.pi),
        (3, 0.4937310902003715485),
        (5, 0.6809535333557363479),
        (10, 0.8548092375489057755),
        (50, 0.9874392055131982560),
    ],
)
def test_the_first_mirror_ratios(depth, ratio):
    """ρ_1 = sin π/π = 0 and ρ_2 = 0 + sin(π/2)/π; no layer, no mirror.

    ρ_3 = sin(π/2)/π · (π − θ̌_2)/π + sin θ̌_2/π with θ̌_2 = arccos(1/π) = 1.2468:
    0.3183 · 0.6031 + 0.9480/π = 0.1920 + 0.3018. The others are by 50-digit arithmetic.
    """
    assert_allclose(mirror_ratio(depth), ratio, rtol=2e-15)


def test_a_linear_generator_is_its_own_mirror_without_signs():
    """|A G(−x)| = |A G(x)|: the mirror is −x* itself, and one layer's is −(2/π) x*."""
    assert phaseless_mirror_ratio(0) == 1
    assert_allclose(phaseless_mirror_ratio(1), 2 / np.pi, rtol=1e-15)


def test_mirror_ratios_increase_towards_one():
    """HV, Lemma 10: the deeper the network, the farther out its mirror."""
    ratios = [mirror_ratio(depth) for depth in range(1, 201)]
    assert (np.diff(ratios) > 0).all()
    assert 0.99 < ratios[-1] < 1


@pytest.mark.parametrize("depth", range(2, 51))
def test_the_mirror_ratio_is_the_cosine_of_the_last_angle(depth):
    """Written out, ⟨x, h̃⟩ = 2^{−d} r R cos θ̄_d at θ̄_0 = π gives ρ_d = cos θ̌_d for d ≥ 2."""
    assert_allclose(mirror_ratio(depth), np.cos(iterated_angles(np.pi, depth)[-1]), rtol=1e-14)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 0.6, np.pi / 2, 2.8, np.pi - 1e-9, np.pi])
def test_the_swap_in_the_pair_matrix(angle):
    """Q x̂ = ((π − θ) x̂ + sin θ ẑ)/2π, likewise Q ẑ, and Q = (π − θ)/2π on the rest."""
    one, other = turned(angle)
    matrix = pair_matrix(one, other)
    here, there = one / 3, other / 0.5
    keep, swap = (np.pi - angle) / (2 * np.pi), np.sin(angle) / (2 * np.pi)
    assert_allclose(matrix @ here, keep * here + swap * there, atol=1e-15)
    assert_allclose(matrix @ there, keep * there + swap * here, atol=1e-15)
    rest = np.linalg.svd(np.stack([here, there]))[2][2:]
    assert_allclose(matrix @ rest.T, keep * rest.T, atol=1e-15)
    assert_array_equal(matrix, matrix.T)


def test_the_pair_matrix_of_parallel_opposite_and_vanishing_vectors():
    """Half the units are on for x, none for x and −x, and none for 0."""
    one = np.array([1.0, -2.0, 0.5])
    assert_allclose(pair_matrix(one, 7 * one, gain=2), np.eye(3), atol=1e-15)
    assert_allclose(pair_matrix(one, -one), 0, atol=1e-16)
    assert_array_equal(pair_matrix(one, 0 * one), np.zeros((3, 3)))
    assert_allclose(pair_matrix([2.0], [[3.0], [-3.0]]), [[[0.5]], [[0.0]]], atol=1e-16)


def test_the_pair_matrix_ignores_lengths_and_turns_with_its_vectors():
    """Q(c x, z) = Q(x, z) for c > 0, and Q(Ux, Uz) = U Q Uᵀ; many pairs at once."""
    random = np.random.default_rng(3)
    ones, others = random.standard_normal((2, 6, 5))
    turn = np.linalg.qr(random.standard_normal((5, 5)))[0]
    matrices = pair_matrix(ones, others)
    assert matrices.shape == (6, 5, 5)
    assert_allclose(pair_matrix(1e-30 * ones, 1e30 * others), matrices, atol=1e-15)
    assert_allclose(
        pair_matrix(ones @ turn.T, others @ turn.T), turn @ matrices @ turn.T, atol=1e-15
    )
    assert_array_equal(pair_matrix(ones[2], others[2]), matrices[2])


@pytest.mark.parametrize("angle", [0.0, 0.8, 2.3, np.pi])
def test_a_gaussian_layer_has_the_pair_matrix(angle):
    """W_{+,x}ᵀ W_{+,z} is a mean over n units of a product with variance 2·gain² at most.

    With n = 2·10⁵ and gain 2 its deviation is 2√2/√n = 0.0063; we allow four of it.
    """
    n, gain = 200_000, 2.0
    one, other = turned(angle, k=3)
    rows = np.random.default_rng(8).standard_normal((n, 3)) * np.sqrt(gain / n)
    found = (rows * (rows @ one > 0)[:, None]).T @ (rows * (rows @ other > 0)[:, None])
    assert_allclose(found, pair_matrix(one, other, gain), atol=4 * 2 * np.sqrt(2 / n))
