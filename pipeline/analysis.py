"""Fitting what a store holds, and keeping the fits beside it."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..store import StoreInfo, exclusive, load_results, read_info, write_analysis
from ..sweeps import SweepError
from ..sweeps.checks import shares_draws
from ..sweeps.errors import did_you_mean
from ..tasks.audits import LONG_NAMES as AUDIT_FIELDS
from ..tasks.audits import audit_abandonment
from ..tasks.fits import fit_transitions

GROUP = "transition"
JSON_FIELDS = (
    "p50", "p50_low", "p50_high", "width", "width_low", "width_high", "direction", "trials", "flag",
)  # fmt: skip


def fit_store(path: Path, along: str | None = None) -> dict[str, Any]:
    """Fit the transitions of a store, write them into it, and give them as plain values.

    Args:
        path: the store.
        along: axis of the transition; the sweep's `fit.along` if None.

    Raises:
        SweepError: the sweep names no such axis.
        StoreError: the store cannot be read or written.
    """
    transition_axis(read_info(path), along)
    with exclusive(path):
        fitted = fit_transitions_of(read_info(path), along)
        write_analysis(path, GROUP, fitted)
    return as_json(fitted)


def fit_transitions_of(info: StoreInfo, along: str | None = None) -> xr.Dataset:
    """Fit the transitions of a store's results."""
    axis = transition_axis(info, along)
    audited = "abandonment" in info.variables
    results = load_results(info.path, ["success", "abandonment"] if audited else ["success"])
    try:
        fitted = fit_transitions(results["success"], axis)
    except ValueError as error:
        raise SweepError(f"{info.path}: {error}") from None
    if audited and (results["abandonment"] > 0).any():
        audits = audit_abandonment(results["abandonment"], (axis, "trial"))
        fitted = fitted.merge(audits, combine_attrs="override")
    return fitted


def transition_axis(info: StoreInfo, along: str | None = None) -> str:
    """Find the axis of the transition, and check that it may be one."""
    sweep = info.sweep
    axis = along or sweep.fit.along
    if axis is None:
        raise SweepError(
            f"{info.path}: its sweep names no fit.along; give --along one of "
            f"{', '.join(sweep.axes)}."
        )
    if axis not in sweep.axes:
        raise SweepError(f"--along: {axis!r} is no axis. {did_you_mean(axis, sweep.axes)}")
    if shares_draws(sweep, axis):
        raise SweepError(
            f"--along: the same draws are used all along {axis!r}, which ruins the intervals."
        )
    return axis


def as_json(fitted: xr.Dataset) -> dict[str, Any]:
    """Give fits as rows, one a group, each with the group's coordinates."""
    along = fitted.attrs["along"]
    groups = list(fitted["p50"].dims)
    rows = []
    for index in _indices(fitted["p50"]):
        one = fitted.isel(index)
        rows.append(
            {
                **{str(name): one.coords[name].item() for name in groups},
                "along": along,
                **{name: one[name].item() for name in JSON_FIELDS},
                **{name: _plain(one[name].item()) for name in AUDIT_FIELDS if name in one},
                "method": fitted.attrs["method"],
            }
        )
    positions = fitted[along].values
    return {
        "transitions": rows,
        "groups": groups,
        "level": fitted.attrs["level"],
        "positions": [float(positions.min()), float(positions.max())],
    }


def _plain(value: float) -> float | None:
    """JSON has no NaN."""
    return None if value != value else value


def _indices(array: xr.DataArray) -> list[dict[Any, int]]:
    return [dict(zip(array.dims, index, strict=True)) for index in np.ndindex(array.shape)]
