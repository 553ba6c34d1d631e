"""The error law of a store, as its sweep claims it and as its trials show it."""

from typing import Any

import xarray as xr

from ..store import StoreInfo
from ..sweeps import Grid, SweepError
from ..sweeps.sharing import shared_wholly
from ..tasks.law_fits import fit_laws
from ..tasks.laws import REJECTED
from .rows import indices, place_of, plain, plain_values
from .uniform import load_worst

GROUP_FIELDS = (
    "constant", "constant_low", "constant_high", "trials", "crashed", "entered", "no_logarithm",
    "share", "share_low", "share_high", "lack_of_fit", "flag",
)  # fmt: skip


def check_law_of(info: StoreInfo) -> tuple[str, ...]:
    """Refuse a law along an axis of one value, or along one that shares some of its draws only.

    Returns:
        The axes of the law all along which draws are shared.

    Raises:
        SweepError: naming the axis.
    """
    if info.sweep.law is None:
        return ()
    axes = list(info.sweep.law.exponents)
    for axis in axes:
        if len(info.sweep.axes[axis]) < 2:
            raise SweepError(
                f"{info.path}: law.exponents: '{axis}' has one value, {info.sweep.axes[axis][0]}; "
                "an exponent needs two."
            )
    return shared_wholly(Grid(info.sweep), axes, f"{info.path}: law.exponents")


def fit_law_of(info: StoreInfo) -> xr.Dataset:
    """Fit the law that the sweep of a store names to the store's results."""
    law = info.sweep.law
    if law is None:
        raise SweepError(f"{info.path}: its sweep names no law.")
    if law.variable not in info.variables:
        raise SweepError(f"{info.path}: its trials give no {law.variable}; a law needs it.")
    judging = ("success", "signal_error", "latent_error")
    names = [name for name in judging if name in info.variables and name != law.variable]
    results = load_worst(info, [law.variable, *names])
    shared = check_law_of(info)
    try:
        return fit_laws(
            results[law.variable],
            results.get("success"),
            law.exponents,
            shared=shared,
            judged=_judged(results) if set(judging) <= set(results) else None,
        )
    except ValueError as error:
        raise SweepError(f"{info.path}: {error}") from None


def _judged(results: xr.Dataset) -> xr.DataArray | None:
    """Give the error that decided success as a part of the threshold."""
    if not {"success.metric", "success.below"} <= set(results.coords):
        return None
    if (results["success.metric"] == "nearest_target").any():
        return None
    by_code = results["success.metric"] == "latent_error"
    error = results["latent_error"].where(by_code, results["signal_error"])
    share: xr.DataArray = error / results["success.below"]
    return share.broadcast_like(results["success"]).transpose(*results["success"].dims)


def law_rows(fitted: xr.Dataset) -> list[dict[str, Any]]:
    """Give laws as rows, one a group and axis, each with the group's coordinates."""
    rows = []
    for index in indices(fitted["constant"]):
        group = fitted.isel(index)
        shared = {
            **place_of(group, index),
            "variable": fitted.attrs["variable"],
            "of": fitted.attrs["of"],
        }
        whole = plain_values(group, GROUP_FIELDS)
        fit = group["lack_of_fit"].item()
        for axis in fitted["law_axis"].values.tolist():
            own = group.sel(law_axis=axis)
            exponent = plain_values(own, ("claimed", "exponent", "exponent_low", "exponent_high"))
            rows.append(
                {
                    **shared,
                    "axis": str(axis),
                    **exponent,
                    **whole,
                    "curved": None if fit != fit else fit < REJECTED,
                    "clustered": bool(fitted.attrs["clustered_along"]),
                    "local": _local(group, axis),
                    "method": fitted.attrs["method"],
                }
            )
    return rows


def _local(group: xr.Dataset, axis: str) -> list[dict[str, Any]]:
    """List the exponents between neighbours along an axis."""
    found = []
    for at in range(group.sizes["local"]):
        one = group.isel(local=at)
        if one["local_axis"].item() == axis:
            names = ("local_from", "local_to", "local_exponent", "local_exponent_low",
                     "local_exponent_high")  # fmt: skip
            keys = ("from", "to", "exponent", "exponent_low", "exponent_high")
            found.append(
                {key: plain(one[name].item()) for key, name in zip(keys, names, strict=True)}
            )
    return found
