"""Outcomes of a group: successes and trials at each position."""

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .intervals import checked_counts
from .links import Floats

if TYPE_CHECKING:
    import xarray as xr

MOST_POSITIONS = 500  # distinct ones that a fit takes: its time grows with their number
NEAR = 1e-9  # positions that differ by less than this, relative to their size, are one
SMALLEST, LARGEST = 1e-100, 1e100  # sizes of positions, so that no step overflows
MOST_TRIALS = 2.0**53  # at a position; more are not exact as floats


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
        ValueError: shapes differ, counts are not whole numbers 0 ≤ k ≤ n, or a position is not a
            finite number of ordinary size.
    """
    x = _checked_positions(positions)
    k, n = checked_counts(successes, trials)
    if not x.shape == np.shape(successes) == np.shape(trials) or x.ndim != 1 or not x.size:
        shapes = f"{x.shape}, {np.shape(successes)} and {np.shape(trials)}"
        raise ValueError(
            f"positions, successes and trials have shapes {shapes}; "
            "give three equally long lists with at least one entry."
        )
    for name, counts in (("successes", k), ("trials", n)):
        odd = (counts != np.floor(counts)) | (counts > MOST_TRIALS)
        if odd.any():
            where = int(np.flatnonzero(odd)[0])
            raise ValueError(f"{name}[{where}] is {counts[where]:g}; give whole numbers below 2⁵³.")
    if n.any():
        x, k, n = x[n > 0], k[n > 0], n[n > 0]
    distinct, index = np.unique(x, return_inverse=True)
    size = np.maximum(np.abs(distinct[1:]), np.abs(distinct[:-1]))
    is_new = np.append(True, np.diff(distinct) > NEAR * size)
    distinct, index = distinct[is_new], (np.cumsum(is_new) - 1)[index]
    k, n = (np.bincount(index, weights=c).astype(np.float64) for c in (k, n))
    if most is None or distinct.size <= most:
        return Counts(distinct, k, n)
    return pooled(Counts(distinct, k, n), np.arange(most) * distinct.size // most)


def counts_of(
    positions: ArrayLike, successes: ArrayLike, trials: ArrayLike, draws: ArrayLike | None
) -> Counts:
    """Check the input as `tried` does; where positions share their draws, none are pooled.

    Args:
        positions: x, shape (p,).
        successes: k, shape (p,).
        trials: n, shape (p,).
        draws: the numbers of draws with 0, 1 … p failures, or None if no draws are shared.
    """
    if draws is None:
        return tried(positions, successes, trials)
    counts = tried(positions, successes, trials, None)
    return counts._replace(draws=checked_draws(draws, counts))


def pooled(counts: Counts, first: NDArray[np.int64]) -> Counts:
    """Pool neighbouring positions at their mean.

    Args:
        counts: without `draws`.
        first: indices of the first position of each pool, increasing from 0.
    """
    x, k, n, _ = counts
    weight = np.maximum(n, 1)
    middle = np.add.reduceat(x * weight, first) / np.add.reduceat(weight, first)
    return Counts(middle, *(np.add.reduceat(c, first) for c in (k, n)))


def _checked_positions(positions: ArrayLike) -> Floats:
    """Return positions as floats; refuse what is no finite number of ordinary size."""
    given = np.asarray(positions)
    if given.dtype.kind not in "biufO":
        raise ValueError(f"positions have dtype {given.dtype}; give numbers.")
    x = given.astype(float)
    if not np.isfinite(x).all():
        where = int(np.flatnonzero(~np.isfinite(x))[0])
        raise ValueError(f"positions[{where}] is {x.flat[where]}; every position must be finite.")
    size = np.abs(x)
    wrong = (size > LARGEST) | ((size < SMALLEST) & (size > 0))
    if wrong.any():
        where = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"positions[{where}] is {x.flat[where]:g}; choose units in which positions other than "
            f"0 are between {SMALLEST:g} and {LARGEST:g} in size."
        )
    return x


def checked_floor(floor: float | None, counts: Counts) -> float:
    """Return a lower bound of the 50 % point, −∞ for None; refuse one above a position."""
    if floor is None:
        return -math.inf
    if np.asarray(floor).dtype.kind not in "iuf":
        raise ValueError(f"floor is {floor!r}; it must be a number.")
    if not floor <= counts.x[0]:
        raise ValueError(
            f"floor is {floor:g}; it must not be above the smallest position, {counts.x[0]:g}."
        )
    return float(floor)


def counts_by_cell(success: "xr.DataArray") -> tuple["xr.DataArray", "xr.DataArray"]:
    """Count the successes, and the trials that ran, over the dimension "trial"."""
    return (success == 1).sum("trial"), success.notnull().sum("trial")


def checked_outcomes(success: object) -> "xr.DataArray":
    """Load outcomes; refuse what is not 1, 0 or NaN (not run), or lacks the dimension "trial".

    Raises:
        TypeError: they are no DataArray.
        ValueError: the message names the first such value.
    """
    import xarray as xr

    if not isinstance(success, xr.DataArray):
        kind = type(success).__name__
        raise TypeError(f"success is a {kind}; give a DataArray, such as dataset['success'].")
    if "trial" not in success.dims:
        placed = "; its trials are placed: use over_values" if "probe" in success.dims else ""
        raise ValueError(f"success has dims {success.dims}, not 'trial'{placed}.")
    success = success.compute()
    wrong = success.notnull().values & ~np.isin(success.values, [0, 1])
    if wrong.any():
        found = success.values[wrong][0]
        shown = repr(str(found)) if isinstance(found, str) else found
        raise ValueError(f"success holds {shown}; it must be 1, 0 or NaN where not run.")
    return success
