"""Regress estimates with a known covariance on terms, allowing for scatter about the law.

y = X β + e, e ~ N(0, V + τ² I): V is the covariance of the estimates, τ the scatter of the truth
about the law, which is not exact. τ is estimated by restricted maximum likelihood (REML), and the
intervals are those of Knapp and Hartung, with the t quantile of the groups less the terms.

Source: Knapp & Hartung, Statist. Med. 22 (2003) 2693–2710.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.random import default_rng
from scipy.special import chdtrc, stdtrit

from .intervals import DECIDED, checked_level
from .links import Floats

# The largest τ, in standard errors of the estimates or in standard deviations of the residuals, and
# the nodes over its range.
MOST_TAU, MOST_SPREAD, NODES = 30.0, 10.0, 60
CONSTANT_SPREAD, TERM_SPREAD, TAU_SPREAD = 10.0, 1.0, 0.3  # of the prior of the evidence
TURN = math.sqrt(2 * math.pi)


class Regression(NamedTuple):
    """A fitted law.

    Attributes:
        coefficients: β, shape (terms,).
        low: lower bounds.
        high: upper bounds.
        covariance: of β, shape (terms, terms).
        tau: scatter of the truth about the law, in units of the estimates.
        residuals: estimates less the law, shape (groups,).
        lack_of_fit: p-value of χ² = rᵀ V⁻¹ r of the law without scatter; NaN where as many terms as
            groups leave nothing to test.
        evidence: log of the probability density of the estimates, in nats, averaged over a prior:
            a constant N(0, 10²), other coefficients N(0, 1), τ half-normal of σ 0.3. The first
            term is the constant. Differences compare laws of the same estimates.
    """

    coefficients: Floats
    low: Floats
    high: Floats
    covariance: Floats
    tau: float
    residuals: Floats
    lack_of_fit: float
    evidence: float


def regress(
    estimates: Floats, covariance: Floats, design: Floats, level: float = 0.95
) -> Regression:
    """Fit a law to estimates.

    Args:
        estimates: y, shape (groups,).
        covariance: V, shape (groups, groups).
        design: X, shape (groups, terms), of full rank, with more groups than terms.
        level: coverage of the intervals.

    Raises:
        ValueError: there are no more groups than terms, or the terms are not independent.
    """
    groups, terms = design.shape
    if groups <= terms:
        raise ValueError(f"{groups} groups for {terms} coefficients; there have to be more groups.")
    if np.linalg.matrix_rank(design / np.linalg.norm(design, axis=0)) < terms:
        raise ValueError("the terms are not independent in these groups.")
    law = _Law(estimates, covariance, design)
    freedom = groups - terms
    tau = law.best()
    beta, inverse, residuals, quadratic = law.at(tau)
    # Never shorter than with a known τ: few groups may fit better than they should.
    scaled = inverse * max(1.0, quadratic / freedom)
    reach = stdtrit(freedom, (1 + checked_level(level)) / 2) * np.sqrt(np.diag(scaled))
    exact = law.at(0.0)[3]
    return Regression(
        beta,
        beta - reach,
        beta + reach,
        scaled,
        tau,
        residuals,
        float(chdtrc(freedom, exact)),
        law.evidence(),
    )


class FormFit(NamedTuple):
    """A fitted family of laws.

    Attributes:
        value: posterior median of its number b.
        low: lower end of the central interval of b.
        high: upper end.
        law: ln m of every group by the likeliest b, shape (groups,).
        evidence: as of a `Regression`, also averaged over b.
    """

    value: float
    low: float
    high: float
    law: Floats
    evidence: float


def regress_form(
    estimates: Floats,
    covariance: Floats,
    design: Floats,
    numbers: Floats,
    forms: Floats,
    level: float = 0.95,
) -> FormFit:
    """Fit a law of which one part is a family with a free number b, uniform a priori.

    Args:
        estimates: y, shape (groups,).
        covariance: V, shape (groups, groups).
        design: X of the constant and the other terms, shape (groups, terms).
        numbers: values of b, increasing, shape (b,).
        forms: what is added to the law at each of them, shape (b, groups).
        level: probability of the interval.
    """
    left = estimates - forms
    logs = _Law(left.T, covariance, design).evidences()
    density = np.exp(logs - logs.max())
    below = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(numbers))])
    tails = np.array([0.5, (1 - checked_level(level)) / 2, (1 + level) / 2])
    value, low, high = np.interp(tails * below[-1], below, numbers)
    best = int(np.argmax(logs))
    law = _Law(left[best], covariance, design)
    beta = law.at(law.best())[0]
    averaged = math.log(below[-1] / (numbers[-1] - numbers[0])) + float(logs.max())
    return FormFit(float(value), float(low), float(high), forms[best] + design @ beta, averaged)


def power_to_prefer(
    shapes: Floats,
    covariance: Floats,
    scatter: float,
    *,
    inflation: float = 1.0,
    draws: int = 500,
    seed: int = 0,
) -> Floats:
    """Give the power to prefer a shape that holds over another one, by simulated estimates.

    Estimates are drawn as N(shape, V + scatter² I), and both shapes are fitted with one constant. A
    shape is preferred if its log evidence is higher by `DECIDED`, which are odds of 20 : 1.

    Args:
        shapes: logarithms of what each shape gives, without a constant, shape (shapes, groups).
        covariance: V of the estimates that the design will give.
        scatter: of the truth about the shape that holds.
        inflation: of the covariance that the fits will know over V.
        draws: simulated sets of estimates.
        seed: of these.

    Returns:
        The shares of draws in which the shape of the row, which holds, is preferred over that of
        the column; shape (shapes, shapes), NaN on the diagonal.
    """
    whole = covariance + scatter**2 * np.eye(shapes.shape[1])
    noise = default_rng(seed).multivariate_normal(np.zeros(len(whole)), whole, draws)
    one = np.ones((len(whole), 1))
    # [holds, tested, draw, group]; a constant changes no evidence
    left = shapes[:, None, None] - shapes[:, None] + noise
    evidence = _Law(left.reshape(-1, len(whole)).T, inflation * covariance, one).evidences()
    evidence = evidence.reshape(left.shape[:-1])
    preferred = np.diagonal(evidence).T[:, None] - evidence > DECIDED
    power: Floats = preferred.mean(axis=2)
    np.fill_diagonal(power, np.nan)
    return power


class _Law:
    """The likelihood of a law as a function of τ."""

    def __init__(self, estimates: Floats, covariance: Floats, design: Floats):
        self.y, self.covariance, self.design = estimates, covariance, design
        self.unit = math.sqrt(float(np.diag(covariance).mean()))

    def at(self, tau: float) -> tuple[Floats, Floats, Floats, float]:
        """Give β, its covariance, the residuals and rᵀ (V + τ² I)⁻¹ r."""
        from scipy.linalg import cho_factor, cho_solve

        factor = cho_factor(self._with(tau))
        weighted = cho_solve(factor, self.design)
        inverse = np.linalg.inv(self.design.T @ weighted)
        beta = inverse @ (weighted.T @ self.y)
        residuals = self.y - self.design @ beta
        return beta, inverse, residuals, float(residuals @ cho_solve(factor, residuals))

    def loss(self, tau: float) -> float:
        """Give minus twice the restricted log-likelihood, without its constant."""
        _, inverse, _, quadratic = self.at(tau)
        total = np.linalg.slogdet(self._with(tau))[1] - np.linalg.slogdet(inverse)[1]
        return float(total + quadratic)

    def best(self) -> float:
        """Find the most likely τ ≥ 0."""
        from scipy.optimize import minimize_scalar

        left = self.y - self.design @ np.linalg.lstsq(self.design, self.y, rcond=None)[0]
        largest = max(MOST_TAU * self.unit, MOST_SPREAD * float(left.std()))
        taus = np.geomspace(1e-3 * self.unit, largest, NODES)
        losses = [self.loss(float(tau)) for tau in taus]
        lowest = int(np.argmin(losses))
        if losses[lowest] >= self.loss(0.0) - 1e-9:
            return 0.0
        ends = float(taus[max(lowest - 1, 0)]), float(taus[min(lowest + 1, NODES - 1)])
        return float(minimize_scalar(self.loss, bounds=ends, method="bounded").x)

    def evidence(self) -> float:
        """Average the density of the estimates over the prior of the coefficients and of τ."""
        return float(self.evidences())

    def evidences(self) -> Floats:
        """Give `evidence` for each of many estimates in the columns of y."""
        widths = np.array([CONSTANT_SPREAD] + [TERM_SPREAD] * (self.design.shape[1] - 1))
        explained = (self.design * widths**2) @ self.design.T
        # Near 0 the density changes over the errors of the estimates, further up over τ itself.
        taus = self.unit * np.sinh(np.linspace(0, math.asinh(4 * TAU_SPREAD / self.unit), NODES))
        logs = np.array([self._log_density(self._with(float(tau)) + explained) for tau in taus])
        prior = np.log(2) - (taus / TAU_SPREAD) ** 2 / 2 - math.log(TAU_SPREAD * TURN)
        total = np.moveaxis(logs, 0, -1) + prior
        top = total.max(axis=-1)
        found: Floats = np.log(np.trapezoid(np.exp(total - top[..., None]), taus)) + top
        return found

    def _log_density(self, covariance: Floats) -> Floats:
        """Give ln N(y; 0, Σ)."""
        from scipy.linalg import cho_factor, cho_solve

        factor = cho_factor(covariance)
        size = 2 * np.log(np.diag(factor[0])).sum()
        quadratic = (self.y * cho_solve(factor, self.y)).sum(axis=0)
        density: Floats = -(size + quadratic) / 2 - len(self.y) * math.log(TURN)
        return density

    def _with(self, tau: float) -> Floats:
        """Give V + τ² I."""
        whole: Floats = self.covariance + tau**2 * np.eye(len(self.y))
        return whole
