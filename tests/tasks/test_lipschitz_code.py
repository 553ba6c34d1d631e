"""The generator that runs through codewords: its constant, its bounds, its set of points."""

from itertools import combinations
from math import comb, sqrt

import numpy as np
import pytest
from helpers import refused
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from genprior.tasks.codes.lipschitz_code import (
    LipschitzCode,
    check_length,
    curve_points,
    draw_signs,
    largest_prime,
)


def drawn(
    codewords: int = 7, k: int = 4, block: int = 30, message: int = 2, seed: int = 0, **sizes: float
) -> LipschitzCode:
    signs = draw_signs(np.random.default_rng(seed), codewords, block)
    return LipschitzCode(signs, k, message, **sizes)


# Codewords


@pytest.mark.parametrize(("count", "length"), [(2, 6), (4, 12), (7, 30), (30, 60), (100, 100)])
def test_codewords_differ_in_a_third_to_two_thirds_of_their_entries(count, length):
    signs = draw_signs(np.random.default_rng(1), count, length)
    assert signs.shape == (count, length)
    assert set(signs.ravel()) == {-1, 1}
    for one, other in combinations(signs, 2):
        assert length / 3 <= (one != other).sum() <= 2 * length / 3


def test_among_words_of_six_there_is_room_for_five():
    """Of 64 words, 2·(1 + 6) are at distance 0, 1, 5 or 6: 1 + ⌊0.9·64/14⌋ = 5 codewords fit."""
    assert 2 * (comb(6, 0) + comb(6, 1)) == 14
    check_length(5, 6)
    with pytest.raises(ValueError, match=r"n/k = 6.* 6 codewords .*5"):
        check_length(6, 6)
    with pytest.raises(ValueError, match=r"6 codewords .*5"):
        draw_signs(np.random.default_rng(0), 6, 6)


def test_one_entry_separates_nothing():
    """Two different words of length 1 differ in all their entries, more than two thirds."""
    with pytest.raises(ValueError, match=r"n/k = 1.* 2 codewords .*1"):
        check_length(2, 1)


@pytest.mark.parametrize("length", [30, 90, 180])
def test_what_the_bound_spares_would_be_found_to_fit(length):
    """Hoeffding: a word misfits with a chance of 2 exp(−length/18) at most; here it is counted."""
    inside = sum(comb(length, h) for h in range(-(-length // 3), 2 * length // 3 + 1))
    assert 1 - inside / 2**length <= 2 * np.exp(-length / 18)
    check_length(1 + int(0.45 * np.exp(length / 18)), length)


def test_long_words_are_judged_at_once():
    check_length(4096, 10_000_000)


@given(st.integers(2, 5000))
@settings(derandomize=True, deadline=None)
def test_the_alphabet_is_the_largest_prime(number):
    """Bertrand: there is one above number/2, as the source needs."""
    found = largest_prime(number)
    sieve = [q for q in range(2, number + 1) if all(q % d for d in range(2, q))][-1:]
    assert [found] == sieve
    assert 2 * found > number


# The generator


def test_the_generator_goes_through_all_codewords_at_constant_pace():
    """At s r/(√k (P − 1)), s = 0 … P − 1, g is p_{s+1}, and half-way between two their mean."""
    code = drawn(codewords=6, radius=3.0, domain=5.0)
    for s in range(6):
        word = np.full(4, s)
        assert_allclose(code(code.latent(word)), np.tile(code.codewords[s], 4), atol=1e-14)
    assert_allclose(code.latent(np.full(4, 5)), 5.0 / sqrt(4))
    middle = (code.latent(np.array([0, 1, 2, 3])) + code.latent(np.array([1, 2, 3, 4]))) / 2
    means = (code.codewords[:4] + code.codewords[1:5]) / 2
    assert_allclose(code(middle), means.ravel(), atol=1e-14)


def test_blocks_go_their_ways_alone():
    """G = g ⊗ … ⊗ g: a coordinate moves its own n/k entries and no other."""
    code = drawn(codewords=6)
    x = np.array([0.1, 0.2, 0.3, 0.4])
    moved = code(x + np.array([0, 0.05, 0, 0])) != code(x)
    assert moved[30:60].any()
    assert not moved[:30].any()
    assert not moved[60:].any()


@pytest.mark.parametrize("radius", [0.3, 5.0])
def test_outside_its_domain_the_generator_stays_at_the_ends(radius):
    """In print g(x) = g_1(R/√k) for x ≥ r/√k: at R < r a jump back, at R > r it is undefined."""
    code = drawn(radius=radius, domain=1.0)
    last = np.tile(code.codewords[-1], 4)
    assert_allclose(code(np.full(4, 1 / sqrt(4))), last, atol=1e-14)
    assert_allclose(code(np.full(4, 1e9)), last, atol=1e-14)
    assert_allclose(code(np.full(4, -1e9)), np.tile(code.codewords[0], 4), atol=1e-14)
    if radius < 1:
        printed = code(np.full(4, radius / sqrt(4)))
        assert np.linalg.norm(printed - last) > 0.5 * radius


def test_the_lipschitz_constant_is_exact():
    """No two points are further apart than L allows, and the longest line reaches it."""
    code = drawn(codewords=9, radius=2.0, domain=3.0)
    random = np.random.default_rng(3)
    for _ in range(300):
        x, y = random.uniform(-0.5, 2.0, (2, 4))
        assert np.linalg.norm(code(x) - code(y)) <= code.lipschitz * np.linalg.norm(x - y) + 1e-12
    longest = int(np.argmax(np.linalg.norm(np.diff(code.codewords, axis=0), axis=1)))
    ends = code.latent(np.full(4, longest)), code.latent(np.full(4, longest + 1))
    reached = np.linalg.norm(code(ends[1]) - code(ends[0])) / np.linalg.norm(ends[1] - ends[0])
    assert reached == pytest.approx(code.lipschitz, rel=1e-12)


@given(st.integers(2, 7), st.integers(0, 50), st.floats(0.1, 10), st.floats(0.1, 10))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_the_lipschitz_constant_is_between_its_bounds(codewords, seed, radius, domain):
    """Lines have Hamming distances h of 1/3 to 2/3, so L = 2R √h (P − 1)/r."""
    code = drawn(codewords, k=1, message=1, seed=seed, radius=radius, domain=domain)
    most = 2 * radius * sqrt(2 / 3) * (codewords - 1) / domain
    assert code.lipschitz_bound == pytest.approx(most)
    assert most / sqrt(2) * (1 - 1e-12) <= code.lipschitz <= most * (1 + 1e-12)


def test_theorem_two_one_holds_with_its_inequality_reversed():
    """R > 2Lr leaves min(Lr/R, …) < 1/2 codewords; two of them make Lr ≥ 2R/√3 already."""
    for seed in range(20):
        code = drawn(codewords=2, k=1, message=1, seed=seed, radius=4.0, domain=0.5)
        assert code.lipschitz * code.domain >= 2 / sqrt(3) * code.radius * (1 - 1e-12)
        assert not code.radius > 2 * code.lipschitz * code.domain


# The set of points


def test_words_are_values_of_polynomials():
    """Message (a_0, a_1) = (3, 5): 3 + 5i is 3, 8, 13, 18 at i = 0 … 3, in GF(7) 3, 1, 6, 4."""
    code = drawn(codewords=8)
    assert (code.alphabet, code.size) == (7, 49)
    assert_array_equal(code.encode(np.array([3, 5])), [3, 1, 6, 4])
    words = code.words()
    assert_array_equal(words[3 * 7 + 5], [3, 1, 6, 4])
    assert words.shape == (49, 4)


@pytest.mark.parametrize("message", [1, 2, 3, 4])
def test_words_differ_in_all_places_but_those_of_a_polynomial_s_roots(message):
    """A polynomial of degree < message has at most message − 1 roots."""
    words = drawn(codewords=5, k=4, message=message).words()
    assert len(np.unique(words, axis=0)) == 5**message
    least = min((words[0] != other).sum() for other in words[1:])
    assert least == 4 - message + 1


@pytest.mark.parametrize("message", [1, 2])
def test_points_are_signs_of_norm_r_and_far_apart(message):
    """Theorem 2.1: entries ±R/√n, norm R. Different places differ in a third of 2R/√n each.

    For messages of k/2 that is 2R/√6 at least, twice what the source has, which forgets that
    +R/√n and −R/√n are 2R/√n apart.
    """
    code = drawn(codewords=5, message=message, radius=2.0)
    points = np.array([code.point(word) for word in code.words()])
    assert_allclose(np.abs(points), 2 / sqrt(120))
    assert_allclose(np.linalg.norm(points, axis=1), 2.0)
    apart = [np.linalg.norm(one - other) for one, other in combinations(points, 2)]
    assert code.distance_bound == pytest.approx(4 * sqrt((5 - message) / 12))
    assert min(apart) >= code.distance_bound * (1 - 1e-12)
    assert min(apart) >= 2 * 2.0 / sqrt(6)
    for word in code.words()[::7]:
        assert_allclose(code(code.latent(word)), code.point(word), atol=1e-14)


def test_lemma_three_three_omits_a_factor_of_two():
    """Words of norm 1 at distance h are 2√h apart, in [2√(1/3), 2√(2/3)], not [√(1/3), √(2/3)]."""
    code = drawn(codewords=7, k=1, message=1)
    for one, other in combinations(code.codewords, 2):
        share = (one != other).mean()
        apart = float(np.linalg.norm(one - other))
        assert apart == pytest.approx(2 * sqrt(share))
        assert apart > sqrt(2 / 3)


@pytest.mark.parametrize(("k", "message"), [(4, 0), (4, 5), (8, 2)])
def test_no_code_is_made_of_what_does_not_fit(k, message):
    """Seven symbols are too few for words of length 8: X = 0 and X = 7 are the same in GF(7)."""
    with refused(ValueError, "message", "symbols"):
        drawn(codewords=7, k=k, message=message)


def test_a_curve_is_clamped_to_its_ends():
    corners = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 4.0]])
    found = curve_points(corners, np.array([-3, 0, 0.5, 1, 1.25, 2, 9]))
    assert_allclose(found, [[0, 0], [0, 0], [1, 0], [2, 0], [2, 1], [2, 4], [2, 4]])
