"""Measurements and widths that the theorems ask for."""

from math import ceil, e, log

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from genprior.tasks.generators.shapes import derived_shape
from genprior.tasks.theory import (
    contractive_widths,
    expansive_measurements,
    expansive_widths,
    linear_noise_error,
    lipschitz_lower_bound,
    noise_error,
    one_bit_lower_bound,
    one_bit_measurements,
    pattern_measurements,
    polylogarithmic_widths,
)


def test_measurements_of_the_theorems_by_hand():
    """With k = 10, widths 100 and 1000: Π n_i = 10⁵ and Π e n_i/k = e² 10 · 100."""
    widths = (100, 1000)
    assert_allclose(expansive_measurements(10, widths), 10 * 2 * np.log(1e5))
    assert_allclose(pattern_measurements(10, widths), 10 * (2 + np.log(1e3)))
    assert_allclose(one_bit_measurements(10, 2, 1000, 0.1), 10 * 2 * np.log(1000) * 100)
    assert_allclose(one_bit_lower_bound(10, 1000, 0.1), 10 * np.log(100) * 100)


def test_codes_may_be_an_array():
    """Many k against the same widths make a curve to draw."""
    k = np.array([1, 5, 25])
    for shape in (expansive_measurements, pattern_measurements):
        together = shape(k, (50, 60))
        assert_allclose(together, [shape(one, (50, 60)) for one in k])
    assert_allclose(one_bit_lower_bound(k, 100, 0.5), k * np.log(100 / k) * 4)


def test_widths_whose_product_overflows_do_not_matter():
    """The product of 500 widths of 10³ is 10¹⁵⁰⁰; its logarithm is 1500 log 10."""
    assert_allclose(expansive_measurements(1, (1000,) * 500), 500 * 1500 * np.log(10))


def test_linear_layers_of_equal_width_cost_one_measurement_each_a_dimension():
    """n_i = k: log e = 1 a layer."""
    assert_allclose(pattern_measurements(7, (7, 7, 7)), 21)


@pytest.mark.parametrize(
    ("precision", "needed"), [(10.0, 0), (1.0, 5), (0.1, 5 * (1 + np.log(10))), (1e-30, 80)]
)
def test_what_a_lipschitz_generator_needs(precision, needed):
    """L r = 1: nothing for a δ above it, k for δ = 1, n at most."""
    assert_allclose(lipschitz_lower_bound(5, 80, 2.0, 0.5, precision), needed)


def test_the_noise_error_by_hand():
    """With k = 10, m = 100, one layer of 10: √(0.1 · log 5e)·3."""
    assert_allclose(noise_error(10, 100, (10,), 3.0), 3 * np.sqrt(0.1 * (np.log(5) + 1)))


def test_least_squares_errs_by_the_linear_count():
    """‖B⁺η‖² has the mean ‖η‖² k/(m − k − 1).

    Its deviation is about √(2/k + 2/m) of it, 1.5 % for the mean of 2000 draws; we allow 6 %.
    """
    k, m, draws = 6, 25, 2000
    random = np.random.default_rng(12)
    squares = []
    for _ in range(draws):
        noise = random.standard_normal(m)
        matrix = random.standard_normal((m, k)) / np.sqrt(m)
        found = np.linalg.lstsq(matrix, 2 * noise / np.linalg.norm(noise))[0]
        squares.append(found @ found)
    assert_allclose(np.mean(squares), linear_noise_error(k, m, 2.0) ** 2, rtol=0.06)


def test_too_few_measurements_bound_no_error():
    """The mean is infinite for m ≤ k + 1."""
    assert_array_equal(linear_noise_error(5, [3, 6, 7], 1.0), [np.inf, np.inf, np.sqrt(5)])


# Widths


def test_expansive_widths_by_hand():
    """⌈2 · 10 log 10⌉ = ⌈46.05⌉ and ⌈2 · 47 log 47⌉ = ⌈361.9⌉; log 1 = 0, yet layers widen."""
    assert expansive_widths(10, 2, 2.0) == (47, 362)
    assert expansive_widths(1, 3, 1.0) == (2, 3, 4)


def test_polylogarithmic_widths_obey_their_bound():
    """n_1 ≥ C k, n_i ≥ C k log Π_{j<i} e n_j/k, and no layer could do with one unit less."""
    k, factor = 7, 3.0
    widths = polylogarithmic_widths(k, 5, factor)
    assert widths[0] == 21
    for i in range(1, 5):
        bound = factor * k * sum(log(e * n / k) for n in widths[:i])
        assert widths[i] == ceil(bound)


def test_polylogarithmic_layers_have_a_unit_at_least():
    """With C k = 0.3 the bound is 1, then k log(e/k) < 0: no width of 0, of which log fails."""
    assert polylogarithmic_widths(30, 3, 0.01) == (1, 1, 1)


def test_contractive_widths_by_hand():
    """The rule is a k d (2d − i): with k = 10, d = 3, a = 2: 60 · (5, 4, 3)."""
    assert contractive_widths(10, 3, 2.0) == (300, 240, 180)


def test_products_round_up_as_they_are_written():
    """In floating point 1.1 · 50 is 55.00000000000001 and 0.1 · 6 · 5 is 3.0000000000000004."""
    assert 1.1 * 50 > 55
    assert 0.1 * 6 * 5 > 3
    assert polylogarithmic_widths(50, 1, 1.1) == (55,)
    assert contractive_widths(2, 3, 0.1) == (3, 3, 2)  # 3.0, 2.4 and 1.8
    # log e n/k is exactly 1 where n = k.
    assert polylogarithmic_widths(49, 3, 1.0) == (49, 49, 98)


def test_the_contractive_widths_meet_the_polylogarithmic_bound():
    """Appendix G with C̄ = 1.5 and α = max{2 log(C̄k)/d², log(e²C̄)}, times C̄, as it asks."""
    k, depth, constant = 10, 4, 1.5
    alpha = max(2 * log(constant * k) / depth**2, log(e**2 * constant))
    widths = contractive_widths(k, depth, ceil(constant * alpha))
    assert widths[0] >= constant * k
    for i in range(1, depth):
        assert widths[i] < widths[i - 1]
        assert widths[i] >= constant * k * sum(log(e * n / k) for n in widths[:i])


@pytest.mark.parametrize("rule", ["expansive", "polylogarithmic", "contractive"])
@pytest.mark.parametrize("factor", [float("inf"), float("nan"), "many", [2.0]])
def test_no_width_follows_from_a_factor_that_is_no_number(rule, factor):
    """A sweep file is then refused for its factor, without a traceback."""
    given = {"width_rule": rule, "width_factor": factor, "k": 3, "depth": 2}
    assert derived_shape(given) == {}
