"""Load arrays of which few chunks exist, as where trials are placed in a part of the groups.

zarr looks for every chunk of an array, which takes far longer than reading those that exist.
"""

from typing import TYPE_CHECKING

import numpy as np

from .chunks import few_chunks
from .info import StoreInfo

if TYPE_CHECKING:
    import xarray as xr


def load_existing(dataset: "xr.Dataset", info: StoreInfo) -> "xr.Dataset":
    """Load a dataset as `Dataset.load` does, but do not look for chunks that do not exist.

    Args:
        dataset: results of a store, opened lazily.
        info: the store.
    """
    if not info.layout.is_placed:  # of a grid most chunks exist; to list them would only cost
        return dataset.load()
    found = {}
    for name, variable in dataset.variables.items():
        if name in info.results:
            exists = few_chunks(info.path / str(name), info.layout.grid)
            if exists is not None:
                found[name] = _loaded(variable, info, exists)
    coords = {name: variable for name, variable in found.items() if name in dataset.coords}
    data = {name: variable for name, variable in found.items() if name not in coords}
    return dataset.assign_coords(coords).assign(data).load()


def _loaded(variable: "xr.Variable", info: StoreInfo, exists: np.ndarray) -> "xr.Variable":
    """Read the chunks of a variable that exist; elsewhere it has what an absent chunk gives."""
    layout = info.layout
    absent = layout.region(tuple(int(i) for i in np.argwhere(~exists)[0]))
    first = variable[tuple(slice(part.start, part.start + 1) for part in absent)]
    values = np.full(variable.shape, first.values.ravel()[0], dtype=variable.dtype)
    for parent in np.argwhere(exists.any(axis=-1)):
        lead = tuple(int(i) for i in parent)
        last = layout.region((*lead, int(np.flatnonzero(exists[lead])[-1])))
        region = (*last[:-1], slice(0, last[-1].stop))
        values[region] = variable[region].values
    return variable.copy(data=values)
