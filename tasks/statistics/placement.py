"""Where to run the next trials, so that few of them determine a 50 % point.

Trials are placed in rounds. The first covers the range evenly in the logarithm. Each later one
takes draws from the posterior of the curve, spread evenly over its 50 % point, and places a trial
half a logistic scale to one side of each, where trials tell most. Some trials, the anchors, are
placed far on the side of success: if success levels off below 1, only these show it, and without
them the 50 % point would be biased.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...sweeps.placing import BATCH
from .counts import Counts, pooled, tried
from .links import Floats
from .mixture import Mixture
from .outcomes import ABOVE, BELOW, INSIDE, NEVER
from .posterior import rough_curve
from .transitions import Transition, fit_with_curves

GROWTH = 3  # a round has a third of the trials before it, if that is more than a batch
LEAST = 48  # trials before a precision counts: with fewer, intervals hold the truth too rarely
LEAST_OUTSIDE = 32  # trials before a group ends because its 50 % point is outside
TAILS = (0.001, 0.999)
# Times the 95 % interval. A normal posterior has 1.6. Groups of a real sweep had 1.6 to 2.1 when
# their interval was narrow enough, and the one whose 50 % point was wrong had 4.
LONGEST_TAILS = 2.5
BESIDE = 0.5  # distance of a trial from the drawn 50 % point, in logistic scales
ANCHORS = 8  # every eighth trial of a round is an anchor
BEYOND = (3.0, 8.0)  # distance of the anchors, in logistic scales
FEW = 20  # distinct positions that are fitted as they are
NEAR = 0.25  # width of a pool of positions, in logistic scales
COST = 5.5  # c of `predicted_trials`
KNOWN, MOST = "known", "most"


def round_size(trials: int) -> int:
    """Give the number of trials of the next round, after so many trials; whole batches."""
    return BATCH * max(1, trials // (GROWTH * BATCH))


def first_round(values: ArrayLike, count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Place trials evenly over the logarithm of a range; evenly over the range if it has 0.

    Args:
        values: whole numbers that may be placed, increasing, shape (v,).
        count: number of trials.
        random: the stream of this round.

    Returns:
        Values, increasing, shape (count,).
    """
    known = np.asarray(values, dtype=np.int64)
    first, last = float(known[0]), float(known[-1])
    shares = (np.arange(count) + random.uniform(size=count)) / count
    if first > 0:
        return _nearest(known, first * (last / first) ** shares)
    return _nearest(known, first + (last - first) * shares)


class Seen(NamedTuple):
    """What the trials of a group say so far.

    Attributes:
        fit: its 50 % point.
        curves: the posterior of its curve.
    """

    fit: Transition
    curves: Mixture

    @property
    def has_short_tails(self) -> bool:
        """Whether the 99.8 % interval of the 50 % point is not far wider than the 95 % one.

        After some unlucky outcomes a steep step with a low ceiling may seem far likelier than the
        true curve. Its 50 % point is known to a few per cent, but that of the true curve, which may
        lie far off, is still in the tails.
        """
        low, high = self.curves.points(0.5, np.array(TAILS))
        return bool(high - low <= LONGEST_TAILS * (self.fit.p50_high - self.fit.p50_low))


def seen(
    positions: ArrayLike,
    succeeded: ArrayLike,
    *,
    direction: int | None = None,
    expected: int | None = None,
    floor: float | None = None,
) -> Seen:
    """Fit the trials of a group; neighbouring positions are pooled, as their number costs time.

    Args:
        positions: where each trial was run, shape (t,).
        succeeded: whether it succeeded, shape (t,).
        direction: as for `fit_transition`.
        expected: as for `fit_transition`.
        floor: as for `fit_transition`.
    """
    wins = np.asarray(succeeded, dtype=float)
    counts = tried(np.asarray(positions, dtype=float), wins, np.ones(wins.shape))
    counts = _pooled(counts, (1, -1) if direction is None else (direction,))
    return Seen(*fit_with_curves(counts, direction=direction, expected=expected, floor=floor))


def next_round(
    known: Seen, values: ArrayLike, count: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Place trials by the posterior of the curve.

    Args:
        known: the trials so far.
        values: whole numbers that may be placed, increasing, shape (v,).
        count: number of trials.
        random: the stream of this round.

    Returns:
        Values in no order, shape (count,); a trial beyond the range is placed at its end.
    """
    drawn = known.curves.draws((np.arange(count) + random.uniform()) / count)
    side = np.where(np.arange(count) % 2 == int(random.integers(2)), BESIDE, -BESIDE)
    anchors = np.arange(count) % ANCHORS == int(random.integers(ANCHORS))
    side[anchors] = known.fit.direction * random.uniform(*BEYOND, size=int(anchors.sum()))
    return _nearest(np.asarray(values, dtype=np.int64), drawn.beside(side))


def ending(known: Seen, precision: float, values: ArrayLike) -> str:
    """Say why a group needs no further trial: "known", or its outcome; "" if it needs some.

    Args:
        known: all its trials.
        precision: half-width of the interval of the 50 % point, over the 50 % point.
        values: whole numbers that may be placed, increasing.
    """
    fit, (first, last) = known.fit, np.asarray(values)[[0, -1]]
    if fit.trials >= LEAST_OUTSIDE:
        if fit.outcome == NEVER:
            return NEVER
        if fit.p50_low >= last or (fit.outcome == ABOVE and fit.p50_low >= 0.98 * last):
            return ABOVE
        if fit.p50_high <= first:
            return BELOW
    is_enough = fit.outcome == INSIDE and fit.trials >= LEAST and achieved(fit) <= precision
    return KNOWN if is_enough and known.has_short_tails else ""


def achieved(fit: Transition) -> float:
    """Give the half-width of the interval of the 50 % point over the 50 % point; ∞ outside."""
    if fit.outcome != INSIDE or not fit.p50:
        return math.inf
    return (fit.p50_high - fit.p50_low) / 2 / abs(fit.p50)


def predicted_trials(log_scale: float, precision: float) -> int:
    """Predict the trials that a group needs: (5.5 s/precision)², and at least `LEAST`.

    Few trials are somewhat more, 105 instead of 78 for s = 0.08 at 5 %. A ceiling of 0.9 takes 1.5
    times as many, one of 0.8 takes 2.5 times.

    Args:
        log_scale: the logistic scale s of the curve in the logarithm of the axis.
        precision: half-width of the interval over the 50 % point.

    Source: simulated, by `genprior bench adaptive` (its "constant").
    """
    return max(LEAST, math.ceil((COST * log_scale / precision) ** 2))


def _pooled(counts: Counts, directions: tuple[int, ...]) -> Counts:
    """Pool positions of which the curve differs little: within ¼ s of each other near its middle.

    Further away pools are wider, in proportion to the distance. The first and the last position
    stay, as they decide whether the 50 % point is outside.
    """
    if counts.x.size <= FEW:
        return counts
    t, middle, scale = rough_curve(counts, directions)
    pools = np.floor(np.arcsinh((t - middle) / scale) / NEAR)
    pools[[0, -1]] += (-1, 1)
    return pooled(counts, np.flatnonzero(np.diff(pools, prepend=-np.inf) > 0))


def _nearest(values: NDArray[np.int64], wanted: Floats) -> NDArray[np.int64]:
    """Give the nearest of some increasing values to each number."""
    wanted = np.clip(wanted, values[0], values[-1])
    above = np.clip(np.searchsorted(values, wanted), 1, values.size - 1)
    lower = wanted - values[above - 1] <= values[above] - wanted
    return np.asarray(np.where(lower, values[above - 1], values[above]))
