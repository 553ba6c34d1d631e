"""Compare transitions: the distance of two 50 % points, and a test of one point for all samples."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, expit, ndtri

from .intervals import checked_level
from .links import Floats
from .posterior import DEFAULT_DIRECTION, SCALES
from .transitions import centre_quantiles

POWER = 0.8
SLICES = 500  # parts of equal probability into which each posterior is cut
LAPSES = np.array([0, 0.03, 0.1, 0.2, 0.4])
SLOPES, FINER, FINER_LAPSES, LOOKS = 25, 13, 7, 4
HALVINGS = 36
FARTHEST = 700.0  # e^700 is still finite
BEYOND = 12.0  # how far, in logits, the offset of a curve with lapses goes above the last position


class Shift(NamedTuple):
    """A shift of the 50 % point and its interval, in units of the positions.

    Attributes:
        shift: median of the difference, between shift_low and shift_high.
        detectable_shift: the smallest shift that as many trials find with 80 % power.
        p_shift: two-sided p-value of no shift.
    """

    shift: float
    shift_low: float
    shift_high: float
    detectable_shift: float
    p_shift: float


def fit_shift(
    quantiles: Floats,
    reference: Floats,
    level: float = 0.95,
    *,
    share: float = 1.0,
    tests: int = 1,
) -> Shift:
    """Subtract the 50 % point of a reference from another, by their posteriors.

    The two are treated as independent. Where their trials share draws, the differences are then
    drawn nearer to their median, by the square root of the variance's share.

    The detectable shift is (z_a + z_b) σ, z the normal quantiles of a = 1 − (1 − level)/(2 tests)
    and b = 0.8, and σ the length of the shift's interval over that of a normal one: a two-sided
    test at 1 − level, Bonferroni's for several tests, finds a shift of so many standard errors with
    80 % power. The p-value is twice the smaller posterior probability of a sign, at least 8·10⁻⁶.

    Args:
        quantiles: of the 50 % point's posterior, from `slices`, shape (500,).
        reference: the same of the reference.
        level: of the interval.
        share: the shift's variance over that of independent trials, from `share_of_trials`.
        tests: number of shifts that are tested together.
    """
    tail = (1 - checked_level(level)) / 2
    differences = (quantiles[:, None] - reference).ravel()
    middle = np.median(differences)
    differences = middle + math.sqrt(share) * (differences - middle)
    low, high = np.quantile(differences, [tail, 1 - tail])
    detectable = (ndtri(POWER) - ndtri(tail / tests)) * (high - low) / (-2 * ndtri(tail))
    below = float((differences < 0).mean() + (differences == 0).mean() / 2)
    p_shift = max(2 * min(below, 1 - below), 2 / differences.size)
    return Shift(*map(float, (middle, low, high, detectable, p_shift)))


def slices(
    positions: ArrayLike,
    successes: ArrayLike,
    trials: ArrayLike,
    direction: int,
    floor: float | None = None,
    scatter: str = "auto",
    draws: ArrayLike | None = None,
) -> Floats:
    """Cut the posterior of a 50 % point into 500 equally probable parts, and give their medians."""
    levels = (np.arange(SLICES) + 0.5) / SLICES
    return centre_quantiles(
        positions, successes, trials, levels, direction=direction, floor=floor, scatter=scatter,
        draws=draws,
    )  # fmt: skip


def one_point_p(cuts: Sequence[Floats], share: float = 1.0) -> float:
    """Test that several 50 % points are one, by their posteriors: χ² of their scatter.

    Σ (c_v − c̄)²/σ_v², c̄ the mean weighted by 1/σ_v², over the share of the variance that paired
    draws leave, is compared with χ² of (samples − 1) degrees of freedom.

    Args:
        cuts: quantiles of each posterior, from `slices`.
        share: as for `fit_shift`, the mean over all pairs of samples.
    """
    middles = np.array([cut.mean() for cut in cuts])
    weights = np.array([1 / cut.var() for cut in cuts])
    scatter = weights @ (middles - weights @ middles / weights.sum()) ** 2
    return float(chdtrc(len(cuts) - 1, scatter / share))


def one_curve_p(
    positions: Floats,
    successes: Sequence[Floats],
    trials: Sequence[Floats],
    direction: int = DEFAULT_DIRECTION,
    share: float = 1.0,
) -> float:
    """Test that several samples have one 50 % point, assuming that they share slope and ceiling.

    p = (1 − δ)/(1 + exp(−(s x + a_v))) for the samples v, one slope s of the given sign and one
    lapse δ ≤ 0.4 for all: twice the log-likelihood ratio of free offsets to one offset is compared
    with χ² of (samples − 1) degrees of freedom. The scale 1/|s| stays between 0.001 smallest gaps
    and 2 spans, as in the fits, so that separated outcomes have a likelihood too.

    Args:
        positions: x, shape (p,).
        successes: k of each sample, shape (p,).
        trials: n of each sample, shape (p,).
        direction: +1 where success rises with the position, −1 where it falls.
        share: as for `fit_shift`, the mean over all pairs of samples; the statistic is divided by
            it.

    Returns:
        The p-value; NaN if fewer than two samples have trials.
    """
    ran = [v for v, n in enumerate(trials) if np.any(n)]
    if len(ran) < 2:
        return math.nan
    samples = [(np.asarray(successes[v], float), np.asarray(trials[v], float)) for v in ran]
    pooled = [(np.sum([k for k, _ in samples], axis=0), np.sum([n for _, n in samples], axis=0))]
    gain = _best(positions, samples, direction) - _best(positions, pooled, direction)
    return float(chdtrc(len(ran) - 1, 2 * max(gain, 0.0) / share))


def _best(positions: Floats, samples: Sequence[tuple[Floats, Floats]], direction: int) -> float:
    """Maximise the log-likelihood over a common slope of one sign, lapse, and free offsets."""
    span = float(np.ptp(positions)) or 1.0
    gap = float(np.diff(np.unique(positions)).min()) if np.ptp(positions) else span
    first, last = math.log(1 / (SCALES[1] * span)), math.log(1 / (SCALES[0] * gap))
    lapses, nodes = LAPSES, np.linspace(first, last, SLOPES)
    values = _common(direction * np.exp(nodes), lapses, positions, samples)
    best = float(values.max())
    for _ in range(LOOKS):
        lapse, slope = np.unravel_index(np.argmax(values), values.shape)
        lapses = np.linspace(*_around(lapses, int(lapse)), FINER_LAPSES)
        nodes = np.linspace(*_around(nodes, int(slope)), FINER)
        values = _common(direction * np.exp(nodes), lapses, positions, samples)
        best = max(best, float(values.max()))
    return best


def _common(
    slopes: Floats, lapses: Floats, positions: Floats, samples: Sequence[tuple[Floats, Floats]]
) -> Floats:
    """Add the profiles of all samples, which share slope and lapse, shape (l, s)."""
    total: Floats = np.sum(
        [_profile(slopes, lapses, positions, *sample) for sample in samples], axis=0
    )
    return total


def _around(nodes: Floats, top: int) -> tuple[float, float]:
    """Give the neighbours of the best node; an end is its own neighbour."""
    return float(nodes[max(top - 1, 0)]), float(nodes[min(top + 1, nodes.size - 1)])


def _profile(
    slopes: Floats, lapses: Floats, positions: Floats, successes: Floats, trials: Floats
) -> Floats:
    """Maximise the log-likelihood over the offset for each lapse and slope, shape (l, s).

    With z = s x + a the offset solves Σ k σ(−z) = (1 − δ) Σ (n − k) σ(z)/(1 + δ e^z), by bisection.
    For very low offsets the left side is larger. If it is larger for very high ones too, fewer
    trials fail than lapses make, and the offset ends where the curve has levelled off.
    """
    total, most = float(successes.sum()), float(trials.sum())
    lapse = lapses[:, None, None]
    if total in (0.0, most):
        return np.tile(total * np.log1p(-lapse[..., 0]), (1, slopes.size))
    lines = slopes[:, None] * (positions - positions.mean())
    middle = math.log(total / (most - total))
    low = np.tile(middle - lines.max(axis=1), (lapses.size, 1))
    high = middle - lines.min(axis=1) + BEYOND * (lapses[:, None] > 0)
    failures = trials - successes
    for _ in range(HALVINGS):
        offset = (low + high) / 2
        z = lines + offset[..., None]
        lost = expit(z) / (1 + lapse * np.exp(np.minimum(z, FARTHEST)))
        above = (1 - lapse[..., 0]) * (lost @ failures) > expit(-z) @ successes
        low, high = np.where(above, low, offset), np.where(above, offset, high)
    z = lines + ((low + high) / 2)[..., None]
    with np.errstate(divide="ignore"):
        lapsed = np.logaddexp(np.log(lapse), -z)
    sums: Floats = lapsed @ failures - np.logaddexp(0, -z) @ trials
    return sums + total * np.log1p(-lapse[..., 0])
