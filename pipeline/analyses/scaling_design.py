"""What a grid can tell of a scaling law before a run: which shapes it can tell apart."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import permutations
from typing import Any

import numpy as np
from scipy.special import chdtr, chdtrc, expit

from ...sweeps import Grid
from ...tasks.statistics.counts import Counts
from ...tasks.statistics.group_laws import (
    NO_TERM,
    TermsError,
    check_number,
    check_terms,
    descent_scale,
)
from ...tasks.statistics.placement import predicted_trials
from ...tasks.statistics.regression import power_to_prefer
from ...tasks.statistics.thresholds import fit_thresholds
from ...tasks.theory.terms import SHAPES, TERMS
from .scaling_terms import ALWAYS_FREE, SEEN, group_terms, groups_of, way_out

SCATTER = 0.05  # of the truth about a law, assumed
ENOUGH = 0.8  # power
SHOWN = 6  # remarks and weak pairs that are printed


def powers(
    grid: Grid, axis: str, terms: Sequence[str], shapes: Sequence[str]
) -> list[dict[str, Any]]:
    """Give the power to prefer the shape that holds over another one, for every ordered pair.

    Assumed are transitions as wide as those of descent, in the middle of the values of each group,
    and a scatter of 5 % about the shape that holds.

    Args:
        grid: the points.
        axis: the axis of the transitions, whose values are positive.
        terms: names of the law's terms, which are only checked.
        shapes: names of the shapes.

    Returns:
        Rows with `holds`, `tested`, `power`, and `remark`: why there is none, or what to vary where
        the two have one shape on this grid; else "".

    Raises:
        ValueError: a term does not vary, follows from others, or there are too few groups.
    """
    found = group_terms(grid, axis, terms, shapes)
    columns = {name: array.values.ravel() for name, array in found.terms.items()}
    asked = np.isfinite(found.offset.values).any(axis=-1).ravel()
    design = np.column_stack([asked, *(columns[name] for name in terms)])[asked]
    whole = np.isfinite(design).all(axis=1)  # a group without a term does not enter
    check_number(["" if has_terms else NO_TERM for has_terms in whole], design.shape[1])
    if min(grid.axes[axis]) <= 0:
        raise ValueError(f"a threshold law needs positive values of {axis}.")
    try:
        check_terms(design[whole], ["constant", *terms])
    except TermsError as error:
        way = way_out(grid, axis, [TERMS[name].formula for name in error.terms])
        raise ValueError(f"{error} {way}".rstrip()) from None
    logs = {name: array.values.ravel()[asked] for name, array in found.shapes.items()}
    free = [number + 1 for number, name in enumerate(terms) if name in ALWAYS_FREE]

    def advice(pair: Sequence[str]) -> str:
        one, other = (SHAPES[name].formula for name in pair)
        return way_out(grid, axis, [lambda k, n: math.log(one(k, n)) - math.log(other(k, n))])

    return list(_rows(logs, *_expected(grid, axis, design[:, [0, *free]]), advice))


def _rows(
    logs: dict[str, np.ndarray],
    covariance: np.ndarray,
    inflation: float,
    advice: Callable[[Sequence[str]], str],
) -> Iterator[dict[str, Any]]:
    """Give the row of every ordered pair."""
    known = {name: values for name, values in logs.items() if np.isfinite(values).all()}
    numbers = {name: number for number, name in enumerate(known)}
    shapes = np.array(list(known.values())).reshape(len(known), len(covariance))
    power = power_to_prefer(shapes, covariance, SCATTER, inflation=inflation)
    for holds, tested in permutations(logs, 2):
        remark, share = "", None
        if unknown := [name for name in (holds, tested) if name not in known]:
            remark = f"{unknown[0]} has no value in some group."
        else:
            share = float(power[numbers[holds], numbers[tested]])
            if np.ptp(logs[holds] - logs[tested]) < SEEN:
                pair = [name for name in logs if name in (holds, tested)]
                remark = f"{' and '.join(pair)} have one shape on this grid. {advice(pair)}"
        yield {"holds": holds, "tested": tested, "power": share, "remark": remark}


def described(rows: Sequence[dict[str, Any]]) -> str:
    """Write the rows of `powers` as lines of text, the weakest pairs first."""
    if not rows:
        return ""
    known = [row for row in rows if row["power"] is not None]
    weak = sorted((row for row in known if row["power"] < ENOUGH), key=lambda row: row["power"])
    lines = list(dict.fromkeys(row["remark"] for row in rows if row["remark"]))
    lines += [
        f"power {row['power']:.2f} to prefer {row['holds']}, if it holds, over {row['tested']}"
        for row in weak
        if not row["remark"]
    ]
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    first = (
        f"prefers the shape that holds, at odds of 20 : 1, with a power of at least {ENOUGH} in "
        f"{len(known) - len(weak)} of {len(rows)} pairs of shapes"
    )
    return "\n".join([first, *lines[:SHOWN], *more])


def _expected(grid: Grid, axis: str, slopes: np.ndarray) -> tuple[np.ndarray, float]:
    """Fit the expected outcomes of all groups that are asked for.

    Returns:
        The covariance of ln(50 % point), and the mean factor by which fits of binomial outcomes
        inflate it, because they take χ² above its degrees of freedom for overdispersion.
    """
    positions, adaptive = np.array(grid.axes[axis], dtype=float), grid.sweep.adaptive
    groups = []
    for _, asked, point in groups_of(grid, axis):
        scale, x = float(descent_scale(point.k, len(point.widths))), np.sort(positions[asked])
        middle, each = math.exp(np.log(x[[0, -1]]).mean()), np.full(x.size, grid.sweep.trials)
        if adaptive is not None:  # beside the 50 % point, and some far on either side
            number = min(predicted_trials(scale, adaptive.precision), adaptive.most)
            x = middle * np.exp(scale * np.array([-4, -0.5, 0.5, 4]))
            each = np.maximum(1, number * np.array([0.1, 0.4, 0.4, 0.1]))
        u = np.log(x / middle) / scale
        groups.append(Counts(x, each * expit(u), each.astype(float)))
    fitted = fit_thresholds(groups, slopes)
    if not (freedom := fitted.fit_freedom):
        return fitted.covariance, 1.0
    # The mean of max(χ²/f, 1).
    return fitted.covariance, float(chdtr(freedom, freedom) + chdtrc(freedom + 2, freedom))
