"""The fast engine gives the plain engine's runs: steps, verdicts, negations, codes."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from fast_runs import (
    METHOD,
    agree,
    both,
    cocola,
    draw_problem,
    ending,
    is_chaotic,
    runs,
)
from helpers import SensingLoss, gaussian_sensing
from hypothesis import HealthCheck, assume, given, settings
from memory_use import peak_memory

from genprior.tasks.numerics.network import Network
from genprior.tasks.solvers.descent import (
    Patience,
    Progress,
    State,
    SubgradientDescent,
    Verdict,
    descend,
)
from genprior.tasks.solvers.fast import descend_fast, engine_entries, regimes
from genprior.tasks.solvers.fast.least_squares import LeastSquares
from genprior.tasks.solvers.fast.policy import Policy
from genprior.tasks.solvers.fast.run import Run

Choice = Callable[[LeastSquares], Policy]
REDUCED = {"reduces": True, "folds": False}
POLICIES: dict[str, dict[str, Any]] = {
    "as it pays": {},
    "folded": {"reduces": True, "folds": True},
    "reduced": REDUCED,
    "hasty": {**REDUCED, "price": 3, "credit": 1e9},
}


@pytest.fixture(params=POLICIES.values(), ids=POLICIES)
def policy(request: pytest.FixtureRequest) -> Choice:
    """Also where they do not pay, all regimes must be right."""
    return partial(Policy, **request.param)


def test_a_run_asks_the_policy_that_it_is_given() -> None:
    """Else the tests below would try the regimes that pay, four times over."""
    asked: list[LeastSquares] = []

    def asking(form: LeastSquares) -> Policy:
        asked.append(form)
        return Policy(form, price=3, credit=5, reduces=False, folds=True)

    problem, start = cocola(2, 5)
    both(problem, METHOD, start, 50, policy=asking)
    assert len(asked) == 1
    made = asking(asked[0])
    assert (made.price, made.reduces, made.folds, made.is_quiet) == (3, False, True, False)
    made.count(flipped=False, steps=3)
    assert made.is_quiet


@given(run=runs())
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_both_engines_take_the_same_run(policy: Choice, run: tuple[Any, ...]) -> None:
    plain, fast = both(*run, policy=policy)
    if not agree(plain, fast):
        assume(not is_chaotic(*run, plain))
        raise AssertionError(
            f"{ending(plain)}, {plain.state.code} against {ending(fast)}, {fast.state}"
        )


@pytest.mark.parametrize(
    ("depth", "k", "max_steps"),
    [
        (2, 5, 10_000),
        (2, 60, 10_000),
        (3, 20, 10_000),
        (3, 40, 10_000),
        (2, 200, 700),
        (3, 80, 3000),
    ],
)
def test_runs_of_cocola_fig1_are_the_same(depth: int, k: int, max_steps: int) -> None:
    """The first four converge, after up to 5 700 steps; the others spend the budget."""
    problem, start = cocola(depth, k)
    plain, fast = both(problem, METHOD, start, max_steps)
    assert agree(plain, fast)
    assert (plain.verdict is Verdict.CONVERGED) == (max_steps == 10_000)
    assert fast.state.best_loss == pytest.approx(plain.state.best_loss, rel=1e-4, abs=1e-25)


def test_a_long_run_goes_through_every_regime() -> None:
    """Else the tests above would hold nothing but the plain steps against themselves."""
    problem, start = cocola(3, 40)
    steps = steps_by_regime(problem, start, 10_000)
    assert {"Direct", "Folded", "Reduced", "Linear"} == set(steps)
    assert steps["Linear"] > 3000
    assert steps["Direct"] < 20


def test_a_problem_too_small_for_maps_still_skips_its_tail() -> None:
    rng = np.random.default_rng(3)
    problem = draw_problem(rng, 5, [40, 60], 25)
    start = rng.standard_normal(5)
    steps = steps_by_regime(problem, start, 5000)
    assert set(steps) == {"Plain", "Linear"}
    assert steps["Linear"] > steps["Plain"]


def steps_by_regime(problem: SensingLoss, start: np.ndarray, max_steps: int) -> Counter[str]:
    """How many steps each regime takes of a run."""
    state = METHOD.start(problem, start)
    run, policy = (
        Run(problem, problem.form, METHOD, state, max_steps, Progress(max_steps)),
        Policy(problem.form),
    )
    regime: Any = regimes.Direct(run, policy, None)
    if not policy.reduces:
        regime = regimes.Plain(run, policy)
    taken: Counter[str] = Counter()
    while run.verdict() is None:
        name, before = type(regime).__name__, run.steps
        regime = regime.step()
        taken[name] += run.steps - before
    return taken


@pytest.mark.slow
def test_descent_that_stops_at_a_kink_stalls_in_both() -> None:
    """With noise the minimiser often lies on a kink, where ‖v‖ stays away from 0."""
    verdicts = Counter()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        problem = draw_problem(rng, 5, [60, 60], 20, sigma=0.3)
        start = rng.standard_normal(5)
        plain, fast = both(problem, METHOD, start, 4000)
        assert agree(plain, fast)
        verdicts[plain.verdict] += 1
    assert verdicts[Verdict.STALLED] >= 3


@pytest.mark.parametrize("tolerance", [0.0, 1e-10])
def test_a_start_at_exactly_zero_stays_there(policy: Choice, tolerance: float) -> None:
    """All units are off at 0, so v = 0; without a tolerance the budget is spent on the spot."""
    problem = draw_problem(np.random.default_rng(0), 3, [20, 20], 10)
    plain, fast = both(
        problem, SubgradientDescent(0.7, tolerance), np.zeros(3), 1000, policy=policy
    )
    assert ending(plain) == ending(fast)
    assert fast.steps == (0 if tolerance else 1000)
    assert not fast.state.code.any()


def test_exact_zeros_in_the_weights_are_units_that_are_off(policy: Choice) -> None:
    """Rows and columns of zeros give pre-activations of exactly 0 at every code."""
    rng = np.random.default_rng(1)
    problem = draw_problem(rng, 4, [30, 30, 30], 20)
    first, second, third = (weight.copy() for weight in problem.network.weights)
    first[::3], second[:, ::2], third[5:9] = 0, 0, 0
    problem = SensingLoss(Network((first, second, third)), problem.sensing, problem.observed)
    for _ in range(5):
        assert agree(
            *both(
                problem, SubgradientDescent(1.4, 1e-10), rng.standard_normal(4), 600, policy=policy
            )
        )


def test_a_dead_network_is_flat_at_once(policy: Choice) -> None:
    network = Network((-np.abs(np.random.default_rng(0).standard_normal((4, 1))), np.zeros((3, 4))))
    problem = SensingLoss(network, np.eye(3), np.ones(3))
    plain, fast = both(problem, METHOD, np.ones(1), 50, policy=policy)
    assert ending(plain) == ending(fast) == (0, Verdict.FLAT, False)


def test_a_negation_on_the_way_is_not_jumped_over(policy: Choice) -> None:
    """G(x) = x (1, 1) for x > 0 and |x| (0.9, 0) for x < 0; b = (1, 0).

    f(x) = ½ ((x − 1)² + x²) falls to ¼ at x = ½ without a flip, and f(−x) = ½ (0.9x − 1)² is larger
    at first, but only 0.151 there: x is negated on the way.
    """
    network = Network((np.array([[1.0], [-1.0]]), np.array([[1.0, 0.9], [1.0, 0.0]])))
    problem = SensingLoss(network, np.eye(2), np.array([1.0, 0.0]))
    plain, fast = both(
        problem, SubgradientDescent(0.002, 1e-9), np.array([0.01]), 3000, policy=policy
    )
    assert plain.state.negations == 1
    assert plain.steps > 500
    assert agree(plain, fast)


def test_equal_losses_at_x_and_at_minus_x_negate_nothing(policy: Choice) -> None:
    """G(−x) = G(x): the plain engine finds f(−x) = f(x) to the bit, and keeps x."""
    rng = np.random.default_rng(0)
    half = np.abs(rng.standard_normal((256, 1))) / 16
    above = rng.standard_normal((300, 256)) / 20
    network = Network((np.concatenate([half, -half]), np.concatenate([above, above], axis=1)))
    sensing = gaussian_sensing(rng, 200, 300)
    problem = SensingLoss(network, sensing, sensing @ network(np.ones(1)))
    plain, fast = both(
        problem, SubgradientDescent(0.3, 1e-10), np.array([0.4]), 2000, policy=policy
    )
    assert plain.state.negations == 0
    assert agree(plain, fast)


@pytest.mark.parametrize("seed", range(6))
def test_a_coordinate_that_no_active_unit_sees_stays_at_exactly_zero(
    policy: Choice, seed: int
) -> None:
    """Units that see x_1 alone are at 0, so off; rounding must not turn them on."""
    rng = np.random.default_rng(seed)
    first = rng.standard_normal((30, 4)) / 5
    first[:20, 1], first[20:, [0, 2, 3]] = 0, 0
    network = Network((first, rng.standard_normal((30, 30)) / 5))
    sensing = rng.standard_normal((20, 30)) / 4
    problem = SensingLoss(network, sensing, sensing @ network(rng.standard_normal(4)))
    start = rng.standard_normal(4)
    start[1] = 0
    plain, fast = both(problem, SubgradientDescent(0.2, 1e-10), start, 3000, policy=policy)
    assert plain.state.code[1] == fast.state.code[1] == 0
    assert agree(plain, fast)


@pytest.mark.parametrize("windows", [1, 7])
def test_jumps_that_end_at_marks_leave_no_stale_bounds(policy: Choice, windows: int) -> None:
    """Looks at every step or so cut the jumps; slow and fast coordinates share no unit."""
    for seed in (76, 187, 235):
        rng = np.random.default_rng(seed)
        first = np.zeros((450, 4))
        first[:250, :2] = rng.standard_normal((250, 2)) / 16
        first[250:, 2:] = rng.standard_normal((200, 2)) / 14
        target = rng.standard_normal(4)
        target[2:] *= 0.01
        start = target.copy()
        start[:2] = rng.standard_normal(2) * 0.3
        observed = np.maximum(first @ target, 0)
        problem = SensingLoss(Network((first,)), np.eye(450), observed)
        method, patience = SubgradientDescent(0.1, 1e-10, False), Patience(windows, 1 + 1e-9, True)
        assert agree(*both(problem, method, start, 300, patience, policy=policy))


@pytest.mark.slow
def test_chaotic_runs_end_alike_on_the_whole(policy: Choice) -> None:
    """α four times too large: rounding decides a single run, but not how many recover.

    The counts are binomial with at most n/4 = 20 of variance each: 4 √40 ≈ 25 is no chance.
    """
    outcomes: dict[str, Counter[bool]] = {"plain": Counter(), "fast": Counter()}
    for seed in range(80):
        rng = np.random.default_rng(seed)
        problem = draw_problem(rng, 3, [25, 25], 12)
        plain, fast = both(
            problem, SubgradientDescent(8.0, 1e-6), rng.standard_normal(3), 300, policy=policy
        )
        outcomes["plain"][plain.state.best_loss < 0.05] += 1
        outcomes["fast"][fast.state.best_loss < 0.05] += 1
    assert 0 < outcomes["plain"][True] < 80
    assert abs(outcomes["plain"][True] - outcomes["fast"][True]) < 25


@pytest.mark.parametrize("engine", [descend, descend_fast])
def test_a_run_is_the_same_each_time(engine: Any) -> None:
    problem, start = cocola(2, 20)
    one, two = (engine(problem, METHOD, start, max_steps=500) for _ in range(2))
    assert (one.state.code == two.state.code).all()
    assert ending(one) == ending(two)


def test_the_engine_holds_no_more_than_it_says() -> None:
    """Sweeps are refused by this figure before memory is taken."""
    rng = np.random.default_rng(0)
    flat = draw_problem(rng, 2, [20_000], 1), rng.standard_normal(2)
    for problem, start in (cocola(2, 60), cocola(3, 40), flat):
        k = start.size
        widths = [weight.shape[0] for weight in problem.network.weights]
        peak = peak_memory(partial(descend_fast, problem, METHOD, start, max_steps=1500))
        assert peak < 8 * engine_entries(k, widths, problem.observed.size)


def test_the_last_state_is_the_networks_own() -> None:
    """What a run reports at its end is computed on the network itself, as the plain engine does."""
    problem, start = cocola(2, 5)
    _, fast = both(problem, METHOD, start, 10_000)
    assert isinstance(fast.state, State)
    evaluation = problem.evaluate(problem.first(fast.state.code))
    assert fast.state.loss == evaluation.loss
    assert (fast.state.vector == problem.descent_vector(evaluation)).all()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Overflowing runs are data, not warnings of these tests."""
    with np.errstate(over="ignore", invalid="ignore"):
        yield
