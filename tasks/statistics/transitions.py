"""Fit the 50 % point, the 10 and 90 % points and the width of a success transition."""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from .counts import Counts, checked_floor, counts_of
from .goodness import goodness_of_fit, spread_of
from .intervals import DECIDED, DECISION_LEVEL, checked_level, wilson_interval
from .links import Floats
from .mixture import Mixture
from .outcomes import (
    ABOVE,
    BELOW,
    INSIDE,
    LOW_CEILING,
    OUTSIDE,
    REJECTED,
    flag_of,
    outcome_of,
)
from .posterior import DEFAULT_DIRECTION, MARGIN, TIE, direction_evidence, posterior

DOUBTED = 0.1  # p-value of the χ² test below which successes may vary more than binomial counts
EXPECTED = DECIDED  # log prior odds of the direction in which success should change
SCATTERS = ("auto", "binomial", "beta-binomial")
REFITS = 2  # of a beta-binomial fit: the dispersion is estimated from the curve that it changes
# What needs successes, failures and two positions.
ENDS = ("", "_low", "_high")
SHAPE = ("p10", "p90", "width", "log_width", "ceiling")


@dataclass(frozen=True)
class Transition:
    """A fitted transition; positions and widths in units of the positions.

    Attributes:
        p50: posterior median of where success is 50 %, between p50_low and p50_high.
        p10: the same of 10 %.
        p90: the same of 90 %; infinite where success levels off below.
        width: posterior median of the length on which success goes from 10 to 90 % of its ceiling.
        log_width: the same of the logarithm of the ratio of both positions; infinite or NaN where
            one of them may not be positive.
        ceiling: posterior median of the level 1 − δ that success ends at, at least ½.
        direction: +1 where success rises with the position, −1 where it falls.
        trials: number of trials fitted.
        evidence: log Bayes factor of rising over falling, in nats; 0 where every outcome is equal.
        shape: the most probable link and scale of the axis, such as "cloglog, log".
        shape_weight: its posterior probability.
        fit_p: p-value of the χ² test of the best curve of binomial counts; NaN if it cannot be
            tested.
        dispersion: factor by which successes vary more than binomial counts; 1 if that was not
            asked for and the χ² test does not ask for it (p < .1).
        flag: what limits the fit, words with commas. "no-trials": the fit is the prior's range.
            "never": see `outcome`. "outside-grid": the 50 % point is outside the positions;
            "leaves-grid": its interval is partly outside. "low-ceiling": success may level off
            below 55 %, so that there may be no 50 % point. "misfit": no shape fits (χ², p < .01);
            the intervals allow for the larger scatter. Only alone: "against-direction": the
            outcomes support the other direction, at more than 20 : 1. "resolution-limited": the
            interval and the whole 10–90 % width fit into one gap, so a finer grid helps more than
            further trials (the width is then largely the prior's).
        outcome: where the 50 % point is: "inside" the positions, "below" or "above" them;
            "never", where no position's upper Wilson bound reaches ½; "no-trials".
    """

    p50: float
    p50_low: float
    p50_high: float
    p10: float
    p10_low: float
    p10_high: float
    p90: float
    p90_low: float
    p90_high: float
    width: float
    width_low: float
    width_high: float
    log_width: float
    log_width_low: float
    log_width_high: float
    ceiling: float
    ceiling_low: float
    ceiling_high: float
    direction: int
    trials: int
    evidence: float
    shape: str
    shape_weight: float
    fit_p: float
    dispersion: float
    flag: str
    outcome: str = INSIDE


@np.errstate(under="ignore")
def fit_transition(
    positions: ArrayLike,
    successes: ArrayLike,
    trials: ArrayLike,
    *,
    direction: int | None = None,
    expected: int | None = None,
    floor: float | None = None,
    scatter: str = "auto",
    draws: ArrayLike | None = None,
    level: float = 0.95,
) -> Transition:
    """Fit a transition with a ceiling to success counts, averaged over shapes of the curve.

    Success at t has probability (1 − δ) F(±(t − c)/s), δ < ½, and crosses 50 % at
    p = c ± s F⁻¹(½/(1 − δ)). F is the distribution function of the links logit, cloglog or loglog;
    t is the position, or its logarithm where all positions are positive. All six are fitted on
    grids, and averaged by their evidence. A priori, c is flat over the range of the positions and
    half a span beyond on either side, log s is flat between the scales of 0.001 smallest gaps and
    of 2 spans (a single position x counts as a span of |x|, or of 1 at 0), δ is 0 with probability
    ½, else of density 4(1 − 2δ), and p is not below the floor, at which the 10 and the 90 % point
    are cut too. Positions without trials are ignored, repeated ones are pooled; they can be in any
    order. Of more than 500 distinct ones, neighbours are pooled at their mean.

    Args:
        positions: x, shape (p,), p ≥ 1.
        successes: k, shape (p,).
        trials: n, shape (p,).
        direction: +1 or −1 fixes it.
        expected: +1 or −1, the direction that is probable before any trial, at 20 : 1; if it is not
            given either, the outcomes decide alone, and +1 wins a tie.
        floor: lower bound of the points; 0 if the positions are counts, for example.
        scatter: "binomial"; "beta-binomial" allows successes of one position to vary together;
            "auto" does so where no shape fits.
        draws: where all positions share their draws, the numbers of draws with 0, 1 … p failures,
            shape (p + 1,). Each draw then counts once, for the position from which on it succeeds.
        level: posterior probability of the central intervals.

    Returns:
        The posterior's summary, whatever the outcome; never NaN but for `log_width` and `fit_p`.
        `known_part` keeps only what the outcomes determine.

    Raises:
        ValueError: shapes differ, not 0 ≤ k ≤ n, or a position is not finite.

    Source: Kuss, Jäkel & Wichmann, J. Vision 5 (2005) 478–492, on grids instead of by sampling.
    """
    fitted = _Fit(positions, successes, trials, direction, expected, floor, scatter, draws)
    return fitted.summary(level)


@np.errstate(under="ignore")
def known_part(
    positions: ArrayLike,
    successes: ArrayLike,
    trials: ArrayLike,
    *,
    direction: int | None = None,
    expected: int | None = None,
    floor: float | None = None,
    scatter: str = "auto",
    draws: ArrayLike | None = None,
    evidence: float | None = None,
    level: float = 0.95,
) -> Transition:
    """Fit a transition and keep what the outcomes determine; the rest is NaN.

    The arguments and the errors are those of `fit_transition`; `evidence` is the log Bayes factor
    of rising over falling success, if the caller knows it and the direction. The 50 % point is kept
    where it is inside the positions, without an end of its interval that depends on the prior only.
    Where it is below or above them one bound is kept, p50_high or p50_low, which is no nearer than
    the first or the last position. Other points, width and ceiling need successes and failures, and
    two positions; the 10 and the 90 % point are kept only inside the positions.
    """
    fitted = _Fit(positions, successes, trials, direction, expected, floor, scatter, draws)
    if evidence is not None:
        fitted.evidence = evidence
    fit, x, unknown = fitted.summary(level), fitted.counts.x, math.nan
    low_open, high_open = fitted.ends_open((1 - level) / 2)
    low = unknown if low_open else fit.p50_low
    high = unknown if high_open else fit.p50_high
    if fit.outcome == BELOW:
        low, high = unknown, float(np.maximum(high, x[0]))
    elif fit.outcome == ABOVE:
        low, high = float(np.minimum(low, x[-1])), unknown
    elif fit.outcome != INSIDE:
        low = high = unknown
    # With one position and half of its trials successful, the median is largely the prior's.
    inside = float(np.clip(fit.p50, x[0], x[-1]))
    fit = replace(fit, p50_low=low, p50_high=high, p50=inside if fit.outcome == INSIDE else unknown)
    varied = 0 < fitted.counts.k.sum() < fitted.counts.n.sum() and x.size > 1
    if not (fit.outcome in (INSIDE, *OUTSIDE) and varied):
        lost = {f"{name}{end}": unknown for name in SHAPE for end in ENDS}
    else:
        lost = _outside(fit, float(x[0]), float(x[-1]), fitted.floor)
        lost |= {
            f"log_width{end}": unknown
            for end in ENDS
            if math.isinf(getattr(fit, f"log_width{end}"))
        }
    return Transition(**vars(fit) | lost)


def _outside(fit: Transition, first: float, last: float, floor: float) -> dict[str, float]:
    """Name what is not known of the 10 and 90 % points, as NaN.

    A point is known inside the positions, and an end of its interval inside the prior's range and
    above the floor.
    """
    lost: dict[str, float] = {}
    reach = MARGIN * (last - first)
    lowest = max(first - reach, floor)
    for name in ("p10", "p90"):
        best, *ends = (getattr(fit, f"{name}{end}") for end in ENDS)
        is_inside = first <= best <= last
        known = [is_inside, *(is_inside and lowest < end < last + reach for end in ends)]
        lost |= {
            f"{name}{end}": math.nan for end, kept in zip(ENDS, known, strict=True) if not kept
        }
    return lost


def decided_direction(evidence: float, expected: int | None) -> tuple[int, bool]:
    """Give the direction that outcomes support, and whether they leave it open.

    An expected direction stands until the outcomes alone have odds of 20 : 1 against it, when it is
    open. It is given up where they also outweigh its prior odds.

    Args:
        evidence: log Bayes factor of rising over falling, of all outcomes together.
        expected: +1 or −1, the direction that is probable before any trial.
    """
    if expected is None:
        return int(np.sign(evidence)) or DEFAULT_DIRECTION, abs(evidence) < DECIDED - TIE
    against = -expected * evidence
    if against - EXPECTED >= DECIDED - TIE:
        return -expected, False
    return expected, against >= DECIDED - TIE


class _Fit:
    """The fit of one group: its counts, direction and posterior."""

    def __init__(
        self,
        positions: ArrayLike,
        successes: ArrayLike,
        trials: ArrayLike,
        direction: int | None,
        expected: int | None,
        floor: float | None,
        scatter: str,
        draws: ArrayLike | None,
    ):
        if scatter not in SCATTERS:
            raise ValueError(f"scatter is {scatter!r}; it must be one of {', '.join(SCATTERS)}.")
        for name, given in (("direction", direction), ("expected", expected)):
            if given not in (None, 1, -1):
                raise ValueError(f"{name} is {given!r}; it must be +1, −1 or None.")
        self.counts = counts_of(positions, successes, trials, draws)
        self.floor = checked_floor(floor, self.counts)
        self.direction = direction or decided_direction(self.evidence, expected)[0]
        self.dispersion, self.fit_p = 1.0, math.nan
        self._weigh(self.counts)
        if draws is None:
            self._allow_for_scatter(scatter)

    def _allow_for_scatter(self, scatter: str) -> None:
        """Test the best curve of independent trials, and widen the posterior if that is asked."""
        self.fit_p = goodness_of_fit(self.mixture.best, self.counts, self.direction)
        if scatter == "beta-binomial" or (scatter == "auto" and self.fit_p < DOUBTED):
            self._widen()

    @cached_property
    def evidence(self) -> float:
        """Log Bayes factor of rising over falling success."""
        return direction_evidence(self.counts, self.floor)

    def _weigh(self, counts: Counts) -> None:
        self.mixture = Mixture(
            posterior(counts, self.direction, self.floor), self.direction, counts.x
        )

    def _widen(self) -> None:
        """Divide each position's counts by its variance over the binomial one.

        Of a beta-binomial count of n trials with correlation ρ that is 1 + (n − 1) ρ.
        """
        x, k, n, _ = self.counts
        for _ in range(REFITS):
            shared = spread_of(self.mixture.best, self.counts, self.direction)
            factors = 1 + (n - 1) * shared
            self.dispersion = float((n * factors).sum() / n.sum())
            self._weigh(Counts(x, k / factors, n / factors))

    def summary(self, level: float) -> Transition:
        """Give medians, central intervals, outcome and flag."""
        tails = np.array([0.5, (1 - checked_level(level)) / 2, (1 + level) / 2])
        mixture, counts = self.mixture, self.counts
        found = {
            "p50": mixture.points(0.5, tails),
            "p10": np.maximum(mixture.points(0.1, tails), self.floor),
            "p90": np.maximum(mixture.points(0.9, tails), self.floor),
            "width": mixture.widths(tails),
            "log_width": mixture.log_widths(tails),
            "ceiling": 1 - mixture.lapses(tails)[[0, 2, 1]],
        }
        values = {
            f"{name}{end}": float(value)
            for name, three in found.items()
            for end, value in zip(ENDS, three, strict=True)
        }
        _, upper = wilson_interval(counts.k, counts.n, DECISION_LEVEL)
        centre = found["p50"]
        outcome = outcome_of(counts, self.direction, float(centre[0]), upper)
        flag = flag_of(
            counts,
            outcome,
            centre,
            float(found["width"][0]),
            may_stay_low=mixture.below(LOW_CEILING) > (1 - DECISION_LEVEL) / 2,
            against=-self.direction * self.evidence,
            fits=not self.fit_p < REJECTED,
        )
        best = mixture.best.model
        return Transition(
            **values,
            direction=self.direction,
            trials=int(counts.n.sum()),
            evidence=self.evidence,
            shape=f"{best.link.name}, {'log' if best.is_log else 'linear'}",
            shape_weight=float(mixture.weights.max()),
            fit_p=self.fit_p,
            dispersion=self.dispersion,
            flag=flag,
            outcome=outcome,
        )

    def ends_open(self, tail: float) -> tuple[bool, bool]:
        """Tell whether the prior, not the outcomes, ends the posterior of the 50 % point."""
        return self.mixture.ends_open(tail, self.floor)


@np.errstate(under="ignore")
def fit_with_curves(
    counts: Counts, *, direction: int | None, expected: int | None, floor: float | None
) -> tuple[Transition, Mixture]:
    """Fit a transition, and give its posterior; of a given direction no evidence is computed."""
    fitted = _Fit(*counts[:3], direction, expected, floor, "binomial", None)
    if direction is not None:
        fitted.evidence = 0.0
    return fitted.summary(0.95), fitted.mixture


@np.errstate(under="ignore")
def centre_quantiles(
    positions: ArrayLike,
    successes: ArrayLike,
    trials: ArrayLike,
    levels: ArrayLike,
    *,
    direction: int,
    floor: float | None = None,
    scatter: str = "auto",
    draws: ArrayLike | None = None,
) -> Floats:
    """Give quantiles of the posterior of the 50 % point, in units of the positions.

    The other arguments and the errors are those of `fit_transition`; `levels` are probabilities of
    shape (l,), and so is the result. Without trials it is the prior's.
    """
    fitted = _Fit(positions, successes, trials, direction, None, floor, scatter, draws)
    return fitted.mixture.points(0.5, np.asarray(levels, dtype=float))


@np.errstate(under="ignore")
def curve_band(
    at: ArrayLike,
    positions: ArrayLike,
    successes: ArrayLike,
    trials: ArrayLike,
    *,
    direction: int,
    floor: float | None = None,
    scatter: str = "auto",
    draws: ArrayLike | None = None,
    level: float = 0.95,
) -> tuple[Floats, Floats, Floats]:
    """Give the curve and its band: median and central interval of success at each of `at`.

    The other arguments and the errors are those of `fit_transition`; `at` has shape (a,), and so
    have median, low and high.
    """
    tails = np.array([0.5, (1 - checked_level(level)) / 2, (1 + level) / 2])
    mixture = _Fit(positions, successes, trials, direction, None, floor, scatter, draws).mixture
    values = [mixture.success_at(float(x), tails) for x in np.asarray(at, dtype=float).ravel()]
    middle, low, high = np.reshape(values, (-1, 3)).T
    return middle, low, high
