"""Counts of the crashed trials in the cells of an analysis, which is made without them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from ...store import Status
from ...tasks.statistics.uniform import TARGET
from ..show.table_parts import group_text

MOST_LINES = 5
LONG_NAME = "crashed trials, which no other variable counts"


def with_crashes(dataset: xr.Dataset, status: xr.DataArray, like: str) -> xr.Dataset:
    """Add `crashed` to an analysis: how many trials crashed in the cells of each of its entries.

    If the analysis joins the targets of a trial, the trial counts as crashed if one target did.

    Args:
        dataset: the analysis; a comparison also gets `reference_crashed`.
        status: status of every trial.
        like: the variable over whose dimensions crashed trials are counted.
    """
    dims = dataset[like].dims
    crashed = status == Status.CRASHED
    if TARGET in crashed.dims and TARGET not in dims:
        crashed = crashed.any(TARGET)
    count = crashed.sum([dim for dim in crashed.dims if dim not in dims])
    label = {"long_name": LONG_NAME, "units": "1"}
    over = dataset.attrs.get("over")
    if over is None:
        return dataset.assign(crashed=_values(count, dims, label))
    compared = set(dataset[over].values.tolist())
    is_compared = [value in compared for value in count[over].values.tolist()]
    at_values = count.isel({over: np.flatnonzero(is_compared)})
    at_reference = count.isel({over: is_compared.index(False)}, drop=True).broadcast_like(at_values)
    return dataset.assign(
        crashed=_values(at_values, dims, label),
        reference_crashed=_values(
            at_reference, dims, label | {"long_name": f"at the reference: {LONG_NAME}"}
        ),
    )


def _values(count: xr.DataArray, dims: Sequence[Any], label: dict[str, str]) -> xr.Variable:
    return xr.Variable(dims, count.transpose(*dims).values, label)


def crash_lines(rows: list[dict[str, Any]], groups: Sequence[str], total: str) -> list[str]:
    """Say how many trials crashed, in a line for each row, or in one line if there are many.

    Args:
        rows: the rows of an analysis, as in JSON.
        groups: the keys of a row that name its group.
        total: the key of the number of trials that did not crash.
    """
    lines = {}
    for row in rows:
        if row.get("crashed"):
            group = group_text(row, groups)
            trials = int(row[total]) + row["crashed"]
            text = f"{row['crashed']:,} of {trials:,} trials crashed and are left out"
            lines[group] = (f"{group}: {text}" if group else text, row["crashed"])
    if len(lines) > MOST_LINES:
        crashed = sum(number for _, number in lines.values())
        return [f"{crashed:,} trials crashed, in {len(lines)} rows, and are left out"]
    return [text for text, _ in lines.values()]
