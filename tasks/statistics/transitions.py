"""Fit the 50 % point and the width of a success transition, with intervals."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from .outcomes import ABOVE, BELOW, INSIDE, OUTSIDE, flag_of, outcome_of
from .posterior import Counts, Floats, ends_open, posterior, quantiles

WIDTH_PER_SCALE = 2 * math.log(9)  # 10–90 % width of a logistic curve, in units of s
UNSEEN = 1e-4  # cells below this part of the largest one do not enter a band


@dataclass(frozen=True)
class Transition:
    """A fitted logistic transition; positions and widths in units of the positions.

    Attributes:
        p50: posterior median of where success crosses 50 %, between p50_low and p50_high.
        width: posterior median of 2 ln 9 · s ≈ 4.394 s, between width_low and width_high: on this
            length the logistic curve itself, before the ceiling scales it, rises from 10 to 90 %.
        ceiling: posterior median of the level 1 − δ that success ends at, at least ½, between
            ceiling_low and ceiling_high, which is 1 unless the outcomes contradict a ceiling of 1.
        direction: +1 where success rises with the position, −1 where it falls.
        trials: number of trials fitted.
        evidence: log Bayes factor of rising over falling, in nats; 0 where every outcome is equal.
        flag: what limits the fit, words with commas. "no-trials": the fit is the prior's range.
            "never": see `outcome`. "outside-grid": the 50 % point is outside the positions;
            "leaves-grid": its interval is partly outside. "low-ceiling": success may level off near
            or below 50 %, so that there may be no 50 % point. Only alone: "against-direction": the
            outcomes support the other direction, at more than 20 : 1. "resolution-limited": the
            interval and the whole 10–90 % width fit into one gap, so a finer grid helps more than
            further trials (the width is then largely the prior's).
        outcome: where the 50 % point is: "inside" the positions, "below" or "above" them;
            "never", where no position's upper Wilson bound reaches ½; "no-trials".
    """

    p50: float
    p50_low: float
    p50_high: float
    width: float
    width_low: float
    width_high: float
    ceiling: float
    ceiling_low: float
    ceiling_high: float
    direction: int
    trials: int
    evidence: float
    flag: str
    outcome: str = INSIDE


def wilson_interval(
    successes: ArrayLike, trials: ArrayLike, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Bound success probabilities by Wilson's score interval.

    (k + z²/2 ± z √(k(n − k)/n + z²/4)) / (n + z²), z the normal quantile of (1 + level)/2.
    No trials give (0, 1).

    Args:
        successes: k, any shape.
        trials: n, any shape that broadcasts with k.
        level: nominal coverage, between 0 and 1.

    Returns:
        Lower and upper bounds, of the broadcast shape.

    Raises:
        ValueError: not 0 ≤ k ≤ n, or a level outside (0, 1).

    Source: Wilson, JASA 22 (1927) 209–212.
    """
    k, n = _checked_counts(successes, trials)
    z = float(ndtri((1 + checked_level(level)) / 2))
    centre = (k + z**2 / 2) / (n + z**2)
    half = z * np.sqrt(k * (n - k) / np.maximum(n, 1) + z**2 / 4) / (n + z**2)
    low = np.where(k == 0, 0.0, np.maximum(centre - half, 0))
    high = np.where(k == n, 1.0, np.minimum(centre + half, 1))
    return low, high


@np.errstate(under="ignore")
def fit_transition(
    positions: ArrayLike,
    successes: ArrayLike,
    trials: ArrayLike,
    *,
    direction: int | None = None,
    floor: float | None = None,
    level: float = 0.95,
) -> Transition:
    """Fit a logistic transition with a ceiling to success counts, by its posterior on a grid.

    Success at x has probability (1 − δ)/(1 + exp(∓(x − c)/s)), δ < ½, and crosses 50 % at
    p = c ∓ s ln(1 − 2δ). A priori p is flat over the range of the positions and half a span beyond
    on either side, but not below the floor, log s is flat between 0.001 smallest gaps and 2 spans
    (a single position x counts as a span of |x|, or of 1 at 0), and δ is 0 with probability ½, else
    of density 4(1 − 2δ).
    Positions without trials are ignored, repeated ones are pooled; they can be in any order.

    Args:
        positions: x, shape (p,), p ≥ 1.
        successes: k, shape (p,).
        trials: n, shape (p,).
        direction: +1 or −1 fixes it; None takes the one of larger evidence, and +1 for a tie or
            where every outcome is equal.
        floor: lower bound of the 50 % point; 0 if the positions are counts, for example.
        level: posterior probability of the central intervals.

    Returns:
        The posterior's summary, whatever the outcome; never NaN. `known_part` keeps only what the
        outcomes determine.

    Raises:
        ValueError: shapes differ, not 0 ≤ k ≤ n, or a position is not finite.

    Source: Kuss, Jäkel & Wichmann, J. Vision 5 (2005) 478–492, on a grid instead of by sampling.
    """
    return _fit(positions, successes, trials, direction, floor, level)[0]


@np.errstate(under="ignore")
def known_part(
    positions: ArrayLike,
    successes: ArrayLike,
    trials: ArrayLike,
    *,
    direction: int | None = None,
    floor: float | None = None,
    level: float = 0.95,
) -> Transition:
    """Fit a transition and keep what the outcomes determine; the rest is NaN.

    The arguments and the errors are those of `fit_transition`. The 50 % point is kept where it is
    inside the positions, without an end of its interval that depends on the prior only. Where it is
    below or above them one bound is kept, p50_high or p50_low, which is no nearer than the first or
    the last position. Width and ceiling need successes and failures, and two positions.
    """
    fit, counts, (low_open, high_open) = _fit(positions, successes, trials, direction, floor, level)
    low = math.nan if low_open else fit.p50_low
    high = math.nan if high_open else fit.p50_high
    x, unknown = counts.x, math.nan
    if fit.outcome == BELOW:
        low, high = unknown, float(np.maximum(high, x[0]))
    elif fit.outcome == ABOVE:
        low, high = float(np.minimum(low, x[-1])), unknown
    elif fit.outcome != INSIDE:
        low = high = unknown
    fit = replace(fit, p50_low=low, p50_high=high)
    # With one position and half of its trials successful, the median is largely the prior's.
    inside = float(np.clip(fit.p50, x[0], x[-1]))
    fit = replace(fit, p50=inside if fit.outcome == INSIDE else unknown)
    varied = 0 < counts.k.sum() < counts.n.sum() and x.size > 1
    if fit.outcome in (INSIDE, *OUTSIDE) and varied:
        return fit
    return replace(
        fit, width=unknown, width_low=unknown, width_high=unknown,
        ceiling=unknown, ceiling_low=unknown, ceiling_high=unknown,
    )  # fmt: skip


def _fit(
    positions: ArrayLike,
    successes: ArrayLike,
    trials: ArrayLike,
    direction: int | None,
    floor: float | None,
    level: float,
) -> tuple[Transition, Counts, tuple[bool, bool]]:
    """Fit a transition; give it, the counts, and which ends of p50 depend on the prior only."""
    tails = np.array([0.5, (1 - checked_level(level)) / 2, (1 + level) / 2])
    counts, tried = _tried(positions, successes, trials)
    floor = -math.inf if floor is None else floor
    fitted = posterior(counts, direction, floor)
    if tried:
        lapse, centre, log_scale = quantiles(fitted, tails)
    else:
        _, *ranges = fitted.grid
        centre, log_scale = (np.array([(g[0] + g[-1]) / 2, g[0], g[-1]]) for g in ranges)
        lapse = np.array([0.0, 0.0, 0.5])
    width = WIDTH_PER_SCALE * np.exp(log_scale)
    _, upper = wilson_interval(counts.k, counts.n, level)
    outcome = outcome_of(counts, fitted.direction, float(centre[0]), upper)
    against = -fitted.direction * fitted.evidence
    flag = flag_of(counts, outcome, centre, float(width[0]), lapse, against)
    (p50, low, high), (mid, narrow, wide) = centre.tolist(), width.tolist()
    ceiling, most, least = (1 - lapse).tolist()
    fit = Transition(
        p50, low, high, mid, narrow, wide, ceiling, least, most,
        fitted.direction, int(counts.n.sum()), fitted.evidence, flag, outcome,
    )  # fmt: skip
    return fit, counts, ends_open(fitted, counts, floor, float(tails[1]))


@np.errstate(under="ignore")
def centre_quantiles(
    positions: ArrayLike,
    successes: ArrayLike,
    trials: ArrayLike,
    levels: ArrayLike,
    *,
    direction: int | None = None,
    floor: float | None = None,
) -> Floats:
    """Give quantiles of the posterior of the 50 % point, in units of the positions.

    The other arguments and the errors are those of `fit_transition`; `levels` are probabilities of
    shape (l,), and so is the result. Without trials it is the prior's.
    """
    counts, tried = _tried(positions, successes, trials)
    fitted = posterior(counts, direction, -math.inf if floor is None else floor)
    wanted = np.asarray(levels, dtype=float)
    if not tried:
        first, last = fitted.grid.points[[0, -1]]
        return np.asarray(first + wanted * (last - first), dtype=float)
    return quantiles(fitted, wanted)[1]


@np.errstate(under="ignore")
def curve(positions: ArrayLike, transition: Transition) -> Floats:
    """Evaluate the curve of a fit, from its p50, width and ceiling, at positions of any shape."""
    x = np.asarray(positions, dtype=float)
    z = transition.direction * (x - transition.p50) / (transition.width / WIDTH_PER_SCALE)
    return _success(z, 1 - transition.ceiling)


def _success(z: Floats, lapse: ArrayLike) -> Floats:
    """Evaluate (1 − δ)/(1 + (1 − 2δ) e^(−z)), which is ½ at z = 0."""
    lapse = np.asarray(lapse, dtype=float)
    falling = np.exp(-np.clip(z, -700, 700))
    return np.asarray((1 - lapse) / (1 + (1 - 2 * lapse) * falling), dtype=float)


@np.errstate(under="ignore")
def curve_band(
    at: ArrayLike,
    positions: ArrayLike,
    successes: ArrayLike,
    trials: ArrayLike,
    *,
    direction: int | None = None,
    floor: float | None = None,
    level: float = 0.95,
) -> tuple[Floats, Floats]:
    """Bound the curve pointwise: central posterior interval of its value at each of `at`.

    The other arguments and the errors are those of `fit_transition`; `at` has shape (a,), and so
    have both bounds.
    """
    tails = np.array([(1 - checked_level(level)) / 2, (1 + level) / 2])
    counts, _ = _tried(positions, successes, trials)
    _, sign, grid, mass = posterior(counts, direction, -math.inf if floor is None else floor)
    kept = np.nonzero(mass > UNSEEN * mass.max())
    lapse, point, inverse = (
        nodes[index]
        for nodes, index in zip(
            (grid.lapses, grid.points, sign * np.exp(-grid.log_scales)), kept, strict=True
        )
    )
    weight, total = mass[kept], float(mass[kept].sum())
    band = []
    for x in np.asarray(at, dtype=float).ravel():
        value = _success((x - point) * inverse, lapse)
        order = np.argsort(value)
        below = np.cumsum(weight[order]) - weight[order] / 2
        band.append(np.interp(tails * total, below, value[order]))
    low, high = np.reshape(band, (-1, 2)).T
    return low, high


def _tried(positions: ArrayLike, successes: ArrayLike, trials: ArrayLike) -> tuple[Counts, bool]:
    """Check the input, pool repeated positions, sort, and drop those without trials if any ran."""
    x = np.asarray(positions, dtype=float)
    k, n = _checked_counts(successes, trials)
    if not x.shape == np.shape(successes) == np.shape(trials) or x.ndim != 1 or not x.size:
        shapes = f"{x.shape}, {np.shape(successes)} and {np.shape(trials)}"
        raise ValueError(
            f"positions, successes and trials have shapes {shapes}; "
            "give three equally long lists with at least one entry."
        )
    if not np.isfinite(x).all():
        where = int(np.flatnonzero(~np.isfinite(x))[0])
        raise ValueError(f"positions[{where}] is {x[where]}; every position must be finite.")
    ran = bool(n.any())
    if ran:
        x, k, n = x[n > 0], k[n > 0], n[n > 0]
    distinct, index = np.unique(x, return_inverse=True)
    k, n = (np.bincount(index, weights=c).astype(np.float64) for c in (k, n))
    return Counts(distinct, k, n), ran


def _checked_counts(successes: ArrayLike, trials: ArrayLike) -> tuple[Floats, Floats]:
    """Return counts as floats of one shape; refuse numbers that are no counts."""
    try:
        k, n = np.broadcast_arrays(np.asarray(successes, float), np.asarray(trials, float))
    except ValueError:
        shapes = f"{np.shape(successes)} and {np.shape(trials)}"
        raise ValueError(f"successes and trials have shapes {shapes}; they must match.") from None
    wrong = ~((k >= 0) & (k <= n) & np.isfinite(n))
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"{k[where]:g} successes of {n[where]:g} trials at index {where}; "
            "counts must satisfy 0 ≤ successes ≤ trials."
        )
    return k, n


def checked_level(level: float) -> float:
    """Return a level; refuse one outside (0, 1)."""
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1, for example 0.95.")
    return level
