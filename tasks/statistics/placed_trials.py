"""Placed trials, which lie along `probe`, as results over a grid of the values where they are."""

from collections.abc import Hashable, Sequence
from typing import Any, TypeVar

import numpy as np
import xarray as xr

PROBE, NUMBER = "probe", "trial"
Results = TypeVar("Results", xr.DataArray, xr.Dataset)


def over_values(results: Results, along: str) -> Results:
    """Put placed trials on a grid, as the functions of this package read them.

    Args:
        results: of a store whose trials are placed, over its groups and `probe`; the value of each
            trial along the axis, and its number there, are coordinates.
        along: the axis along which trials are placed.

    Returns:
        The same over the groups, `along` and `trial`, loaded: NaN where no trial was placed, and ""
        in texts. Values at which no group has a trial are left out.

    Raises:
        TypeError: the results are neither a Dataset nor a DataArray.
        ValueError: they are not placed along this axis.
    """
    if not isinstance(results, xr.DataArray | xr.Dataset):
        raise TypeError(f"results is a {type(results).__name__}; give a Dataset or a DataArray.")
    for name in (along, NUMBER):
        if name not in results.coords or PROBE not in results[name].dims:
            raise ValueError(
                f"results have no coordinate {name!r} along 'probe', as placed trials have."
            )
    places = OverValues(results[along], results[NUMBER])
    if isinstance(results, xr.Dataset):
        return places.spread_all(results)
    return places.spread(*_with_fill(results))


class OverValues:
    """Puts placed trials on the grid of all values at which any were placed.

    Args:
        value: the value of each trial along the axis, over the groups and `probe`; NaN where no
            trial was placed. Its name is that of the axis.
        number: how often the value came before in its group.
        otherwise: the values of the grid if no trial was placed.

    Attributes:
        values: the values at which trials were placed, increasing.
        trials: the largest number of trials of one value in one group.
    """

    def __init__(self, value: xr.DataArray, number: xr.DataArray, otherwise: Sequence[int] = ()):
        value = value.transpose(..., PROBE)
        number = number.transpose(*value.dims)
        placed = (value.notnull() & number.notnull()).values
        self.along = str(value.name)
        self._groups = value.dims[:-1]
        self._labels = value.attrs
        self.values = np.unique(value.values[placed]).astype(np.int64)
        if not self.values.size:
            self.values = np.array(otherwise, dtype=np.int64)
        numbers = number.values[placed].astype(int)
        self.trials = int(numbers.max(initial=0)) + 1
        self._placed = placed
        at = np.searchsorted(self.values, value.values[placed])
        self._at = (*np.nonzero(placed)[:-1], at, numbers)
        self._shape = (*value.shape[:-1], self.values.size, self.trials)

    def spread(self, array: xr.DataArray, fill: Any) -> xr.DataArray:
        """Put a result on the grid, over the groups, the axis and the trial.

        Args:
            array: over the groups and `probe`.
            fill: the value of trials that do not exist.
        """
        stored = array.transpose(*self._groups, PROBE)
        grid = np.full(self._shape, fill, dtype=stored.dtype)
        grid[self._at] = stored.values[self._placed]
        dims = (*self._groups, self.along, NUMBER)
        coords: dict[Hashable, object] = {
            name: coord for name, coord in array.coords.items() if PROBE not in coord.dims
        }
        coords[self.along] = (self.along, self.values, self._labels)
        coords[NUMBER] = (NUMBER, np.arange(self.trials))
        return xr.DataArray(grid, dims=dims, coords=coords, attrs=array.attrs, name=array.name)

    def spread_all(self, results: xr.Dataset) -> xr.Dataset:
        """Put several results on the grid; NaN means *not run*."""
        spread = {
            name: self.spread(*_with_fill(array)) if PROBE in array.dims else array
            for name, array in results.data_vars.items()
        }
        return xr.Dataset(spread, attrs=results.attrs)


def _with_fill(array: xr.DataArray) -> tuple[xr.DataArray, Any]:
    """Give results in a type that can say *not run*, and what says it."""
    if array.dtype.kind in "OU":
        return array, ""
    return (array if array.dtype.kind == "f" else array.astype(float)), np.nan
