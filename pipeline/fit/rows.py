"""Conversion of labelled datasets to rows of plain values, for JSON."""

import math
from collections.abc import Hashable, Iterable, Sequence
from itertools import product
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


def columns(
    dataset: xr.Dataset, names: Iterable[Hashable], dims: Sequence[Hashable]
) -> list[dict[str, Any]]:
    """Give the values of variables in every cell, a row for each; fast also for many cells.

    Args:
        dataset: the variables, and coordinates of the dimensions.
        names: the variables; those that lack a dimension are the same along it.
        dims: the dimensions of the cells, in the order of the rows. Variables have no others.
    """
    names, shape = list(names), tuple(dataset.sizes[dim] for dim in dims)
    lists = []
    for name in names:
        values = dataset[name].transpose(*(dim for dim in dims if dim in dataset[name].dims))
        index = tuple(slice(None) if dim in values.dims else np.newaxis for dim in dims)
        lists.append(np.broadcast_to(values.values[index], shape).ravel().tolist())
    keys = list(map(str, names))
    cells = zip(*lists, strict=True)
    return [dict(zip(keys, map(plain, cell), strict=True)) for cell in cells]


def places(dataset: xr.Dataset, dims: Sequence[Hashable]) -> list[dict[str, Any]]:
    """Give the coordinates of every cell, a row for each, in the order of `columns`."""
    values = [dataset.coords[dim].values.tolist() for dim in dims]
    return [dict(zip(map(str, dims), row, strict=True)) for row in product(*values)]


def indices(array: xr.DataArray) -> list[dict[Any, int]]:
    """List the index of every entry of an array, each by dimension."""
    return [dict(zip(array.dims, index, strict=True)) for index in np.ndindex(array.shape)]
