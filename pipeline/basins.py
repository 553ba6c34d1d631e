"""Where the runs of a store end, in every cell."""

from typing import Any

import numpy as np
import xarray as xr

from ..store import StoreInfo, load_results
from ..sweeps import Grid, SweepError
from ..tasks.basins import BASIN, basin_shares
from ..tasks.instance import mirror_ratio_of
from .rows import indices, place_of, plain_values

NEEDED = ("success", "mirror_error")


def check_basins_of(info: StoreInfo) -> None:
    """Refuse to look for basins where trials do not say how near the mirror they ended.

    Raises:
        SweepError: naming what is missing.
    """
    missing = [name for name in NEEDED if name not in info.variables]
    if info.sweep.basins is not None and missing:
        raise SweepError(f"{info.path}: basins: its trials give no {missing[0]}.")


def basins_of(info: StoreInfo) -> xr.Dataset:
    """Count the runs of a store by where they ended."""
    if info.sweep.basins is None:
        raise SweepError(f"{info.path}: its sweep names no basins.")
    results = load_results(info.path, list(NEEDED))
    cells = results["success"].isel(trial=0, drop=True)
    ratio = xr.DataArray(_ratios(Grid(info.sweep)), coords=cells.coords, dims=cells.dims)
    return basin_shares(
        results["success"], results["mirror_error"], ratio, info.sweep.basins.radius
    )


def _ratios(grid: Grid) -> np.ndarray:
    """ρ at every point of a grid; NaN where there is no mirror, or no point."""
    ratios = np.full(grid.shape, np.nan)
    for index in np.ndindex(grid.shape):
        if not grid.excluded[index]:
            ratios[index] = mirror_ratio_of(grid.point(index))
    return ratios


def basin_rows(found: xr.Dataset) -> list[dict[str, Any]]:
    """Give basins as rows, one a cell, with the share of each."""
    rows = []
    for index in indices(found["runs"]):
        cell = found.isel(index)
        row = {**place_of(cell, index), **plain_values(cell, ("runs", "crashed", "mirror_ratio"))}
        row["ends"] = {
            basin: plain_values(cell.sel({BASIN: basin}), ("share", "share_low", "share_high"))
            for basin in found[BASIN].values.tolist()
        }
        rows.append(row)
    return rows
