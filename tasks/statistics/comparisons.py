"""Compare the success of the values of one axis, in every cell of the other axes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from .counts import checked_outcomes, counts_by_cell
from .intervals import wilson_interval
from .outcomes import AGAINST, EXCLUDED, INSIDE, NEVER, NO_TRIALS
from .pairing import Group
from .proportions import fisher_p, holm, mcnemar_p, paired_difference, unpaired_difference
from .shifts import Shift

PAIRED = (
    "difference: Newcombe's hybrid score for paired proportions; p: McNemar's mid-p, Holm for "
    "several"
)
SHIFTS = Shift._fields
UNPAIRED = (
    "difference: Newcombe's hybrid score for independent proportions; p: Fisher's mid-p, Holm for "
    "several"
)


def compare_rates(
    success: xr.DataArray, over: str, reference: int, *, paired: bool, level: float = 0.95
) -> xr.Dataset:
    """Compare the success rates of every other value of an axis with those of a reference.

    Args:
        success: 1, 0 or NaN (not run), dims (…cells…, over, "trial") in any order.
        over: the axis.
        reference: index of the reference along it.
        paired: whether its values share the same draws, trial by trial; the difference is then
            computed over the trials that ran at both.
        level: coverage of all intervals.

    Returns:
        Over (…cells…, over without the reference): `successes`, `runs`, `rate` and Wilson bounds,
        the same of the reference as `reference_…`, `difference` and bounds, `p_value`, `p_holm`
        (over all cells and values); if paired also `both`, `gained`, `lost`, `neither`, counts of
        trials. Without trials all but the counts are NaN.
    """
    success = _checked(success, over, reference).transpose(..., over, "trial")
    others = [i for i in range(success.sizes[over]) if i != reference]
    tested = success.isel({over: others})
    against = success.isel({over: reference}, drop=True).broadcast_like(tested)
    against = against.transpose(*tested.dims)
    values = _rates(tested, "", level) | _rates(against, "reference_", level)
    if paired:
        values |= _pairs(tested, against)
    values |= _differences(values, paired=paired, level=level)
    kept = {name: c for name, c in tested.coords.items() if "trial" not in c.dims}
    result = xr.Dataset({n: (tested.dims[:-1], v) for n, v in values.items()}, coords=kept)
    result.attrs = {
        "over": over,
        "reference": str(success[over].values[reference]),
        "paired": int(paired),
        "level": level,
        "method": PAIRED if paired else UNPAIRED,
    }
    return labelled(result, over)


def compare_transitions(
    success: xr.DataArray,
    fitted: xr.Dataset,
    over: str,
    reference: int,
    *,
    paired: bool,
    level: float = 0.95,
) -> xr.Dataset:
    """Compare the transitions of every other value of an axis with that of a reference.

    Args:
        success: as for `compare_rates`.
        fitted: its transitions, from `fit_transitions`; it says whether trials share their draws
            along the axis of the transition too.
        over: the axis.
        reference: index of the reference along it.
        paired: whether the values share the same draws, trial by trial.
        level: coverage of the intervals.

    Returns:
        Over (…groups…, over without the reference): `shift` and bounds; `p_shift`, and
        `p_shift_holm` over all groups and values; `detectable_shift`, and `detectable_share`, the
        same over the reference's 50 % point; `p50` and bounds, `outcome`, `flag`. If paired also
        `p_pooled`, McNemar's mid-p for all positions together, or for the draws if they are shared
        along the axis, and `p_pooled_holm`. Over the groups `reference_p50` and bounds,
        `reference_outcome`, `reference_flag`, and `p_one_curve`, one test of all values together:
        that they have one 50 % point.
        A shift is a number where both 50 % points are inside the values that were run, and no
        outcomes contradict the direction; a bound that depends on the prior only is NaN, and then
        the detectable shift is NaN too, and the p-value if the shift is on that side of 0.
        `p_one_curve` is NaN where a value never reaches one half or was not run; with draws shared
        along the axis also where a value has no shift. A `flag` names, with commas, what limits
        either fit, other than "resolution-limited". A detectable share is NaN if the 50 % point may
        be negative.
    """
    along = str(fitted.attrs["along"])
    success = _checked(success, over, reference).transpose(..., over, along, "trial")
    try:
        xr.align(success, fitted, join="exact")
    except ValueError:
        raise ValueError("success and fitted have other labels; fit the same outcomes.") from None
    groups = success.dims[:-3]
    others = [i for i in range(success.sizes[over]) if i != reference]
    fitted = fitted.transpose(*groups, over, ...)
    floor = fitted.attrs.get("floor")
    shifts, signs, one_curve = _compared(success, fitted, others, reference, paired, level)
    _unknown(shifts, fitted, others, reference)
    kept = {n: c for n, c in success.isel({over: others}).coords.items()
            if not {along, "trial"} & set(c.dims)}  # fmt: skip
    result = xr.Dataset(coords=kept)
    for column, name in enumerate(SHIFTS):
        result[name] = ((*groups, over), shifts[..., column])
    result["p_shift_holm"] = ((*groups, over), holm(result["p_shift"].values))
    for name in ("p50", "p50_low", "p50_high", "outcome"):
        result[name] = ((*groups, over), fitted[name].values[..., others])
        result[f"reference_{name}"] = (groups, fitted[name].values[..., reference])
    of_reference = result["reference_p50"].where(floor is not None and floor >= 0)
    result["detectable_share"] = result["detectable_shift"] / of_reference
    result["p_one_curve"] = (groups, one_curve)
    flags = fitted["flag"].values
    result["flag"] = ((*groups, over), _limits(flags[..., others], flags[..., reference]))
    result["reference_flag"] = (groups, flags[..., reference])
    if paired:
        p_values = _each(mcnemar_p, [signs[..., 0], signs[..., 1]], 1)[..., 0]
        ran = success.notnull()
        both_ran = ran.isel({over: others}) & ran.isel({over: reference}, drop=True)
        met = both_ran.any([along, "trial"]).transpose(*groups, over).values
        p_values = np.where(met, p_values, np.nan)
        result["p_pooled"] = ((*groups, over), p_values)
        result["p_pooled_holm"] = ((*groups, over), holm(p_values))
    return labelled(result, over, along, success[along].attrs.get("units"))


def _compared(
    success: xr.DataArray,
    fitted: xr.Dataset,
    others: list[int],
    reference: int,
    paired: bool,
    level: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compare the values of every group; both arguments have the dims (…groups…, over, …).

    Returns:
        Shifts, shape (…groups…, others, fields of `Shift`), NaN where there is none; numbers of
        pairs in which only the value or only the reference succeeds, shape (…groups…, others, 2),
        0 if not paired; and the p-value of one 50 % point for all, shape (…groups…).
    """
    outcomes = fitted["outcome"].values
    inside = (outcomes == INSIDE) & (fitted["flag"].values != AGAINST)
    tested = inside[..., others] & inside[..., [reference]]
    shifts = np.full((*tested.shape, len(SHIFTS)), np.nan)
    signs = np.zeros((*tested.shape, 2), dtype=int)
    one_curve = np.full(tested.shape[:-1], np.nan)
    for at in np.ndindex(one_curve.shape):
        group = Group(success.values[at], fitted, at, paired=paired)
        for column, value in enumerate(others):
            if tested[at][column]:
                shifts[at][column] = group.shift(value, reference, level, int(tested.sum()))
            if paired:
                signs[at][column] = group.signs(value, reference)
        if not np.isin(outcomes[at], (NEVER, NO_TRIALS, EXCLUDED)).any():
            one_curve[at] = group.one_point_p(inside[at])
    return shifts, signs, one_curve


def _unknown(shifts: np.ndarray, fitted: xr.Dataset, others: list[int], reference: int) -> None:
    """Remove what only the prior determines: bounds, and what is computed from them.

    A posterior that its prior ends gives no bound on that side, and no standard error. Beyond its
    end are more than 2.5 %, so that no shift away from there is known to differ from 0.
    """
    low, high = (np.isnan(fitted[f"p50_{end}"].values) for end in ("low", "high"))
    low, high = (
        low[..., others] | high[..., [reference]],
        high[..., others] | low[..., [reference]],
    )
    rises = shifts[..., SHIFTS.index("shift")] > 0
    unknown = {
        "shift_low": low, "shift_high": high, "detectable_shift": low | high,
        "p_shift": np.where(rises, low, high),
    }  # fmt: skip
    for name, where in unknown.items():
        shifts[..., SHIFTS.index(name)][where] = np.nan


def _limits(flags: np.ndarray, of_reference: np.ndarray) -> np.ndarray:
    """Join what limits the fits of each value and of its reference, each word once."""
    texts = []
    for at in np.ndindex(flags.shape):
        both = f"{flags[at]}, {of_reference[at[:-1]]}".split(", ")
        words = dict.fromkeys(word for word in both if word not in ("", "resolution-limited"))
        texts.append(", ".join(words))
    return np.array(texts, dtype=np.dtypes.StringDType()).reshape(flags.shape)


def _rates(success: xr.DataArray, prefix: str, level: float) -> dict[str, np.ndarray]:
    successes, runs = (counts.values for counts in counts_by_cell(success))
    rates = (successes / np.maximum(runs, 1), *wilson_interval(successes, runs, level))
    rate, low, high = (np.where(runs > 0, values, np.nan) for values in rates)
    names = ("successes", "runs", "rate", "rate_low", "rate_high")
    values = (successes, runs, rate, low, high)
    return {f"{prefix}{name}": value for name, value in zip(names, values, strict=True)}


def _pairs(tested: xr.DataArray, against: xr.DataArray) -> dict[str, np.ndarray]:
    """Count the trials that ran at both, by their two outcomes."""
    first, second = tested.values, against.values
    return {
        "both": ((first == 1) & (second == 1)).sum(axis=-1),
        "gained": ((first == 1) & (second == 0)).sum(axis=-1),
        "lost": ((first == 0) & (second == 1)).sum(axis=-1),
        "neither": ((first == 0) & (second == 0)).sum(axis=-1),
    }


def _differences(
    values: dict[str, np.ndarray], *, paired: bool, level: float
) -> dict[str, np.ndarray]:
    """Give differences of success with bounds and p-values, from the counts of all cells."""
    if paired:
        tables = [values[name] for name in ("both", "gained", "lost", "neither")]
        met = np.sum(tables, axis=0)
        differences = _each(partial(paired_difference, level=level), tables, 3)
        p_values = _each(mcnemar_p, tables[1:3], 1)[..., 0]
    else:
        names = ("successes", "runs", "reference_successes", "reference_runs")
        tables = [values[name] for name in names]
        met = np.minimum(values["runs"], values["reference_runs"])
        differences = _each(partial(unpaired_difference, level=level), tables, 3)
        p_values = _each(fisher_p, tables, 1)[..., 0]
    found = {
        f"difference{bound}": np.where(met > 0, differences[..., column], np.nan)
        for column, bound in enumerate(("", "_low", "_high"))
    }
    # Cells without trials are no tests, so Holm must not count them.
    found["p_value"] = np.where(met > 0, p_values, np.nan)
    found["p_holm"] = holm(found["p_value"])
    return found


def _each(function: Callable[..., Any], tables: list[np.ndarray], outputs: int) -> np.ndarray:
    """Call a function of counts for every cell; shape (…cells…, outputs)."""
    shape = tables[0].shape
    result = np.empty((*shape, outputs))
    for at in np.ndindex(shape):
        result[at] = function(*(int(table[at]) for table in tables))
    return result


def labelled(
    dataset: xr.Dataset, over: str, along: str = "", units: str | None = "1"
) -> xr.Dataset:
    """Give every variable its long name and its unit."""
    for name in dataset.data_vars:
        label = {"long_name": LONG_NAMES[str(name)].format(over=over, along=along)}
        if str(name).startswith(POSITIONS):
            label |= {} if units is None else {"units": units}
        elif dataset[name].dtype.kind in "biuf":
            label["units"] = "1"
        dataset[name].attrs = label
    return dataset


CELL_NAMES = {
    "successes": "successful trials",
    "runs": "trials run",
    "rate": "success rate",
    "rate_low": "success rate, lower Wilson bound",
    "rate_high": "success rate, upper Wilson bound",
    "reference_successes": "successful trials of the reference",
    "reference_runs": "trials of the reference run",
    "reference_rate": "success rate of the reference",
    "reference_rate_low": "success rate of the reference, lower Wilson bound",
    "reference_rate_high": "success rate of the reference, upper Wilson bound",
    "both": "trials that succeed here and at the reference",
    "gained": "trials that succeed here only",
    "lost": "trials that succeed at the reference only",
    "neither": "trials that succeed at neither",
    "difference": "success rate less that of the reference",
    "difference_low": "success rate less that of the reference, lower bound",
    "difference_high": "success rate less that of the reference, upper bound",
    "p_value": "p-value of equal success",
    "p_holm": "p-value of equal success, adjusted by Holm for all cells and values",
}
POSITIONS = ("shift", "detectable_shift", "p50", "reference_p50")
LONG_NAMES = CELL_NAMES | {
    "shift": "50 % point in {along} less that of the reference",
    "shift_low": "50 % point in {along} less that of the reference, lower bound",
    "shift_high": "50 % point in {along} less that of the reference, upper bound",
    "p_shift": "p-value of no shift",
    "p_shift_holm": "p-value of no shift, adjusted by Holm for all groups and values",
    "detectable_shift": "shift in {along} that as many trials find with 80 % power",
    "detectable_share": "the same as a part of the reference's 50 % point",
    "p50": "{along} at 50 % success",
    "p50_low": "{along} at 50 % success, lower bound",
    "p50_high": "{along} at 50 % success, upper bound",
    "outcome": "where success crosses 50 %: inside, below or above the values run, or never",
    "reference_p50": "{along} at 50 % success of the reference",
    "reference_p50_low": "{along} at 50 % success of the reference, lower bound",
    "reference_p50_high": "{along} at 50 % success of the reference, upper bound",
    "reference_outcome": "where success of the reference crosses 50 %",
    "p_one_curve": "joint p-value, of one 50 % point for all values of {over} together",
    "flag": "what limits the shift, empty if nothing does",
    "reference_flag": "what limits the fit of the reference, empty if nothing does",
    "p_pooled": "McNemar's p-value of equal success, all of {along} together",
    "p_pooled_holm": "the same, adjusted by Holm for all groups and values",
}


def _checked(success: xr.DataArray, over: str, reference: int) -> xr.DataArray:
    """Load outcomes; refuse values that are none, and a reference that the axis does not have."""
    success = checked_outcomes(success)
    if over not in success.dims:
        raise ValueError(f"success has dims {success.dims}, not {over!r}.")
    count = success.sizes[over]
    if isinstance(reference, bool) or reference not in range(count):
        raise ValueError(
            f"reference is {reference!r}; it is an index along {over!r}, from 0 to {count - 1}."
        )
    return success
