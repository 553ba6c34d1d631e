"""Checked counts and levels, and Wilson's interval of a success probability."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from .links import Floats

DECISION_LEVEL = 0.95  # of what is decided, such as "never", whatever level is reported
DECIDED = math.log(20)  # log odds, of 20 : 1, from which on a direction or a law is decided


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
    k, n = checked_counts(successes, trials)
    z = float(ndtri((1 + checked_level(level)) / 2))
    centre = (k + z**2 / 2) / (n + z**2)
    half = z * np.sqrt(k * (n - k) / np.maximum(n, 1) + z**2 / 4) / (n + z**2)
    low = np.where(k == 0, 0.0, np.maximum(centre - half, 0))
    high = np.where(k == n, 1.0, np.minimum(centre + half, 1))
    return low, high


def checked_counts(successes: ArrayLike, trials: ArrayLike) -> tuple[Floats, Floats]:
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
    if not (level > 0 and (1 + level) / 2 < 1):
        raise ValueError(f"level is {level}; it must lie between 0 and 1, for example 0.95.")
    return level
