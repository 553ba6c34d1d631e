"""One law of all thresholds: exponents, scatter, shapes, and terms that look alike."""

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose
from scipy.stats import binom, chi2

from genprior.tasks.statistics import thresholds
from genprior.tasks.statistics.counts import Counts
from genprior.tasks.statistics.group_laws import TermsError, check_terms, fit_law_of_groups
from genprior.tasks.statistics.intervals import DECIDED
from genprior.tasks.statistics.law_simulations import measure_law_coverage
from genprior.tasks.statistics.links import LINKS
from genprior.tasks.statistics.regression import power_to_prefer, regress
from genprior.tasks.statistics.scaling import fit_scaling
from genprior.tasks.statistics.thresholds import fit_thresholds
from genprior.tasks.theory.terms import SHAPES, TERMS

pytestmark = pytest.mark.filterwarnings("error")

# A star: k at two layers of 1200, and the depth at k = 12 and layers of 300.
STAR = [(6, 2, 1200), (12, 2, 1200), (24, 2, 1200), (48, 2, 1200)]
STAR += [(12, depth, 300) for depth in (1, 2, 3, 4)]
K, DEPTH, N = np.array(STAR, dtype=float).T
TERMS_OF_STAR = {"k": np.log(K), "depth": DEPTH, "log n": np.log(np.log(N))}
DESIGN = np.column_stack([np.ones(K.size), *TERMS_OF_STAR.values()])
TRUTH = np.array([0.6, 0.9, 0.38, -0.39])
BY_NAME = {link.name: link for link in LINKS}
SCALE = 0.19 * (12 / K) ** 0.6 * (DEPTH / 2) ** 0.9  # of ln m, as measured


def counts(
    thresholds: np.ndarray,
    trials: int,
    rng: np.random.Generator | None = None,
    ceiling: float | np.ndarray = 1,
    link: str = "logit",
    *,
    is_log: bool = True,
) -> list[Counts]:
    """Outcomes on a grid about each threshold; expected ones without a generator."""
    found, shape = [], BY_NAME[link]
    ceilings = np.broadcast_to(ceiling, K.shape)
    for threshold, scale, top in zip(thresholds, SCALE, ceilings, strict=True):
        t = threshold + np.linspace(-4.5, 4.5, 12) * scale
        u = (t - threshold) / scale if is_log else np.expm1(t - threshold) / scale
        chance = top * shape.parts(u + shape.inverse(0.5 / top)).value
        wins = trials * chance if rng is None else rng.binomial(trials, chance).astype(float)
        found.append(Counts(np.exp(t), wins, np.full(t.size, float(trials))))
    return found


# Thresholds


@pytest.mark.parametrize("ceiling", [1.0, 0.85])
def test_thresholds_slopes_and_ceiling_of_many_trials_are_recovered(ceiling: float) -> None:
    thresholds = DESIGN @ TRUTH
    slopes = np.column_stack([np.ones(K.size), np.log(K), np.log(DEPTH)])
    found = fit_thresholds(counts(thresholds, 100_000, ceiling=ceiling), slopes)
    assert_allclose(found.values, thresholds, atol=2e-3)
    assert_allclose(found.slopes[1:], [0.6, -0.9], atol=0.02)
    assert_allclose(np.exp(-slopes @ found.slopes), SCALE, rtol=0.02)
    assert_allclose(found.lapses, 1 - ceiling, atol=0.003)
    assert found.fit < 0.1, "expected counts scatter less than binomial ones"


@pytest.mark.parametrize("is_log", [True, False])
@pytest.mark.parametrize("link", list(BY_NAME))
def test_the_link_and_the_axis_that_hold_are_found(link: str, is_log: bool) -> None:
    slopes = np.column_stack([np.ones(K.size), np.log(K), np.log(DEPTH)])
    outcomes = counts(DESIGN @ TRUTH, 3000, link=link, is_log=is_log)
    found = fit_thresholds(outcomes, slopes)
    assert found.shape == f"{link}, {'log' if is_log else 'linear'} axis"
    assert found.weight > 0.99
    assert_allclose(found.values, DESIGN @ TRUTH, atol=2e-3)


def test_ceilings_follow_a_law_of_the_groups() -> None:
    """The logit of δ/0.49 falls linearly in depth, and so does that of the fit."""
    lapses = 0.49 / (1 + np.exp(5 - 1.1 * DEPTH))
    outcomes = counts(DESIGN @ TRUTH, 20_000, ceiling=1 - lapses)
    slopes = np.column_stack([np.ones(K.size), np.log(K), np.log(DEPTH)])
    linear = np.column_stack([np.ones(K.size), DEPTH - DEPTH.mean()])
    law, one = fit_thresholds(outcomes, slopes, 1, linear), fit_thresholds(outcomes, slopes)
    assert_allclose(law.lapses, lapses, atol=0.003)
    assert_allclose(law.values, DESIGN @ TRUTH, atol=3e-3)
    assert np.abs(one.values - DESIGN @ TRUTH).max() > 0.02, "one ceiling for all is biased"


def test_a_shape_that_is_open_widens_the_covariance() -> None:
    """Of two shapes with weights ½ and thresholds 0 and 1, the mean is ½ and adds ¼."""
    cells = thresholds._Cells(counts(np.zeros(8), 4)[:1], np.ones((1, 1)), np.ones((1, 1)), 1)
    shapes = [
        thresholds._Fitted(np.array([at, 0, 0]), np.eye(1) / 100, 7.0, 1.0, 1, np.ones(1), "", True)
        for at in (0.0, 1.0)
    ]
    averaged = thresholds._average(shapes, cells)
    assert averaged.weight == pytest.approx(0.5)
    assert_allclose(averaged.values, [0.5])
    assert_allclose(averaged.covariance, [[0.26]])


def test_the_error_of_a_threshold_is_that_of_its_fisher_information() -> None:
    """Var θ = s h/n on a grid of step h that covers the curve; slopes are orthogonal to it."""
    slopes = np.column_stack([np.ones(K.size), np.log(K), np.log(DEPTH)])
    found = fit_thresholds(counts(DESIGN @ TRUTH, 400), slopes)
    errors = np.sqrt(np.diag(found.covariance))
    steps = 9 * SCALE / 11
    assert_allclose(errors, np.sqrt(SCALE * steps / 400), rtol=0.25)


def test_falling_success_is_mirrored() -> None:
    rising = counts(DESIGN @ TRUTH, 2000)
    falling = [Counts(1 / c.x[::-1], c.k[::-1], c.n[::-1]) for c in rising]
    slopes = np.column_stack([np.ones(K.size), np.log(K), np.log(DEPTH)])
    one, other = fit_thresholds(rising, slopes), fit_thresholds(falling, slopes, direction=-1)
    # A linear axis is not mirrored, and has some weight.
    errors = np.sqrt(np.diag(one.covariance))
    assert (np.abs(other.values + one.values) < errors).all()
    assert_allclose(np.sqrt(np.diag(other.covariance)), errors, rtol=0.3)


def test_positions_of_a_law_are_positive() -> None:
    zero = Counts(np.array([0.0, 1.0]), np.array([0.0, 5.0]), np.array([5.0, 5.0]))
    with pytest.raises(ValueError, match="positive positions"):
        fit_thresholds([zero], np.ones((1, 1)))


# Regression


def test_without_scatter_it_is_generalised_least_squares() -> None:
    rng = np.random.default_rng(2)
    root = rng.normal(size=(8, 8)) / 20
    covariance = root @ root.T + 1e-4 * np.eye(8)
    estimates = DESIGN @ TRUTH
    fit = regress(estimates, covariance, DESIGN)
    assert_allclose(fit.coefficients, TRUTH, atol=1e-9)
    assert fit.tau == 0
    assert_allclose(fit.residuals, 0, atol=1e-9)
    assert fit.lack_of_fit == pytest.approx(1)
    expected = np.linalg.inv(DESIGN.T @ np.linalg.solve(covariance, DESIGN))
    assert_allclose(fit.covariance, expected, rtol=1e-6)


def test_scatter_of_equal_errors_is_their_excess_variance() -> None:
    """With one constant and equal errors, REML is τ² = s² − σ², and the interval that of s."""
    estimates = np.array([0.1, -0.3, 0.25, 0.05, -0.2, 0.4])
    fit = regress(estimates, 0.01 * np.eye(6), np.ones((6, 1)))
    variance = estimates.var(ddof=1)
    assert_allclose(fit.tau**2, variance - 0.01, rtol=1e-4)
    t_quantile = 2.570582
    reach = t_quantile * math.sqrt(variance / 6)
    assert_allclose([fit.low[0], fit.high[0]], estimates.mean() + np.array([-reach, reach]), 1e-4)
    assert fit.lack_of_fit == pytest.approx(chi2.sf(5 * variance / 0.01, 5))


def test_the_evidence_prefers_the_law_that_holds() -> None:
    covariance = 0.03**2 * np.eye(8)
    estimates = DESIGN @ TRUTH
    whole = regress(estimates, covariance, DESIGN).evidence
    without_depth = regress(estimates, covariance, DESIGN[:, [0, 1, 3]]).evidence
    without_log_n = regress(estimates - DESIGN[:, 3] * TRUTH[3], covariance, DESIGN[:, :3]).evidence
    whole_of_less = regress(estimates - DESIGN[:, 3] * TRUTH[3], covariance, DESIGN).evidence
    assert whole > without_depth + 3
    assert without_log_n > whole_of_less, "a term that is 0 costs"


@pytest.mark.parametrize(
    ("design", "match"),
    [(DESIGN[:4], "more groups"), (np.column_stack([DESIGN, DESIGN[:, 1] * 2]), "not independent")],
)
def test_what_cannot_be_fitted_is_refused(design: np.ndarray, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        regress(np.zeros(len(design)), np.eye(len(design)), design)


def test_the_power_is_the_share_of_preferred_fits() -> None:
    """The same decision, made by `regress` for estimates that are drawn here."""
    rng = np.random.default_rng(1)
    shapes = np.array([np.log(K), 1.25 * np.log(K), np.log(K) + 3.0])
    covariance, one = 0.1**2 * np.eye(8), np.ones((8, 1))
    power = power_to_prefer(shapes, covariance, 0.05)
    noise = math.hypot(0.1, 0.05)
    found = 0
    for _ in range(50):
        drawn = shapes[0] + noise * rng.normal(size=8)
        fits = [regress(drawn - shape, covariance, one).evidence for shape in shapes[:2]]
        found += fits[0] - fits[1] > DECIDED
    assert 0.2 < power[0, 1] < 0.9
    assert abs(found / 50 - power[0, 1]) < 0.21, "3 standard errors"
    assert power[0, 2] == 0, "shapes that differ by a constant are one"
    weak = [power_to_prefer(f * shapes[:2], covariance, 0.05)[0, 1] for f in (1, 2, 4)]
    assert weak == sorted(weak)
    assert weak[-1] > 0.99


# The law


def test_many_trials_give_the_exponents() -> None:
    law = fit_law_of_groups(counts(DESIGN @ TRUTH, 50_000), TERMS_OF_STAR, ["k", "depth"])
    assert_allclose(law.regression.coefficients, TRUTH, atol=0.03)
    assert law.used == list(range(8))


@pytest.mark.parametrize("tau", [0.0, 0.1])
def test_exponents_are_covered_also_if_the_law_is_not_exact(tau: float) -> None:
    """Below the 10⁻³ quantile of Binomial(40, 0.93), 93 % is refuted for a coefficient."""
    rng, runs = np.random.default_rng(4), 40
    hits = np.zeros(len(TRUTH))
    for _ in range(runs):
        thresholds = DESIGN @ TRUTH + tau * rng.normal(size=K.size)
        law = fit_law_of_groups(counts(thresholds, 16, rng), TERMS_OF_STAR, ["k", "depth"])
        fit = law.regression
        hits += (fit.low <= TRUTH) & (fit.high >= TRUTH)
    assert (hits >= binom.ppf(1e-3, runs, 0.93)).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "truth",
    [
        {"ceiling": (1.0, 0.97, 0.9, 0.8)},
        {"link": "cloglog", "is_log": False},
        {"link": "loglog"},
        {"ends": {3: 0.0, 7: -1.0}},
    ],
    ids=["ceilings", "cloglog-linear", "loglog", "partly-seen"],
)
def test_exponents_are_covered_for_other_curves(truth: dict[str, Any]) -> None:
    """Below the 10⁻³ quantile of Binomial(60, 0.93), 93 % is refuted for a coefficient.

    One ceiling and one link covered 78 % of the depth's exponents, or 81 %.
    """
    runs = 60
    found = measure_law_coverage(0.05, 32, runs, 4, **truth)
    assert found.fitted == 1
    assert (found.covered * runs >= binom.ppf(1e-3, runs, 0.93)).all(), found


def trials_of_star(rng: np.random.Generator) -> xr.DataArray:
    """Trials over (k, n/k, m/k): m₅₀ = 2 k^0.8, in m/k."""
    k, ratio = np.array([4.0, 8, 16, 32, 64]), np.array([10.0, 40.0])
    x = np.geomspace(0.3, 6, 16)
    point = 2 * k**-0.2
    chance = 1 / (1 + (x / point[:, None]) ** -8.0)
    wins = rng.random((5, 2, 16, 30)) < chance[:, None, :, None]
    coords = {"k": k, "ratio": ratio, "x": ("x", x, {"units": "1"})}
    return xr.DataArray(wins.astype(float), coords, ("k", "ratio", "x", "trial"))


def test_a_law_of_a_labelled_dataset_is_about_what_the_axis_multiplies() -> None:
    success = trials_of_star(np.random.default_rng(8))
    logs = np.log(success["k"])
    fitted = fit_scaling(
        success,
        "x",
        {"k": logs, "ratio": np.log(success["ratio"])},
        of="m",
        offset=logs,
        shapes={"linear": logs, "flat": xr.zeros_like(logs)},
    )
    k, ratio = (fitted.sel(term=name) for name in ("k", "ratio"))
    assert k["exponent_low"] < 0.8 < k["exponent_high"]
    assert k["exponent_high"] - k["exponent_low"] < 0.1
    assert ratio["exponent_low"] < 0 < ratio["exponent_high"]
    assert fitted["threshold"].dims == ("k", "ratio")
    assert_allclose(fitted["threshold"], 2 * success["k"] ** 0.8 + 0 * success["ratio"], rtol=0.15)
    assert_allclose(fitted["law"], fitted["threshold"], rtol=0.15)
    assert (fitted.attrs["of"], fitted.attrs["groups"]) == ("m", 10)
    assert (fitted["shape_lack_of_fit"] < 1e-3).all()
    assert (fitted["shape_evidence"] < fitted.attrs["evidence"]).all()
    law = fitted["shape_constant"].sel(theory="linear") * success["k"]
    assert_allclose(fitted["shape_law"].sel(theory="linear").isel(ratio=0), law)
    assert all(fitted[name].attrs["long_name"] for name in fitted.data_vars)


def test_groups_without_a_threshold_are_left_out_with_the_reason() -> None:
    success = trials_of_star(np.random.default_rng(8))
    success[0] = 1.0
    success[1, 0] = np.nan
    success[1, 1] = 0.0
    logs = np.log(success["k"])
    fitted = fit_scaling(success, "x", {"k": logs})
    reasons = [["no-failure"] * 2, ["no-trials", "no-success"], *[["", ""]] * 3]
    assert fitted["left_out"].values.tolist() == reasons
    assert_allclose(fitted["used"], fitted["left_out"] == "")
    assert fitted["threshold"].isnull().sum() == 4
    with pytest.raises(ValueError, match=r"2 of 10 groups enter.*1 term needs 3.*8 with no trials"):
        fit_scaling(success.where(success["k"] == 64), "x", {"k": logs})
    with pytest.raises(ValueError, match=r"0 of 10 groups enter.*10 with no success"):
        fit_scaling(xr.zeros_like(success), "x", {"k": logs})
    with pytest.raises(
        ValueError, match=r"8 of 10 .* 9 terms needs 11.*2 with a term has no value"
    ):
        fit_scaling(trials_of_star(np.random.default_rng(8)), "x",
                    {str(n): logs.where(logs > 2) for n in range(9)})  # fmt: skip


def test_a_partly_seen_curve_enters() -> None:
    """Its values end one scale below its 50 % point, where 27 % succeed."""
    rng = np.random.default_rng(3)
    outcomes = counts(DESIGN @ TRUTH, 100, rng)
    cut = outcomes[3]
    below = np.log(cut.x) < DESIGN[3] @ TRUTH - SCALE[3]
    outcomes[3] = Counts(cut.x[below], cut.k[below], cut.n[below])
    law = fit_law_of_groups(outcomes, TERMS_OF_STAR, ["k", "depth"])
    assert law.used == list(range(8))
    error = math.sqrt(law.thresholds.covariance[3, 3])
    assert abs(law.thresholds.values[3] - DESIGN[3] @ TRUTH) < 3 * error
    assert error > 1.5 * math.sqrt(law.thresholds.covariance[2, 2])


def test_steep_curves_enter_although_no_value_is_on_them() -> None:
    """Each group fails below its threshold and succeeds above: it is known within a gap."""
    outcomes = []
    for threshold in DESIGN @ TRUTH:
        t = threshold + 0.1 * (np.arange(-5, 6) + 0.4)
        outcomes.append(Counts(np.exp(t), 30.0 * (t > threshold), np.full(t.size, 30.0)))
    law = fit_law_of_groups(outcomes, TERMS_OF_STAR, ["k", "depth"])
    assert law.used == list(range(8))
    assert_allclose(law.thresholds.values, DESIGN @ TRUTH, atol=0.1)
    errors = np.sqrt(np.diag(law.thresholds.covariance))
    assert (errors <= 0.1 / math.sqrt(12) * 1.001).all(), "at most as uniform in a gap of 0.1"
    assert (errors > 0.01).all()


def test_success_against_the_direction_is_left_out() -> None:
    outcomes = counts(DESIGN @ TRUTH, 100, np.random.default_rng(3))
    outcomes[2] = outcomes[2]._replace(k=100 - outcomes[2].k)
    law = fit_law_of_groups(outcomes, TERMS_OF_STAR, ["k", "depth"])
    assert law.reasons == ["", "", "against-direction", "", "", "", "", ""]


def test_a_curve_unlike_the_others_is_left_out() -> None:
    """A fifth succeeds at every value: that is no part of a curve as steep as the others."""
    outcomes = counts(DESIGN @ TRUTH, 100, np.random.default_rng(3))
    flat = outcomes[3]
    outcomes[3] = flat._replace(k=np.full(flat.x.size, 20.0))
    law = fit_law_of_groups(outcomes, TERMS_OF_STAR, ["k", "depth"])
    assert law.reasons == ["", "", "", "own-curve", "", "", "", ""]
    without = [*outcomes[:3], flat._replace(n=0 * flat.n, k=0 * flat.k), *outcomes[4:]]
    other = fit_law_of_groups(without, TERMS_OF_STAR, ["k", "depth"])
    assert_allclose(law.regression.coefficients, other.regression.coefficients, rtol=1e-6)


def test_a_shape_without_a_value_in_a_group_is_not_fitted() -> None:
    success = trials_of_star(np.random.default_rng(8))
    logs = np.log(success["k"])
    shapes = {"linear": logs, "none": logs.where(logs > 2)}
    fitted = fit_scaling(success, "x", {"k": logs}, shapes=shapes)
    assert fitted["shape_constant"].isnull().values.tolist() == [False, True]


def test_terms_that_the_groups_cannot_tell_apart_are_named() -> None:
    success = trials_of_star(np.random.default_rng(8))
    logs = np.log(success["k"])
    ratio = np.log(success["ratio"])
    with pytest.raises(TermsError, match=r"'n' follows from 'k' and 'ratio'.*cannot be told apart"):
        fit_scaling(success, "x", {"k": logs, "ratio": ratio, "n": logs + ratio})
    names = ["constant", "ratio", "k", "n"]
    with pytest.raises(TermsError, match="terms 'k' and 'n' have one shape"):
        check_terms(np.column_stack([np.ones(4), [1, 2, 1, 3], [1, 2, 3, 4], [4, 6, 8, 10]]), names)
    with pytest.raises(ValueError, match=r"'depth' has one value"):
        fit_scaling(success, "x", {"depth": xr.full_like(logs, 2.0)})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("k", math.log(10)), ("depth", 2.0), ("log depth", math.log(2)), ("n", math.log(40)),
        ("n/k", math.log(4)), ("log n", math.log(math.log(40))),
        ("log n/k", math.log(math.log(4))), ("log prod n", math.log(math.log(20 * 40))),
        ("log prod en/k", math.log(2 + math.log(2 * 4))),
    ],
)  # fmt: skip
def test_terms_of_a_network(name: str, expected: float) -> None:
    """Of k = 10 and widths 20, 40."""
    assert TERMS[name].formula(10, (20, 40)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("k", 10), ("k log n/k", 10 * math.log(4)), ("k d log n", 20 * math.log(40)),
        ("k log prod en/k", 10 * (2 + math.log(8))), ("k d log prod n", 20 * math.log(800)),
    ],
)  # fmt: skip
def test_shapes_of_the_theorems(name: str, expected: float) -> None:
    assert SHAPES[name].formula(10, (20, 40)) == pytest.approx(expected)


def test_terms_without_a_logarithm_are_nan() -> None:
    assert math.isnan(TERMS["log n/k"].formula(10, (10,)))
