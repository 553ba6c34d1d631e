"""The fit of a power law to the errors of recovered trials."""

import math

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose
from scipy.stats import binom

from genprior.tasks.statistics.law_fits import LONG_NAMES, fit_laws
from genprior.tasks.statistics.laws import fit_law
from genprior.tasks.statistics.medians import replicated_medians, weighted_medians

K = np.array([5.0, 10.0, 20.0, 40.0])
SIGMA = np.array([0.01, 0.03, 0.1])
INDEPENDENT = (False, False)


def law(exponents=(0.5, 1.0), constant=1.0):
    """C k^a σ^b over (k, σ, one trial)."""
    a, b = exponents
    return constant * K[:, None, None] ** a * SIGMA[None, :, None] ** b


def draws(rng, trials=30, scatter=0.3, exponents=(0.5, 1.0)):
    """Errors of recovered trials, log-normal about the law; `scatter` may differ from k to k."""
    noise = np.reshape(scatter, (-1, 1, 1)) * rng.standard_normal((4, 3, trials))
    return law(exponents) * np.exp(noise)


def dataset(errors, success=None, trials=None):
    """Errors and success as a store has them, over (k, noise.sigma, trial)."""
    dims, coords = ("k", "noise.sigma", "trial"), {"k": K, "noise.sigma": SIGMA}
    found = np.ones(errors.shape) if success is None else success
    return (
        xr.DataArray(errors, dims=dims, coords=coords, name="signal_error", attrs={"units": "1"}),
        xr.DataArray(found, dims=dims, coords=coords, name="success"),
    )


CLAIMED = {"noise.sigma": 1.0, "k": 0.5}


# The law


def test_errors_that_follow_a_law_give_its_exponents_and_its_constant():
    """Errors 3 √k σ without scatter: every median lies on the law, every interval has length 0."""
    fitted = fit_law([K, SIGMA], np.repeat(law(constant=3.0), 8, axis=2), INDEPENDENT)
    for found, true in zip(fitted.exponents, (0.5, 1.0), strict=True):
        assert_allclose(found, true, rtol=1e-9)
    assert_allclose(fitted.constant, 3.0, rtol=1e-9)
    assert [(each.axis, each.lower, each.upper) for each in fitted.local] == [
        (0, 5, 10), (0, 10, 20), (0, 20, 40), (1, 0.01, 0.03), (1, 0.03, 0.1),
    ]  # fmt: skip
    assert_allclose([each.exponent.best for each in fitted.local], [0.5] * 3 + [1.0] * 2)


def test_the_interval_has_the_length_of_medians_scatter():
    """The median of n normals has variance π σ²/(2n), so an exponent's is π σ²/(2 n Σ l²).

    Here σ = 0.3, n = 400, and Σ l² = 3 · ln²2 · (1.5² + 0.5² + 0.5² + 1.5²) = 7.207 over 12 cells.
    """
    expected = 2 * 1.96 * math.sqrt(math.pi / 2 * 0.3**2 / 400 / (15 * math.log(2) ** 2))
    lengths = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        found = fit_law([K, SIGMA], draws(rng, trials=400), INDEPENDENT).exponents[0]
        lengths.append(found.high - found.low)
    assert_allclose(np.mean(lengths), expected, rtol=0.07)


@pytest.mark.slow
@pytest.mark.parametrize("trials", [6, 30])
def test_intervals_cover_the_true_exponents_as_often_as_they_claim(trials):
    """Outside the 10⁻³ quantiles of Binomial(250, 0.95), 226 and 247, 95 % would be refuted.

    The scatter grows fivefold with k. The interval of medians is a little long: coverage above the
    upper quantile is no lie.
    """
    rng = np.random.default_rng(20_261_122)
    hits = np.zeros(2)
    for _ in range(250):
        errors = draws(rng, trials, scatter=[0.1, 0.2, 0.3, 0.5])
        fitted = fit_law([K, SIGMA], errors, INDEPENDENT).exponents
        hits += [e.low <= true <= e.high for e, true in zip(fitted, (0.5, 1.0), strict=True)]
    assert (hits >= binom.ppf(1e-3, 250, 0.95)).all()


@pytest.mark.parametrize("trials", [5, 8, 30])
def test_intervals_of_medians_and_local_exponents_cover_too(trials):
    """They rest on one or two cells, whose own trials say how sure their scatter is.

    With the degrees of freedom of all cells together, 5 trials cover .86 of the medians. Of 12 × 80
    and 5 × 80 intervals some .95 should; .92 is four standard errors less for cells that agree in
    nothing, and more for those that do.
    """
    rng = np.random.default_rng(11)
    medians, local = [], []
    for _ in range(80):
        fitted = fit_law([K, SIGMA], draws(rng, trials), INDEPENDENT)
        pairs = zip(fitted.medians, law()[..., 0].ravel(), strict=True)
        medians += [found.low <= true <= found.high for found, true in pairs]
        local += [e.low <= (0.5, 1.0)[axis] <= e.high for axis, _, _, e in fitted.local]
    assert np.mean(medians) > 0.92
    assert np.mean(local) > 0.92


def test_failures_that_slip_through_bend_medians_less_than_means():
    """5 % of the trials at k = 40 end 2 … 10 times too far, fewer at smaller k.

    A trial of 6 times the error moves a mean log by 1.7; the median moves by less than its rank.
    """
    rng = np.random.default_rng(3)
    medians, means = [], []
    design = np.log(K) - np.log(K).mean()
    for _ in range(60):
        errors = draws(rng, scatter=[0.1, 0.2, 0.3, 0.5])
        failed = rng.random(errors.shape) < 0.05 * (K / 40)[:, None, None]
        errors = np.where(failed, errors * rng.uniform(2, 10, errors.shape), errors)
        medians.append(fit_law([K, SIGMA], errors, INDEPENDENT).exponents[0].best)
        means.append(design @ np.log(errors).mean(axis=(1, 2)) / (design @ design))
    bias = np.mean(medians) - 0.5, np.mean(means) - 0.5
    assert bias[1] > 0.025
    assert abs(bias[0]) < 0.6 * bias[1]


@pytest.mark.slow
def test_shared_draws_need_intervals_that_know_of_them():
    """Every trial has an exponent of its own, 0.5 + 0.2 N(0, 1), all along k.

    The variance of the slope is then 0.04/n times that of a median. Taken as independent, cells
    give Σ l⁴/(Σ l²)² = 0.41 of that, for l = ±0.5, ±1.5: 1.96 √0.41 standard errors cover 79 %.
    """
    rng = np.random.default_rng(5)
    hits = {True: 0, False: 0}
    for _ in range(200):
        own = 0.5 + 0.2 * rng.standard_normal(40)
        errors = (K[:, None] / math.sqrt(200)) ** own * np.exp(0.01 * rng.standard_normal((4, 40)))
        for shared in hits:
            found = fit_law([K], errors, [shared]).exponents[0]
            hits[shared] += found.low <= 0.5 <= found.high
    assert hits[True] >= binom.ppf(1e-3, 200, 0.95)
    assert hits[False] < binom.ppf(1e-3, 200, 0.95)


def test_draws_shared_along_one_axis_make_one_cluster_for_each_value_of_the_other():
    """Cells with the same k and any σ get the same weights: equal values, equal replicates."""
    rng = np.random.default_rng(6)
    row = rng.standard_normal(20)
    values = np.array([row, row + 1, row, row + 1])
    replicates = replicated_medians(values, np.array([0, 0, 1, 1]), 50)
    assert_allclose(replicates[:, 1] - replicates[:, 0], 1)
    assert_allclose(replicates[:, 3] - replicates[:, 2], 1)
    assert np.abs(replicates[:, 2] - replicates[:, 0]).max() > 0.1


def test_a_weighted_median_with_equal_weights_is_the_median():
    """With weights 1, 1, 6 half of all lies between 2, at 1.5/8, and 9, at 5/8: 2 + 7 · 5/7."""
    ascending = np.sort(np.random.default_rng(0).standard_normal((2, 7)), axis=1)
    for values in (ascending[0], ascending[1, :6], ascending[0, :1], ascending[0, :2]):
        assert_allclose(weighted_medians(values, np.ones((1, values.size))), np.median(values))
    assert_allclose(weighted_medians(np.array([1.0, 2, 9]), np.array([[1.0, 1, 6]])), 7)


# Lack of fit


def test_an_error_floor_is_flagged_and_seen_in_the_local_exponents():
    """√(σ² + 0.02²): from 0.01 to 0.03 the exponent is ln(0.0361/0.0224)/ln 3 = 0.43, not 1."""
    rng = np.random.default_rng(8)
    floor = np.sqrt(SIGMA**2 + 0.02**2)[None, :, None] * np.sqrt(K)[:, None, None]
    errors, success = dataset(floor * np.exp(0.2 * rng.standard_normal((4, 3, 30))))
    fitted = fit_laws(errors, success, CLAIMED)
    assert fitted["flag"].item() == "curved"
    assert fitted["lack_of_fit"].item() < 1e-3
    local = fitted.swap_dims(local="local_from").set_xindex("local_from")
    first = local.sel(local_from=0.01)
    expected = math.log(math.hypot(0.03, 0.02) / math.hypot(0.01, 0.02)) / math.log(3)
    assert expected == pytest.approx(0.43, abs=0.005)
    assert first["local_exponent_low"] < expected < first["local_exponent_high"] < 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shared", "trials"), [(INDEPENDENT, 8), (INDEPENDENT, 30), ((True, True), 30)]
)
def test_a_true_law_is_seldom_called_curved(shared, trials):
    """A test of size 1 % rejects more than 7 of 150 laws with a probability of 10⁻⁴.

    With 8 trials its size is some 2 %, and 10 of 150 are as improbable.
    """
    rng = np.random.default_rng(9)
    curved = 0
    for _ in range(150):
        errors = draws(rng, trials, scatter=[0.1, 0.2, 0.3, 0.5])
        if shared[0]:
            errors *= np.exp(0.5 * rng.standard_normal(trials))
        curved += fit_law([K, SIGMA], errors, shared).lack_of_fit < 0.01
    assert curved <= (10 if trials < 30 else 7)


def test_few_shared_trials_still_show_a_bend():
    """10 trials shared by 12 cells cannot tell 12 medians apart, but two curvatures they can."""
    rng = np.random.default_rng(10)
    bent = law() * np.exp(0.3 * (np.log(K) - np.log(K).mean()) ** 2)[:, None, None]
    errors = bent * np.exp(0.1 * rng.standard_normal((4, 3, 10)))
    assert fit_law([K, SIGMA], errors, (True, True)).lack_of_fit < 1e-3
    straight = law() * np.exp(0.1 * rng.standard_normal((4, 3, 10)))
    assert fit_law([K, SIGMA], straight, (True, True)).lack_of_fit > 0.01


# Which trials enter


def test_only_recovered_trials_enter_and_their_share_is_told():
    """A failed trial has any error, a diverged one an infinite one.

    A recovered trial whose error is 0 has no logarithm, but recovered: 26 of 28 did, and 25 enter.
    """
    rng = np.random.default_rng(11)
    values, success = draws(rng), np.ones((4, 3, 30))
    clean = fit_laws(*dataset(values[..., :25]), CLAIMED)
    success[..., 25], values[..., 25] = 0, 1e6
    success[..., 26], values[..., 26] = 0, np.inf
    success[..., 27:29] = np.nan
    values[..., 27:29] = np.nan
    values[..., 29] = 0
    found = fit_laws(*dataset(values, success), CLAIMED)
    assert (found["trials"].item(), found["entered"].item()) == (12 * 28, 12 * 25)
    assert found["no_logarithm"].item() == 12
    assert found["flag"].item() == "no-logarithm"
    assert found["share"].item() == pytest.approx(26 / 28)
    assert found["share_low"] < 26 / 28 < found["share_high"]
    assert_allclose(found["exponent"], clean["exponent"], rtol=1e-12)
    assert_allclose(found["median"], np.median(values[..., :25], axis=-1).T, rtol=1e-12)


def test_cells_of_fewer_than_five_trials_stay_out_and_too_few_cells_give_no_law():
    rng = np.random.default_rng(12)
    values, success = draws(rng), np.ones((4, 3, 30))
    success[2:, :, 4:] = 0
    found = fit_laws(*dataset(values, success), CLAIMED)
    assert np.isfinite(found["median_low"]).sum() == 6
    assert found["flag"].item() == ""
    success[1, :, 4:] = 0
    found = fit_laws(*dataset(values, success), CLAIMED)
    assert found["flag"].item() == "no-fit"
    assert found["exponent"].isnull().all()
    assert (found["exponent_low"] == -np.inf).all()
    found = fit_laws(*dataset(values, 0 * success), CLAIMED)
    assert (found["entered"].item(), found["flag"].item()) == (0, "no-fit")


def test_a_threshold_that_cuts_into_the_errors_is_told():
    """Below 0.6, the cell with median √40 · 0.1 = 0.63 loses its larger half; below 50 nothing."""
    errors = draws(np.random.default_rng(13))
    for below, flag in ((0.6, "threshold"), (50.0, "")):
        values, success = dataset(errors, (errors < below).astype(float))
        found = fit_laws(values, success, CLAIMED, judged=values / below)
        assert ("threshold" in found["flag"].item()) == bool(flag)


@pytest.mark.parametrize(
    ("failed", "cut"),
    [
        ([], False),  # all 300 recover, though a quarter of them just do
        ([30.0] * 40, False),  # another basin, far away
        ([1.1] * 5, False),  # 5 of 305 just fail, which moves no median
        ([1.1] * 30, True),
    ],
)
def test_a_threshold_that_no_trial_just_misses_cuts_nothing(failed, cut):
    """Errors over the threshold between 0.2 and 0.9, and those of trials that failed."""
    errors = np.tile(np.concatenate([np.linspace(0.2, 0.9, 300), failed]), (4, 3, 1))
    values, success = dataset(errors, (errors < 1).astype(float))
    flag = fit_laws(values, success, CLAIMED, judged=values)["flag"].item()
    assert ("threshold" in flag) == cut


@pytest.mark.parametrize("sign", [0.0, -1.0])
def test_a_law_of_a_variable_without_logarithms_says_who_recovered(sign):
    """Negations of an inversion are mostly 0, a loss near a one-bit target is negative."""
    errors, success = dataset(sign * draws(np.random.default_rng(15)))
    found = fit_laws(errors, success, CLAIMED)
    assert (found["entered"].item(), found["no_logarithm"].item()) == (0, 360)
    assert found["share"].item() == 1
    assert found["flag"].item() == "no-fit, no-logarithm"


def test_every_group_has_a_law_of_its_own_whatever_the_order_of_the_dims():
    rng = np.random.default_rng(14)
    pairs = [dataset(draws(rng, exponents=(a, 1.0))) for a in (0.5, 1.5)]
    errors, success = (
        xr.concat(parts, xr.Variable("depth", [2, 3])).transpose("trial", "k", ...)
        for parts in zip(*pairs, strict=True)
    )
    errors.name = "signal_error"
    found = fit_laws(errors, success, CLAIMED)
    assert found["exponent"].dims == ("depth", "law_axis")
    assert found["median"].dims == ("depth", "noise.sigma", "k")
    assert_allclose(found["exponent"].sel(law_axis="k"), [0.5, 1.5], atol=0.1)
    for at, pair in enumerate(pairs):
        alone = fit_laws(*pair, CLAIMED)
        xr.testing.assert_allclose(found.isel(depth=at).drop_vars("depth"), alone)
    assert set(found.data_vars) <= set(LONG_NAMES)
    assert all(found[name].attrs["long_name"] for name in found.data_vars)
