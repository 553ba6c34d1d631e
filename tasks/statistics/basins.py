"""Where runs end: at the true code, at the mirror point, or elsewhere."""

import numpy as np
import xarray as xr

from .intervals import wilson_interval

BASINS = ("target", "mirror", "elsewhere")
BASIN = "basin"


def basin_shares(
    success: xr.DataArray,
    mirror_error: xr.DataArray,
    ratio: xr.DataArray,
    radius: float,
    level: float = 0.95,
) -> xr.Dataset:
    """Count the runs of every cell by where they ended.

    Target: success. Mirror −ρ x*: no success, and ‖x̂ + ρ x*‖ < radius·ρ‖x*‖, which excludes 0.
    Elsewhere: all other runs, including diverged ones.

    Args:
        success: 1, 0 or NaN (not run), dims (…axes…, "trial") in any order.
        mirror_error: ‖x̂ + ρ x*‖/‖x*‖, same dims.
        ratio: ρ over axes; NaN or 0 where there is no mirror apart from 0.
        radius: of the mirror's neighbourhood, in ‖ρ x*‖, at most 1.
        level: coverage of the Wilson intervals.

    Returns:
        Over (…axes…, "basin") `share`, `share_low`, `share_high`, NaN without runs, and `count`;
        over the axes `runs` and `mirror_ratio`.
    """
    run = success.notnull()
    at_target = success == 1
    at_mirror = run & ~at_target & (mirror_error < radius * ratio)
    counts = [at_target, at_mirror, run & ~at_target & ~at_mirror]
    names = np.array(BASINS, dtype=np.dtypes.StringDType())
    count = xr.concat(
        [where.sum("trial") for where in counts],
        dim=xr.Variable(BASIN, names),
        coords="minimal",
        compat="override",
        join="exact",
    )
    runs = run.sum("trial")
    dims = (*runs.dims, BASIN)
    count = count.transpose(*dims)
    total = runs.broadcast_like(count)
    low, high = wilson_interval(count.values, total.values, level)
    variables = {
        "share": count / total.where(total > 0),
        "share_low": count.copy(data=low).where(total > 0),
        "share_high": count.copy(data=high).where(total > 0),
        "count": count,
        "runs": runs,
        "mirror_ratio": ratio,
    }
    labelled = {
        name: values.copy(deep=False).assign_attrs(long_name=LONG_NAMES[name], units="1")
        for name, values in variables.items()
    }
    dataset = xr.Dataset(labelled, attrs={"level": level, "radius": radius})
    dataset[BASIN].attrs = {"long_name": "where a run ended"}
    return dataset


LONG_NAMES = {
    "share": "share of the runs that ended there",
    "share_low": "share of the runs that ended there, lower Wilson bound",
    "share_high": "share of the runs that ended there, upper Wilson bound",
    "count": "runs that ended there",
    "runs": "runs",
    "mirror_ratio": "length ρ of the mirror point relative to x*",
}
