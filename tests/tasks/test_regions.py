"""The parts of the fast engine, each against what it replaces."""

import numpy as np
import pytest
from helpers import SensingLoss, gaussian_sensing
from hypothesis import given, settings
from hypothesis import strategies as st

from genprior.tasks.generators import gaussian_network
from genprior.tasks.numerics.network import Network
from genprior.tasks.numerics.operators import Scaling
from genprior.tasks.solvers.fast import watch as watch_module
from genprior.tasks.solvers.fast.linear_region import LinearRegion
from genprior.tasks.solvers.fast.maps import Departures, FoldedNetwork, PatternMaps
from genprior.tasks.solvers.fast.negation import NegationTest
from genprior.tasks.solvers.fast.norms import operator_norm_bound
from genprior.tasks.solvers.fast.policy import Policy
from genprior.tasks.solvers.fast.reduced import CAPACITY, ReducedNetwork
from genprior.tasks.solvers.fast.watch import Watch

SHAPES = [((70, 65), 5, 30), ((15, 70, 60), 4, 30), ((40,), 3, 20), ((20, 30, 25, 22), 4, 50)]


def draw(widths: tuple[int, ...], k: int, m: int, seed: int = 1) -> SensingLoss:
    rng = np.random.default_rng(seed)
    network = gaussian_network(rng, k, widths)
    return SensingLoss(network, gaussian_sensing(rng, m, widths[-1]), rng.standard_normal(m))


def pattern(problem: SensingLoss, code: np.ndarray) -> list[np.ndarray]:
    return [a > 0 for a in problem.network.forward(problem.first(code))]


def maps_at(problem: SensingLoss, code: np.ndarray) -> PatternMaps:
    return PatternMaps(problem.network.weights, problem.form.sensing, pattern(problem, code))


def assert_evaluates(problem, code, loss, vector) -> None:
    """Loss and descent vector are the network's own, but for rounding."""
    evaluation = problem.evaluate(problem.first(code))
    assert loss == pytest.approx(evaluation.loss, rel=1e-12)
    expected = problem.descent_vector(evaluation)
    assert np.linalg.norm(vector - expected) <= 1e-12 * max(np.linalg.norm(expected), 1.0)


def walk(k: int, steps: int, length: float, seed: int = 2):
    rng = np.random.default_rng(seed)
    code = rng.standard_normal(k)
    for _ in range(steps):
        code = code + length * rng.standard_normal(k)
        yield code


# Maps


@pytest.mark.parametrize(("widths", "k", "m"), SHAPES)
def test_flipped_maps_are_those_of_the_new_pattern(widths, k, m) -> None:
    problem = draw(widths, k, m)
    codes = list(walk(k, 30, 0.3))
    maps = maps_at(problem, codes[0])
    for code in codes[1:]:
        new = pattern(problem, code)
        for layer, (then, now) in enumerate(zip(list(maps.patterns), new, strict=True)):
            maps.flip(layer, np.flatnonzero(then != now))
        fresh = maps_at(problem, code)
        for mine, other in zip(maps.maps, fresh.maps, strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-12)
        np.testing.assert_allclose(maps.jacobian(), fresh.jacobian(), atol=1e-12)
    assert maps.maps[0] is problem.network.weights[0]


@pytest.mark.parametrize(("widths", "k", "m"), SHAPES)
def test_a_folded_network_evaluates_like_the_network(widths, k, m) -> None:
    problem = draw(widths, k, m)
    folded = None
    for code in walk(k, 200, 0.1):
        folded = folded or FoldedNetwork(maps_at(problem, code), problem.observed)
        loss, first, _ = folded.loss(code)
        assert_evaluates(problem, code, loss, folded.vector())
        np.testing.assert_allclose(first, problem.first(code), rtol=1e-13)


def test_a_unit_departs_once_in_64_steps() -> None:
    departures = Departures([np.zeros(4, dtype=bool)])
    none, unit = np.zeros(0, dtype=int), np.array([2])
    assert [departures.count([u]) for u in (unit, unit, none)] == [1, 0, 0]
    for _ in range(62):
        departures.count([none])
    assert departures.count([unit]) == 1


# The reduced network


@pytest.mark.parametrize("length", [0.02, 0.2])
@pytest.mark.parametrize(("widths", "k", "m"), SHAPES)
def test_a_reduced_network_evaluates_like_the_network(widths, k, m, length) -> None:
    """Over hundreds of steps of a random walk, with every unit that left made a candidate."""
    problem = draw(widths, k, m)
    reduced = None
    for code in walk(k, 300, length):
        reduced = reduced or ReducedNetwork(maps_at(problem, code), problem.observed)
        assert reduced.resolve(code) is not None
        loss = reduced.loss(code)
        assert_evaluates(problem, code, loss, reduced.vector())
        base = [then.copy() for then in reduced.base.patterns]
        for layer, then in enumerate(base):
            then[reduced.departed(layer)] ^= True
        assert all(map(np.array_equal, base, pattern(problem, code)))
        fresh = maps_at(problem, code).jacobian()
        np.testing.assert_allclose(reduced.present_jacobian(), fresh, atol=1e-12)
    assert reduced.candidates > 5


def test_a_unit_at_exactly_zero_is_off_whatever_its_base() -> None:
    """G = relu, A = 1, b = (1, 1): at (0, 1), reached from (1, 1), v = (0, 0), not (−1, 0)."""
    problem = SensingLoss(Network((np.eye(2),)), np.eye(2), np.ones(2))
    reduced = ReducedNetwork(maps_at(problem, np.ones(2)), problem.observed)
    code = np.array([0.0, 1.0])
    assert reduced.resolve(code) == 1
    assert reduced.loss(code) == 0.5
    assert reduced.vector().tolist() == [0, 0]


def test_more_departures_than_candidates_can_be_are_refused() -> None:
    problem = draw((3 * CAPACITY, 40), 6, 30)
    code = next(walk(6, 1, 1.0))
    reduced = ReducedNetwork(maps_at(problem, code), problem.observed)
    assert reduced.resolve(-code) is None


def uneven(widths: tuple[int, ...], k: int, m: int, seed: int) -> SensingLoss:
    """Some units of a layer act a hundred times more on the next one than others."""
    rng, problem = np.random.default_rng(seed), draw(widths, k, m, seed)
    first, *others = problem.network.weights
    scaled = [weight * rng.lognormal(0, 2, weight.shape[1]) for weight in others]
    return SensingLoss(Network((first, *scaled)), problem.sensing, problem.observed)


@pytest.mark.parametrize(("widths", "k", "m"), [*SHAPES, ((200, 150), 10, 60)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_within_a_watch_only_watched_units_leave_the_base(
    widths, k, m, seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the watch admits is all that `resolve` would add, on strides within its radius.

    Few are watched, and they act strongly on the layers above, so that the bounds are needed. No
    sum of strides is the radius itself, where rounding would decide.
    """
    monkeypatch.setattr(watch_module, "WATCHED", 6)
    problem, rng = uneven(widths, k, m, seed), np.random.default_rng(5)
    code = next(walk(k, 1, 1.0))
    reduced = ReducedNetwork(maps_at(problem, code), problem.observed)
    covered = admitted = 0
    for _ in range(60):
        assert reduced.resolve(code) is not None
        watch, centre = Watch(reduced, code), code
        direction = rng.standard_normal(k)
        for _ in range(8):
            stride = min(watch.radius, 1.0) / 7.5
            code = code + stride * direction / np.linalg.norm(direction)
            if not watch.covers(code, stride):
                break
            assert np.linalg.norm(code - centre) <= watch.radius * (1 + 1e-9)
            reduced.loss(code)
            added = watch.admit(code)
            if added is None:
                break
            covered, admitted = covered + 1, admitted + added
            assert reduced.resolve(code) == 0
            assert_evaluates(problem, code, reduced.loss(code), reduced.vector())
    assert covered > 100
    assert admitted


def test_a_watch_heeds_what_moves_a_unit_by_way_of_a_candidate() -> None:
    """Unit s of layer 1 flips; unit i of layer 3 moves by T_is, and by a candidate c of layer 2.

    Along x_2, z_i = 1.25 − 2.8 x_2 after the kink of s; with either effect alone it would be
    1.25 − 1.9 x_2. 127 further units, nearer to their kinks, are the watched ones.
    """
    tiny, gain = 1e-6, 0.9
    first = np.zeros((130, 3))
    first[:3] = [[tiny, 0, 0], [10 * tiny, 1, 0], [0, 1, 0]]
    first[3:] = [0.01 * tiny, 0, 1]
    second = np.zeros((3, 130))
    second[:, 1] = 1
    second[0, 0], second[0, 2], second[1, 2] = -5, gain, gain
    third = np.array([[-1.0, -1.0, 1.0]])
    centre = np.array([1 / tiny, -tiny, 0.0])

    def last(code: np.ndarray) -> float:
        return float((third @ np.maximum(second @ np.maximum(first @ code, 0), 0))[0])

    second[2, 0] = 1.25 - last(centre)
    problem = SensingLoss(Network((first, second, third)), np.eye(1), np.zeros(1))
    base = pattern(problem, centre)
    base[1][0] = False
    reduced = ReducedNetwork(PatternMaps((first, second, third), Scaling(1), base), np.zeros(1))
    assert reduced.resolve(centre) == 1
    reduced.loss(centre)
    watch = Watch(reduced, centre)
    for away in np.arange(0.025, 1.0, 0.025):
        code = centre + np.array([0, away, 0])
        if not watch.covers(code, 0.025):
            break
        loss = reduced.loss(code)
        added = watch.admit(code)
        if added is None:
            break
        loss = reduced.last_loss() if added else loss
        assert loss == pytest.approx(max(last(code), 0) ** 2 / 2, abs=1e-8)
    assert reduced.units[0].tolist() == [2]
    assert watch.radius < 1.25 / 2.8


@pytest.mark.parametrize("seed", range(20))
def test_no_unit_moves_faster_than_its_bound(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Straight at the kink of the first unit that is not watched: it is reached at the radius.

    A network of one layer has no deviations, so that the bound |z_i|/‖p_i‖ is sharp.
    """
    monkeypatch.setattr(watch_module, "WATCHED", 6)
    problem = draw((60,), 20, 30, seed)
    code = next(walk(20, 1, 1.0, seed))
    reduced = ReducedNetwork(maps_at(problem, code), problem.observed)
    reduced.resolve(code)
    watch = Watch(reduced, code)
    rows = problem.network.weights[0]
    distances = (rows @ code) / np.linalg.norm(rows, axis=1)
    nearest = np.argsort(np.abs(distances))[6]
    assert watch.radius == pytest.approx(abs(distances[nearest]), rel=1e-6)
    toward = -np.sign(distances[nearest]) * rows[nearest] / np.linalg.norm(rows[nearest])
    for share, reached in ((0.999, False), (1.001, True)):
        there = code + share * watch.radius * toward
        assert watch.covers(there, moved=np.inf) is not reached
        assert ((rows[nearest] @ there > 0) != (rows[nearest] @ code > 0)) == reached


# Closed form


@pytest.mark.parametrize("step_size", [0.01, 0.7, 1.3])
def test_closed_form_is_the_loop(step_size) -> None:
    """x_{t+1} = x_t − αv_t, v_{t+1} = (I − αH)v_t; the curvatures reach from 1e-6 to 1.5."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    jacobian = (basis * np.sqrt(np.geomspace(1e-6, 1.5, 8))) @ basis.T
    code, vector = rng.standard_normal(8), jacobian.T @ rng.standard_normal(8)
    region = LinearRegion(jacobian, step_size)
    region.enter(code, vector)
    assert region.contracts
    x, v, reach = code, vector, 0.0
    for t in range(1, 400):
        x = x - step_size * v
        v = v - step_size * (jacobian.T @ (jacobian @ v))
        reach = max(reach, float(np.linalg.norm(x - code)))
        np.testing.assert_allclose(region.code(t), x, atol=1e-12)
        assert region.vector_norm(t) == pytest.approx(np.linalg.norm(v), rel=1e-9)
        assert reach <= region.reach(t) * (1 + 1e-12)


def test_a_region_that_does_not_contract_is_told() -> None:
    """αλ > 2: each step overshoots by more than it had to go."""
    assert not LinearRegion(np.diag([1.0, 2.0]), 0.51).contracts
    assert LinearRegion(np.diag([1.0, 2.0]), 0.49).contracts


def test_the_first_step_below_a_tolerance_and_the_last_within_a_radius() -> None:
    """One coordinate, λ = 1, α = ½: v_t = 2^−t, x_t − x_0 = −(1 − 2^−t)."""
    region = LinearRegion(np.eye(1), 0.5)
    region.enter(np.zeros(1), np.ones(1))
    assert [region.first_below(tolerance, 50) for tolerance in (0.6, 0.5, 0.49, 1e-9)] == [
        1,
        2,
        2,
        30,
    ]
    assert region.first_below(1e-30, 50) == 50
    assert [region.last_within(radius, 50) for radius in (0.4, 0.5, 0.8, 1.0)] == [0, 1, 2, 50]


def test_the_first_flip_is_the_loops() -> None:
    rng = np.random.default_rng(4)
    for _ in range(30):
        jacobian = rng.standard_normal((9, 5)) / 3
        region = LinearRegion(jacobian, 0.4)
        code, vector = rng.standard_normal(5), rng.standard_normal(5)
        region.enter(code, vector)
        maps = rng.standard_normal((7, 5))
        values = -np.abs(rng.standard_normal(7)) * 3
        codes = np.array([region.code(t) for t in range(1, 301)])
        over = (values + (codes - code) @ maps.T > 0).any(axis=1)
        expected = int(over.argmax()) + 1 if over.any() else 301
        assert region.first_flip(maps, values, np.zeros(7), 300) == expected


# Bounds


@given(
    seed=st.integers(0, 10_000),
    rows=st.sampled_from([1, 3, 90, 200]),
    columns=st.sampled_from([1, 2, 100, 150]),
    kind=st.sampled_from(["gaussian", "spike", "decaying", "tiny", "huge"]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_norm_is_bounded(seed, rows, columns, kind) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((rows, columns))
    if kind == "spike":
        matrix += 40 * np.outer(rng.standard_normal(rows), rng.standard_normal(columns))
    if kind == "decaying":
        matrix *= np.geomspace(1, 1e-8, columns)
    matrix *= {"tiny": 1e-120, "huge": 1e120}.get(kind, 1.0)
    norm, bound = np.linalg.norm(matrix, 2), operator_norm_bound(matrix)
    assert norm <= bound <= (1.35 if kind == "gaussian" else 20) * norm


def test_norms_of_matrices_that_are_zero_or_not_finite() -> None:
    for shape in ((3, 4), (200, 300)):
        assert operator_norm_bound(np.zeros(shape)) == 0
        assert operator_norm_bound(np.full(shape, np.inf)) == np.inf
        assert operator_norm_bound(np.full(shape, np.nan)) == np.inf


@pytest.mark.parametrize("length", [1e-3, 0.05, 0.5])
@pytest.mark.parametrize(("widths", "k", "m"), [*SHAPES, ((60, 60), 1, 30)])
@pytest.mark.parametrize("make", [draw, uneven])
def test_negation_is_never_missed(widths, k, m, length, make) -> None:
    """Along random walks that negate as the descent does; f(x) and f(−x) are often close."""
    problem, rng = make(widths, k, m, 1), np.random.default_rng(2)
    test, code, moved, negations = (
        NegationTest(problem, problem.form),
        rng.standard_normal(k),
        np.inf,
        0,
    )
    for _ in range(400):
        loss = problem.evaluate(problem.first(code)).loss
        expected = problem.evaluate(-problem.first(code)).loss < loss
        assert test.lower(code, loss, moved) == expected
        if expected:
            test.forget()
            code, negations = -code, negations + 1
        stride = length * rng.standard_normal(k)
        code, moved = code + stride, float(np.linalg.norm(stride))
    if length == 0.5 and widths == (70, 65):
        assert 0 < negations < 400


def test_one_evaluation_serves_many_steps() -> None:
    problem = draw((70, 65), 5, 30)
    target = np.ones(5)
    problem = SensingLoss(
        problem.network, problem.sensing, problem.sensing @ problem.network(target)
    )
    test = NegationTest(problem, problem.form)
    for step in range(500):
        code = target * (1 + 0.3 * 0.97**step)
        loss = problem.evaluate(problem.first(code)).loss
        assert not test.lower(code, loss, moved=0.01 * 0.97**step * np.sqrt(5))
    assert 0 < test.evaluations < 30


def test_a_negation_is_out_of_the_question_within_the_radius() -> None:
    problem, rng = draw((70, 65), 5, 30), np.random.default_rng(8)
    checked = 0
    for code in walk(5, 60, 0.5):
        loss = problem.evaluate(problem.first(code)).loss
        test = NegationTest(problem, problem.form)
        if test.lower(code, loss, np.inf):
            continue
        radius = test.radius(code, loss, wanted=np.inf)
        if radius <= 0:
            continue
        for _ in range(10):
            direction = rng.standard_normal(5)
            there = code + radius * direction / np.linalg.norm(direction)
            assert problem.evaluate(-problem.first(there)).loss >= loss
            checked += 1
    assert checked > 100


# The policy


def test_regions_that_do_not_pay_cost_a_twentieth_of_the_steps() -> None:
    """A pattern that always changes just after a region was built."""
    policy = Policy(draw((60, 60), 5, 30).form)
    built = 0
    for _ in range(20_000):
        policy.count(flipped=False)
        if policy.is_quiet:
            built += 1
            policy.learn(0)
    assert 0 < built * policy.price <= 0.05 * 20_000 + policy.price
