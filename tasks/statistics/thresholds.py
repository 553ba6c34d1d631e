"""Thresholds of many groups at once: one curve for each, whose slopes and ceilings follow one law.

Success at t = ln(position) in group g has probability (1 − δ)/(1 + (1 − 2δ) e^(−u)) with
u = a_g (t − θ_g), which crosses ½ at θ_g. The thresholds are free, ln a = G γ has a few
coefficients for all groups, and all share the lapse δ. This makes steep or short curves known.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from .counts import Counts
from .links import Floats

MOST_LAPSE = 0.49
# Weak normal priors, mean and σ: of a threshold about the middle of its positions, of the first and
# of the other coefficients of ln a, and of the logit of δ/0.49.
THRESHOLD, FIRST_SLOPE, NEXT_SLOPE, LAPSE = 10.0, (math.log(8.0), 2.0), (0.0, 1.0), (-4.0, 1.5)
STEEPEST = 500.0
LEAST = 1e-12
MOST_STEPS, MOST_TRIES, LONGEST_STEP = 300, 30, 2.0
SETTLED = 1e-9


class Thresholds(NamedTuple):
    """Fitted thresholds.

    Attributes:
        values: θ, logarithms of the 50 % points, shape (groups,).
        covariance: of θ, slopes and lapse being free; shape (groups, groups).
        slopes: γ, shape (terms,).
        lapse: δ.
        fit: χ² over the cells whose successes vary, divided by their number less that of the
            coefficients.
    """

    values: Floats
    covariance: Floats
    slopes: Floats
    lapse: float
    fit: float


def fit_thresholds(groups: Sequence[Counts], design: Floats, direction: int = 1) -> Thresholds:
    """Fit the thresholds of all groups, with slopes and a lapse that follow one law.

    The penalised likelihood is maximised by Fisher scoring; its inverse information, scaled by χ²
    where cells scatter more than binomial counts, is the covariance.

    Args:
        groups: outcomes of each group at positive positions.
        design: G, shape (groups, terms); the first column is 1.
        direction: +1 where success rises with the position, −1 where it falls.

    Raises:
        ValueError: a position is not positive.
    """
    return _Scoring(groups, design, direction).fitted()


class _Scoring:
    """Fisher scoring of the coefficients (θ, γ, λ), λ = logit(δ/0.49)."""

    def __init__(self, groups: Sequence[Counts], design: Floats, direction: int):
        positions = np.concatenate([group.x for group in groups])
        if (positions <= 0).any():
            raise ValueError("a threshold law needs positive positions.")
        self.t = direction * np.log(positions)
        self.k = np.concatenate([group.k for group in groups])
        self.n = np.concatenate([group.n for group in groups])
        self.group = np.repeat(np.arange(len(groups)), [group.x.size for group in groups])
        self.design, self.direction, self.count = design, direction, len(groups)
        terms = design.shape[1]
        starts = [self._start(number) for number in range(self.count)]
        slopes = [FIRST_SLOPE, *[NEXT_SLOPE] * (terms - 1)]
        means, spreads = zip(*slopes, LAPSE, strict=True)
        self.mean = np.array([*starts, *means])
        self.precision = np.array([THRESHOLD] * self.count + [*spreads]) ** -2.0
        self.at = self.mean.copy()

    def _start(self, number: int) -> float:
        """Begin where the shares of success are nearest to one half, interpolated."""
        own = self.group == number
        share = (self.k[own] + 0.5) / (self.n[own] + 1)
        order = np.argsort(self.t[own])
        rising = np.maximum.accumulate(share[order]) + 1e-9 * np.arange(order.size)
        return float(np.interp(0.5, rising, self.t[own][order]))

    def _curve(self, at: Floats) -> tuple[Floats, Floats]:
        """Give the success probability of every cell, and its derivatives; (cells,), (cells, p)."""
        values, slopes, lapse = at[: self.count], at[self.count : -1], MOST_LAPSE * expit(at[-1])
        steepness = np.exp(np.clip(self.design @ slopes, -5, 9))[self.group]
        u = steepness * (self.t - values[self.group])
        falling = np.exp(-np.clip(u, -STEEPEST, STEEPEST))
        bent = 1 + (1 - 2 * lapse) * falling
        chance = (1 - lapse) / bent
        by_u = (1 - lapse) * (1 - 2 * lapse) * falling / bent**2
        by_lapse = (2 * (1 - lapse) * falling - bent) / bent**2
        derivatives = np.zeros((u.size, at.size))
        derivatives[np.arange(u.size), self.group] = -by_u * steepness
        derivatives[:, self.count : -1] = (by_u * u)[:, None] * self.design[self.group]
        derivatives[:, -1] = by_lapse * lapse * (1 - lapse / MOST_LAPSE)
        return np.clip(chance, LEAST, 1 - LEAST), derivatives

    def _penalised(self, at: Floats) -> float:
        chance, _ = self._curve(at)
        likely = self.k @ np.log(chance) + (self.n - self.k) @ np.log1p(-chance)
        return float(0.5 * self.precision @ (at - self.mean) ** 2 - likely)

    def _information(self, at: Floats) -> tuple[Floats, Floats]:
        """Give the penalised score and information."""
        chance, derivatives = self._curve(at)
        weight = 1 / (chance * (1 - chance))
        score = derivatives.T @ ((self.k - self.n * chance) * weight)
        information = (derivatives * (self.n * weight)[:, None]).T @ derivatives
        return score - self.precision * (at - self.mean), information + np.diag(self.precision)

    def fitted(self) -> Thresholds:
        """Step until the penalised likelihood settles."""
        best, damping = self._penalised(self.at), 1e-3
        for _ in range(MOST_STEPS):
            score, information = self._information(self.at)
            for _ in range(MOST_TRIES):
                step = np.linalg.solve(information + damping * np.diag(np.diag(information)), score)
                step *= min(1.0, LONGEST_STEP / max(float(np.abs(step).max()), LEAST))
                value = self._penalised(self.at + step)
                if value <= best:
                    break
                damping *= 4
            else:
                break
            gained, best = best - value, value
            self.at = self.at + step
            damping = max(damping / 5, 1e-9)
            if gained < SETTLED * (1 + abs(best)):
                break
        _, information = self._information(self.at)
        fit = self._fit()
        inverse = np.linalg.inv(information)[: self.count, : self.count]
        covariance = np.asarray(inverse * max(fit, 1.0), dtype=np.float64)
        return Thresholds(
            np.asarray(self.direction * self.at[: self.count], dtype=np.float64),
            covariance,
            self.at[self.count : -1].astype(np.float64),
            float(MOST_LAPSE * expit(self.at[-1])),
            fit,
        )

    def _fit(self) -> float:
        """Divide χ² by its degrees of freedom, over the cells whose successes vary."""
        chance, _ = self._curve(self.at)
        variance = self.n * chance * (1 - chance)
        used = variance > 0.5
        freedom = int(np.count_nonzero(used)) - self.at.size
        if freedom < 1:
            return 1.0
        return float((((self.k - self.n * chance) ** 2)[used] / variance[used]).sum() / freedom)
