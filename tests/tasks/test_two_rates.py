"""Two success rates, paired or not: their difference, its interval and its test."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import binom, fisher_exact

from genprior.tasks.statistics.proportions import (
    fisher_p,
    holm,
    mcnemar_p,
    paired_difference,
    unpaired_difference,
)


def test_mcnemars_mid_p_of_1_against_7_is_10_in_256():
    """2 P(X ≤ 1) − P(X = 1) for Binomial(8, ½) is (2 · 9 − 8)/256; no discordant pair gives 1.

    Equal counts give 2 P(X ≤ 2) − P(X = 2) = 1 − P(X > 2) + P(X < 2) = 1 for 2 against 2.
    """
    assert_allclose([mcnemar_p(1, 7), mcnemar_p(7, 1)], 10 / 256)
    assert_allclose([mcnemar_p(0, 0), mcnemar_p(2, 2), mcnemar_p(0, 1)], [1, 1, 0.5])


def test_the_published_examples_of_the_paired_interval_are_met():
    """Newcombe (1998, paired), his example 36, 12, 2, 0: 0.0569 … 0.3404 by method 10.

    Fagerland, Lydersen & Laake (2014), 1, 1, 7, 12: −0.507 … −0.026.
    """
    assert_allclose(paired_difference(36, 12, 2, 0), (0.2, 0.0569, 0.3404), atol=5e-5)
    assert_allclose(paired_difference(1, 1, 7, 12)[1:], (-0.507, -0.026), atol=5e-4)


def test_the_published_example_of_the_unpaired_interval_is_met():
    """Newcombe (1998, unpaired), 56 of 70 against 48 of 80: 0.0524 … 0.3339 by method 10."""
    assert_allclose(unpaired_difference(56, 70, 48, 80), (0.2, 0.0524, 0.3339), atol=5e-5)


def test_the_paired_bounds_are_the_third_sides_of_triangles():
    """Bounds of 30 trials, 20 both, 5 gained, 1 lost, 4 neither, from Wilson's quadratic.

    (p − k/n)² = z² p (1 − p)/n has the roots l, u. φ = (20 · 4 − 5 · 1 − 15)/√(25 · 5 · 21 · 9).
    """
    z, n = 1.959964, 30
    roots = [
        np.sort(np.roots([n + z**2, -(2 * k + z**2), k**2 / n]).real) - k / n for k in (25, 21)
    ]
    (below1, above1), (below2, above2) = np.abs(roots)
    phi = 60 / math.sqrt(25 * 5 * 21 * 9)
    low = 4 / 30 - math.sqrt(below1**2 - 2 * phi * below1 * above2 + above2**2)
    high = 4 / 30 + math.sqrt(above1**2 - 2 * phi * above1 * below2 + below2**2)
    assert_allclose(paired_difference(20, 5, 1, 4), (4 / 30, low, high), atol=1e-6)


def test_swapping_the_two_mirrors_the_difference():
    both, mirrored = paired_difference(9, 4, 1, 6), paired_difference(9, 1, 4, 6)
    assert_allclose(both, [-mirrored[0], -mirrored[2], -mirrored[1]])
    one, other = unpaired_difference(9, 12, 4, 30), unpaired_difference(4, 30, 9, 12)
    assert_allclose(one, [-other[0], -other[2], -other[1]])
    assert fisher_p(9, 12, 4, 30) == pytest.approx(fisher_p(4, 30, 9, 12))


@pytest.mark.parametrize(
    ("trials", "both", "gained", "lost"),
    [(20, 0.5, 0.2, 0.05), (30, 0.3, 0.1, 0.1), (16, 0.4, 0.3, 0.1), (30, 0.75, 0.2, 0.0)],
)
def test_the_paired_interval_covers_the_difference_as_often_as_it_claims(
    trials, both, gained, lost
):
    """At least the 10⁻³ quantile of Binomial(2000, 0.95), 1 870, in each setting.

    With bounds half as long as they are it would be some 1 350.
    """
    rng = np.random.default_rng(1)
    tables = rng.multinomial(trials, [both, gained, lost, 1 - both - gained - lost], 2000)
    bounds = np.array([paired_difference(*map(int, table))[1:] for table in tables])
    truth = gained - lost
    hits = ((bounds[:, 0] <= truth) & (truth <= bounds[:, 1])).sum()
    assert hits >= binom.ppf(1e-3, 2000, 0.95)


def test_pairing_narrows_the_interval_where_outcomes_agree():
    """30 trials, 24 and 20 successes: with 20 in common the difference is 4 gained, none lost."""
    paired, apart = paired_difference(20, 4, 0, 6), unpaired_difference(24, 30, 20, 30)
    assert paired[0] == pytest.approx(apart[0])
    assert paired[2] - paired[1] < 0.7 * (apart[2] - apart[1])


def test_fishers_mid_p_is_twice_the_half_point_below_the_exact_one():
    """One-sided exact p less half the probability of the table seen, twice.

    The smaller side of 7 of 20 against 1 of 20: scipy's exact one-sided p less half the pmf,
    C(20, 7) C(20, 1)/C(40, 8).
    """
    exact = fisher_exact([[7, 13], [1, 19]], alternative="greater").pvalue
    seen = math.comb(20, 7) * 20 / math.comb(40, 8)
    assert fisher_p(7, 20, 1, 20) == pytest.approx(2 * (exact - seen / 2))
    assert [fisher_p(20, 20, 9, 9), fisher_p(0, 5, 0, 9), fisher_p(3, 5, 0, 0)] == [1, 1, 1]
    assert fisher_p(5, 10, 5, 10) == pytest.approx(1)


def test_fishers_mid_p_rejects_equal_rates_in_about_five_of_a_hundred_cases():
    """Summed over all tables of two samples of 25: never above 6 %, and above 3 % at p = ½."""
    rejected = np.array([[fisher_p(a, 25, b, 25) < 0.05 for b in range(26)] for a in range(26)])
    sizes = []
    for p in (0.1, 0.3, 0.5):
        chance = binom.pmf(np.arange(26), 25, p)
        sizes.append(float(chance @ rejected @ chance))
    assert max(sizes) < 0.06
    assert sizes[-1] > 0.03


def test_holms_adjustment_multiplies_step_by_step():
    """Of four: 4 · 0.005, then max(0.02, 3 · 0.01), then 2 · 0.03, then max(0.06, 0.04)."""
    assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert_allclose(holm([[0.5, math.nan], [0.9, 0.01]]), [[1, math.nan], [1, 0.03]])
    assert holm([math.nan]).tolist() != [0]
    assert holm([]).size == 0
