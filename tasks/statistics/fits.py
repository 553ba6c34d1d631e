"""Fit a transition for every group of a labelled dataset."""

import math
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import xarray as xr

from .counts import checked_floor, checked_outcomes, counts_by_cell, counts_of
from .intervals import DECISION_LEVEL, wilson_interval
from .links import Floats
from .outcomes import NEVER, NO_TRIALS, OUTSIDE
from .posterior import direction_evidence
from .transitions import ENDS, SHAPE, Transition, decided_direction, known_part

METHOD = (
    "grid posterior, averaged over the links logit, cloglog and loglog on a linear and a "
    "logarithmic axis: curve below a ceiling, flat middle, log-uniform scale, ceiling 1 with prior "
    "probability 1/2; median, central interval"
)
TEXT = ("shape", "flag", "outcome")
MOST_TURNED = 0.05  # of draws, from which on these do not tell the width
CallEach = Callable[[Callable[[Any], Any], Sequence[Any], str], list[Any]]
Result = TypeVar("Result")


class _Options(NamedTuple):
    """What all groups share."""

    direction: int | None
    floor: float | None
    scatter: str
    level: float


class _Group(NamedTuple):
    """The counts of one group."""

    positions: Floats
    successes: Floats
    trials: Floats
    draws: Floats | None
    options: _Options
    evidence: float | None = None


def fit_transitions(
    success: xr.DataArray,
    along: str,
    *,
    direction: int | None = None,
    expected: int | None = None,
    floor: float | None = None,
    scatter: str = "auto",
    clustered: bool = False,
    level: float = 0.95,
    call_each: CallEach | None = None,
) -> xr.Dataset:
    """Fit one transition along an axis for every combination of the other axes.

    All groups have one direction. If it is not given, the Bayes factors of all groups together
    decide it. An expected direction has prior odds of 20 : 1. It is given up where the outcomes
    leave odds of 20 : 1 against it, and open where they alone have such odds and the prior holds
    against them; if none is expected, it is open until they reach 20 : 1. An open direction is in
    every flag, and 50 % points outside the positions then have no bounds.

    Args:
        success: 1, 0 or NaN (not run), dims (…groups…, along, "trial") in any order.
        along: dimension with a numeric coordinate: the positions.
        direction: +1 or −1 fixes it.
        expected: +1 or −1, the direction that is probable before any trial.
        floor: lower bound of the points; 0 if the positions are counts, for example.
        scatter: as for `fit_transition`.
        clustered: whether trials of the same index share their draws all along the axis. Each draw
            then counts once, for the position from which on it succeeds; those that did not run at
            all positions of a group are left out.
        level: coverage of all intervals.
        call_each: calls a function for each of many groups, and gives the results in their order;
            its third argument says what is counted. None calls one after the other here.

    Returns:
        Over the groups, the fields of `Transition` as far as the outcomes determine them, else NaN
        (see `known_part`); over (groups, along) `successes`, `runs` and the Wilson bounds
        `success_low`, `success_high`; if clustered, over (groups, "failures") `draws`, the numbers
        of draws with so many failures. Coordinates are kept. The attribute `floor` is there if it
        was given.

    Raises:
        ValueError: a dimension is missing, `along` is not numeric, a value is not 1, 0 or NaN, or
            a coordinate has the name of a fitted variable.
    """
    call_each = call_each or in_this_process
    success, positions = checked_success(success, along)
    if clustered:
        success = _whole_draws(success, along)
    successes, runs = counts_by_cell(success)
    groups, shape = runs.dims[:-1], runs.shape[:-1]
    counts = (math.prod(shape), positions.size)
    options = _Options(direction, floor, scatter, level)
    draws: Sequence[Floats | None] = [None] * counts[0]
    if clustered:
        draws = _draws(success.values.reshape(*counts, -1))
    jobs = [
        _Group(positions, *given, options)
        for given in zip(
            successes.values.reshape(counts), runs.values.reshape(counts), draws, strict=True
        )
    ]
    is_open = False
    if direction is None:
        jobs, is_open = _directed(jobs, expected, call_each)
    fits = _for_each(_fitted, jobs, "groups fitted", call_each)
    if is_open:
        fits = [_undirected(transition) for transition in fits]
    if clustered:
        turned = _turned(success.values.reshape(*counts, -1), fits[0].direction if fits else 1)
        fits = [
            _without_shape(fit) if share > MOST_TURNED else fit
            for fit, share in zip(fits, turned, strict=True)
        ]
    result = _labelled(fits, successes, runs, level)
    result.attrs = {"along": along, "method": METHOD, "level": level, "scatter": scatter}
    result.attrs |= {"clustered": int(clustered)} | ({} if floor is None else {"floor": floor})
    if clustered:
        numbers = np.array(draws, dtype=float).reshape(*shape, positions.size + 1)
        label = {"long_name": LONG_NAMES["draws"].format(along=along), "units": "1"}
        result["draws"] = ((*groups, "failures"), numbers, label)
    return result


def _directed(
    jobs: list[_Group], expected: int | None, call_each: CallEach
) -> tuple[list[_Group], bool]:
    """Give all groups the direction that their outcomes together decide, and say if it is open.

    A group whose success never reaches one half has no 50 % point, and no vote.
    """
    evidences = _for_each(_evidence, jobs, "groups asked for the direction", call_each)
    votes = [found for job, found in zip(jobs, evidences, strict=True) if _may_cross(job)]
    direction, is_open = decided_direction(sum(votes), expected)
    directed = [
        job._replace(options=job.options._replace(direction=direction), evidence=found)
        for job, found in zip(jobs, evidences, strict=True)
    ]
    return directed, is_open


def _for_each(
    function: Callable[[_Group], Result], jobs: Sequence[_Group], what: str, call_each: CallEach
) -> list[Result]:
    """Call a function for each group with trials, and once for all those without."""
    has_trials = [bool(np.any(job.trials)) for job in jobs]
    empty = next((job for job, has in zip(jobs, has_trials, strict=True) if not has), None)
    tried = [job for job, has in zip(jobs, has_trials, strict=True) if has]
    found = iter(call_each(function, tried, what)) if tried else iter(())
    of_empty = None if empty is None else function(empty)
    return [next(found) if has else cast(Result, of_empty) for has in has_trials]


def _labelled(
    fits: Sequence[Transition], successes: xr.DataArray, runs: xr.DataArray, level: float
) -> xr.Dataset:
    """Label the fits of all groups, and the counts of all cells, whose last dim is the axis."""
    groups, shape, along = runs.dims[:-1], runs.shape[:-1], str(runs.dims[-1])
    names = [field.name for field in fields(Transition)]
    fitted = {name: np.reshape([getattr(f, name) for f in fits], shape) for name in names}
    for name in TEXT:
        fitted[name] = fitted[name].astype(np.dtypes.StringDType())
    low, high = wilson_interval(successes.values, runs.values, level)
    cells = {"successes": successes.values, "runs": runs.values}
    cells |= {"success_low": low, "success_high": high}
    result = xr.Dataset(coords=runs.coords)
    for name, values in (fitted | cells).items():
        label: dict[str, object] = {"long_name": LONG_NAMES[name].format(along=along)}
        is_position = name.startswith(("p10", "p50", "p90", "width"))
        units = runs[along].attrs.get("units") if is_position else "1"
        if units is not None and name not in TEXT:
            label["units"] = units
        result[name] = (runs.dims if name in cells else groups, values, label)
    return result


def _whole_draws(success: xr.DataArray, along: str) -> xr.DataArray:
    """Leave out the draws of a group that did not run at all positions where the group has runs."""
    ran = success.notnull()
    whole = (ran | ~ran.any("trial")).all(along)
    return success.where(whole)


def _draws(success: Floats) -> list[Floats]:
    """Count the draws of each group with 0, 1 … p failures, shape (groups, p, trials)."""
    failures = (success == 0).sum(axis=1)
    ran = np.atleast_2d(~np.isnan(success).all(axis=1))
    positions = success.shape[1]
    return [
        np.bincount(group[kept], minlength=positions + 1).astype(float)
        for group, kept in zip(failures, ran, strict=True)
    ]


def _turned(success: Floats, direction: int) -> list[float]:
    """Give the share of the draws of each group that fail after a success, or the reverse."""
    shares = []
    for group in success[:, ::direction]:
        ran = ~np.isnan(group).all(axis=1)
        draws = group[ran][:, ~np.isnan(group[ran]).any(axis=0)] if ran.any() else group[:0]
        turns = (np.diff(draws, axis=0) < 0).any(axis=0)
        shares.append(float(turns.mean()) if turns.size else 0.0)
    return shares


def _without_shape(fit: Transition) -> Transition:
    """Keep the 50 % point alone: draws that turn back tell it, and not how wide the curve is."""
    words = ["not-nested", *filter(None, [fit.flag])]
    lost = {f"{name}{end}": math.nan for name in SHAPE for end in ENDS}
    return Transition(**vars(fit) | lost | {"flag": ", ".join(words)})


def in_this_process(
    function: Callable[[_Group], Result], groups: Sequence[_Group], what: str
) -> list[Result]:
    """Call a function for each group, one after the other; `what` would be counted."""
    return [function(group) for group in groups]


def _fitted(group: _Group) -> Transition:
    """Fit one group, whose direction is known."""
    positions, successes, trials, _, options, evidence = group
    return known_part(
        positions, successes, trials, draws=_draws_of(group), evidence=evidence, **options._asdict()
    )


def _evidence(group: _Group) -> float:
    """Give the log Bayes factor of rising over falling success."""
    counts = counts_of(group.positions, group.successes, group.trials, _draws_of(group))
    return direction_evidence(counts, checked_floor(group.options.floor, counts))


def _draws_of(group: _Group) -> Floats | None:
    """Give the numbers of draws with so many failures at the positions that have trials."""
    if group.draws is None or not np.any(group.trials):
        return None
    return group.draws[: np.count_nonzero(group.trials) + 1]


def _may_cross(group: _Group) -> bool:
    """Say whether success may reach one half: else there is no 50 % point on either side."""
    _, upper = wilson_interval(group.successes, group.trials, DECISION_LEVEL)
    ran = np.asarray(group.trials) > 0
    return bool((upper[ran] >= 0.5).any())


def _undirected(fit: Transition) -> Transition:
    """Keep the part of a fit that does not depend on its direction."""
    if fit.outcome in (NEVER, NO_TRIALS):
        return fit
    words = ["direction-open", *filter(None, [fit.flag])]
    fit = replace(fit, flag=", ".join(words))
    return replace(fit, p50_low=math.nan, p50_high=math.nan) if fit.outcome in OUTSIDE else fit


LONG_NAMES = {
    "outcome": "where success crosses 50 %: inside, below or above the values run, or never",
    "p50": "{along} at 50 % success",
    "p50_low": "{along} at 50 % success, lower bound",
    "p50_high": "{along} at 50 % success, upper bound",
    "p10": "{along} at 10 % success",
    "p10_low": "{along} at 10 % success, lower bound",
    "p10_high": "{along} at 10 % success, upper bound",
    "p90": "{along} at 90 % success",
    "p90_low": "{along} at 90 % success, lower bound",
    "p90_high": "{along} at 90 % success, upper bound",
    "width": "10–90 % width in {along}",
    "width_low": "10–90 % width in {along}, lower bound",
    "width_high": "10–90 % width in {along}, upper bound",
    "log_width": "10–90 % width in the logarithm of {along}",
    "log_width_low": "10–90 % width in the logarithm of {along}, lower bound",
    "log_width_high": "10–90 % width in the logarithm of {along}, upper bound",
    "ceiling": "success probability that the curve levels off at",
    "ceiling_low": "success probability that the curve levels off at, lower bound",
    "ceiling_high": "success probability that the curve levels off at, upper bound",
    "direction": "+1: success rises with {along}, −1: it falls",
    "trials": "trials fitted",
    "evidence": "log Bayes factor of rising over falling",
    "shape": "most probable link and scale of {along}",
    "shape_weight": "posterior probability of that shape",
    "fit_p": "p-value of the χ² test of the best curve of that shape",
    "dispersion": "factor by which successes vary more than binomial counts",
    "flag": "what limits the fit, empty if nothing does",
    "draws": "draws with so many failures along {along}",
    "successes": "successful trials",
    "runs": "trials run",
    "success_low": "success probability, lower Wilson bound",
    "success_high": "success probability, upper Wilson bound",
}


def checked_success(success: xr.DataArray, along: str) -> tuple[xr.DataArray, Floats]:
    """Load `success`, bring its dims into the order (…, along, trial), and read the positions."""
    success = checked_outcomes(success)
    if along == "trial":
        raise ValueError("along is 'trial'; it must be the dimension of the positions.")
    if along not in success.dims:
        raise ValueError(f"success has dims {success.dims}, not {along!r}; it needs both.")
    if along not in success.coords or success[along].dtype.kind not in "iuf":
        kind = f"dtype {success[along].dtype}" if along in success.coords else "no coordinate"
        raise ValueError(f"{along!r} has {kind}; a transition needs numeric positions along it.")
    taken = [name for name in (*success.dims, *success.coords) if name in (*LONG_NAMES, "failures")]
    if taken:
        raise ValueError(f"axis {taken[0]!r} has the name of a fitted variable; rename it.")
    success = success.transpose(..., along, "trial")
    return success, np.asarray(success[along].values, dtype=float)
