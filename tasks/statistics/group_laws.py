"""A law of the thresholds of groups, from counts: which groups enter it, and which terms it has."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from .counts import Counts
from .intervals import DECISION_LEVEL, wilson_interval
from .links import Floats
from .outcomes import AGAINST, EXCLUDED, NO_TRIALS
from .posterior import Booleans
from .regression import Regression, regress
from .thresholds import Integers, Thresholds, fit_thresholds

CONSTANT = "constant"
# Why a group is left out, with those of `outcomes`.
NO_TERM, NO_SUCCESS, NO_FAILURE = "no-term", "no-success", "no-failure"
BARELY_SEEN, OWN_CURVE = "barely-seen", "own-curve"
REASONS = {
    NO_TRIALS: "no trials",
    NO_TERM: "a term has no value",
    NO_SUCCESS: "no success, so that 50 % is beyond the values",
    NO_FAILURE: "no failure, so that 50 % is beyond the values",
    AGAINST: "success that changes against the direction",
    BARELY_SEEN: "too little of the curve among the values",
    OWN_CURVE: "no 50 % among the values, and a curve unlike those of the other groups",
}
MOST_ERROR = 1.0  # standard error of a threshold that enters, in scales of its curve
CONTRARY = 10.8  # χ² of a trend against the direction, p = 0.001
UNLIKE = 1e-4  # p-value of a deviance from which on a partly seen curve is unlike the others


ALIKE = 1e-6  # part of a term below which it does not differ
LARGEST = 1e6  # size of a term, which is a logarithm or a small number


class TermsError(ValueError):
    """Terms whose exponents the groups cannot tell apart.

    Attributes:
        terms: names of terms, of which the last follows from the others; empty for one that does
            not vary.
    """

    def __init__(self, message: str, terms: Sequence[str] = ()):
        super().__init__(message)
        self.terms = tuple(terms)


class GroupLaw(NamedTuple):
    """A fitted law of thresholds.

    Attributes:
        regression: of the logarithms of the thresholds on the terms.
        thresholds: of the groups that enter.
        used: indices of these groups.
        reasons: why a group is left out, a key of `REASONS`, or ""; one for each group.
    """

    regression: Regression
    thresholds: Thresholds
    used: list[int]
    reasons: list[str]


def fit_law_of_groups(
    counted: Sequence[Counts],
    columns: Mapping[str, Floats],
    slopes: Sequence[str] = (),
    direction: int = 1,
    level: float = 0.95,
    asked: Booleans | None = None,
) -> GroupLaw:
    """Fit the law to counts; the arguments are those of `fit_scaling`, a value for each group.

    Groups that are not `asked` for are no part of the law; all are if it is None.

    A group enters if success crosses one half between two of its positions, or if its threshold is
    known within the scale of its curve. The shared slopes and ceilings give this also for a curve
    of which only one side is seen: to leave such groups out would select those that scatter towards
    the middle of the values.

    Raises:
        TermsError: a term does not vary, or terms are not independent in the groups that enter.
        ValueError: too few groups enter, or a position is not positive.
    """
    terms = np.column_stack([np.ones(len(counted)), *columns.values()])
    reasons = [_reason(counts, row, direction) for counts, row in zip(counted, terms, strict=True)]
    if asked is not None:
        reasons = [r if is_asked else EXCLUDED for r, is_asked in zip(reasons, asked, strict=True)]
    names = [CONSTANT, *columns]
    check_number(reasons, len(names))
    shared = np.column_stack([terms[:, :1], *(columns[name] for name in slopes)])
    used, thresholds = _thresholds(counted, shared, reasons, direction)
    check_number(reasons, len(names))
    check_terms(terms[used], names)
    regression = regress(thresholds.values, thresholds.covariance, terms[used], level)
    return GroupLaw(regression, thresholds, used, reasons)


def _reason(counts: Counts, terms: Floats, direction: int) -> str:
    """Say why a group cannot have a threshold, or ""."""
    if not counts.n.sum():
        return NO_TRIALS
    if not np.isfinite(terms).all():
        return NO_TERM
    if not counts.k.sum():
        return NO_SUCCESS
    if (counts.k == counts.n).all():
        return NO_FAILURE
    away = counts.x - np.average(counts.x, weights=counts.n)
    rise = direction * (away @ counts.k)
    # χ² of a trend, as of Cochran and Armitage.
    share = counts.k.sum() / counts.n.sum()
    noise = share * (1 - share) * (counts.n @ away**2)
    return AGAINST if rise < 0 and rise**2 > CONTRARY * noise else ""


def _thresholds(
    counted: Sequence[Counts], shared: Floats, reasons: list[str], direction: int
) -> tuple[list[int], Thresholds]:
    """Fit the groups without a reason, and add the reasons that the fit shows.

    Returns:
        The indices of the groups that enter, and their thresholds.
    """

    def fit(numbers: Integers) -> Thresholds:
        design = shared[numbers]
        # Priors are then about the middle of the groups, whatever the units of the terms.
        centred = np.column_stack([design[:, :1], design[:, 1:] - design[:, 1:].mean(axis=0)])
        return fit_thresholds([counted[n] for n in numbers], centred, direction, centred)

    tried = np.array([number for number, reason in enumerate(reasons) if not reason])
    crossing = np.array([_crosses(counts) for counts in counted])
    fitted = fit(tried)
    if (whole := tried[crossing[tried]]).size < tried.size and whole.size:
        # A curve that never gets far, say, would make those of all groups flatter.
        scatter = max(fit(whole).fit, 1.0)
        while (worst := _least_like(fitted, scatter, ~crossing[tried])) is not None:
            reasons[tried[worst]] = OWN_CURVE
            tried = np.delete(tried, worst)
            fitted = fit(tried)
    errors = np.sqrt(np.diag(fitted.covariance))
    brackets = np.array([_bracket(counted[number], direction) for number in tried])
    fitted = _within(fitted, *brackets.T)
    kept = np.flatnonzero(
        np.isfinite(brackets).all(axis=1) | (errors <= MOST_ERROR * fitted.scales)
    )
    for number in np.delete(tried, kept):
        reasons[number] = BARELY_SEEN
    return tried[kept].tolist(), fitted.only(kept)


def _bracket(counts: Counts, direction: int) -> tuple[float, float]:
    """Give the logarithms of the positions between which success crosses one half; NaN if none."""
    below, above = _sides(counts)
    if not (below.any() and above.any()):
        return math.nan, math.nan
    t = direction * np.log(counts.x)
    ends = direction * t[below].max(), direction * t[above].min()
    return (min(ends), max(ends)) if t[below].max() < t[above].min() else (math.nan, math.nan)


def _within(fitted: Thresholds, low: Floats, high: Floats) -> Thresholds:
    """Hold the thresholds of steep curves between the positions that bracket them.

    A curve of which no position shows more than its ends has no slope, and the information of its
    threshold vanishes; but this is as good as uniform in its bracket.
    """
    errors, most = np.sqrt(np.diag(fitted.covariance)), (high - low) / math.sqrt(12)
    held = errors > most  # False for NaN
    shorter = np.where(held, most / errors, 1.0)
    values = np.where(held, np.clip(fitted.values, low, high), fitted.values)
    covariance = fitted.covariance * np.outer(shorter, shorter)
    return fitted._replace(values=values, covariance=covariance)


def _least_like(fitted: Thresholds, scatter: float, partial: Booleans) -> int | None:
    """Find the partly seen curve that is least like the others; None if all fit."""
    p_values = np.where(partial, chdtrc(fitted.freedom, fitted.deviances / scatter), 1.0)
    worst = int(p_values.argmin())
    return worst if p_values[worst] < UNLIKE else None


def _crosses(counts: Counts) -> bool:
    """Say whether success is above one half somewhere, and below it somewhere."""
    if not counts.n.sum():
        return False
    below, above = _sides(counts)
    return bool(below.any() and above.any())


def _sides(counts: Counts) -> tuple[Booleans, Booleans]:
    """Say at which positions success is below one half, and at which above, with confidence."""
    low, high = wilson_interval(counts.k, counts.n, DECISION_LEVEL)
    return high < 0.5, low > 0.5


def check_number(reasons: Sequence[str], coefficients: int) -> None:
    """Refuse a law with no more groups than coefficients.

    Args:
        reasons: why a group is left out, or ""; one for each group.
        coefficients: number of terms, and the constant.

    Raises:
        ValueError: the message counts the groups, and says why others are left out and what to do.
    """
    entering = list(reasons).count("")
    groups = len(reasons) - list(reasons).count(EXCLUDED)
    if entering > coefficients:
        return
    terms = f"{coefficients - 1} {'term' if coefficients == 2 else 'terms'}"
    out = reasons_text(reasons)
    fewer = ", or leave out a term" if coefficients > 2 else ""
    raise ValueError(
        f"{entering} of {groups} groups enter; a law of {terms} needs "
        f"{coefficients + 1}{f' (left out: {out})' if out else ''}. "
        f"{'Let more groups enter' if out else 'Add values to the axes of the groups'}{fewer}."
    )


def reasons_text(reasons: Sequence[str]) -> str:
    """Count the groups that are left out for each reason, in words."""
    counts = {reason: list(reasons).count(reason) for reason in REASONS}
    return "; ".join(f"{count} with {REASONS[reason]}" for reason, count in counts.items() if count)


def check_terms(design: Floats, names: Sequence[str]) -> None:
    """Refuse terms that the groups cannot tell apart.

    Raises:
        TermsError: names a term that does not vary, or the first that follows from those before it,
            and these.
    """
    for name, largest in zip(names, np.abs(design).max(axis=0), strict=True):
        if largest > LARGEST:
            raise TermsError(f"term {name!r} reaches {largest:g}; give logarithms.")
    scaled = design / np.linalg.norm(design, axis=0).clip(1e-300)
    for last in range(1, design.shape[1]):
        if np.ptp(design[:, last]) <= ALIKE * max(1.0, float(np.abs(design[:, last]).max())):
            raise TermsError(f"term {names[last]!r} has one value in all groups; vary it.")
        if np.linalg.matrix_rank(scaled[:, : last + 1], tol=ALIKE) > last:
            continue
        shares = np.linalg.lstsq(scaled[:, :last], scaled[:, last], rcond=None)[0]
        causes = [names[at] for at in range(1, last) if abs(shares[at]) > ALIKE]
        others = " and ".join(map(repr, causes))
        alike = f"terms {others} and {names[last]!r} have one shape"
        if len(causes) > 1:
            alike = f"term {names[last]!r} follows from {others}"
        raise TermsError(
            f"{alike} in these groups, so that their exponents cannot be told apart; vary one "
            "without the others.",
            [*causes, names[last]],
        )


def descent_scale(k: ArrayLike, depth: ArrayLike) -> Floats:
    """Give the scale of ln m of the transitions of descent, as a pilot of 18 groups showed it."""
    ratio, layers = 12 / np.asarray(k, dtype=float), np.asarray(depth, dtype=float) / 2
    return np.asarray(0.19 * ratio**0.6 * layers**0.9, dtype=float)
