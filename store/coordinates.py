"""Compare a store's coordinates with what its sweep gives now; older versions rounded otherwise."""

from typing import Any, NamedTuple

import numpy as np

from ..sweeps import Grid
from .documents import coordinates
from .info import StoreInfo
from .reading import open_group
from .template import array_of


class Changed(NamedTuple):
    """A parameter whose stored value differs from the one computed now, and at which point."""

    name: str
    point: str
    stored: Any
    computed: Any


def changed_coordinate(info: StoreInfo, grid: Grid) -> Changed | None:
    """Find a computed parameter to which the same sweep gives another value now.

    A coordinate that cannot be read is skipped: a run writes it again.

    Args:
        info: the store.
        grid: the points of the store's sweep, computed now.

    Returns:
        The first difference, or None.
    """
    group = open_group(info.path)
    for name in coordinates(info.attributes):
        given = name in info.sweep.parameters or name in info.placement
        column = None if given else grid.column(name)
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
        # Compared to the last bit, for a trial's random streams depend on it.
        differ = np.argwhere(np.asarray(stored != computed, dtype=bool))
        if len(differ):
            at = tuple(int(i) for i in differ[0])
            point = grid.place_along(column.dims, at)
            return Changed(name, point, stored[at], computed[at])
    return None
