"""Compare transitions: how far apart two 50 % points are, and whether one curve serves all."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, ndtri
from scipy.stats import chi2

from .posterior import SCALES, Floats
from .transitions import centre_quantiles, checked_level

POWER = 0.8
SLICES = 500  # of equal probability, into which each posterior is cut
SLOPES, FINER, LOOKS = 61, 13, 3
HALVINGS = 45


class Shift(NamedTuple):
    """A shift of the 50 % point and its interval, in units of the positions.

    Attributes:
        shift: median of the difference, between shift_low and shift_high.
        detectable_shift: the smallest shift that as many trials find with 80 % power.
    """

    shift: float
    shift_low: float
    shift_high: float
    detectable_shift: float


def fit_shift(quantiles: Floats, reference: Floats, level: float = 0.95) -> Shift:
    """Subtract the 50 % point of a reference from another, by their posteriors.

    The two are taken as independent. Where the trials share their draws that is conservative: the
    two points then err in the same direction, and their difference less than told.

    The detectable shift is (z_a + z_b) σ, z the normal quantiles of a = (1 + level)/2 and b = 0.8,
    and σ the length of the shift's interval over 2 z_a: a two-sided test at 1 − level finds a shift
    of so many standard errors with 80 % power.

    Args:
        quantiles: of the 50 % point's posterior, as `slices` asks for them, shape (500,).
        reference: the same of the reference.
        level: of the interval.
    """
    a, b = ndtri((1 + checked_level(level)) / 2), ndtri(POWER)
    differences = (quantiles[:, None] - reference).ravel()
    low, middle, high = np.quantile(differences, [(1 - level) / 2, 0.5, (1 + level) / 2])
    detectable = (a + b) * (high - low) / (2 * a)
    return Shift(float(middle), float(low), float(high), float(detectable))


def slices(positions: ArrayLike, successes: ArrayLike, trials: ArrayLike, direction: int) -> Floats:
    """Cut the posterior of a 50 % point into 500 equally probable parts, and give their middles."""
    levels = (np.arange(SLICES) + 0.5) / SLICES
    return centre_quantiles(positions, successes, trials, levels, direction=direction)


def one_curve_p(positions: Floats, successes: Sequence[Floats], trials: Sequence[Floats]) -> float:
    """Test that one logistic curve serves several samples, against one offset for each.

    logit p = s x + a_v for the samples v, one slope for all: twice the log-likelihood ratio of free
    offsets to one offset is compared with χ² of (samples − 1) degrees of freedom. The scale 1/|s|
    stays between 0.001 smallest gaps and 2 spans, as the fits have it, so that separated outcomes
    have a likelihood too. Samples that share their draws are taken as independent, which is
    conservative.

    Args:
        positions: x, shape (p,).
        successes: k of each sample, shape (p,).
        trials: n of each sample, shape (p,).

    Returns:
        The p-value; NaN if fewer than two samples have trials.
    """
    ran = [v for v, n in enumerate(trials) if np.any(n)]
    if len(ran) < 2:
        return math.nan
    samples = [(np.asarray(successes[v], float), np.asarray(trials[v], float)) for v in ran]
    pooled = [(np.sum([k for k, _ in samples], axis=0), np.sum([n for _, n in samples], axis=0))]
    gain = _best(positions, samples) - _best(positions, pooled)
    return float(chi2.sf(2 * max(gain, 0.0), len(ran) - 1))


def _best(positions: Floats, samples: Sequence[tuple[Floats, Floats]]) -> float:
    """Maximise the log-likelihood over a common slope of either sign and free offsets."""
    span = float(np.ptp(positions)) or 1.0
    gap = float(np.diff(np.unique(positions)).min()) if np.ptp(positions) else span
    first, last = math.log(1 / (SCALES[1] * span)), math.log(1 / (SCALES[0] * gap))
    coarse = np.linspace(first, last, SLOPES)
    found = {
        sign: np.sum([_profile(sign * np.exp(coarse), positions, k, n) for k, n in samples], axis=0)
        for sign in (1, -1)
    }
    sign = max(found, key=lambda each: float(found[each].max()))
    nodes, values = coarse, found[sign]
    best = float(values.max())
    for _ in range(LOOKS):
        top = int(np.argmax(values))
        around = nodes[max(top - 1, 0)], nodes[min(top + 1, nodes.size - 1)]
        nodes = np.linspace(*around, FINER)
        slopes = sign * np.exp(nodes)
        values = np.sum([_profile(slopes, positions, k, n) for k, n in samples], axis=0)
        best = max(best, float(values.max()))
    return best


def _profile(slopes: Floats, positions: Floats, successes: Floats, trials: Floats) -> Floats:
    """Maximise the log-likelihood over the offset for each slope, shape (s,), by bisection.

    The offset solves Σ n σ(s x + a) = Σ k, whose left side rises with a.
    """
    total, most = float(successes.sum()), float(trials.sum())
    if total in (0.0, most):
        return np.zeros(slopes.size)
    lines = slopes[:, None] * (positions - positions.mean())
    middle = math.log(total / (most - total))
    low, high = middle - lines.max(axis=1), middle - lines.min(axis=1)
    for _ in range(HALVINGS):
        offset = (low + high) / 2
        above = expit(lines + offset[:, None]) @ trials > total
        low, high = np.where(above, low, offset), np.where(above, offset, high)
    logits = lines + ((low + high) / 2)[:, None]
    sums: Floats = logits @ successes - np.logaddexp(0, logits) @ trials
    return sums
