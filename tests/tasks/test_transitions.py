"""The fit of one transition: known thresholds, intervals that cover, awkward data."""

import math
import warnings
from dataclasses import astuple

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import binom
from transition_counts import GRID, LN9, UNEVEN, crossing, expected_counts, probability, step

from genprior.tasks.statistics.transitions import curve_band, fit_transition

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize(("centre", "scale"), [(7.3, 2.0), (11.0, 0.7)])
def test_a_known_threshold_and_its_width_are_recovered(centre, scale, direction):
    """The width is 2 ln 9 · s, as p = 0.9 at c + s ln 9 and p = 0.1 at c − s ln 9."""
    fit = fit_transition(GRID, *expected_counts(GRID, centre, scale, 10_000, direction))
    assert fit.direction == direction
    assert math.copysign(1, fit.evidence) == direction
    assert_allclose(fit.p50, centre, atol=0.005 * scale)
    assert_allclose(fit.width, 2 * LN9 * scale, rtol=0.005)
    assert fit.p50_low < centre < fit.p50_high
    assert fit.width_low < 2 * LN9 * scale < fit.width_high
    assert (fit.trials, fit.flag) == (200_000, "")


def test_the_interval_has_the_length_that_the_fisher_information_predicts():
    """The 95 % interval is 2 · 1.96 √(s h/n) long: 0.277 for s = 2, h = 1, n = 400.

    I(c) = Σ n p(1 − p)/s² = n/(s h) on a grid that covers the curve; c and s are orthogonal there.
    """
    fit = fit_transition(GRID, *expected_counts(GRID, 9.5, 2.0, 400))
    assert_allclose(fit.p50_high - fit.p50_low, 2 * 1.959964 * math.sqrt(2 / 400), rtol=0.03)


def test_intervals_shrink_like_one_over_the_root_of_the_trials_down_to_the_smallest():
    """A hundred times the trials, a tenth of the length.

    The grid refines itself, or a length of 3/10 000 of a gap would be quantised; and 8·10⁹ trials
    neither underflow nor overflow.
    """
    lengths = []
    for trials in (400, 40_000, 4_000_000, 400_000_000):
        fit = fit_transition(GRID, *expected_counts(GRID, 9.3, 2.0, trials))
        lengths.append(fit.p50_high - fit.p50_low)
        assert fit.p50_low < 9.3 < fit.p50_high
    assert_allclose(np.divide(lengths[:-1], lengths[1:]), 10, rtol=0.03)


@pytest.mark.slow
def test_the_quantiles_are_those_of_a_brute_force_posterior():
    """The same prior on one dense grid for each link, all cells weighed together.

    The lapse is 0 with probability ½, else in [0, ½) with density 4(1 − 2δ). The grid begins at 0,
    so that no model has a logarithmic axis. All widths of the prior of ln s are equal.
    """
    successes = np.array([0] * 7 + [2, 11, 21, 28] + [30] * 3 + [29] + [30] * 5)
    middles = np.linspace(7, 12, 251)
    lapses = np.array([0.0, *(np.arange(100) + 0.5) / 500])  # up to 0.2
    prior = np.where(lapses == 0, 0.5, 0.5 * 4 * (1 - 2 * lapses) / 500)
    log_shares = np.linspace(math.log(0.1), math.log(3), 81)
    inverse = {
        "logit": lambda q: np.log(q / (1 - q)),
        "cloglog": lambda q: np.log(-np.log1p(-q) / math.log(2)),
        "loglog": lambda q: -np.log(-np.log(q) / math.log(2)),
    }
    rising = {
        "logit": lambda u: 1 / (1 + np.exp(-u)),
        "cloglog": lambda u: -np.expm1(-math.log(2) * np.exp(np.minimum(u, 5))),
        "loglog": lambda u: np.exp(-math.log(2) * np.exp(np.minimum(-u, 50))),
    }
    parts, lapse = [], lapses[:, None, None]
    for link, curve in rising.items():
        spread = inverse[link](0.9) - inverse[link](0.1)
        scales = np.exp(log_shares) * 2 * LN9 / spread
        log_density = np.zeros((lapses.size, middles.size, scales.size))
        for x, k in zip(GRID, successes, strict=True):
            chance = (1 - lapse) * curve((x - middles[:, None]) / scales)
            chance = np.clip(chance, 1e-300, 1 - 1e-16)
            log_density += k * np.log(chance) + (30 - k) * np.log1p(-chance)
        points = middles[:, None] + inverse[link](0.5 / (1 - lapse)) * scales
        parts.append((log_density, points, np.broadcast_to(scales * spread, points.shape)))
    top = max(log_density.max() for log_density, _, _ in parts)
    mass = np.stack([np.exp(part[0] - top) * prior[:, None, None] for part in parts])
    fit = fit_transition(GRID, successes, np.full(20, 30))
    levels = [0.025, 0.5, 0.975]
    below = np.cumsum(mass.sum(axis=(0, 2, 3)))
    bounds = 1 - np.interp(levels[::-1], below / below[-1], [0.0, *(np.arange(100) + 1) / 500])
    assert_allclose([fit.ceiling_low, fit.ceiling, fit.ceiling_high], bounds, atol=0.001)
    for values, found, distance in (
        ([part[1] for part in parts], (fit.p50_low, fit.p50, fit.p50_high), 0.02),
        ([np.log(part[2]) for part in parts],
         np.log([fit.width_low, fit.width, fit.width_high]), 0.05),
    ):  # fmt: skip
        flat = np.stack(values).ravel()
        order = np.argsort(flat, kind="stable")
        share = np.cumsum(mass.ravel()[order]) - mass.ravel()[order] / 2
        assert_allclose(found, np.interp(levels, share / share[-1], flat[order]), atol=distance / 2)
    weights = mass.sum(axis=(1, 2, 3)) / mass.sum()
    assert_allclose(fit.shape_weight, weights.max(), rtol=0.02)
    assert fit.shape == f"{list(rising)[int(weights.argmax())]}, linear"


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.5, 0.2])
def test_intervals_cover_the_truth_as_often_as_they_claim(scale):
    """Outside the 10⁻³ quantiles of Binomial(300, 0.95), 0.907 and 0.983, 95 % is refuted.

    The centre is anywhere within its gap.
    """
    rng = np.random.default_rng(20_240_611)
    runs, hits = 300, 0
    for centre in rng.uniform(5, 14, runs):
        successes = rng.binomial(30, probability(GRID, centre, scale))
        fit = fit_transition(GRID, successes, np.full(20, 30))
        hits += fit.p50_low <= centre <= fit.p50_high
    low, high = binom.ppf([1e-3, 1 - 1e-3], runs, 0.95)
    assert low <= hits <= high


@pytest.mark.slow
@pytest.mark.parametrize(("ceiling", "scale"), [(0.95, 0.25), (0.9, 0.5), (0.8, 1.0)])
def test_intervals_cover_where_success_levels_off_below_one(ceiling, scale):
    """10 positions × 30 trials; below the 10⁻³ quantile of Binomial(120, 0.95) 95 % is refuted.

    A logistic curve up to 1 covers these 50 % points in 69, 40 and 27 % of the cases.
    """
    rng = np.random.default_rng(17)
    grid, hits, ceilings = GRID[:10], 0, 0
    for centre in rng.uniform(3, 5, 120):
        successes = rng.binomial(30, probability(grid, centre, scale, ceiling=ceiling))
        fit = fit_transition(grid, successes, np.full(10, 30))
        hits += fit.p50_low <= crossing(centre, scale, ceiling) <= fit.p50_high
        ceilings += fit.ceiling_low <= ceiling <= fit.ceiling_high
    assert min(hits, ceilings) >= binom.ppf(1e-3, 120, 0.95)


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize(("ceiling", "trials"), [(0.97, 3_000), (0.7, 4_000_000)])
def test_a_known_ceiling_is_recovered_and_its_curve_crosses_one_half_at_the_50_percent_point(
    ceiling, trials, direction
):
    """The width is that of the logistic curve itself, which the ceiling scales afterwards.

    About 10 positions lie on the plateau, so that its standard error is √(C(1 − C)/(10 n)) or a
    little more, and the interval 4 to 6 times that.
    """
    counts = expected_counts(GRID, 9.3, 0.5, trials, direction, ceiling)
    fit = fit_transition(GRID, *counts)
    middle = crossing(9.3, 0.5, ceiling, direction)
    assert fit.direction == direction
    assert fit.p50_low < middle < fit.p50_high
    assert_allclose(fit.p50, middle, atol=0.005)
    assert_allclose(fit.width, LN9, rtol=0.02)
    assert fit.ceiling_low < ceiling < fit.ceiling_high < 1
    error = math.sqrt(ceiling * (1 - ceiling) / (10 * trials))
    assert 3.9 < (fit.ceiling_high - fit.ceiling_low) / error < 6
    drawn, low, high = curve_band([middle, 9.3 + direction * 9], GRID, *counts, direction=direction)
    assert_allclose(drawn, [0.5, ceiling], atol=0.005)
    assert_allclose([low[1], high[1]], [fit.ceiling_low, fit.ceiling_high], atol=0.5 * error)


def test_without_failures_on_the_plateau_the_ceiling_may_be_one():
    """300 successes in a row: 1 keeps its prior mass, and 0.98 would give them in 0.2 %."""
    fit = fit_transition(GRID, *expected_counts(GRID, 9.3, 0.5, 30))
    assert (fit.ceiling, fit.ceiling_high) == (1, 1)
    assert 0.98 < fit.ceiling_low <= 1


def test_a_ceiling_that_may_lie_below_one_half_is_flagged():
    """Success levels off at 45 %: there is no 50 % point. At 70 % there is one."""
    assert (
        fit_transition(GRID, *expected_counts(GRID, 9.3, 0.2, 60, ceiling=0.45)).flag
        == "low-ceiling"
    )
    assert fit_transition(GRID, *expected_counts(GRID, 9.3, 1.0, 60, ceiling=0.7)).flag == ""


@pytest.mark.slow
def test_steps_far_below_the_grid_are_covered_too():
    """At s = h/100 nearly every run is separated, and the interval is 0.89 of the gap.

    A prior of s that started at h/50 would shorten it to 0.72 and miss a quarter of the centres.
    """
    rng = np.random.default_rng(7)
    hits = 0
    for centre in rng.uniform(5, 14, 150):
        fit = fit_transition(GRID, rng.binomial(30, probability(GRID, centre, 0.01)), [30] * 20)
        hits += fit.p50_low <= centre <= fit.p50_high
    assert hits >= binom.ppf(1e-3, 150, 0.95)


@pytest.mark.parametrize("trials", [10, 30, 1_000_000])
@pytest.mark.parametrize(("below", "above"), [(10, 15), (55, 60), (60, 70), (100, 150)])
def test_a_separated_transition_is_located_to_its_gap_and_no_better(below, above, trials):
    """All fail up to one position, all succeed from the next: any centre between is as good.

    So the interval is most of that gap, wherever it is on an uneven grid, and symmetric in it.
    """
    gap = above - below
    fit = fit_transition(UNEVEN, *step(UNEVEN, below + gap / 2, trials))
    assert below - 0.05 * gap <= fit.p50_low < fit.p50_high <= above + 0.05 * gap
    assert fit.p50_high - fit.p50_low > 0.8 * gap
    # Half of the weight is on a logarithmic axis, where the middle of the gap is below.
    assert math.sqrt(below * above) - 0.02 * gap < fit.p50 < below + 0.52 * gap
    assert 0 < fit.width_low < fit.width < fit.width_high < 2 * gap
    assert fit.flag == "resolution-limited"


def test_a_wide_transition_within_one_gap_of_interval_is_not_resolution_limited():
    """Many trials, s = 3 h: the interval is 0.04 h, but further trials would still shorten it."""
    assert fit_transition(GRID, *expected_counts(GRID, 9.5, 3.0, 40_000)).flag == ""


@pytest.mark.parametrize(
    ("outcome", "direction", "below"), [(1, 1, True), (0, 1, False), (1, -1, False), (0, -1, True)]
)
def test_equal_outcomes_put_the_threshold_beyond_the_grid(outcome, direction, below):
    """All succeed on a rising curve: the 50 % point is below the grid.

    It reaches down to where the prior ends, half a span (9.5) beyond. A falling curve mirrors it.
    Where all of 30 fail, no curve that reaches one half is seen at all.
    """
    counts = np.full(20, 30 * outcome), np.full(20, 30)
    fit = fit_transition(GRID, *counts, direction=direction)
    assert fit.flag == ("outside-grid" if outcome else "never")
    assert (fit.direction, fit.evidence) == (direction, 0)
    if below:
        assert -9.5 <= fit.p50_low < -9 < fit.p50 < fit.p50_high < 0
    else:
        assert 19 < fit.p50_low < fit.p50 < 28 < fit.p50_high <= 28.5
    if direction == 1:
        assert fit_transition(GRID, *counts) == fit, "rising is the default"


def test_a_threshold_off_the_grid_is_found_with_many_trials_and_flagged():
    """Centre 28, s = 3, last position 19: the posterior is a narrow oblique ridge.

    Nothing that was run is near one half, so that the point is the model's word only. A grid that
    follows its single best cell gets stuck on the ridge. With p = 0.05 at the last position nothing
    is seen of the ceiling either, and the tails of the links are alike.
    """
    fit = fit_transition(GRID, *expected_counts(GRID, 28, 3, 1_000_000))
    assert 26.5 < fit.p50_low < 28 < fit.p50_high < 28.5
    assert fit.flag == "never"


def test_the_direction_can_be_fixed_against_the_evidence():
    """A falling curve can only be flat here: with half of the trials recovered, a ceiling of ½."""
    counts = expected_counts(GRID, 9.5, 1.0, 30)
    fit = fit_transition(GRID, *counts, direction=-1, scatter="binomial")
    assert fit.direction == -1
    assert fit.evidence > 100
    assert fit.flag == "against-direction"
    drawn, _, _ = curve_band(GRID, GRID, *counts, direction=-1, scatter="binomial")
    assert (np.diff(drawn) <= 1e-9).all()


def test_a_tie_between_the_directions_is_rising():
    """Counts that read the same from both ends, at positions that binary fractions only near."""
    positions = [-8.4, -7.6, -7.3, 0.0, 7.3, 7.6, 8.4]
    fit = fit_transition(positions, [7, 0, 1, 9, 1, 0, 7], [9] * 7)
    assert (fit.direction, fit.evidence) == (1, 0)


def test_mirroring_the_positions_mirrors_the_fit():
    """The map x → −x turns p50 into −p50, swaps its bounds, and keeps the width."""
    positions = UNEVEN - UNEVEN[0]  # from 0: not on a logarithmic axis either
    k, n = expected_counts(UNEVEN, 42.0, 6.0, 25)
    fit, mirrored = fit_transition(positions, k, n), fit_transition(-positions, k, n)
    assert mirrored.direction == -fit.direction
    assert_allclose(
        [mirrored.p50, mirrored.p50_low, mirrored.p50_high],
        [-fit.p50, -fit.p50_high, -fit.p50_low],
        rtol=1e-6,
    )
    assert_allclose(mirrored.width, fit.width, rtol=1e-6)


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_the_fit_scales_with_the_units_of_the_positions(factor):
    k, n = expected_counts(GRID, 9.3, 0.8, 30)
    fit, scaled = fit_transition(GRID, k, n), fit_transition(factor * GRID, k, n)
    assert_allclose(astuple(scaled)[:6], factor * np.array(astuple(fit)[:6]), rtol=1e-6)


def test_order_repetition_and_untested_positions_change_nothing():
    rng = np.random.default_rng(3)
    n = rng.integers(1, 40, UNEVEN.size)
    k = rng.binomial(n, probability(UNEVEN, 42, 6))
    fit = fit_transition(UNEVEN, k, n)
    shuffled = rng.permutation(UNEVEN.size)
    assert fit_transition(UNEVEN[shuffled], k[shuffled], n[shuffled]) == fit
    twice = [*UNEVEN, *UNEVEN], [*k, *(0 * k)], [*(n - n // 3 * (k == 0)), *(n // 3 * (k == 0))]
    assert fit_transition(*twice) == fit
    assert fit_transition([*UNEVEN, 1e6, -50], [*k, 0, 0], [*n, 0, 0]) == fit


def test_without_any_trials_the_prior_is_all_there_is():
    """Positions 0 … 19: the centre may be half a span beyond, in [−9.5, 28.5]."""
    fit = fit_transition(GRID, np.zeros(20), np.zeros(20))
    assert -9.5 < fit.p50_low < -7.5 < 9 < fit.p50 < 11 < 27 < fit.p50_high < 28.5
    ends = np.log(2 * LN9 * np.array([1e-3, 2 * 19]))
    inner = np.exp(ends[0] + (ends[1] - ends[0]) * np.array([0.025, 0.975]))
    assert_allclose([fit.width_low, fit.width_high], inner, rtol=0.25)
    assert (fit.ceiling, fit.ceiling_high) == (1, 1)
    assert 0.5 < fit.ceiling_low < 0.65
    assert (fit.direction, fit.trials, fit.flag) == (1, 0, "no-trials")


@pytest.mark.parametrize("position", [5.0, 0.0, -3.0])
@pytest.mark.parametrize(("k", "n"), [(3, 10), (5, 10), (10, 10), (0, 10), (0, 0)])
def test_a_single_position_brackets_nothing(position, k, n):
    fit = fit_transition([position], [k], [n])
    reach = (abs(position) or 1.0) / 2
    assert position - reach <= fit.p50_low < fit.p50 < fit.p50_high <= position + reach
    flags = {0: "never", 3: "outside-grid", 5: "leaves-grid", 10: "outside-grid"}
    assert fit.flag == (flags[k] if n else "no-trials")


@pytest.mark.parametrize("trials", [1, 30, 1_000_000])
@pytest.mark.parametrize("scale", [1e-3, 0.1, 1.0, 10.0, 1e3])
@pytest.mark.parametrize("centre", [-40.0, 0.1, 9.3, 25.0])
def test_no_data_lead_to_a_warning_or_to_an_unordered_or_infinite_answer(centre, scale, trials):
    """Not even where numpy is asked to raise on underflow."""
    rng = np.random.default_rng(11)
    k = rng.binomial(trials, probability(GRID, centre, scale))
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        fit = fit_transition(GRID, k, np.full(20, trials))
        drawn, _, _ = curve_band(
            np.linspace(-1e3, 1e3, 9), GRID, k, np.full(20, trials), direction=fit.direction
        )
    assert -9.5 <= fit.p50_low <= fit.p50 <= fit.p50_high <= 28.5
    assert 2 * LN9 * 0.99e-3 <= fit.width_low <= fit.width <= fit.width_high <= 2 * LN9 * 38.1
    assert ((drawn >= 0) & (drawn <= 1)).all()


def test_many_distinct_positions_are_fitted_alike():
    """Adaptive placement may visit more positions than the coarse grid has nodes to spare."""
    dense = np.linspace(0, 19, 500)
    fit = fit_transition(dense, *expected_counts(dense, 9.3, 1.5, 400))
    assert_allclose(fit.p50, 9.3, atol=0.02)
    assert_allclose(fit.width, 2 * LN9 * 1.5, rtol=0.02)
