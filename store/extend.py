"""Extending a store by values anywhere in its axes and by trials: completely, or not at all."""

import shutil
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import zarr

from ..sweeps import Grid
from ..sweeps.variables import Variable
from .documents import consolidate, read_revision
from .errors import StoreError, explained
from .exchange import NEW, put_in_place, work_area
from .foreign import carry, check_foreign, find_foreign, nested_stores_locked
from .info import StoreInfo
from .integrity import check_complete
from .layout import ERROR, SECONDS, STATUS, Layout, origins, origins_along, placement
from .lock import documents_held
from .moving import (
    OWN_ATTRIBUTES,
    SPARE_BYTES,
    carry_attributes,
    link_block,
    own_arrays,
    own_bytes,
    same_chunk,
)
from .own_files import zarr_group
from .places import check_replaceable
from .reading import read_status, readable
from .template import array_of, build_template, mark_excluded


def extend_store(info: StoreInfo, grid: Grid, variables: tuple[Variable, ...]) -> None:
    """Build a larger store with all results of the old one, and put it in the old one's place.

    A kill at any moment leaves the old store or the new one. Chunk sizes stay the same. Analyses
    of genprior are not carried over, because they are of the smaller sweep. What genprior did not
    make is carried over.

    Args:
        info: the store before the extension.
        grid: the points of the larger sweep: those of the store and those asked for.
        variables: what the store's task fills.

    Raises:
        WrongStoreError: the store's folder cannot be replaced.
        StoreError: the file system refused, the disk has too little space, or the store is
            incomplete, damaged, or holds something that cannot be carried over. The message says
            what.
    """
    path = info.path
    check_replaceable(path)
    with explained(path, "extending it"), work_area(path) as area:
        new = area / NEW
        sizes = Layout.of(grid.sweep, ()).sizes
        check_foreign(info, find_foreign(path, own_arrays(info)), sizes)
        needed = SPARE_BYTES + own_bytes(info)
        free = shutil.disk_usage(area).free
        if needed > free:
            from dask.utils import format_bytes

            raise StoreError(
                f"{path}: extending it needs {format_bytes(needed)} next to it and "
                f"{format_bytes(free)} are free. Make room and repeat the same command."
            )
        provenance = {k: v for k, v in info.attributes.items() if k not in OWN_ATTRIBUTES}
        layout = build_template(new, grid, variables, info.layout.chunks, provenance)
        own = (*variables, SECONDS, ERROR, STATUS, *placement(grid.sweep))
        names = tuple(variable.name for variable in own)
        with readable(info, names, "extending it"):
            check_complete(info, names, read_status(path))
            _carry_over(info, new, layout, grid, names)
        with documents_held(path), ExitStack() as stack:
            foreign = find_foreign(path, own_arrays(info))
            stack.enter_context(nested_stores_locked(path, foreign))
            carry(path, new, foreign)
            if carry_attributes(info, new) or foreign:
                consolidate(new)
            shutil.copystat(path, new)
            if read_revision(path) != info.revision:
                raise StoreError(
                    f"{path} became another store while it was extended; repeat the same command."
                )
            put_in_place(area, path)


def _carry_over(
    info: StoreInfo, new: Path, layout: Layout, grid: Grid, names: tuple[str, ...]
) -> None:
    """Carry all results over: link the chunks that stay the same, copy the others by values."""
    *axes, last = layout.dims
    sources = origins_along(info.sweep, grid.sweep, axes)
    old_last, new_last = info.layout.sizes[last], layout.sizes[last]
    sources.append(origins(list(range(old_last)), list(range(new_last))))
    source = zarr_group(info.path, "r")
    target = zarr_group(new, "r+")
    # Text of format 1 has another type, so that its chunks cannot be linked.
    linkable = tuple(n for n in names if array_of(source, n).dtype == array_of(target, n).dtype)
    others = tuple(n for n in names if n not in linkable)
    for block in layout.block_indices():
        region = layout.region(block)
        old = [source_of[part] for source_of, part in zip(sources, region, strict=True)]
        if any((indices < 0).all() for indices in old):
            continue
        old_block = [
            same_chunk(indices, chunk, size)
            for indices, chunk, size in zip(old, layout.chunks, info.layout.shape, strict=True)
        ]
        if all(index is not None for index in old_block):
            link_block(info.path, new, linkable, [str(index) for index in old_block], block)
            _copy_block(source, target, others, region, old)
        else:
            _copy_block(source, target, names, region, old)
        mark_excluded(target, grid, region)


def _copy_block(
    source: zarr.Group,
    target: zarr.Group,
    names: tuple[str, ...],
    region: tuple[slice, ...],
    old: list[np.ndarray],
) -> None:
    """Write old results into a block of the new store.

    Args:
        source: the old store.
        target: the new store.
        names: which results.
        region: the block in the new store.
        old: for each dimension, the old index of each value of the block, −1 if it is new.
    """
    in_block = np.ix_(*(np.flatnonzero(indices >= 0) for indices in old))
    in_source = tuple(indices[indices >= 0] for indices in old)
    for name in names:
        values = np.asarray(array_of(source, name).oindex[in_source])
        array = array_of(target, name)
        block = np.array(array[region])
        block[in_block] = values.astype(block.dtype)
        array[region] = block
