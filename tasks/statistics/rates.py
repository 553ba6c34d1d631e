"""Success rates with intervals."""

import xarray as xr

from .counts import checked_outcomes, counts_by_cell
from .intervals import wilson_interval

LONG_NAMES = {
    "rate": "success rate",
    "rate_low": "success rate, lower Wilson bound",
    "rate_high": "success rate, upper Wilson bound",
    "successes": "successful trials",
    "runs": "trials run",
}


def success_rate(success: xr.DataArray, level: float = 0.95) -> xr.Dataset:
    """Give the success rate of every cell with Wilson's interval.

    Args:
        success: 1, 0 or NaN (not run), with the dimension "trial".
        level: nominal coverage of the intervals.

    Returns:
        Over the other dimensions `rate`, `rate_low` and `rate_high`, NaN where nothing was run, and
        the counts `successes` and `runs`.

    Raises:
        ValueError: a value is not 1, 0 or NaN, or a dimension has the name of a result.
    """
    success = checked_outcomes(success)
    taken = [name for name in success.dims if name in LONG_NAMES]
    if taken:
        raise ValueError(f"axis {taken[0]!r} has the name of a result; rename it.")
    successes, runs = counts_by_cell(success)
    low, high = wilson_interval(successes.values, runs.values, level)
    ran = runs > 0
    found = {
        "rate": successes / runs.where(ran),
        "rate_low": runs.copy(data=low).where(ran),
        "rate_high": runs.copy(data=high).where(ran),
        "successes": successes,
        "runs": runs,
    }
    for name, values in found.items():
        values.attrs = {"long_name": LONG_NAMES[name], "units": "1"}
    return xr.Dataset(found, attrs={"level": level})
