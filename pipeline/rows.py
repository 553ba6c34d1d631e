"""Labelled fits as rows of plain values, as JSON has them."""

import math
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import xarray as xr


def plain(value: Any) -> Any:
    """Give None for NaN and the infinities, which JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def plain_values(dataset: xr.Dataset, names: Iterable[str]) -> dict[str, Any]:
    """Give scalar variables by name."""
    return {name: plain(dataset[name].item()) for name in names}


def place_of(dataset: xr.Dataset, dims: Iterable[Hashable]) -> dict[str, Any]:
    """Give the scalar coordinates that say where a part of a dataset lies."""
    return {str(dim): dataset.coords[dim].item() for dim in dims}


def indices(array: xr.DataArray) -> list[dict[Any, int]]:
    """List the index of every entry of an array by dimension."""
    return [dict(zip(array.dims, index, strict=True)) for index in np.ndindex(array.shape)]
