"""Which shape of the curve holds, successes that vary together, and intervals that cover anyway."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from numpy.testing import assert_allclose
from scipy.special import expit
from scipy.stats import beta, binom
from transition_counts import GRID, LN9, expected_counts

from genprior.pipeline.cli import main
from genprior.tasks.statistics.counts import MOST_POSITIONS, tried
from genprior.tasks.statistics.fits import fit_transitions
from genprior.tasks.statistics.intervals import wilson_interval
from genprior.tasks.statistics.law_simulations import measure_law_coverage
from genprior.tasks.statistics.links import LINKS
from genprior.tasks.statistics.simulations import POSITIONS, TRUTHS, Truth, measure_coverage
from genprior.tasks.statistics.transitions import fit_transition

pytestmark = pytest.mark.filterwarnings("error")

MANY = 100_000
BY_NAME = {link.name: link for link in LINKS}


def counts_of(link: str, *, is_log: bool, point: float, scale: float, direction: int = 1):
    """Expected successes of many trials, rounded to whole ones."""
    t, middle = (np.log(POSITIONS), math.log(point)) if is_log else (POSITIONS, point)
    chance = BY_NAME[link].parts(direction * (t - middle) / scale).value
    return np.round(MANY * chance), np.full(POSITIONS.size, MANY)


@pytest.mark.parametrize("name", list(BY_NAME))
def test_a_link_is_a_distribution_function_with_its_logarithms_and_its_inverse(name):
    """It is ½ at 0, and rises from 10 to 90 % over its width."""
    link = BY_NAME[name]
    u = np.linspace(-6, 6, 25)
    value, log, log_rest = link.parts(u)
    assert link.parts(np.array([0.0])).value[0] == pytest.approx(0.5)
    assert (np.diff(value) >= 0).all()
    assert_allclose(np.exp(log), value, rtol=1e-12, atol=1e-15)
    assert_allclose(np.exp(log_rest), 1 - value, rtol=1e-9, atol=1e-15)
    assert_allclose(link.inverse(value[5:20]), u[5:20], rtol=1e-6, atol=1e-9)
    assert np.diff(link.inverse(np.array([0.1, 0.9])))[0] == pytest.approx(link.width)
    assert np.isfinite(link.parts(np.array([-1e4, 1e4]))[1:]).all()


def test_the_links_are_the_standard_ones_shifted_to_one_half():
    u = np.linspace(-3, 3, 13)
    assert_allclose(BY_NAME["logit"].parts(u).value, 1 / (1 + np.exp(-u)))
    shift = math.log(math.log(2))
    assert_allclose(BY_NAME["cloglog"].parts(u).value, 1 - np.exp(-np.exp(u + shift)))
    assert_allclose(BY_NAME["loglog"].parts(u).value, np.exp(-np.exp(-u + shift)))


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("is_log", [False, True])
@pytest.mark.parametrize("link", list(BY_NAME))
def test_many_trials_tell_the_shape(link, is_log, direction):
    scale = 0.25 if is_log else 2.0
    counts = counts_of(link, is_log=is_log, point=10.2, scale=scale, direction=direction)
    fit = fit_transition(POSITIONS, *counts, floor=0.0)
    assert fit.shape == f"{link}, {'log' if is_log else 'linear'}"
    assert fit.shape_weight > 0.999
    assert fit.direction == direction
    assert_allclose(fit.p50, 10.2, atol=0.01)
    width = BY_NAME[link].width * scale
    assert_allclose(fit.log_width if is_log else fit.width, width, rtol=0.01)
    assert fit.fit_p > 0.5
    assert (fit.dispersion, fit.flag) == (1, "")


def test_the_10_and_90_percent_points_are_ln_9_scales_from_the_middle():
    fit = fit_transition(GRID, *expected_counts(GRID, 9.3, 1.5, 100_000))
    assert_allclose([fit.p10, fit.p90], [9.3 - 1.5 * LN9, 9.3 + 1.5 * LN9], atol=0.02)
    assert fit.p10_low < fit.p10 < fit.p10_high < fit.p50 < fit.p90_low < fit.p90 < fit.p90_high


def test_below_a_ceiling_of_80_percent_no_position_reaches_90():
    fit = fit_transition(GRID, *expected_counts(GRID, 9.3, 1.0, 3_000, ceiling=0.8))
    assert fit.p90 == math.inf
    assert fit.p10 < fit.p50 < 11


def varied(correlation: float, seed: int = 4) -> np.ndarray:
    """Successes of 30 trials at each position, whose probabilities vary about a curve."""
    chance = 1 / (1 + np.exp(-(GRID - 9.3) / 2))
    strength = 1 / correlation - 1
    rng = np.random.default_rng(seed)
    drawn = beta.rvs(chance * strength, (1 - chance) * strength, random_state=rng)
    return rng.binomial(30, drawn)


def test_successes_that_vary_together_widen_the_interval():
    """At ρ = .2 and 30 trials the variance is 1 + 29 · .2 = 6.8 times the binomial one."""
    counts = varied(0.2), np.full(20, 30)
    fits = {
        scatter: fit_transition(GRID, *counts, scatter=scatter)
        for scatter in ("auto", "binomial", "beta-binomial")
    }
    lengths = {scatter: fit.p50_high - fit.p50_low for scatter, fit in fits.items()}
    assert fits["auto"] == fits["beta-binomial"]
    assert lengths["auto"] > 1.6 * lengths["binomial"]
    assert fits["binomial"].dispersion == 1
    assert 3 < fits["auto"].dispersion < 12
    assert {fit.fit_p for fit in fits.values()} == {fits["auto"].fit_p}
    assert fits["auto"].fit_p < 0.01
    assert "misfit" in fits["auto"].flag


def test_binomial_counts_are_not_widened():
    counts = expected_counts(GRID, 9.3, 2.0, 30)
    plain = fit_transition(GRID, *counts, scatter="binomial")
    assert fit_transition(GRID, *counts) == plain
    asked = fit_transition(GRID, *counts, scatter="beta-binomial")
    assert asked == replace(plain, dispersion=1.0)


def test_an_unknown_scatter_is_refused():
    with pytest.raises(ValueError, match=r"scatter is 'wide'.*binomial"):
        fit_transition(GRID, *expected_counts(GRID, 9.3, 2.0, 30), scatter="wide")


def test_draws_that_are_shared_count_once_each():
    """30 draws begin to succeed where a logistic curve says: the interval is that of 30 numbers.

    Of a threshold t of 30 draws with density s⁻¹ F (1 − F) the Fisher information is 30/(3 s²), so
    that the interval of the median is some 2 · 1.96 √3 s/√30 = 1.24 s long; as independent trials
    the same outcomes would give 2 · 1.96 √(s/30) = 0.72 √s.
    """
    quantiles = (np.arange(30) + 0.5) / 30
    begins = np.searchsorted(GRID, 9.3 + 2 * np.log(quantiles / (1 - quantiles)))
    draws = np.bincount(begins, minlength=21).astype(float)
    successes = np.cumsum(draws)[:-1]
    fit = fit_transition(GRID, successes, np.full(20, 30), draws=draws)
    alone = fit_transition(GRID, successes, np.full(20, 30))
    assert_allclose(fit.p50, 9.3, atol=0.15)
    assert_allclose(fit.p50_high - fit.p50_low, 1.24 * 2, rtol=0.15)
    assert fit.p50_high - fit.p50_low > 2 * (alone.p50_high - alone.p50_low)
    assert math.isnan(fit.fit_p)


@pytest.mark.parametrize("direction", [1, -1])
def test_shared_draws_are_mirrored_with_their_positions(direction):
    draws = np.array([2, 0, 1, 4, 8, 7, 3, 2, 1, 1, 1.0])
    rising = np.cumsum(draws)[:-1]
    x = np.arange(10.0) - 4.5
    fit = fit_transition(x, rising[::direction], np.full(10, 30), direction=direction, draws=draws)
    first = fit_transition(x, rising, np.full(10, 30), direction=1, draws=draws)
    assert_allclose(fit.p50, direction * first.p50, rtol=1e-9)
    assert_allclose(fit.width, first.width, rtol=1e-9)


@pytest.mark.parametrize("draws", [np.ones(20), -np.ones(21), np.ones((21, 1))])
def test_numbers_of_draws_that_do_not_fit_are_refused(draws):
    with pytest.raises(ValueError, match=r"draws.* 0 … 20 failures"):
        fit_transition(GRID, *expected_counts(GRID, 9.3, 2.0, 30), draws=draws)


def test_groups_of_shared_draws_are_counted_from_their_trials():
    """Of 6 draws one did not run everywhere; at the last value none did."""
    outcomes = np.array([[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 1], [0, 1, 1, 1], [0, 0, 1, 1]])
    success = np.full((5, 6), np.nan)
    success[:4, :5] = outcomes.T
    success[:2, 5] = 1
    array = xr.DataArray(success, {"m": [2.0, 4, 6, 8, 10]}, ("m", "trial"))
    fits = fit_transitions(array, "m", clustered=True, expected=1)
    assert fits["draws"].dims == ("failures",)
    assert fits["draws"].values.tolist() == [0, 2, 2, 1, 0, 0]
    assert fits["runs"].values.tolist() == [5, 5, 5, 5, 0]
    assert fits.attrs["clustered"] == 1
    numbers = {"draws": [0, 2, 2, 1, 0], "direction": 1}
    alone = fit_transition([2, 4, 6, 8], [0, 2, 4, 5], [5] * 4, **numbers)
    assert (fits["p50"].item(), fits["width"].item()) == (alone.p50, alone.width)


def test_one_seed_gives_one_coverage():
    truth = Truth("cloglog", 2.0)
    one, again = (measure_coverage(truth, 3, 5) for _ in range(2))
    assert one[:-1] == again[:-1]
    assert (one.low, one.high) == wilson_interval(round(3 * one.covered), 3)
    assert one[:-1] != measure_coverage(truth, 3, 6)[:-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "truth",
    [
        truth
        for truth in TRUTHS
        if truth.link != "logit" or truth.is_log or truth.correlation or truth.shared
    ],
    ids=str,
)
def test_intervals_cover_the_truth_of_any_shape(truth):
    """Below the 10⁻³ quantile of Binomial(100, 0.93), 93 % is refuted.

    Nominal are 95 %; averaged over shapes, with an estimated dispersion, a little less.
    """
    runs = 100
    covered = measure_coverage(truth, runs, 11).covered
    assert round(covered * runs) >= binom.ppf(1e-3, runs, 0.93)


def test_one_seed_gives_one_coverage_of_a_law():
    one, again, other = (measure_law_coverage(0.05, 16, 2, seed) for seed in (5, 5, 6))
    assert one.covered.shape == one.half_width.shape == (4,)
    assert_allclose(one.half_width, again.half_width)
    assert (one.half_width != other.half_width).all()
    assert_allclose((one.low, one.high), wilson_interval(np.round(2 * one.covered), 2))


def test_the_bench_prints_both_tables(monkeypatch):
    """One run of each: every truth and every coefficient has a row."""
    monkeypatch.setattr("genprior.pipeline.cli.bench_statistics.TRUTHS", TRUTHS[:2])
    answered = CliRunner().invoke(main, ["bench", "statistics", "--runs", "1", "--json"])
    assert answered.exit_code == 0, answered.output
    found = json.loads(answered.stdout)
    assert [row["scale"] for row in found["transitions"]] == [truth.scale for truth in TRUTHS[:2]]
    assert len(found["laws"]) == (3 * 3 + 3) * 4
    shown = CliRunner().invoke(main, ["bench", "statistics", "--runs", "1"]).stdout
    assert "covered" in shown
    assert "scaling law" in shown


@pytest.mark.slow
def test_a_million_trials_at_as_many_positions_are_pooled_first():
    """The interval is that of the same trials counted in narrow bins, and one is as long."""
    rng = np.random.default_rng(5)
    at = 60 * rng.random(10**6)
    wins = rng.random(at.size) < expit((at - 30.25) / 2)
    fit = fit_transition(at, wins, np.ones(at.size), direction=1)
    assert fit.trials == at.size
    edges = np.linspace(0, 60, 121)
    bins = np.digitize(at, edges) - 1
    counted = fit_transition(
        edges[:-1] + 0.25, np.bincount(bins, wins), np.bincount(bins), direction=1
    )
    half = (counted.p50_high - counted.p50_low) / 2
    for end in ("p50", "p50_low", "p50_high"):
        assert abs(getattr(fit, end) - getattr(counted, end)) < half / 3
    assert fit.p50_low < 30.25 < fit.p50_high


def test_as_many_positions_as_a_fit_takes_are_kept_apart():
    x = np.arange(MOST_POSITIONS + 1.0)
    ones = np.ones(x.size)
    assert_allclose(tried(x[:-1], ones[:-1], ones[:-1]).x, x[:-1])
    pooled = tried(x, np.zeros(x.size), ones)
    assert pooled.x.size == MOST_POSITIONS
    assert (pooled.n.sum(), pooled.n.max()) == (x.size, 2)
    assert (np.diff(pooled.x) > 0).all()
    assert tried(x, ones, ones, None).x.size == x.size
