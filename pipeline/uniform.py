"""Uniform recovery of a store whose trials hold several targets."""

from typing import Any

import xarray as xr

from ..store import StoreInfo, load_results
from ..tasks.uniform import (
    ERRORS,
    TARGET,
    medians_over_trials,
    uniform_recovery,
    worst_over_targets,
)
from .rows import indices, place_of, plain_values


def number_of_targets(info: StoreInfo) -> int:
    """How many targets share their draws; 0 if every trial has its own."""
    targets = len(info.sweep.axes.get(TARGET, ()))
    return targets if targets > 1 else 0


def load_worst(info: StoreInfo, names: list[str]) -> xr.Dataset:
    """Load variables for a fit: of several targets of a trial the worst counts."""
    return worst_over_targets(load_results(info.path, names))


def uniform_of(info: StoreInfo) -> xr.Dataset:
    """Measure uniform recovery in every cell of a store."""
    names = [name for name in ("success", *ERRORS) if name in info.variables]
    return uniform_recovery(load_results(info.path, names))


def uniform_rows(measured: xr.Dataset) -> list[dict[str, Any]]:
    """Give uniform recovery as rows, one a cell, with medians of the errors over trials."""
    medians = medians_over_trials(measured)
    rows = []
    for index in indices(measured["success_all"]):
        cell, middle = measured.isel(index), medians.isel(index)
        rows.append(
            {
                **place_of(cell, index),
                "targets": int(measured["targets"]),
                **plain_values(cell, ("runs", "crashed", "success_share", "success_all",
                                      "success_all_low", "success_all_high")),
                **plain_values(middle, [str(name) for name in middle]),
            }
        )  # fmt: skip
    return rows
