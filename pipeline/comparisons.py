"""The comparison of a store, as its sweep names it: rates cell by cell, and transitions."""

from typing import Any

import xarray as xr

from ..store import StoreInfo
from ..sweeps import Grid, SweepError
from ..sweeps.checks import reference_index
from ..sweeps.sharing import check_compared
from ..tasks.comparisons import CELL_NAMES, compare_rates, compare_transitions
from .rows import indices, place_of, plain, plain_values
from .uniform import load_worst

CRASHED = ("crashed", "reference_crashed")
DIFFERENT = 0.05  # a Holm-adjusted p-value below this counts a cell as different


def check_comparison_of(info: StoreInfo, along: str | None = None) -> bool:
    """Refuse a comparison over one value, with a value that is not there, or of mixed draws.

    Args:
        info: the store.
        along: the axis of the transitions that are compared; None without them.

    Returns:
        Whether the values meet the same draws, trial by trial.

    Raises:
        SweepError: naming the axis.
    """
    compare = info.sweep.compare
    if compare is None:
        return False
    values = info.sweep.axes[compare.over]
    if len(values) < 2:
        raise SweepError(
            f"{info.path}: compare.over: '{compare.over}' has one value, {values[0]}; a "
            "comparison needs two."
        )
    reference_index(info.sweep)
    return check_compared(Grid(info.sweep), compare.over, along, f"{info.path}: compare.over")


def compare_of(info: StoreInfo, fitted: xr.Dataset | None = None) -> xr.Dataset:
    """Compare what the sweep of a store names, and its transitions if they are fitted.

    Args:
        info: the store.
        fitted: its transitions, from `fit_transitions_of`.
    """
    compare = info.sweep.compare
    if compare is None:
        raise SweepError(f"{info.path}: its sweep names nothing to compare.")
    reference = reference_index(info.sweep)
    paired = check_comparison_of(info, None if fitted is None else fitted.attrs["along"])
    success = load_worst(info, ["success"])["success"]
    compared = compare_rates(success, compare.over, reference, paired=paired)
    if fitted is None:
        return compared
    shifts = compare_transitions(success, fitted, compare.over, reference, paired=paired)
    merged = compared.merge(shifts, compat="equals", join="exact", combine_attrs="override")
    return merged.assign_attrs(along=fitted.attrs["along"])


def comparison_rows(compared: xr.Dataset) -> list[dict[str, Any]]:
    """Give comparisons as rows, one a value and group, each with its cells.

    `joint` is about all values of a group together, and the same in all of its rows.

    Groups are the combinations of the axes besides `over` and the axis of the transition; without
    transitions there is one, and its cells are all.
    """
    over, along = compared.attrs["over"], compared.attrs.get("along")
    cell_dims = [dim for dim in compared["rate"].dims if dim != over]
    groups = [dim for dim in cell_dims if dim != along] if along else []
    first = compared["rate"].isel({d: 0 for d in cell_dims if d not in groups})
    rows = []
    for index in indices(first):
        part = compared.isel(index)
        cells = _cells(part, [dim for dim in cell_dims if dim not in groups])
        row = {
            **place_of(part, groups),
            "over": over,
            "reference": compared.attrs["reference"],
            "value": str(part.coords[over].item()),
            "paired": bool(compared.attrs["paired"]),
        }
        if along:
            row |= {"along": along} | _transition(part)
            row["joint"] = _joint(compared, part)
        adjusted = [cell["p_holm"] for cell in cells if cell["p_holm"] is not None]
        row |= {name: int(part[name].sum()) for name in CRASHED if name in part}
        row["cells_tested"] = len(adjusted)
        row["cells_that_differ"] = sum(p < DIFFERENT for p in adjusted)
        rows.append({**row, "cells": cells, "method": compared.attrs["method"]})
    return rows


def _transition(part: xr.Dataset) -> dict[str, Any]:
    names = ("shift", "shift_low", "shift_high", "detectable_shift")
    row = plain_values(part, names)
    row["p_pooled"] = plain(part["p_pooled"].item()) if "p_pooled" in part else None
    return {**row, "flag": str(part["flag"].item())}


def _joint(compared: xr.Dataset, part: xr.Dataset) -> dict[str, Any]:
    """Give the one test of all values together, which is no test of a single one."""
    others = [str(value) for value in compared[compared.attrs["over"]].values.tolist()]
    return {"values": [compared.attrs["reference"], *others]} | plain_values(part, ["p_one_curve"])


def _cells(part: xr.Dataset, dims: list[Any]) -> list[dict[str, Any]]:
    names = [name for name in (*CELL_NAMES, *CRASHED) if name in part]
    cells = (part.isel(index) for index in indices(part["rate"]))
    return [{**place_of(cell, dims), **plain_values(cell, names)} for cell in cells]
