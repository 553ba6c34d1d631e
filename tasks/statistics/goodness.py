"""Test the best curve of a model by χ², and estimate how much more successes vary.

Positions with few trials, as where trials place themselves, are taken together with their
neighbours: residuals of a few trials are not nearly normal, as χ² assumes.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from .counts import Counts
from .links import Floats
from .posterior import Fitted

LEAST_VARIANCE = 0.3  # of a position's successes, from which it enters the goodness of fit
FEW, TOGETHER = 8, 2.0  # trials below which neighbours count together, up to this variance
FREE = 3  # numbers that a model fits: middle, scale and lapse


class Residuals(NamedTuple):
    """Squared residuals over their binomial variance, and trials of a position; shapes (cells,)."""

    squares: Floats
    trials: Floats


def goodness_of_fit(fit: Fitted, counts: Counts, direction: int) -> float:
    """Test the best curve of a model by χ², over the positions whose successes vary.

    Returns:
        The p-value; NaN where there are no more positions than numbers that are fitted.
    """
    squares = residuals_of(fit, counts, direction).squares
    freedom = squares.size - FREE
    return float(chdtrc(freedom, squares.sum())) if freedom > 0 else math.nan


def spread_of(fit: Fitted, counts: Counts, direction: int) -> float:
    """Estimate the correlation of the successes of one position, from χ² of the best curve.

    Each squared residual of n trials is 1 + (n − 1) ρ on average, less what the fit takes.
    """
    squares, trials = residuals_of(fit, counts, direction)
    freedom = squares.size - FREE
    more = float((trials - 1).sum())
    if freedom < 1 or more <= 0:
        return 0.0
    excess = squares.sum() * squares.size / freedom - squares.size
    return float(min(max(excess / more, 0.0), 1.0))


def residuals_of(fit: Fitted, counts: Counts, direction: int) -> Residuals:
    """Give the residuals of the cells that vary; a cell is a position, or several with few trials.

    Of a cell of several, `trials` is their mean, weighted with their variances.
    """
    lapse, middle, log_scale = fit.best
    t = np.log(counts.x) if fit.model.is_log else counts.x
    u = direction * (t - middle) / math.exp(log_scale)
    expected = counts.n * (1 - lapse) * fit.model.link.parts(u).value
    variance = expected * (1 - expected / np.maximum(counts.n, 1))
    cell = _cells(counts.n, variance)
    total = np.bincount(cell, variance)
    used = total > np.where(np.bincount(cell) > 1, TOGETHER / 2, LEAST_VARIANCE)
    left = np.bincount(cell, counts.k - expected)[used]
    trials = np.bincount(cell, counts.n * variance)[used] / total[used]
    return Residuals(left**2 / total[used], trials)


def _cells(trials: Floats, variance: Floats) -> NDArray[np.int64]:
    """Number the cells: a position with enough trials, or neighbours with few."""
    cell, number, gathered = np.zeros(trials.size, dtype=np.int64), 0, 0.0
    for at, (count, more) in enumerate(zip(trials.tolist(), variance.tolist(), strict=True)):
        if at and (count >= FEW or trials[at - 1] >= FEW or gathered >= TOGETHER):
            number, gathered = number + 1, 0.0
        cell[at] = number
        gathered += more
    return cell
