"""Shifts of 50 % points: pairing, Holm, draws shared along the axis, and what is not shown."""

import json
from io import StringIO

import numpy as np
import pytest
import xarray as xr
from helpers import recovery_sweep
from numpy.testing import assert_allclose
from rich.console import Console
from scipy.stats import binom, chi2, norm

from genprior.pipeline import run_sweep
from genprior.pipeline.analyses.comparison import comparison_rows
from genprior.pipeline.show.comparison_tables import comparisons
from genprior.tasks.statistics.comparisons import compare_rates, compare_transitions
from genprior.tasks.statistics.fits import fit_transitions
from genprior.tasks.statistics.pairing import Group, share_of_draws, share_of_trials
from genprior.tasks.statistics.proportions import holm, mcnemar_p
from genprior.tasks.statistics.shifts import fit_shift, one_curve_p, one_point_p, slices

M = np.arange(1.0, 21.0)
NORMAL = norm.ppf((np.arange(500) + 0.5) / 500)  # 500 parts of a normal posterior


def chance(centre, scale, ceiling=1.0):
    return ceiling / (1 + np.exp(np.clip((centre - M) / scale, -500, 500)))


def alike(rng, values, trials, correlation, along=False):
    """Uniform numbers (value, m, trial) that are correlated between values, not between trials."""
    shape = (values, 1 if along else M.size, trials)
    common = rng.standard_normal((1, *shape[1:]))
    own = rng.standard_normal(shape)
    return norm.cdf(np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own)


def outcomes(rng, centres, scale=1.5, trials=20, correlation=0.8, along=False):
    """Success over (solver, k, m, trial) by centres (solver, k)."""
    success = [
        (alike(rng, len(row), trials, correlation, along)
         < np.stack([chance(c, scale) for c in row])[:, :, None])
        for row in np.transpose(centres)
    ]  # fmt: skip
    names = [f"solver {i}" for i in range(len(centres))]
    return xr.DataArray(
        np.stack(success, axis=1).astype(float),
        coords={"solver": names, "k": np.arange(len(centres[0])) + 5, "m": M},
        dims=("solver", "k", "m", "trial"),
    )


def compared(success, *, paired=True, clustered=False, floor=0.0):
    fitted = fit_transitions(success, "m", direction=1, floor=floor, clustered=clustered)
    rates = compare_rates(success, "solver", 0, paired=paired)
    shifts = compare_transitions(success, fitted, "solver", 0, paired=paired)
    merged = rates.merge(shifts, combine_attrs="override")
    return merged.assign_attrs(along="m", clustered=int(clustered))


def printed(rows):
    text = StringIO()
    Console(file=text, width=140).print(comparisons(rows))
    return text.getvalue()


# The numbers of one shift


def test_a_shift_of_normal_posteriors_is_that_of_two_normal_means():
    """σ² = 1² + 2²; p = 2 Φ(−3/√5); 0.05/4 for each of four tests; half the variance if paired."""
    one = fit_shift(10 + NORMAL, 7 + 2 * NORMAL)
    deviation = np.sqrt(5)
    expected = [3, 3 - 1.96 * deviation, 3 + 1.96 * deviation, (1.96 + 0.8416) * deviation]
    assert_allclose(one[:4], expected, atol=0.03)
    assert_allclose(one.p_shift, 2 * norm.sf(3 / deviation), rtol=0.03)
    four = fit_shift(10 + NORMAL, 7 + 2 * NORMAL, tests=4)
    assert_allclose(four.detectable_shift / one.detectable_shift,
                    (norm.isf(0.05 / 8) + 0.8416) / (1.96 + 0.8416), rtol=1e-3)  # fmt: skip
    assert four[:3] == one[:3]
    half = fit_shift(10 + NORMAL, 7 + 2 * NORMAL, share=0.5)
    assert_allclose(half.shift_high - half.shift, (one.shift_high - one.shift) / np.sqrt(2))
    assert_allclose(half.p_shift, 2 * norm.sf(3 / np.sqrt(2.5)), rtol=0.05)


def test_scattered_points_are_not_one():
    """χ² = (1 + 1)/σ² of 2 degrees of freedom for points at −1, 0 and 1; twice that if paired."""
    cuts = [centre + 0.5 * NORMAL for centre in (-1, 0, 1)]
    variance = cuts[0].var()
    assert_allclose(one_point_p(cuts), chi2.sf(2 / variance, 2), rtol=1e-6)
    assert_allclose(one_point_p(cuts, 0.5), chi2.sf(4 / variance, 2), rtol=1e-6)


# What pairing leaves of the variance


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_pairs_tell_how_much_of_the_variance_is_left(correlation):
    """Of two outcomes of rates p, 1 − φ is left, φ their correlation; 20 000 trials."""
    first, second = alike(np.random.default_rng(1), 2, 1000, correlation) < chance(10, 3)[:, None]
    kept = [first.astype(float), second.astype(float)]
    inside = [v - chance(10, 3)[:, None] for v in kept]
    expected = 1 - (inside[0] * inside[1]).sum() / np.sqrt(np.prod([(v**2).sum() for v in inside]))
    assert_allclose(share_of_trials(*kept), min(expected, 1), atol=0.02)


def test_few_pairs_leave_the_intervals_wide():
    """Three discordant pairs of 40 leave (3 + 1)/20 (2.365/1.96)², t of 7 degrees of freedom."""
    first = np.repeat([1.0, 0.0], 20)[None]
    second = first.copy()
    second[0, :3] = 0
    spread = 40 * 40 / 39 * (0.25 + 17 / 40 * 23 / 40)
    assert_allclose(share_of_trials(first, second), 4 / spread * (2.3646 / 1.96) ** 2, rtol=1e-3)
    assert share_of_trials(np.ones((3, 9)), np.ones((3, 9))) == 1, "nothing varies"
    second[0, 20:] = np.nan
    ran = share_of_trials(first[:, :20], second[:, :20])
    single = share_of_trials(first, second)
    assert_allclose(1 - single, (1 - ran) * 20 / np.sqrt(40 * 20), rtol=1e-9)


def test_a_common_plateau_says_nothing_about_the_50_percent_point():
    """The same draws fail far above the transition; around it most failures are independent."""
    rng = np.random.default_rng(2)
    luck, lapses = rng.random((2, M.size, 200)), rng.random((M.size, 200)) < 0.2
    first, second = ((part < chance(5, 1)[:, None]) & ~lapses for part in luck)
    first, second = first.astype(float), second.astype(float)
    assert share_of_trials(first, second, 1.0) < 0.4
    assert share_of_trials(first, second, 0.8) > 0.6


def test_draws_that_are_shared_along_the_axis_are_pairs_by_their_ranks():
    """Thresholds of correlation ρ have rank correlation 6/π asin(ρ/2)."""
    rng = np.random.default_rng(3)
    common, own, other = rng.standard_normal((3, 4000))
    first, second = (np.round(30 + 8 * (np.sqrt(0.8) * common + np.sqrt(0.2) * e))
                     for e in (own, other))  # fmt: skip
    assert_allclose(share_of_draws(first, second, 99), 1 - 6 / np.pi * np.arcsin(0.4), atol=0.03)
    assert share_of_draws(first, rng.permutation(second), 99) > 0.95
    assert share_of_draws(np.full(5, np.nan), np.full(5, np.nan), 9) == 1


# Whole datasets


@pytest.fixture(scope="module")
def three() -> xr.Dataset:
    """Three solvers at two k; only the last is shifted, by 4, and only at k = 6."""
    rng = np.random.default_rng(4)
    return compared(outcomes(rng, [[9.0, 9.0], [9.0, 9.0], [9.0, 13.0]]))


def test_holm_adjusts_for_all_groups_and_values(three):
    p_values = three["p_shift"].values
    assert_allclose(three["p_shift_holm"], holm(p_values))
    assert_allclose(three["p_pooled_holm"], holm(three["p_pooled"].values))
    assert three["p_shift_holm"].sel(k=6, solver="solver 2") < 0.05
    assert (three["p_shift_holm"] < 0.05).sum() == 1
    assert_allclose(three["detectable_share"], three["detectable_shift"] / three["reference_p50"])
    deviations = (three["shift_high"] - three["shift_low"]) / (2 * 1.96)
    four_tests = norm.isf(0.05 / 8) + norm.ppf(0.8)
    assert_allclose(three["detectable_shift"], four_tests * deviations, rtol=1e-3)


def test_pairs_make_a_shift_more_precise():
    """The same outcomes, once as pairs and once as independent trials."""
    success = outcomes(np.random.default_rng(5), [[9.0], [9.5]], correlation=0.95)
    pairs, single = compared(success), compared(success, paired=False)
    for name in ("detectable_shift", "p_shift", "p_one_curve"):
        assert (pairs[name] < single[name]).all()
    assert_allclose(pairs["shift"], single["shift"])
    assert "p_pooled" not in single


def test_draws_shared_along_the_axis_are_compared_draw_by_draw():
    """Each draw succeeds from its own m on: 60 pairs, not 1 200."""
    success = outcomes(np.random.default_rng(6), [[9.0], [10.5]], trials=60, along=True)
    found = compared(success, clustered=True)
    failures = (success == 0).sum("m").isel(k=0).values
    gained, lost = (failures[1] < failures[0]).sum(), (failures[1] > failures[0]).sum()
    assert found["p_pooled"].item() == mcnemar_p(int(gained), int(lost))
    single = compared(success, paired=False, clustered=True)
    wrong = compared(success, paired=False)
    assert (single["detectable_shift"] > 1.5 * wrong["detectable_shift"]).all()
    assert (found["detectable_shift"] < single["detectable_shift"]).all()
    assert found["p_one_curve"].item() < single["p_one_curve"].item()
    assert "each counts once" in printed(comparison_rows(found))


def test_a_share_needs_positions_that_cannot_be_negative():
    success = outcomes(np.random.default_rng(7), [[9.0], [9.0]])
    assert compared(success, floor=None)["detectable_share"].isnull().all()


# Rows and tables


def test_what_is_not_shown_is_told_with_the_shift_that_would_have_been_seen(three):
    rows = json.loads(json.dumps(comparison_rows(three), allow_nan=False))
    by_place = {(row["k"], row["value"]): row for row in rows}
    shifted, alike = by_place[6, "solver 2"], by_place[5, "solver 1"]
    assert shifted["finding"] == "shifted"
    assert shifted["conclusion"] == "the 50 % point is above that of solver 0"
    assert alike["finding"] == "not-shown"
    assert f"above {alike['detectable_shift']:.3g} (" in alike["conclusion"]
    assert not any(word in alike["conclusion"] for word in ("equal", "the same"))
    shown = printed(rows).splitlines()
    assert any(line.startswith("k = 6: shifted from solver 0: solver 2") for line in shown)
    assert any(line.startswith("k = 5: no shift is shown for solver 1") for line in shown)
    references = [line for line in shown if " solver 0 " in line and "–" in line]
    assert [line.split()[0] for line in references] == ["5", "6"]


def test_pairs_that_differ_without_a_shift_are_told():
    """Another ceiling changes success at every large m, and the 50 % point by nothing."""
    luck = np.random.default_rng(11).random((1, M.size, 60))
    curves = [chance(6, 1), chance(6 - np.log(5 / 3), 1, 0.8)]
    success = xr.DataArray(
        (luck < np.stack(curves)[:, :, None]).astype(float),
        coords={"solver": ["old", "new"], "m": M}, dims=("solver", "m", "trial"),
    )  # fmt: skip
    (row,) = comparison_rows(compared(success))
    assert row["finding"] == "not-shown"
    assert row["p_pooled_holm"] < 1e-6
    assert "but success in pairs differs from old for new (p, pairs)" in printed([row])


def test_a_shift_without_bounds_is_not_known():
    """Success already at the smallest m: its 50 % point lies below, and no shift is known."""
    success = outcomes(np.random.default_rng(8), [[9.0], [-9.0]])
    (row,) = comparison_rows(compared(success))
    assert (row["finding"], row["p_shift_holm"], row["outcome"]) == ("unknown", None, "below")
    assert "not known" in row["conclusion"]
    assert "< 1" in printed([row])


@pytest.mark.slow
def test_a_store_with_draws_shared_along_the_axis_is_compared(genprior, store):
    sweep = recovery_sweep(
        axes={"solver.negation": [True, False], "m": [2, 5, 8, 14]}, paired=["m"], trials=8,
        parameters={"k": 3, "depth": 1, "widths": [40], "solver": {"max_steps": 60, "step": 1.0}},
        compare={"over": "solver.negation"},
    )  # fmt: skip
    run_sweep(sweep, store)
    found = json.loads(genprior("fit", store, "--json").stdout)
    (row,) = found["comparisons"]
    assert found["clustered"]
    assert row["clustered"]
    assert row["paired"]
    assert row["shift"] is not None
    assert not found["left_out"]


# How often a shift is found


def one_group(success, *, paired, along):
    """The values of one group, as if their fits had given the ceiling 1."""
    failures = (success == 0).sum(axis=1)
    draws = [np.bincount(f, minlength=M.size + 1).astype(float) for f in failures]
    runs = np.full(success.shape[:2], success.shape[2])
    fitted = xr.Dataset(
        {
            "successes": (("v", "m"), success.sum(axis=2)), "runs": (("v", "m"), runs),
            "ceiling": ("v", np.ones(len(success))), "direction": ("v", [1] * len(success)),
            "dispersion": ("v", np.ones(len(success))),
        } | ({"draws": (("v", "failures"), draws)} if along else {}),
        {"m": M}, {"along": "m", "floor": 0.0},
    )  # fmt: skip
    return Group(success, fitted, (), paired=paired)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "correlation", "along"), [(2, 0.0, False), (3, 0.7, False), (2, 0.7, True)]
)
def test_no_shift_is_rejected_as_often_as_the_level_says(values, correlation, along):
    """60 repetitions: at 5 %, at most 9 rejections (probability 10⁻³)."""
    rng = np.random.default_rng(9)
    shifted = joint = 0
    for _ in range(60):
        centre = 10.5 + rng.uniform(-0.5, 0.5)
        luck = alike(rng, values, 20, correlation, along)
        success = (luck < chance(centre, 2.0)[:, None]).astype(float)
        group = one_group(success, paired=correlation > 0, along=along)
        tests = [group.shift(v, 0, 0.95, values - 1).p_shift for v in range(1, values)]
        shifted += int((holm(tests) < 0.05).any())
        joint += int(group.one_point_p(np.array([True])) < 0.05)
    assert max(shifted, joint) <= binom.isf(1e-3, 60, 0.05)


@pytest.mark.slow
def test_a_detectable_shift_is_found_with_80_percent_power():
    """60 repetitions with pairs of correlation 0.7, shifted by what one of them can detect."""
    rng = np.random.default_rng(10)

    def shift_by(size):
        luck, curves = alike(rng, 2, 20, 0.7), [chance(10, 2.0), chance(10 + size, 2.0)]
        success = (luck < np.stack(curves)[:, :, None]).astype(float)
        return one_group(success, paired=True, along=False).shift(1, 0, 0.95, 1)

    size = np.median([shift_by(0).detectable_shift for _ in range(5)])
    found = sum(shift_by(size).p_shift < 0.05 for _ in range(60))
    assert found >= binom.ppf(1e-3, 60, 0.8)


def test_a_joint_test_of_pairs_uses_the_pairing():
    """The likelihood ratio over the part of its variance that is left."""
    trials = np.full(20, 30.0)
    counts = [np.rint(30 * chance(c, 1.5)) for c in (9.0, 9.6)]
    alone, paired = (one_curve_p(M, counts, [trials] * 2, 1, share) for share in (1.0, 0.25))
    assert_allclose(chi2.isf(paired, 1), 4 * chi2.isf(alone, 1), rtol=1e-6)
    assert slices(M, counts[0], trials, 1).shape == (500,)
