"""ReLU networks: their linear maps, slopes, scaling and the draws of their weights."""

import numpy as np
import pytest
from helpers import SensingLoss, gaussian_sensing
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from one_trial import recover

from genprior.sweeps import Point
from genprior.tasks.experiments.recovery import errors
from genprior.tasks.generators import draw_network, gaussian_network, generator_class
from genprior.tasks.instance import draw_instance, mirror_ratio_of
from genprior.tasks.numerics.network import Network
from genprior.tasks.problems.linear import noise_of_snr
from genprior.tasks.theory import mirror_ratio

SHAPES = [(3, (7,), 5), (3, (7,), 40), (4, (12, 9), 5), (4, (12, 9), 30), (2, (6, 9, 8, 7), 4)]


def drawn(k: int, widths: tuple[int, ...], m: int, seed: int = 0) -> SensingLoss:
    """A noisy problem, so that the descent vector vanishes nowhere in particular."""
    random = np.random.default_rng(seed)
    network = gaussian_network(random, k, widths, gain=2)
    return SensingLoss(network, gaussian_sensing(random, m, widths[-1]), random.standard_normal(m))


def loss(problem: SensingLoss, code: np.ndarray) -> float:
    return problem.evaluate(problem.first(code)).loss


def descent_vector(problem: SensingLoss, code: np.ndarray) -> np.ndarray:
    return problem.descent_vector(problem.evaluate(problem.first(code)))


def linear_map(network: Network, code: np.ndarray) -> np.ndarray:
    """Λ_x = Π_{i=d..1} W_{i,+,x}, formed: rows of units that are off are 0."""
    product = np.eye(code.size)
    for weight in network.weights:
        product = weight @ product
        product[product @ code <= 0] = 0
    return product


def pattern(network: Network, code: np.ndarray) -> list[bool]:
    """Which units are on, in all layers."""
    return [bool(on) for layer in network.forward(network.weights[0] @ code) for on in layer > 0]


@pytest.mark.parametrize(("k", "widths", "m"), SHAPES)
def test_a_network_is_its_linear_map_applied_to_the_code(k, widths, m):
    """G(x) = Λ_x x, and G has no biases."""
    network = drawn(k, widths, m).network
    assert network.depth == len(widths)
    for code in np.random.default_rng(1).standard_normal((5, k)):
        assert_allclose(network(code), linear_map(network, code) @ code, atol=1e-13)
        assert_allclose(network(code), network.forward(network.weights[0] @ code)[-1])
    assert_array_equal(network(np.zeros(k)), 0)


def test_a_network_worked_by_hand():
    """At x = (1, 2): W_1 x = (−1, 3) → (0, 3), W_2 (0, 3) = (6, −3) → (6, 0)."""
    network = Network((np.array([[1.0, -1.0], [1.0, 1.0]]), np.array([[9.0, 2.0], [9.0, -1.0]])))
    assert_array_equal(network(np.array([1.0, 2.0])), [6, 0])
    # Λ_x = diag(1, 0) W_2 diag(0, 1) W_1, so Λ_xᵀ (5, 7) = 5 · 2 · (1, 1).
    activations = network.forward(network.weights[0] @ np.array([1.0, 2.0]))
    assert_array_equal(network.backward(np.array([5.0, 7.0]), activations), [10, 10])


@pytest.mark.parametrize(("k", "widths", "m"), SHAPES)
def test_the_descent_vector_is_the_slope_of_the_loss_away_from_kinks(k, widths, m):
    """Between kinks f is quadratic and a central difference exact, up to rounding of f, ε/h.

    The test asks that no unit flips within h: there would be a kink.
    """
    problem = drawn(k, widths, m)
    h = 1e-5
    for code in np.random.default_rng(2).standard_normal((5, k)):
        slope = []
        for step in h * np.eye(k):
            assert pattern(problem.network, code + step) == pattern(problem.network, code - step)
            slope.append((loss(problem, code + step) - loss(problem, code - step)) / (2 * h))
        assert_allclose(descent_vector(problem, code), slope, atol=1e-8)


@pytest.mark.parametrize(("k", "widths", "m"), SHAPES)
def test_the_backward_pass_is_the_transposed_linear_map(k, widths, m):
    problem = drawn(k, widths, m)
    for code in np.random.default_rng(3).standard_normal((5, k)):
        matrix = problem.sensing @ linear_map(problem.network, code)
        expected = matrix.T @ (matrix @ code - problem.observed)
        assert_allclose(descent_vector(problem, code), expected, rtol=1e-12, atol=1e-13)


@given(st.floats(0, 1e6), st.integers(0, 2**32 - 1))
@settings(derandomize=True, deadline=None)
def test_a_network_is_positively_homogeneous(factor, seed):
    """G(cx) = c G(x) for c ≥ 0: without biases no scale is special."""
    random = np.random.default_rng(seed)
    network = gaussian_network(random, 3, (6, 5, 4))
    code = random.standard_normal(3)
    assert_allclose(network(factor * code), factor * network(code), rtol=1e-9, atol=1e-300)


def test_a_network_is_not_homogeneous_in_negative_factors():
    """G(−x) = −G(x) would make the signal negative."""
    network = drawn(3, (6, 5), 4).network
    code = np.ones(3)
    assert (network(-code) >= 0).all()
    assert not np.allclose(network(-code), -network(code))


def test_units_at_exactly_zero_are_off():
    """At x = (1, 1), W_1 x = (1, 0) and the residual is (1, −1).

    With its second unit off, v = 1 · (1, 0); if that unit were on, −1 · (1, −1) came on top. At −x
    the pre-activations are −1 and −0, and both units are off.
    """
    layer = np.array([[1.0, 0.0], [1.0, -1.0]])
    problem = SensingLoss(Network((layer,)), np.eye(2), np.array([0.0, 1.0]))
    first = problem.first(np.array([1.0, 1.0]))
    assert_array_equal(problem.descent_vector(problem.evaluate(first)), [1, 0])
    assert_array_equal(problem.descent_vector(problem.evaluate(-first)), [0, 0])


def test_at_the_origin_every_unit_is_off():
    """The descent vector of 0 is 0, though 0 is a local maximum of the expected loss."""
    problem = drawn(4, (12, 9), 5)
    assert_array_equal(descent_vector(problem, np.zeros(4)), 0)
    assert loss(problem, np.zeros(4)) == pytest.approx(0.5 * problem.observed @ problem.observed)


def test_the_loss_at_the_negated_code_needs_no_second_product():
    """W_1 (−x) = −(W_1 x), to the bit."""
    problem = drawn(4, (12, 9), 5)
    code = np.random.default_rng(4).standard_normal(4)
    assert problem.evaluate(-problem.first(code)).loss == loss(problem, -code)


def test_layers_that_do_not_chain_are_refused_with_both_sizes():
    weights = (np.zeros((300, 10)), np.zeros((300, 300)), np.zeros((80, 250)))
    with pytest.raises(ValueError, match=r"^weights\[2\] has 250 columns but weights\[1\] has 300"):
        Network(weights)


@pytest.mark.parametrize(("gain", "depth"), [(1, 1), (1, 2), (2, 1), (2, 3), (3, 2)])
def test_each_layer_scales_squared_norms_by_half_the_gain(gain, depth):
    """‖G(x)‖² ≈ (gain/2)^d ‖x‖²: half of the units are on, and W has variance gain/n.

    For one layer and any x, ‖relu(Wx)‖²/‖x‖² has mean gain/2 and relative variance 5/n; with
    n = 4000, d ≤ 3 we allow five times √(5d/n).
    """
    network = gaussian_network(np.random.default_rng(5), 10, (4000,) * depth, gain)
    code = np.random.default_rng(6).standard_normal(10)
    ratio = (np.linalg.norm(network(code)) / np.linalg.norm(code)) ** 2
    assert_allclose(ratio, (gain / 2) ** depth, rtol=5 * np.sqrt(5 * depth / 4000))


def test_gaussian_weights_and_measurements_have_the_stated_variances():
    """A variance of N normals has a relative standard deviation of √(2/N); we allow five."""
    random = np.random.default_rng(7)
    first, second = gaussian_network(random, 200, (300, 400), gain=2).weights
    for matrix, variance in (
        (first, 2 / 300),
        (second, 2 / 400),
        (gaussian_sensing(random, 250, 300), 1 / 250),
    ):
        assert_allclose(matrix.var(), variance, rtol=5 * np.sqrt(2 / matrix.size))
        assert abs(matrix.mean()) < 5 * np.sqrt(variance / matrix.size)


@pytest.mark.parametrize(("snr_db", "ratio"), [(20, 100), (10, 10), (0, 1), (-10, 0.1)])
def test_snr_is_ten_times_the_logarithm_of_a_ratio_of_norms(snr_db, ratio):
    """20 dB is ‖A y*‖/‖η‖ = 100, as the source defines it; with the usual 20·log10 it were 10."""
    clean = np.random.default_rng(8).standard_normal(50)
    noise = noise_of_snr(np.random.default_rng(9), clean, snr_db)
    assert_allclose(np.linalg.norm(clean) / np.linalg.norm(noise), ratio, rtol=1e-12)


def test_noise_of_fixed_norm_has_a_uniform_direction():
    """Any coordinate of a uniform direction in R^m has mean 0 and variance 1/m."""
    random = np.random.default_rng(10)
    clean = np.eye(4)[0]
    found = np.array([noise_of_snr(random, clean, 0) for _ in range(4000)])
    assert_allclose(found.mean(axis=0), 0, atol=5 / np.sqrt(4 * 4000))
    assert_allclose(found.var(axis=0), 1 / 4, rtol=0.1)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_linear_last_layer_keeps_twice_the_energy(depth):
    """ΛᵀΛ is about (gain/2)^{d−1} gain: a ReLU halves the energy, a linear layer does not."""
    point = Point(k=5, depth=depth, widths=(1500,) * depth, gain=1.5, last_layer="linear")
    network = draw_network(np.random.default_rng(3), point)
    codes = np.random.default_rng(4).standard_normal((20, 5))
    seen = np.mean([np.sum(network(code) ** 2) / np.sum(code**2) for code in codes])
    assert seen == pytest.approx(generator_class("gaussian").curvature(point), rel=0.1)
    assert (network(codes[0]) < 0).any()


def test_the_mirror_of_a_linear_last_layer_is_that_of_the_layers_below():
    """A wide linear layer is an isometry, nearly: ρ_2 counts at depth 3, not ρ_3."""
    point = Point(problem="inversion", k=3, depth=3, widths=(1500,) * 3, last_layer="linear",
                  solver={"start": "mirror"})  # fmt: skip
    instance = draw_instance(point, 0, 1)

    def slope(code):
        objective = instance.objective
        return np.linalg.norm(objective.descent_vector(objective.evaluate(objective.first(code))))

    assert mirror_ratio_of(point) == mirror_ratio(2)
    assert_allclose(instance.start, -mirror_ratio(2) * instance.target)
    assert slope(instance.start) < slope(-mirror_ratio(3) * instance.target) / 2


def test_both_engines_give_the_same_run_with_a_linear_last_layer():
    """The fast one takes the plain steps there."""
    written = {"k": 4, "depth": 2, "widths": (30, 40), "m": 30, "last_layer": "linear"}
    fast, plain = (
        recover(Point(**written, solver={"engine": engine}), 0, 1) for engine in ("fast", "plain")
    )
    assert fast == plain
    assert fast["success"] == 1


@pytest.mark.parametrize(("problem", "error"), [("phase-retrieval", 0), ("inversion", 2)])
def test_an_odd_network_is_recovered_up_to_sign_where_data_have_none(problem, error):
    """G(−x) = −G(x): −x* has the data of x* in phase retrieval, and is 2‖x*‖ away otherwise."""
    point = Point(generator="sparse", sparsity=2, n=8, m=20, problem=problem,
                  success={"metric": "signal_error"})  # fmt: skip
    instance = draw_instance(point, 0, 1)
    measured = errors(point, instance, -instance.target)
    assert measured["signal_error"] == pytest.approx(error)
    assert measured["latent_error"] == pytest.approx(error)
    assert measured["mirror_error"] == np.inf
