"""Conversion of labelled datasets to rows of plain values, for JSON."""

import math
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import xarray as xr


def plain(value: Any) -> Any:
    """Replace NaN and the infinities, which JSON does not have, by None."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def plain_values(dataset: xr.Dataset, names: Iterable[str]) -> dict[str, Any]:
    """Give the values of scalar variables, by name."""
    return {name: plain(dataset[name].item()) for name in names}


def place_of(dataset: xr.Dataset, dims: Iterable[Hashable]) -> dict[str, Any]:
    """Give the values of scalar coordinates of a part of a dataset, by name."""
    return {str(dim): dataset.coords[dim].item() for dim in dims}


def indices(array: xr.DataArray) -> list[dict[Any, int]]:
    """List the index of every entry of an array, each by dimension."""
    return [dict(zip(array.dims, index, strict=True)) for index in np.ndindex(array.shape)]
