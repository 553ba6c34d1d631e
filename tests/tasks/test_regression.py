"""The regression of estimates on terms, against quadrature and a scatter that is known."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from genprior.tasks.statistics.regression import (
    CONSTANT_SPREAD,
    TAU_SPREAD,
    TERM_SPREAD,
    regress,
)

pytestmark = pytest.mark.filterwarnings("error")

X = np.linspace(-1, 1, 8)
DESIGN = np.column_stack([np.ones(8), X])
SCATTER = np.array([1.0, -1, 0.5, -0.5, -1, 1, -0.5, 0.5])  # orthogonal to both columns


def test_scatter_is_found_also_where_it_is_far_above_the_errors() -> None:
    """REML of residuals r is Σ r²/(groups − terms) where the errors vanish."""
    residuals = 0.2 * SCATTER
    known = math.sqrt(float(residuals @ residuals) / 6)
    for error in (1e-2, 1e-3, 1e-5):
        fit = regress(1 + 0.9 * X + residuals, error**2 * np.eye(8), DESIGN, 0.95)
        assert fit.tau == pytest.approx(math.sqrt(known**2 - error**2), rel=1e-3)


@pytest.mark.parametrize("error", [0.03, 0.003, 0.0003])
def test_the_evidence_is_that_of_a_quadrature(error: float) -> None:
    """With the prior of τ, half of a normal, and normal priors of the coefficients."""
    y = 1 + 0.9 * X + 0.003 * SCATTER
    explained = (DESIGN * np.array([CONSTANT_SPREAD, TERM_SPREAD]) ** 2) @ DESIGN.T

    def density(tau: float) -> float:
        covariance = (error**2 + tau**2) * np.eye(8) + explained
        size = np.linalg.slogdet(2 * np.pi * covariance)[1]
        log = -(size + y @ np.linalg.solve(covariance, y)) / 2
        return float(np.exp(log - top) * 2 * norm.pdf(tau, scale=TAU_SPREAD))

    top = 0.0
    taus = np.geomspace(1e-5, 1, 200)
    top = math.log(max(density(float(tau)) for tau in taus))
    parts = pairwise(taus)
    integral = sum(quad(density, a, b)[0] for a, b in parts) + quad(density, 0, taus[0])[0]
    fit = regress(y, error**2 * np.eye(8), DESIGN, 0.95)
    assert fit.evidence == pytest.approx(math.log(integral) + top, abs=0.1)
