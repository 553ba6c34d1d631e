"""Whether a store's labels are still what its sweep gives: an older version may have rounded."""

from typing import Any, NamedTuple

import numpy as np

from ..sweeps import Grid
from .integrity import StoreInfo
from .reading import open_group
from .template import array_of


class Changed(NamedTuple):
    """A parameter that would be another one now."""

    name: str
    place: str
    stored: Any
    computed: Any


def changed_coordinate(info: StoreInfo, grid: Grid) -> Changed | None:
    """Find a computed parameter of a store that the same sweep would give another value now.

    What cannot be read is passed over: a run writes it again.

    Args:
        info: the store.
        grid: of the store's sweep, laid out now.
    """
    group = open_group(info.path)
    for name in str(info.attributes.get("coordinates", "")).split():
        column = None if name in info.sweep.parameters else grid.column(name)
        if column is None:
            continue
        try:
            stored = np.asarray(array_of(group, name)[...])
        except Exception:
            continue
        computed = column.values
        if stored.shape != computed.shape:
            return Changed(name, "", list(stored.shape), list(computed.shape))
        if stored.dtype.kind not in "biuf":
            stored = stored.astype(object)
            computed = np.frompyfunc(str, 1, 1)(computed)
        # To the last bit: trials are known by it.
        differ = np.argwhere(np.asarray(stored != computed, dtype=bool))
        if len(differ):
            at = tuple(int(i) for i in differ[0])
            place = grid.place_along(column.dims, at)
            return Changed(name, place, stored[at], computed[at])
    return None
