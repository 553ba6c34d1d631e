"""Fit an error law for every group of a labelled dataset, next to the exponents claimed for it."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import xarray as xr

from .counts import checked_outcomes, counts_by_cell
from .intervals import wilson_interval
from .laws import FEWEST, REJECTED, Law, fit_law
from .links import Floats

METHOD = (
    "least squares on log-medians of the recovered trials' errors; t intervals from the Bayesian "
    "bootstrap of the trials"
)
BOUNDS = ("", "_low", "_high")
# A threshold cuts where more than 5 % of a cell are on each side of it, within a factor of 2.
CUT_SHARE, CUT_FACTOR = 0.05, 2.0


def fit_laws(
    errors: xr.DataArray,
    success: xr.DataArray | None,
    claimed: Mapping[str, float],
    *,
    shared: Collection[str] = (),
    judged: xr.DataArray | None = None,
    level: float = 0.95,
) -> xr.Dataset:
    """Fit error = C · Π axis^b for every combination of the axes that are not in the law.

    Success, and the error given success, are two questions: only trials that succeeded enter, and
    their share of all trials is given next to the law. A recovered trial whose error is 0,
    negative or not finite has no logarithm. It cannot enter, but it did recover: the law is then
    that of the other trials, and its flag says so.

    Args:
        errors: numbers, dims (…groups…, …law axes…, "trial") in any order.
        success: 1, 0 or NaN (not run), same dims; None where trials cannot fail and all enter.
        claimed: for each law axis, the exponent that is claimed.
        shared: the law axes whose values share their draws.
        judged: the error that decided success, over the threshold, same dims; shows where the
            threshold cuts into the errors.
        level: coverage of all intervals.

    Returns:
        Over the groups `constant`, `trials`, `share` of the trials that recovered and its Wilson
        bounds, `entered` and `no_logarithm`, which together are the recovered trials,
        `lack_of_fit`, `flag`; over (groups, `law_axis`) `exponent` and bounds, `claimed`; over
        (groups, `local`) `local_exponent` and bounds; over (groups, law axes) `median` and bounds,
        `runs`, `recovered`. A `flag` names, with commas: "no-fit", too few cells have 5 trials that
        entered; "no-logarithm", recovered trials did not enter; "curved", the medians do not follow
        a law (lack of fit below 0.01); "threshold", the threshold of success cuts into the errors,
        which flattens the law.

    Raises:
        ValueError: a law axis has fewer than two values, or one that is not a positive number.
    """
    axes, are_all = [str(name) for name in claimed], success is None
    _check(errors, success, claimed, shared)
    positions = [_positions(errors, axis) for axis in axes]
    dims = (*(d for d in errors.dims if d not in (*axes, "trial")), *axes, "trial")
    every = errors.notnull().astype(float).where(errors.notnull())
    success = every if success is None else checked_outcomes(success)
    errors, success = errors.transpose(*dims), success.transpose(*dims)
    groups = dims[: -len(axes) - 1]
    entering = (success == 1) & np.isfinite(errors) & (errors > 0)
    recovered, runs = counts_by_cell(success)
    values = errors.where(entering).values.astype(float)
    shape = tuple(errors.sizes[name] for name in groups)
    is_shared = [axis in shared for axis in axes]
    laws = [fit_law(positions, values[at], is_shared, level) for at in np.ndindex(shape)]
    fitted = _dataset(laws, shape, groups, axes, errors)
    fitted["claimed"] = ("law_axis", [float(claimed[axis]) for axis in axes])
    # A trial that several cells share counts once in the interval of the share.
    repeats = math.prod(errors.sizes[axis] for axis in axes if axis in shared)
    total, trials = (counts.sum(axes) for counts in (recovered, runs))
    entered = entering.sum([*axes, "trial"])
    figures = {
        "runs": runs,
        "recovered": recovered,
        "trials": trials,
        "entered": entered,
        "no_logarithm": total - entered,
    }
    fitted = fitted.assign(figures | _shares(total, trials, repeats, level))
    cut = np.zeros(shape, dtype=bool)
    if judged is not None:
        cut = _cut(judged.transpose(*dims), success, axes).values
    fitted["flag"] = (groups, _flags(laws, fitted["no_logarithm"].values > 0, cut, shape))
    units = errors.attrs.get("units", "1")
    for name in fitted.data_vars:
        of_errors = str(name).startswith(("constant", "median"))
        fitted[name].attrs = {"long_name": LONG_NAMES[str(name)]}
        if name != "flag":
            fitted[name].attrs["units"] = units if of_errors else "1"
    clustered = [axis for axis in axes if axis in shared]
    fitted.attrs = {
        "variable": str(errors.name),
        "method": METHOD,
        "level": level,
        "clustered_along": " ".join(clustered),
        "of": "trials" if are_all else "recovered trials",
    }
    return fitted


def _check(
    errors: xr.DataArray,
    success: xr.DataArray | None,
    claimed: Mapping[str, float],
    shared: Collection[str],
) -> None:
    """Refuse a law without axes, axes that are not there, and outcomes of other cells."""
    if not claimed:
        raise ValueError("claimed is empty; name at least one axis with its exponent.")
    for axis, exponent in claimed.items():
        if axis not in errors.dims or axis not in errors.coords:
            raise ValueError(f"errors has dims {errors.dims}, and no positions along {axis!r}.")
        if not math.isfinite(exponent):
            raise ValueError(f"claimed[{axis!r}] is {exponent}; an exponent must be finite.")
    for axis in shared:
        if axis not in claimed:
            raise ValueError(f"shared names {axis!r}, which is no axis of the law.")
    if errors.dtype.kind not in "iuf":
        raise ValueError(f"errors has dtype {errors.dtype}; give numbers.")
    if success is not None:
        try:
            xr.align(errors, success, join="exact")
        except ValueError:
            raise ValueError("errors and success have other coordinates; align them.") from None


def _positions(errors: xr.DataArray, axis: str) -> Floats:
    values = errors[axis].values
    if np.unique(values).size < values.size:
        raise ValueError(f"'{axis}' has a value twice; pool its trials.")
    if values.size < 2:
        raise ValueError(f"'{axis}' has one value, {values[0]}; an exponent needs two.")
    if values.dtype.kind not in "iuf" or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(f"'{axis}' has values that are not positive; a power law needs that.")
    return np.asarray(values, dtype=float)


def _dataset(
    laws: list[Law], shape: tuple[int, ...], groups: tuple[Any, ...], axes: list[str],
    errors: xr.DataArray,
) -> xr.Dataset:  # fmt: skip
    """Label the estimates of all groups."""
    kept = {name: c for name, c in errors.coords.items() if "trial" not in c.dims}
    fitted = xr.Dataset(coords={**kept, "law_axis": ("law_axis", _text(axes))})
    size = tuple(errors.sizes[axis] for axis in axes)
    local = [[pair.exponent for pair in law.local] for law in laws]
    parts: dict[str, tuple[list[Any], tuple[Any, ...], tuple[int, ...]]] = {
        "exponent": ([law.exponents for law in laws], ("law_axis",), (len(axes),)),
        "constant": ([law.constant for law in laws], (), ()),
        "local_exponent": (local, ("local",), (len(local[0]) if local else 0,)),
        "median": ([law.medians for law in laws], tuple(axes), size),
    }
    for name, (estimates, dims, inner) in parts.items():
        values = np.array(estimates, dtype=float).reshape(*shape, *inner, 3)
        for place, bound in enumerate(BOUNDS):
            fitted[f"{name}{bound}"] = ((*groups, *dims), values[..., place])
    neighbours = laws[0].local if laws else ()
    fitted = fitted.assign_coords(
        local_axis=("local", _text([axes[pair.axis] for pair in neighbours])),
        local_from=("local", [pair.lower for pair in neighbours]),
        local_to=("local", [pair.upper for pair in neighbours]),
    )
    fitted["lack_of_fit"] = (groups, np.reshape([law.lack_of_fit for law in laws], shape))
    return fitted


def _shares(
    recovered: xr.DataArray, trials: xr.DataArray, repeats: int, level: float
) -> dict[str, xr.DataArray]:
    """Give the share of the trials of each group that recovered, with Wilson's interval.

    Args:
        recovered: trials that recovered, of all cells of a group together.
        trials: trials that ran.
        repeats: number of cells that share a trial.
        level: coverage of the interval.
    """
    low, high = wilson_interval(recovered.values / repeats, trials.values / repeats, level)
    ran = trials > 0
    return {
        "share": recovered / trials.where(ran),
        "share_low": recovered.copy(data=low).where(ran),
        "share_high": recovered.copy(data=high).where(ran),
    }


def _text(words: list[str]) -> np.ndarray:
    return np.array(words, dtype=np.dtypes.StringDType())


def _cut(judged: xr.DataArray, success: xr.DataArray, axes: list[str]) -> xr.DataArray:
    """Tell whether the threshold of success cuts off errors of a cell.

    A threshold cuts where the errors are on both sides of it: of the trials at most twice as far,
    the recovered ones and those that just failed, more than 5 % fail, and of the recovered ones
    more than 5 % are in the upper half. Where no trial fails nothing is cut, however near the
    errors come; where failures end far away, as in another basin, the threshold separates two
    kinds. Cutting a share q off the top of log-normal errors of scatter s moves their log-median by
    s Φ⁻¹((1 − q)/2), which is −0.06 s for q = 5 %: a quarter of the standard error 1.25 s/√n that
    the median of n = 30 trials has.

    Args:
        judged: the error that decided success, over the threshold.
        success: 1, 0 or NaN, same dims.
        axes: of the law.
    """
    recovered = success == 1
    count = recovered.sum("trial")
    near = (recovered & (judged > 1 / CUT_FACTOR)).sum("trial")
    missed = ((success == 0) & (judged <= CUT_FACTOR)).sum("trial")
    reaches = (near > CUT_SHARE * count) & (missed > CUT_SHARE * (count + missed))
    return (reaches & (count >= FEWEST)).any(axes)


def _flags(
    laws: list[Law], partial: np.ndarray, cut: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    words = []
    for law, is_partial, is_cut in zip(laws, partial.ravel(), cut.ravel(), strict=True):
        limits = {
            "no-fit": math.isnan(law.constant.best),
            "no-logarithm": bool(is_partial),
            "curved": law.lack_of_fit < REJECTED,
            "threshold": bool(is_cut),
        }
        words.append(", ".join(word for word, holds in limits.items() if holds))
    return _text(words).reshape(shape)


LONG_NAMES = {
    "exponent": "exponent",
    "exponent_low": "exponent, lower bound",
    "exponent_high": "exponent, upper bound",
    "claimed": "exponent that is claimed",
    "constant": "error where every axis of the law is 1",
    "constant_low": "error where every axis of the law is 1, lower bound",
    "constant_high": "error where every axis of the law is 1, upper bound",
    "local_exponent": "exponent between adjacent values",
    "local_exponent_low": "exponent between adjacent values, lower bound",
    "local_exponent_high": "exponent between adjacent values, upper bound",
    "median": "median error of the recovered trials",
    "median_low": "median error of the recovered trials, lower bound",
    "median_high": "median error of the recovered trials, upper bound",
    "lack_of_fit": "probability of medians as far from a law, if they followed one",
    "flag": "what limits the law, empty if nothing does",
    "runs": "trials run",
    "recovered": "recovered trials",
    "trials": "trials run, all cells together",
    "entered": "recovered trials that entered, all cells together",
    "no_logarithm": "recovered trials of a value without logarithm, all cells together",
    "share": "share of the trials that recovered",
    "share_low": "share of the trials that recovered, lower Wilson bound",
    "share_high": "share of the trials that recovered, upper Wilson bound",
}
