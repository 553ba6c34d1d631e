"""What a fitted transition shows: where its 50 % point is, and what limits it."""

import numpy as np

from .counts import Counts
from .intervals import DECIDED
from .links import Floats

INSIDE, BELOW, ABOVE, NEVER, NO_TRIALS = "inside", "below", "above", "never", "no-trials"
EXCLUDED = "excluded"  # a group that the rules of a sweep leave out
OUTSIDE = (BELOW, ABOVE)
AGAINST, MISFIT = "against-direction", "misfit"
REJECTED = 0.01  # p-value of the χ² test below which a curve does not fit
LOW_CEILING = 0.55  # if a ceiling may be lower, there may be no 50 % point
ONE_GAP = 1.1  # an interval up to this many gaps long counts as one gap


def outcome_of(counts: Counts, direction: int, median: float, upper: Floats) -> str:
    """Tell where the 50 % point of a curve is, relative to the positions that were run.

    Args:
        counts: of the positions with trials, if there are any.
        direction: +1 or −1.
        median: of the posterior of the 50 % point.
        upper: Wilson's upper bounds of success, one for each position.

    Returns:
        "no-trials"; "never", where no upper bound reaches one half; "below" or "above", where the
        median is outside the positions; "inside". With a single position, or where all trials
        have one outcome, the share of successes decides the side.
    """
    x, wins, total = counts.x, counts.k.sum(), counts.n.sum()
    if not total:
        return NO_TRIALS
    if upper.max() < 0.5:
        return NEVER
    if wins in (0, total) or x.size == 1:
        side = np.sign(total - 2 * wins) * direction
    else:
        side = (median > x[-1]) - int(median < x[0])
    return INSIDE if side == 0 else (ABOVE if side > 0 else BELOW)


def flag_of(
    counts: Counts,
    outcome: str,
    centre: Floats,
    width: float,
    *,
    may_stay_low: bool,
    against: float,
    fits: bool,
) -> str:
    """Name what limits a fit, with commas; "" if nothing does.

    Args:
        counts: the outcomes that were fitted.
        outcome: from `outcome_of`.
        centre: median, low and high of the 50 % point.
        width: median of the width.
        may_stay_low: whether the ceiling may be below 55 %.
        against: log Bayes factor against the direction of the fit.
        fits: whether the χ² test does not reject the curve.
    """
    if outcome in (NEVER, NO_TRIALS):
        return outcome
    if against >= DECIDED:
        return AGAINST  # everything else in the fit follows from that
    x, (median, low, high) = counts.x, centre
    varied = 0 < counts.k.sum() < counts.n.sum()
    words = []
    if outcome in OUTSIDE:
        words.append("outside-grid")
    elif low < x[0] or high > x[-1]:
        words.append("leaves-grid")
    if varied and x.size > 1 and may_stay_low:
        words.append("low-ceiling")
    if not fits:
        words.append(MISFIT)
    if words:
        return ", ".join(words)
    right = min(max(int(np.searchsorted(x, median)), 1), x.size - 1)
    gap = x[right] - x[right - 1]
    return "resolution-limited" if max((high - low) / ONE_GAP, width) <= gap else ""
