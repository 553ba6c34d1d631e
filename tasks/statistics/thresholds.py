"""Thresholds of many groups at once: one curve for each, whose slopes and ceilings follow one law.

Success at t = ln(position) in group g has probability (1 − δ_g) F(u + c_g) with
u = a_g (t − θ_g), or u = a_g (e^(t − θ_g) − 1) on a linear axis. F is one of three links, and c_g
makes the curve cross ½ at θ_g. The thresholds are free. ln a = G γ and the logit of δ/0.49 = L λ
have a few coefficients for all groups. This makes steep, short or partly seen curves known.

Link and axis are the same in all groups, but not known: all six pairs are fitted, and averaged with
the evidence of each as its weight.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, xlogy

from .counts import Counts
from .links import LINKS, Floats, Link

MOST_LAPSE = 0.49
# Weak normal priors, mean and σ: of a threshold about the middle of its positions, of the first and
# of the other coefficients of ln a, and of those of the logit of δ/0.49.
THRESHOLD, FIRST_SLOPE, NEXT_SLOPE = 10.0, (math.log(8.0), 2.0), (0.0, 1.0)
FIRST_LAPSE, NEXT_LAPSE = (-4.0, 1.5), (0.0, 1.0)
FARTHEST = 20.0  # |t − θ| beyond which a linear axis has reached its ends
LEAST = 1e-12
MOST_STEPS, MOST_TRIES, LONGEST_STEP = 300, 30, 2.0
SETTLED = 1e-7
ROUNDING = 1e-6  # gain of a step, relative to the likelihood, that rounding may hide
NEGLIGIBLE = 9.0  # nats below the best evidence from which a curve does not enter
AXES = ("log", "linear")
Integers = NDArray[np.intp]
Curve = tuple[Floats, Floats]  # success probability of every cell, and its derivatives


class Thresholds(NamedTuple):
    """Fitted thresholds.

    Attributes:
        values: θ, logarithms of the 50 % points, shape (groups,).
        covariance: of θ, with slopes, lapses and the shape of the curves free; shape
            (groups, groups).
        slopes: γ, shape (terms,), of the curves with the largest weight.
        lapses: δ, shape (groups,).
        fit: χ² over the cells whose successes vary, divided by their number less that of the
            coefficients.
        fit_freedom: that number, at least 0.
        deviances: of each group from its curve, shape (groups,).
        freedom: of each deviance: cells less the threshold, at least 1; shape (groups,).
        scales: 1/a, of ln(position) at the 50 % point, shape (groups,).
        shape: link and axis of the largest weight, such as "logit, log axis".
        weight: posterior probability of that shape.
        converged: whether the scoring of every shape with weight ended where no step gains.
    """

    values: Floats
    covariance: Floats
    slopes: Floats
    lapses: Floats
    fit: float
    fit_freedom: int
    deviances: Floats
    freedom: Floats
    scales: Floats
    shape: str
    weight: float
    converged: bool

    def only(self, groups: Integers) -> "Thresholds":
        """Keep the groups with these indices."""
        return self._replace(
            values=self.values[groups],
            covariance=self.covariance[np.ix_(groups, groups)],
            lapses=self.lapses[groups],
            deviances=self.deviances[groups],
            freedom=self.freedom[groups],
            scales=self.scales[groups],
        )


def fit_thresholds(
    groups: Sequence[Counts],
    design: Floats,
    direction: int = 1,
    lapse_design: Floats | None = None,
) -> Thresholds:
    """Fit the thresholds of all groups, with slopes and lapses that follow one law each.

    For each shape of the curves the penalised likelihood is maximised by Fisher scoring; its
    inverse information, scaled by χ² where cells scatter more than binomial counts, is the
    covariance. Laplace's approximation gives the evidence, with which the shapes are averaged.

    Args:
        groups: outcomes of each group at positive positions.
        design: G, shape (groups, terms); the first column is 1.
        direction: +1 where success rises with the position, −1 where it falls.
        lapse_design: L, shape (groups, terms), the first column is 1; one lapse for all groups if
            None.

    Raises:
        ValueError: a position is not positive.
    """
    if any((group.x <= 0).any() for group in groups):
        raise ValueError("a threshold law needs positive positions.")
    lapses = np.ones((len(groups), 1)) if lapse_design is None else lapse_design
    cells = _Cells(groups, design, lapses, direction)
    start = cells.start
    found: list[_Fitted] = []
    for link in LINKS:
        for axis in AXES:
            fitted = _Scoring(cells, link, is_log=axis == "log").fitted(
                start, f"{link.name}, {axis} axis"
            )
            start = start if found else fitted.at
            found.append(fitted)
    return _average(found, cells)


class _Cells:
    """The outcomes of all groups, cell by cell, and the priors of the coefficients (θ, γ, λ)."""

    def __init__(self, groups: Sequence[Counts], slopes: Floats, lapses: Floats, direction: int):
        self.t = direction * np.log(np.concatenate([group.x for group in groups]))
        self.k = np.concatenate([group.k for group in groups])
        self.n = np.concatenate([group.n for group in groups])
        self.group = np.repeat(np.arange(len(groups)), [group.x.size for group in groups])
        self.slopes, self.lapses = slopes, lapses
        self.direction, self.count = direction, len(groups)
        priors = [(self._middle(number), THRESHOLD) for number in range(self.count)]
        priors += [FIRST_SLOPE, *[NEXT_SLOPE] * (slopes.shape[1] - 1)]
        self.first_lapse = len(priors)
        priors += [FIRST_LAPSE, *[NEXT_LAPSE] * (lapses.shape[1] - 1)]
        self.start, spreads = np.array(priors).T
        self.precision = spreads**-2.0

    def _middle(self, number: int) -> float:
        """Find where the shares of success are nearest to one half, interpolated."""
        own = self.group == number
        share = (self.k[own] + 0.5) / (self.n[own] + 1)
        order = np.argsort(self.t[own])
        rising = np.maximum.accumulate(share[order]) + 1e-9 * np.arange(order.size)
        return float(np.interp(0.5, rising, self.t[own][order]))

    def split(self, at: Floats) -> tuple[Floats, Floats, Floats]:
        """Give the thresholds, the slopes a and the lapses δ of the groups."""
        steepness = np.exp(np.clip(self.slopes @ at[self.count : self.first_lapse], -5, 9))
        lapses = MOST_LAPSE * expit(self.lapses @ at[self.first_lapse :])
        return at[: self.count], steepness, lapses


class _Fitted(NamedTuple):
    """Curves of one shape at the most likely coefficients."""

    at: Floats
    covariance: Floats  # of the thresholds
    evidence: float  # up to a constant that all shapes share
    fit: float
    fit_freedom: int
    deviances: Floats
    shape: str
    converged: bool


class _Scoring:
    """Fisher scoring of the coefficients for one link and one axis."""

    def __init__(self, cells: _Cells, link: Link, *, is_log: bool):
        self.cells, self.link, self.is_log = cells, link, is_log

    def curve(self, at: Floats) -> Curve:
        """Give the success probability of every cell, and its derivatives; (cells,), (cells, p)."""
        cells, group = self.cells, self.cells.group
        values, steepness, lapses = (of_group[group] for of_group in cells.split(at))
        away = np.clip(cells.t - values, -FARTHEST, FARTHEST)
        stretch = 1.0 if self.is_log else np.exp(cells.direction * away)
        u = steepness * (away if self.is_log else cells.direction * (stretch - 1))
        shift = self.link.inverse(0.5 / (1 - lapses))
        parts = self.link.parts(u + shift)
        by_u = (1 - lapses) * self.link.density(parts)
        by_shift = 0.5 / (1 - lapses) ** 2 / self.link.density(self.link.parts(shift))
        by_lapse = by_u * by_shift - parts.value
        derivatives = np.zeros((u.size, at.size))
        derivatives[np.arange(u.size), group] = -by_u * steepness * stretch
        derivatives[:, cells.count : cells.first_lapse] = (by_u * u)[:, None] * cells.slopes[group]
        by_logit = by_lapse * lapses * (1 - lapses / MOST_LAPSE)
        derivatives[:, cells.first_lapse :] = by_logit[:, None] * cells.lapses[group]
        return np.clip((1 - lapses) * parts.value, LEAST, 1 - LEAST), derivatives

    def _penalised(self, at: Floats, chance: Floats) -> float:
        cells = self.cells
        likely = cells.k @ np.log(chance) + (cells.n - cells.k) @ np.log1p(-chance)
        return float(0.5 * cells.precision @ (at - cells.start) ** 2 - likely)

    def _information(self, at: Floats, curve: Curve) -> tuple[Floats, Floats]:
        """Give the penalised score and information."""
        cells, (chance, derivatives) = self.cells, curve
        weight = 1 / (chance * (1 - chance))
        score = derivatives.T @ ((cells.k - cells.n * chance) * weight)
        information = (derivatives * (cells.n * weight)[:, None]).T @ derivatives
        pull = cells.precision * (at - cells.start)
        return score - pull, information + np.diag(cells.precision)

    def fitted(self, start: Floats, shape: str) -> _Fitted:
        """Step until the penalised likelihood settles."""
        at, damping, curve = start.copy(), 1e-3, self.curve(start)
        best, converged = self._penalised(at, curve[0]), False
        for _ in range(MOST_STEPS):
            score, information = self._information(at, curve)
            for _ in range(MOST_TRIES):
                step = np.linalg.solve(information + damping * np.diag(np.diag(information)), score)
                step *= min(1.0, LONGEST_STEP / max(float(np.abs(step).max()), LEAST))
                tried = self.curve(at + step)
                value = self._penalised(at + step, tried[0])
                if value <= best:
                    break
                damping *= 4
            else:
                gain = float(score @ np.linalg.solve(information, score)) / 2
                converged = gain < ROUNDING * (1 + abs(best))
                break
            gained, best = best - value, value
            at, curve = at + step, tried
            damping = max(damping / 5, 1e-9)
            if gained < SETTLED * (1 + abs(best)):
                converged = True
                break
        _, information = self._information(at, curve)
        chance, count = curve[0], self.cells.count
        fit, freedom = self._fit(chance)
        inverse = np.linalg.inv(information)[:count, :count]
        covariance = np.asarray(inverse * max(fit, 1.0), dtype=np.float64)
        evidence = -best - np.linalg.slogdet(information)[1] / 2
        deviances = self._deviances(chance)
        return _Fitted(at, covariance, float(evidence), fit, freedom, deviances, shape, converged)

    def _fit(self, chance: Floats) -> tuple[float, int]:
        """Divide χ² by its degrees of freedom, over the cells whose successes vary; give both."""
        cells = self.cells
        variance = cells.n * chance * (1 - chance)
        used = variance > 0.5
        freedom = int(np.count_nonzero(used)) - cells.start.size
        if freedom < 1:
            return 1.0, 0
        squares = ((cells.k - cells.n * chance) ** 2)[used] / variance[used]
        return float(squares.sum() / freedom), freedom

    def _deviances(self, chance: Floats) -> Floats:
        """Sum twice the log likelihood ratio to the shares over the cells of each group."""
        cells = self.cells
        failures = cells.n - cells.k
        terms = xlogy(cells.k, cells.k / (cells.n * chance))
        terms += xlogy(failures, failures / (cells.n * (1 - chance)))
        return np.bincount(cells.group, 2 * terms, cells.count).astype(np.float64)


def _average(found: Sequence[_Fitted], cells: _Cells) -> Thresholds:
    """Average the shapes by their evidence: the spread of their thresholds adds to the variance."""
    evidence = np.array([fitted.evidence for fitted in found])
    kept = np.flatnonzero(evidence > evidence.max() - NEGLIGIBLE).tolist()
    weights = np.exp(evidence[kept] - evidence.max())
    weights /= weights.sum()
    values = np.array([found[number].at[: cells.count] for number in kept])
    mean = weights @ values
    off = values - mean
    covariance = np.einsum("m,mgh->gh", weights, [found[number].covariance for number in kept])
    covariance += (off * weights[:, None]).T @ off
    best = found[int(evidence.argmax())]
    _, steepness, _ = cells.split(best.at)
    lapses = weights @ np.array([cells.split(found[number].at)[2] for number in kept])
    return Thresholds(
        np.asarray(cells.direction * mean, dtype=np.float64),
        np.asarray(covariance, dtype=np.float64),
        best.at[cells.count : cells.first_lapse].astype(np.float64),
        lapses,
        best.fit,
        best.fit_freedom,
        best.deviances,
        np.maximum(np.bincount(cells.group, minlength=cells.count) - 1.0, 1.0),
        1 / steepness,
        best.shape,
        float(weights.max()),
        all(found[number].converged for number in kept),
    )
