"""The explicit and the group-sparse generator: their ranges, symmetries and slopes."""

from math import cos, pi, sin
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_use import peak_memory
from numpy.testing import assert_allclose, assert_array_equal
from one_trial import recover

from genprior.sweeps import Point
from genprior.tasks.generators import GENERATORS, check_generator, check_metric
from genprior.tasks.generators.group_sparse import group_sparse_code, group_sparse_network
from genprior.tasks.generators.sparse import draw_sparse, sparse_code, sparse_network
from genprior.tasks.instance import draw_instance
from genprior.tasks.numerics.network import Network

MADE = ("sparse", "sparse-random", "group-sparse")
ANGLES = {"wedge_angle": 0.02}
each_generator = pytest.mark.parametrize("generator", MADE)


def point(generator: str, **changes: Any) -> Point:
    """Fifteen entries, three of them not 0, seen through more measurements than needed."""
    written = {
        "generator": generator,
        "sparsity": 3,
        "n": 15,
        "m": 60,
        "success": {"metric": "signal_error"},
        **(ANGLES if generator == "sparse-random" else {}),
    }
    return Point.model_validate({**written, **changes})


def off_support(signal: np.ndarray, found: np.ndarray) -> np.ndarray:
    return found[signal == 0]


def worst_cases(sparsity: int, n: int) -> list[np.ndarray]:
    """Entries next to each other, mixed signs, and ratios of 10¹²."""
    made = []
    for first in (0, n - sparsity):
        signal = np.zeros(n)
        signal[first : first + sparsity] = (-1.0) ** np.arange(sparsity)
        made += [signal, -signal, signal * np.logspace(-12, 0, n), signal * np.logspace(0, -12, n)]
        made.append(1e200 * signal)
    return made


# Ranges


@pytest.mark.parametrize(
    ("sparsity", "n"), [(1, 1), (1, 2), (2, 4), (1, 50), (5, 100), (20, 40), (3, 3), (2, 1000)]
)
def test_the_explicit_generator_hits_every_sparse_vector(sparsity, n):
    """Heights are off by ε/sin(α/2) ≈ 2εn/π of the entry: 10⁻¹² at n = 1000."""
    network = sparse_network(sparsity, n)
    random = np.random.default_rng(0)
    drawn = [draw_sparse(random, sparsity, n) * 10 ** random.uniform(-12, 0) for _ in range(20)]
    for signal in [*worst_cases(sparsity, n), *drawn, np.zeros(n)]:
        found = network(sparse_code(signal, sparsity))
        assert_allclose(found, signal, rtol=1e-9)
        assert not off_support(signal, found).any()


@given(
    st.dictionaries(
        st.integers(0, 29), st.floats(-1e150, 1e150).filter(lambda y: abs(y) > 1e-150), max_size=4
    )
)
@settings(derandomize=True, deadline=None, max_examples=100)
def test_any_entries_at_any_places_are_hit_by_the_explicit_generator(entries):
    """Each entry has a tent of its own, so that even the smallest is exact to rounding."""
    signal = np.zeros(30)
    signal[list(entries)] = list(entries.values())
    assert_allclose(sparse_network(4, 30)(sparse_code(signal, 4)), signal, rtol=1e-12)


@pytest.mark.parametrize(("sparsity", "n"), [(1, 5), (4, 20), (10, 20)])
def test_no_code_of_the_explicit_generator_gives_more_than_s_entries(sparsity, n):
    """A block lies in one tent, or in the gaps 0 < θ < α, π < θ < π + α, so 1 of n + 1 is in none.

    Of 2000 blocks the share has a standard deviation of √(p/2000), and five are allowed.
    """
    network = sparse_network(sparsity, n)
    codes = np.random.default_rng(1).standard_normal((2000, 2 * sparsity))
    assert max(np.count_nonzero(network(code)) for code in codes) <= sparsity
    single = sparse_network(1, n)
    empty = np.mean([not single(code[:2]).any() for code in codes])
    assert empty == pytest.approx(1 / (n + 1), abs=5 * np.sqrt(1 / (n + 1) / 2000))


def test_the_printed_coefficients_make_tents_too_low():
    """With 1/sin α for 1/sin(α/2), and 1/sin(α/2) for the other, the middle has t/(2cos(α/2)).

    At n = 1 that is t/√2 rather than t; for large n it is half.
    """
    for n in (1, 2, 9, 200):
        angle = pi / (n + 1)
        ours = sparse_network(1, n)
        second = ours.weights[1].copy()
        second.data[:] = np.tile([1 / sin(angle), -1 / sin(angle / 2)], 2 * n)
        printed = Network((ours.weights[0], second, ours.weights[2]), linear_last=True)
        signal = np.zeros(n)
        signal[n // 2] = -3.0
        code = sparse_code(signal, 1)
        assert_allclose(ours(code), signal, rtol=1e-12)
        assert_allclose(printed(code), signal / (2 * cos(angle / 2)), rtol=1e-12)


@pytest.mark.parametrize(
    ("sparsity", "n"), [(1, 1), (1, 2), (2, 2), (1, 50), (5, 100), (20, 40), (2, 1000)]
)
def test_the_group_sparse_generator_hits_every_vector_with_one_entry_a_group(sparsity, n):
    """X = (2r + 2)z − y is rounded to ε(2r + 2)z, r ≤ n/s, z ≤ 2 max y: 10⁻¹² at most here."""
    network = group_sparse_network(sparsity, n)
    random = np.random.default_rng(2)
    size = n // sparsity
    for low in (0, -12, -300):
        for _ in range(20):
            groups = np.zeros((sparsity, size))
            places = random.integers(size, size=sparsity)
            groups[np.arange(sparsity), places] = 10 ** random.uniform(low, 0, sparsity)
            groups[random.random(sparsity) < 0.2] = 0
            signal = groups.ravel()
            found = network(group_sparse_code(signal, sparsity))
            assert_allclose(found, signal, rtol=0, atol=1e-9 * signal.max(initial=0))
            assert not off_support(signal, found).any()


def test_the_group_sparse_generator_has_no_other_vectors():
    """Nonnegative, one entry a group, and heights of at most z: the source's claim and no more."""
    sparsity, size = 3, 4
    network = group_sparse_network(sparsity, sparsity * size)
    random = np.random.default_rng(3)
    met = 0
    for height in (0.5, 1.0, 3.0, 0.0, -1.0):
        for _ in range(300):
            places = random.uniform(-2, 2 * size + 4, sparsity) * abs(height)
            groups = network(np.append(places, height)).reshape(sparsity, size)
            assert (groups >= 0).all()
            assert groups.max() <= max(height, 0) * (1 + 1e-12)
            assert (np.count_nonzero(groups > 1e-12, axis=1) <= 1).all()
            met += np.count_nonzero(groups)
    assert met > 300


def test_a_group_sparse_tent_worked_by_hand():
    """For z = 2 the first tent is on (4, 8), the second on (8, 12), both 2 high at 6 and 10."""
    network = group_sparse_network(1, 2)
    for place, expected in [(4, [0, 0]), (5, [1, 0]), (6, [2, 0]), (7.5, [0.5, 0]), (8, [0, 0]),
                            (9, [0, 1]), (10, [0, 2]), (11, [0, 1]), (12, [0, 0])]:  # fmt: skip
        assert_array_equal(network(np.array([place, 2.0])), expected)


# Symmetry, homogeneity, slopes


@each_generator
def test_symmetries_and_homogeneity_hold(generator):
    """G(−x) = ±G(x) to the bit, and G(cx) = c G(x) to the bit for powers of two."""
    made = point(generator)
    random = np.random.default_rng(4)
    network = GENERATORS.built_in[generator].draw(random, made)
    signs = {"odd": -1, "even": 1}
    assert (network.symmetry, network.linear_last) == {
        "sparse": ("odd", True),
        "sparse-random": ("even", True),
        "group-sparse": ("none", False),
    }[generator]
    codes = [random.standard_normal(made.k) for _ in range(200)]
    codes += [GENERATORS.built_in[generator].draw_code(random, network, made) for _ in range(20)]
    for code in codes:
        signal = network(code)
        if network.symmetry in signs:
            assert_array_equal(network(-code), signs[network.symmetry] * signal)
        assert_array_equal(network(8 * code), 8 * signal)
        assert_allclose(network(1.7 * code), 1.7 * signal, rtol=1e-9, atol=1e-12)


@each_generator
def test_drawn_codes_have_typical_sparse_signals(generator):
    """S entries at any place; of both signs, but in groups. 60 signals miss a place once in 10⁵."""
    made = point(generator)
    random = np.random.default_rng(5)
    network = GENERATORS.built_in[generator].draw(random, made)
    drawn = GENERATORS.built_in[generator]
    signals = np.array([network(drawn.draw_code(random, network, made)) for _ in range(60)])
    assert (np.count_nonzero(signals, axis=1) == made.sparsity).all()
    assert signals.any(axis=0).all()
    assert (signals < 0).any() == (generator != "group-sparse")


@each_generator
def test_descent_vectors_are_slopes_of_the_loss(generator):
    """Between kinks f is quadratic and a central difference exact up to rounding, ε f/h.

    With h = 10⁻⁶ and slopes up to 1/sin α, that is 10⁻⁸ of the slope's size. Codes where a unit
    flips within h are left out; most are not.
    """
    made = point(generator)
    random = np.random.default_rng(6)
    objective = draw_instance(made, 0, 1).objective
    network, compared = objective.network, 0
    h = 1e-6

    def pattern(code: np.ndarray) -> list[bool]:
        hidden = network.forward(objective.first(code))[:-1]
        return [bool(on) for layer in hidden for on in layer > 0]

    def loss(code: np.ndarray) -> float:
        return objective.evaluate(objective.first(code)).loss

    for _ in range(30):
        code = GENERATORS.built_in[generator].draw_code(random, network, made)
        code += 1e-3 * random.standard_normal(made.k)
        steps = h * np.eye(made.k)
        if any(pattern(code + step) != pattern(code - step) for step in steps):
            continue
        slope = [(loss(code + step) - loss(code - step)) / (2 * h) for step in steps]
        vector = objective.descent_vector(objective.evaluate(objective.first(code)))
        assert_allclose(vector, slope, atol=1e-6 * np.abs(vector).max() + 1e-7)
        compared += bool(vector.any())
    assert compared >= 10


@pytest.mark.parametrize(
    ("generator", "sparsity", "n", "wedge_angle"),
    [
        ("sparse", 1, 30, 0.1), ("sparse", 5, 30, 0.1),
        ("sparse-random", 2, 30, 0.01), ("sparse-random", 5, 30, 0.001),
        ("group-sparse", 2, 30, 0.1), ("group-sparse", 10, 30, 0.1),
    ],
)  # fmt: skip
def test_the_default_step_is_stable(generator, sparsity, n, wedge_angle):
    """Descent on a quadratic is stable below α·λ_max = 2; measured are 0.17 to 0.9.

    It is not timid either: in typical signals α·λ_max is at least 0.1.
    """
    changes = {"wedge_angle": wedge_angle} if generator == "sparse-random" else {}
    made = point(generator, sparsity=sparsity, n=n, **changes)
    random = np.random.default_rng(7)
    typical = []
    for _ in range(5):
        network = GENERATORS.built_in[generator].draw(random, made)
        for _ in range(30):
            drawn = GENERATORS.built_in[generator].draw_code(random, network, made)
            for code in (drawn, random.standard_normal(made.k)):
                eigenvalue = np.linalg.norm(network.jacobian(code), 2) ** 2
                stiffness = 0.175 / GENERATORS.built_in[generator].curvature(made) * eigenvalue
                assert stiffness < 1.5
            typical.append(np.linalg.norm(network.jacobian(drawn), 2) ** 2)
    assert 0.175 / GENERATORS.built_in[generator].curvature(made) * np.median(typical) > 0.1


# Trials and points


@each_generator
def test_a_trial_through_a_sparse_generator_is_run_to_its_end(generator):
    """From a code like the true one; both engines agree to the bit, as both are the plain one."""
    results = [
        recover(
            point(generator, solver={"engine": engine, "start": "prior", "max_steps": 50}), 3, 1
        )
        for engine in ("fast", "plain")
    ]
    assert results[0] == results[1]
    assert results[0]["mirror_error"] == np.inf
    assert np.isfinite(results[0]["signal_error"])


@each_generator
def test_networks_hold_no_more_numbers_than_declared(generator):
    """8 bytes a value, 4 or 8 a column, and what is needed to make them."""
    made = point(generator, n=600, **({"wedge_angle": 1e-3} if "random" in generator else {}))
    random = np.random.default_rng(8)
    GENERATORS.built_in[generator].draw(random, made)
    peak = peak_memory(lambda: GENERATORS.built_in[generator].draw(random, made))
    assert peak <= 8 * GENERATORS.built_in[generator].entries(made)


def test_parameters_that_make_no_generator_are_refused():
    with pytest.raises(ValueError, match=r"n = 16.*sparsity = 3.*n = 15 or 18"):
        check_generator(point("group-sparse", n=16))
    with pytest.raises(ValueError, match=r"'wedge_angle' 0\.1.*n = 100.*1/n = 0\.01"):
        check_generator(point("sparse-random", n=100, wedge_angle=0.1))
    with pytest.raises(ValueError, match=r"sparsity.* 13.* 12"):
        check_generator(point("sparse-random", sparsity=13, n=100, wedge_angle=1e-4))
    with pytest.raises(ValueError, match=r"success\.metric 'signal_error'"):
        check_metric(point("sparse", success={"metric": "latent_error"}))
    with pytest.raises(ValueError, match=r"3 entries.*sparsity.* 2"):
        sparse_code(np.ones(3), 2)
    with pytest.raises(ValueError, match="group"):
        group_sparse_code(np.array([1.0, 1.0, 0.0, 0.0]), 2)


def test_shapes_follow_from_sparsity_and_n():
    """The declared widths are those of the networks that are made."""
    for generator in MADE:
        made = point(generator)
        network = GENERATORS.built_in[generator].draw(np.random.default_rng(9), made)
        assert tuple(weight.shape[0] for weight in network.weights) == made.widths
        assert network.weights[0].shape[1] == made.k
