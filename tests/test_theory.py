import numpy as np
import pytest
from numpy.testing import assert_allclose

from genprior.tasks.theory import angle_map, iterated_angles, mirror_ratio


def test_parallel_vectors_stay_parallel_and_opposite_ones_become_orthogonal():
    """g(0) = arccos(π/π) = 0 and g(π) = arccos(0) = π/2: no unit is on for both x and −x."""
    assert angle_map(0) == 0
    assert_allclose(angle_map(np.pi), np.pi / 2)


def test_orthogonal_vectors_come_closer():
    """g(π/2) = arccos(1/π)."""
    assert_allclose(angle_map(np.pi / 2), np.arccos(1 / np.pi), rtol=1e-15)


def test_the_angle_map_contracts_and_keeps_the_order():
    """0 < g(θ) < θ and g increases, HV after (4); near 0, where 1 − cos cancels, up to rounding."""
    angles = np.linspace(1e-3, np.pi, 1000)
    mapped = angle_map(angles)
    assert mapped.shape == angles.shape
    assert (mapped < angles).all()
    assert (np.diff(mapped) > 0).all()
    assert (angle_map(np.geomspace(1e-300, 1e-9, 50)) <= 1e-7).all()


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


@pytest.mark.parametrize(
    ("depth", "ratio", "error"), [(1, 0, 1e-15), (2, 1 / np.pi, 1e-15), (3, 0.4937, 5e-5)]
)
def test_the_first_mirror_ratios(depth, ratio, error):
    """ρ_1 = sin π/π = 0 and ρ_2 = 0 + sin(π/2)/π.

    ρ_3 = sin(π/2)/π · (π − θ̌_2)/π + sin θ̌_2/π with θ̌_2 = arccos(1/π) = 1.2468:
    0.3183 · 0.6031 + 0.9480/π = 0.1920 + 0.3018.
    """
    assert_allclose(mirror_ratio(depth), ratio, atol=error)


def test_mirror_ratios_increase_towards_one():
    """HV, Lemma 10: the deeper the network, the farther out its mirror."""
    ratios = [mirror_ratio(depth) for depth in range(1, 201)]
    assert (np.diff(ratios) > 0).all()
    assert 0.99 < ratios[-1] < 1


@pytest.mark.parametrize("depth", range(2, 40))
def test_the_mirror_ratio_is_the_cosine_of_the_last_angle(depth):
    """Written out, ⟨x, h̃⟩ = 2^{−d} r R cos θ̄_d at θ̄_0 = π gives ρ_d = cos θ̌_d for d ≥ 2."""
    assert_allclose(mirror_ratio(depth), np.cos(iterated_angles(np.pi, depth)[-1]), rtol=1e-12)
