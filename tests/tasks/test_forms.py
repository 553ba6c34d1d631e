"""Laws that have a family with a free number instead of one term."""

import math

import numpy as np
import pytest
import xarray as xr
from helpers import recovery_sweep, refused

from genprior.sweeps import SweepError
from genprior.tasks.statistics.regression import regress, regress_form
from genprior.tasks.statistics.scaling import FormValues, fit_scaling
from genprior.tasks.theory.terms import FORMS, TERMS

K = np.array([3, 6, 12, 24, 48, 96, 192, 384.0])
B = np.linspace(0, 10, 201)
FORM = FORMS["k + b sqrt k"]
FAMILY = np.array([[FORM.formula(b, int(k), (100,)) for k in K] for b in B])


def estimates(law: np.ndarray, error: float, seed: int) -> np.ndarray:
    return law + error * np.random.default_rng(seed).standard_normal(K.size)


@pytest.mark.parametrize("b", [1.0, 3.0])
def test_the_number_of_a_family_is_found(b: float) -> None:
    truth = math.log(1.3) + np.log(K + b * np.sqrt(K))
    covered = 0
    for seed in range(20):
        fit = regress_form(
            estimates(truth, 0.03, seed), 0.03**2 * np.eye(K.size), np.ones((K.size, 1)), B, FAMILY
        )
        covered += fit.low <= b <= fit.high
        assert fit.low < fit.value < fit.high
        np.testing.assert_allclose(fit.law, truth, atol=0.15)
    assert covered >= 16


@pytest.mark.parametrize("holds", ["form", "power"])
def test_the_evidence_prefers_what_holds(holds: str) -> None:
    truth = np.log(K + 4 * np.sqrt(K)) if holds == "form" else 0.8 * np.log(K)
    one, covariance = np.ones((K.size, 1)), 0.01**2 * np.eye(K.size)
    y = estimates(truth, 0.01, 0)
    power = regress(y, covariance, np.column_stack([one, np.log(K)])).evidence
    form = regress_form(y, covariance, one, B, FAMILY).evidence
    assert (form > power + 3) == (holds == "form")
    assert (power > form + 3) == (holds == "power")


def test_a_law_of_trials_has_the_form_beside_its_term() -> None:
    """Success of groups whose 50 % point is 2 (k + 3 √k), 40 trials at each of 25 values."""
    m = np.geomspace(8, 1200, 25)
    random = np.random.default_rng(1)
    half = 2 * (K[1:-1] + 3 * np.sqrt(K[1:-1]))
    share = 1 / (1 + np.exp(-np.log(m / half[:, None]) / 0.1))
    success = xr.DataArray(
        (random.random((*share.shape, 40)) < share[..., None]).astype(float),
        dims=["k", "m", "trial"],
        coords={"k": K[1:-1], "m": m},
    )
    term = xr.DataArray(np.log(K[1:-1]), dims="k")
    values = xr.DataArray(FAMILY[:, 1:-1], dims=["b", "k"])
    fit = fit_scaling(success, "m", {"k": term}, forms={"k + b sqrt k": FormValues("k", B, values)})
    at = fit.sel(form="k + b sqrt k")
    assert float(at["form_low"]) < 3 < float(at["form_high"])
    np.testing.assert_allclose(at["form_law"], half, rtol=0.1)
    assert np.isfinite(float(at["form_evidence"]))
    for name in ("form_value", "form_low", "form_high", "form_evidence", "form_law"):
        assert fit[name].attrs["long_name"]


@pytest.mark.parametrize(
    ("law", "named"),
    [
        ({"terms": ["depth"], "forms": ["k + b sqrt k"]}, "'k'"),
        ({"terms": ["k"], "forms": ["k + b"]}, "k + b"),
        ({"terms": ["k"], "forms": ["k + b sqrt k", "k + b sqrt k"]}, "twice"),
    ],
)
def test_a_form_that_cannot_stand_is_refused(law: dict[str, list[str]], named: str) -> None:
    with refused(SweepError, "scaling.forms", named):
        recovery_sweep(scaling=law)


def test_the_term_of_narrow_layers_is_k_over_the_narrowest() -> None:
    assert TERMS["k/n"].formula(12, (48, 300)) == 0.25
