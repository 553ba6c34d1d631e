"""Trials that crashed in the cells of a fit, which is then one of the survivors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..store import Status
from ..sweeps.labels import value_label
from ..tasks.uniform import TARGET

MOST_LINES = 5
LONG_NAME = "trials that crashed there, which are not among the others"


def with_crashes(dataset: xr.Dataset, status: xr.DataArray, like: str) -> xr.Dataset:
    """Add `crashed` to an analysis: how many trials crashed in the cells of each of its entries.

    Of several targets of a trial, where these are not told apart, one that crashed is enough.

    Args:
        dataset: the analysis; of a comparison the reference's are added as `reference_crashed`.
        status: of every trial.
        like: the variable over whose dimensions they are counted.
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
    here = count.isel({over: np.flatnonzero(is_compared)})
    there = count.isel({over: is_compared.index(False)}, drop=True).broadcast_like(here)
    return dataset.assign(
        crashed=_values(here, dims, label),
        reference_crashed=_values(
            there, dims, label | {"long_name": f"at the reference: {LONG_NAME}"}
        ),
    )


def _values(count: xr.DataArray, dims: Sequence[Any], label: dict[str, str]) -> xr.Variable:
    return xr.Variable(dims, count.transpose(*dims).values, label)


def crash_lines(rows: list[dict[str, Any]], groups: Sequence[str], total: str) -> list[str]:
    """Say how many trials crashed, a line a row, or one for all where there are many.

    Args:
        rows: of a fit, as JSON has them.
        groups: the keys that say which part a row is of.
        total: the key of the number of trials that did not crash.
    """
    lines = {}
    for row in rows:
        if row.get("crashed"):
            place = ", ".join(f"{name} = {value_label(row[name])}" for name in groups)
            all_ = int(row[total]) + row["crashed"]
            text = f"{row['crashed']:,} of {all_:,} trials crashed and are left out"
            lines[place] = (f"{place}: {text}" if place else text, row["crashed"])
    if len(lines) > MOST_LINES:
        crashed = sum(number for _, number in lines.values())
        return [f"{crashed:,} trials crashed, in {len(lines)} rows, and are left out"]
    return [text for text, _ in lines.values()]
