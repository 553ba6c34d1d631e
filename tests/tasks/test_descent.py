"""Subgradient descent: steps by hand, the published algorithm, and the verdict at the end."""

import warnings

import numpy as np
import pytest
from helpers import SensingLoss, gaussian_sensing
from numpy.testing import assert_allclose, assert_array_equal

from genprior.tasks.generators import gaussian_network
from genprior.tasks.numerics.network import Network
from genprior.tasks.solvers.descent import SubgradientDescent, Verdict, descend

pytestmark = pytest.mark.filterwarnings("error")


def tiny(*layers: list[list[float]], observed: float) -> SensingLoss:
    """A problem with one code and one signal entry, A = 1."""
    network = Network(tuple(np.array(layer, dtype=float) for layer in layers))
    return SensingLoss(network, np.eye(1), np.array([observed]))


def run(problem, start, *, steps, step_size, negation=True, tolerance=1e-10):
    method = SubgradientDescent(step_size, tolerance, negation)
    return descend(problem, method, np.array([start], dtype=float), max_steps=steps)


RELU = tiny([[1]], observed=1)
# G(x) = 2x for x > 0 and −x for x < 0: the mirror side is not dead.
VEE = tiny([[1], [-1]], [[2, 1]], observed=2)
# G(x) = |x|: a step too large throws the code ever farther.
EVEN = tiny([[1], [-1]], [[1, 1]], observed=1)


# By hand


def test_two_steps_of_a_single_unit():
    """G(x) = relu(x), b = 1, x_0 = −½, α = ½.

    f(−½) = ½ > f(½) = ⅛: x is negated. v(½) = ½ − 1 = −½, so x_1 = ¾, where f(−¾) = ½ is larger
    than f(¾) = 1/32. v(¾) = −¼, so x_2 = ⅞ with f = ½ (⅛)² = 1/128 and v = −⅛.
    """
    state, steps, verdict, _ = run(RELU, -0.5, steps=2, step_size=0.5)
    assert (state.code, state.loss, state.vector) == (0.875, 1 / 128, -0.125)
    assert (state.gradient_norm, state.negations, state.best_loss) == (0.125, 1, 1 / 128)
    assert (steps, verdict) == (2, Verdict.BUDGET_SPENT)


def test_without_negation_a_unit_that_is_off_is_never_left():
    """G(−½) = 0, so v = 0 at once: the loss is ½ b² all around, and nothing has converged."""
    state, steps, verdict, _ = run(RELU, -0.5, steps=2, step_size=0.5, negation=False)
    assert (state.code, state.loss, state.gradient_norm, state.negations) == (-0.5, 0.5, 0, 0)
    assert (steps, verdict) == (0, Verdict.FLAT)


def test_two_steps_through_two_layers():
    """W_1 = (1, −1)ᵀ, W_2 = (2, 1), b = 2, x_0 = −½, α = 0.1.

    f(−½) = ½ (½ − 2)² = 9/8 and f(½) = ½ (1 − 2)² = ½: x is negated. For x > 0 the descent vector
    is 2 (2x − 2), so x_1 = ½ + 0.2 = 0.7 and x_2 = 0.7 + 0.12 = 0.82; f(−0.7) = ½ · 1.3² and
    f(−0.82) = ½ · 1.18² are larger than f(0.7) = ½ · 0.6² and f(0.82) = ½ · 0.36² = 0.0648.
    """
    state = run(VEE, -0.5, steps=2, step_size=0.1).state
    assert_allclose(state.code, 0.82, rtol=1e-14)
    assert_allclose(state.loss, 0.0648, rtol=1e-14)
    assert_allclose(state.vector, -0.72, rtol=1e-14)
    assert state.negations == 1


def test_two_steps_on_the_mirror_side_without_negation():
    """For x < 0, G = −x and v = −(−x − 2) = x + 2: from −½ by 0.15 to −0.65, by 0.135 to −0.785.

    There f = ½ (0.785 − 2)² = 0.7381125.
    """
    state = run(VEE, -0.5, steps=2, step_size=0.1, negation=False).state
    assert_allclose(state.code, -0.785, rtol=1e-14)
    assert_allclose(state.loss, 0.7381125, rtol=1e-14)
    assert_allclose(state.vector, 1.215, rtol=1e-14)
    assert state.negations == 0


def test_a_tie_is_not_negated():
    """f(−x) < f(x) is strict, or an even network would swing for ever."""
    state = run(EVEN, -0.5, steps=3, step_size=0.1).state
    assert state.negations == 0
    assert state.code < 0


# Against the paper


def transcription(problem, code, step_size, steps, *, negation):
    """Cocola 2022, Algorithm 2, word for word: Λ_x is formed, and nothing is shared."""
    weights, sensing, observed = problem.network.weights, problem.sensing, problem.observed

    def linear_map(x):
        product = np.eye(x.size)
        for weight in weights:
            product = np.diag((weight @ product @ x > 0).astype(float)) @ weight @ product
        return product

    def loss(x):
        return 0.5 * np.linalg.norm(sensing @ linear_map(x) @ x - observed) ** 2

    codes, negations = [], 0
    for _ in range(steps):
        if negation and loss(-code) < loss(code):
            code, negations = -code, negations + 1
        codes.append(code)
        matrix = sensing @ linear_map(code)
        code = code - step_size * matrix.T @ (matrix @ code - observed)
    return codes, negations


@pytest.mark.parametrize("negation", [True, False])
@pytest.mark.parametrize(
    ("k", "widths", "m"), [(3, (15,), 10), (4, (20, 30), 12), (2, (9, 9, 9), 20)]
)
def test_the_iterates_are_those_of_the_published_algorithm(k, widths, m, negation):
    total = 0
    for seed in range(8):
        random = np.random.default_rng(seed)
        network = gaussian_network(random, k, widths, gain=2)
        sensing = gaussian_sensing(random, m, widths[-1])
        observed = sensing @ network(random.standard_normal(k)) + 0.1 * random.standard_normal(m)
        problem = SensingLoss(network, sensing, observed)
        start = 3 * random.standard_normal(k)
        expected, negations = transcription(problem, start, 0.2, 50, negation=negation)
        method = SubgradientDescent(0.2, 0, negation)
        state = method.start(problem, start)
        for code in expected:
            assert_allclose(state.code, code, rtol=1e-12, atol=1e-12)
            last, state = state, method.step(problem, state)
        assert last.negations == negations
        assert_array_equal(descend(problem, method, start, max_steps=49).state.code, last.code)
        total += negations
    assert (total > 0) == negation


# Verdicts


def test_a_run_that_reaches_the_tolerance_has_converged():
    """The error of RELU halves: ‖v‖ = ½ · 2^{−t} falls below 10⁻³ at t = 9, ½/512 = 0.00098."""
    state, steps, verdict, _ = run(RELU, 0.5, steps=100, step_size=0.5, tolerance=1e-3)
    assert (steps, verdict) == (9, Verdict.CONVERGED)
    assert state.gradient_norm == 0.5 / 512


def test_the_tolerance_itself_is_not_below_the_tolerance():
    assert run(RELU, 0.5, steps=100, step_size=0.5, tolerance=0.5 / 512).steps == 10


def test_a_run_that_converges_with_its_last_step_has_converged():
    assert run(RELU, 0.5, steps=9, step_size=0.5, tolerance=1e-3).verdict is Verdict.CONVERGED
    assert run(RELU, 0.5, steps=8, step_size=0.5, tolerance=1e-3).verdict is Verdict.BUDGET_SPENT


def test_a_run_that_still_improves_has_spent_its_budget():
    _, steps, verdict, _ = run(RELU, 0.5, steps=20, step_size=0.1)
    assert (steps, verdict) == (20, Verdict.BUDGET_SPENT)


def test_a_run_that_no_longer_improves_has_stalled():
    """α = 2 throws the code from ½ to 3/2 and back: the loss stays ⅛, the vector ∓½."""
    state, steps, verdict, _ = run(RELU, 0.5, steps=20, step_size=2)
    assert (steps, verdict) == (20, Verdict.STALLED)
    assert (state.loss, state.gradient_norm) == (0.125, 0.5)


def test_improving_in_the_last_fifth_is_not_stalling():
    """Alternating, but the error shrinks by 0.98 a step; in the last of 5 steps the loss by 4 %."""
    assert run(RELU, 0.5, steps=5, step_size=1.98).verdict is Verdict.BUDGET_SPENT


@pytest.mark.parametrize("negation", [True, False])
@pytest.mark.parametrize("step_size", [100, 1e9, 1e300])
def test_a_step_far_too_large_diverges_without_nan_or_warning(step_size, negation):
    """In G(x) = |x| the error grows by 1 − α a step, until ½ error² exceeds 10³⁰⁸."""
    state, steps, verdict, _ = run(EVEN, 0.5, steps=500, step_size=step_size, negation=negation)
    assert verdict is Verdict.DIVERGED
    assert steps < 100
    assert not np.isnan(state.best_loss)
    assert state.best_loss == 0.125


def test_a_random_network_diverges_without_a_warning():
    random = np.random.default_rng(0)
    network = gaussian_network(random, 4, (20, 30))
    problem = SensingLoss(network, gaussian_sensing(random, 15, 30), np.ones(15))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for step_size in (1e3, 1e200, 1e308):
            method = SubgradientDescent(step_size, 1e-10, negation=True)
            descent = descend(problem, method, random.standard_normal(4), max_steps=500)
            assert descent.verdict in (Verdict.DIVERGED, Verdict.CONVERGED)


def test_with_tolerance_zero_nothing_converges():
    """α = 1 hits x = 1 in one step, where ‖v‖ = 0 is not below 0; nothing can improve on it."""
    state, steps, verdict, _ = run(RELU, 0.5, steps=10, step_size=1, tolerance=0)
    assert (state.code, state.loss, steps) == (1, 0, 10)
    assert verdict is Verdict.STALLED


def test_a_budget_of_one_step_takes_one_step():
    """X_1 = ½ + ½ · ½, and from one state to the next the loss improved."""
    state, steps, verdict, _ = run(RELU, 0.5, steps=1, step_size=0.5)
    assert (state.code, steps, verdict) == (0.75, 1, Verdict.BUDGET_SPENT)
    assert run(RELU, 0.5, steps=1, step_size=2).verdict is Verdict.STALLED
    assert run(RELU, 1, steps=1, step_size=2)[1:] == (0, Verdict.CONVERGED, None)


def test_the_numbers_of_the_verdicts_are_stored():
    assert {verdict.name: verdict.value for verdict in Verdict} == {
        "CONVERGED": 0,
        "STALLED": 1,
        "BUDGET_SPENT": 2,
        "DIVERGED": 3,
        "ABANDONED": 4,
        "FLAT": 5,
    }
