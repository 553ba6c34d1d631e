"""Compare two success rates: differences with intervals, and exact tests with mid-p."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, gammaln

from .intervals import wilson_interval
from .links import Floats


def paired_difference(
    both: int, gained: int, lost: int, neither: int, level: float = 0.95
) -> tuple[float, float, float]:
    """Bound the difference of two success rates over the same trials.

    θ = (g − l)/n between θ − √(δ₁² − 2φ δ₁ε₂ + ε₂²) and θ + √(ε₁² − 2φ ε₁δ₂ + δ₂²), where δ_i and
    ε_i are the distances of the rates (b + g)/n and (b + l)/n from their lower and upper Wilson
    bounds, and φ is their correlation; if its numerator bn' − gl is positive, n/2 is subtracted
    from it, but not below 0 (n' is `neither`). No trials give (NaN, −1, 1).

    Args:
        both: trials where both succeed.
        gained: trials where only the first succeeds.
        lost: trials where only the second succeeds.
        neither: trials where neither succeeds.
        level: nominal coverage.

    Returns:
        θ and its bounds.

    Source: Newcombe, Statist. Med. 17 (1998) 2635–2650, method 10.
    """
    trials = both + gained + lost + neither
    if not trials:
        return math.nan, -1.0, 1.0
    first, second = both + gained, both + lost
    product = first * (trials - first) * second * (trials - second)
    numerator = float(both * neither - gained * lost)
    if numerator > 0:
        numerator = max(numerator - trials / 2, 0)
    correlation = numerator / math.sqrt(product) if product else 0.0
    return _hybrid(first, trials, second, trials, correlation, level)


def unpaired_difference(
    first: int, first_trials: int, second: int, second_trials: int, level: float = 0.95
) -> tuple[float, float, float]:
    """Bound the difference of the success rates of two independent samples, p₁ − p₂.

    The bounds are those of `paired_difference` with φ = 0.

    Source: Newcombe, Statist. Med. 17 (1998) 873–890, method 10.
    """
    if not first_trials or not second_trials:
        return math.nan, -1.0, 1.0
    return _hybrid(first, first_trials, second, second_trials, 0.0, level)


def _hybrid(
    k1: int, n1: int, k2: int, n2: int, correlation: float, level: float
) -> tuple[float, float, float]:
    (low1, low2), (high1, high2) = wilson_interval([k1, k2], [n1, n2], level)
    p1, p2 = k1 / n1, k2 / n2
    difference = p1 - p2
    down = _third_side(p1 - low1, high2 - p2, correlation)
    up = _third_side(high1 - p1, p2 - low2, correlation)
    return difference, max(difference - down, -1.0), min(difference + up, 1.0)


def _third_side(a: float, b: float, correlation: float) -> float:
    return math.sqrt(max(a**2 - 2 * correlation * a * b + b**2, 0.0))


def mcnemar_p(gained: int, lost: int) -> float:
    """Test that gains and losses are equally likely: two-sided mid-p of McNemar's exact test.

    2 P(X < min) + P(X = min), X ~ Binomial(gained + lost, ½), at most 1: twice the mid-p of one
    side. No discordant trials give 1.

    Source: Fagerland, Lydersen & Laake, BMC Med. Res. Methodol. 13 (2013) 91.
    """
    count, fewer = gained + lost, min(gained, lost)
    if not count:
        return 1.0
    below = bdtr(fewer - 1, count, 0.5) if fewer else 0.0
    return min(1.0, float(bdtr(fewer, count, 0.5) + below))


def fisher_p(first: int, first_trials: int, second: int, second_trials: int) -> float:
    """Test that two independent samples have one success rate: two-sided mid-p of Fisher's test.

    Given all margins the successes X of the first sample are hypergeometric. The mid-p of a side
    is P(X < x) + P(X = x)/2, or the same with >; the result is twice the smaller one. Samples
    without trials, or all of one outcome, give 1.

    Source: Lydersen, Fagerland & Laake, Statist. Med. 28 (2009) 1159–1175.
    """
    together = first + second
    counts = np.arange(max(0, together - second_trials), min(first_trials, together) + 1)
    logs = -sum(
        gammaln(1 + part)
        for part in (
            counts,
            first_trials - counts,
            together - counts,
            second_trials - together + counts,
        )
    )
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    index = first - int(counts[0])
    sides = weights[:index].sum(), weights[index + 1 :].sum()
    return min(1.0, float(2 * min(sides) + weights[index]))


def holm(p_values: ArrayLike) -> Floats:
    """Adjust p-values for their number by Holm's step-down method; NaN stays and is not counted.

    In ascending order p_(i) becomes the largest (m − j + 1) p_(j), j ≤ i, and at most 1.

    Source: Holm, Scand. J. Statist. 6 (1979) 65–70.
    """
    values = np.asarray(p_values, dtype=float)
    adjusted = np.full(values.shape, math.nan)
    known = np.flatnonzero(~np.isnan(values.ravel()))
    order = known[np.argsort(values.ravel()[known], kind="stable")]
    factors = np.arange(order.size, 0, -1)
    adjusted.ravel()[order] = np.minimum(
        np.maximum.accumulate(factors * values.ravel()[order]) if order.size else factors, 1.0
    )
    return adjusted
