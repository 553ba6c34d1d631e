"""Outcomes of a group: successes and trials at each position."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .intervals import checked_counts
from .links import Floats

MOST_POSITIONS = 500  # distinct ones that a fit takes: its time grows with their number


class Counts(NamedTuple):
    """Sorted distinct positions x, with trials n and successes k at each; shapes (p,).

    `draws` is given where all positions share their draws: the numbers of draws with 0, 1 … p
    failures, shape (p + 1,). A draw is then one observation, of the position from which on it
    succeeds.
    """

    x: Floats
    k: Floats
    n: Floats
    draws: Floats | None = None


def checked_draws(draws: ArrayLike, counts: Counts) -> Floats:
    """Return numbers of draws; refuse those that are no counts, or not one more than positions."""
    numbers = np.asarray(draws, dtype=float)
    if numbers.shape != (counts.x.size + 1,) or not (numbers >= 0).all():
        raise ValueError(
            f"draws has shape {numbers.shape}; give a number for each of 0 … {counts.x.size} "
            "failures, none of them negative."
        )
    return numbers


def tried(
    positions: ArrayLike, successes: ArrayLike, trials: ArrayLike, most: int | None = MOST_POSITIONS
) -> Counts:
    """Check the input, pool repeated positions, sort, and drop those without trials if any ran.

    Args:
        positions: x, shape (p,).
        successes: k, shape (p,).
        trials: n, shape (p,).
        most: of more distinct positions, neighbours are pooled at their mean, so that so many are
            left; None pools none.

    Raises:
        ValueError: shapes differ, not 0 ≤ k ≤ n, or a position is not finite.
    """
    x = np.asarray(positions, dtype=float)
    k, n = checked_counts(successes, trials)
    if not x.shape == np.shape(successes) == np.shape(trials) or x.ndim != 1 or not x.size:
        shapes = f"{x.shape}, {np.shape(successes)} and {np.shape(trials)}"
        raise ValueError(
            f"positions, successes and trials have shapes {shapes}; "
            "give three equally long lists with at least one entry."
        )
    if not np.isfinite(x).all():
        where = int(np.flatnonzero(~np.isfinite(x))[0])
        raise ValueError(f"positions[{where}] is {x[where]}; every position must be finite.")
    if n.any():
        x, k, n = x[n > 0], k[n > 0], n[n > 0]
    distinct, index = np.unique(x, return_inverse=True)
    k, n = (np.bincount(index, weights=c).astype(np.float64) for c in (k, n))
    if most is None or distinct.size <= most:
        return Counts(distinct, k, n)
    first = np.arange(most) * distinct.size // most
    k, n, size = (np.add.reduceat(c, first) for c in (k, n, np.ones(distinct.size)))
    return Counts(np.add.reduceat(distinct, first) / size, k, n)
