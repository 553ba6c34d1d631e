"""Uniform recovery: several targets share one draw, and the worst of them counts."""

import numpy as np
import xarray as xr

from .counts import counts_by_cell
from .intervals import wilson_interval

TARGET = "target"
ERRORS = ("latent_error", "signal_error")


def worst_over_targets(results: xr.Dataset) -> xr.Dataset:
    """Reduce each trial to its worst target: the least success, and the largest of other values.

    Where a target was not run the worst is unknown, NaN.

    Args:
        results: success, and quantities that are worse the larger they are; variables with the
            dimension `target` are reduced, the others are kept.

    Raises:
        ValueError: a variable holds codes, which have no order from good to bad.
    """
    if TARGET not in results.dims:
        return results
    reduced = {}
    for name, values in results.items():
        if name != "success" and "flag_values" in values.attrs:
            raise ValueError(f"{name} holds codes; codes have no worst value, so leave it out.")
        worst = values.min if name == "success" else values.max
        has_targets = TARGET in values.dims
        reduced[name] = worst(TARGET, skipna=False, keep_attrs=True) if has_targets else values
    return xr.Dataset(reduced, attrs=results.attrs)


def uniform_recovery(results: xr.Dataset, level: float = 0.95) -> xr.Dataset:
    """Measure the worst and the mean over targets, in every cell of the other axes.

    Args:
        results: `success` and errors, dims (…cells…, target, trial) in any order.
        level: coverage of the Wilson interval.

    Returns:
        Over cells: `runs` (trials all of whose targets were run), `success_share` of targets,
        `success_all`, the share of trials that recover all of theirs, with `success_all_low` and
        `success_all_high`, and `targets`. For each error over cells and trials:
        `worst_…`, `mean_…`, the largest and the mean over the targets.
    """
    success = results["success"].astype(float)
    every, share = success.min(TARGET, skipna=False), success.mean(TARGET, skipna=False)
    all_found, runs = counts_by_cell(every)
    low, high = wilson_interval(all_found.values, runs.values, level)
    measures = {
        "targets": xr.DataArray(results.sizes[TARGET]),
        "runs": runs,
        "success_share": share.mean("trial"),
        "success_all": all_found / runs.where(runs > 0),
        "success_all_low": runs.copy(data=low).where(runs > 0),
        "success_all_high": runs.copy(data=high).where(runs > 0),
    }
    for name in ERRORS:
        if name in results:
            measures[f"worst_{name}"] = results[name].max(TARGET, skipna=False)
            measures[f"mean_{name}"] = results[name].mean(TARGET, skipna=False)
    for name, values in measures.items():
        # The attributes of the codes that were counted do not apply.
        values.attrs = {"long_name": LONG_NAMES[name], "units": "1"}
    return xr.Dataset(measures, attrs={"level": level})


def medians_over_trials(uniform: xr.Dataset) -> xr.Dataset:
    """Compute the medians over trials of worst and mean errors; NaN where nothing was run."""
    errors = [f"{kind}_{name}" for name in ERRORS for kind in ("worst", "mean")]
    known = uniform[[name for name in errors if name in uniform]]
    with np.errstate(invalid="ignore"):
        return known.median("trial")


LONG_NAMES = {
    "targets": "targets that meet one draw of network, measurements, noise and dither",
    "runs": "trials all of whose targets were run",
    "success_share": "share of targets that were recovered",
    "success_all": "share of trials that recovered all their targets",
    "success_all_low": "share of trials that recovered all their targets, lower Wilson bound",
    "success_all_high": "share of trials that recovered all their targets, upper Wilson bound",
    "worst_latent_error": "largest relative latent error over targets",
    "mean_latent_error": "mean relative latent error over targets",
    "worst_signal_error": "largest relative signal error over targets",
    "mean_signal_error": "mean relative signal error over targets",
}
