"""Extending a store by values anywhere in its axes and by trials: completely, or not at all."""

import os
import shutil
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import zarr

from ..sweeps import Grid
from ..sweeps.labels import value_label
from ..sweeps.variables import Variable
from .documents import (
    VARIABLES,
    BrokenDocumentError,
    consolidate,
    is_array,
    read_document,
    read_revision,
)
from .errors import StoreError, explained
from .exchange import NEW, put_in_place, work_area
from .foreign import carry, check_foreign, find_foreign, nested_stores_locked
from .integrity import StoreInfo, check_complete
from .layout import ERROR, SECONDS, STATUS, TRIAL, Layout
from .lock import documents_held
from .own_files import zarr_group
from .places import check_replaceable
from .reading import read_status, readable
from .template import array_of, build_template, mark_excluded
from .unwarned import unwarned

OWN_ATTRIBUTES = (
    "title", "genprior_format", "revision", "sweep", "sweep_hash", "coordinates", VARIABLES,
)  # fmt: skip
SPARE_BYTES = 1_000_000


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
        sizes = dict(zip(grid.dims, grid.shape, strict=True)) | {TRIAL: grid.sweep.trials}
        check_foreign(info, find_foreign(path, _own_arrays(info)), sizes)
        needed = SPARE_BYTES + _own_bytes(info)
        free = shutil.disk_usage(area).free
        if needed > free:
            from dask.utils import format_bytes

            raise StoreError(
                f"{path}: extending it needs {format_bytes(needed)} next to it and "
                f"{format_bytes(free)} are free. Make room and repeat the same command."
            )
        provenance = {k: v for k, v in info.attributes.items() if k not in OWN_ATTRIBUTES}
        layout = build_template(new, grid, variables, info.layout.chunks, provenance)
        names = tuple(v.name for v in (*variables, SECONDS, ERROR, STATUS))
        with readable(info, names, "extending it"):
            check_complete(info, names, read_status(path))
            _carry_over(info, new, layout, grid, names)
        with documents_held(path), ExitStack() as stack:
            foreign = find_foreign(path, _own_arrays(info))
            stack.enter_context(nested_stores_locked(path, foreign))
            carry(path, new, foreign)
            if _carry_attributes(info, new) or foreign:
                consolidate(new)
            shutil.copystat(path, new)
            if read_revision(path) != info.revision:
                raise StoreError(
                    f"{path} became another store while it was extended; repeat the same command."
                )
            put_in_place(area, path)


def _own_arrays(info: StoreInfo) -> dict[str, int]:
    """Give the number of dimensions of each array that genprior wrote, by name."""
    documents = {}
    for name in info.arrays:
        with suppress(FileNotFoundError, BrokenDocumentError):
            documents[name] = read_document(info.path / name)
    return {name: len(own["shape"]) for name, own in documents.items() if is_array(own)}


def _own_bytes(info: StoreInfo) -> int:
    """Count the bytes of the arrays that genprior wrote."""
    arrays = (info.path / name for name in _own_arrays(info))
    files = (file for array in arrays for file in array.rglob("*"))
    return sum(file.lstat().st_size for file in files if file.is_file())


def _carry_attributes(info: StoreInfo, new: Path) -> bool:
    """Copy attributes that the user added to arrays; say whether there were any."""
    carried = False
    source = zarr_group(info.path, "r")
    target = zarr_group(new, "r+")
    for name in _own_arrays(info):
        if (array := target.get(name)) is None:
            continue
        old = source[name].attrs.asdict()
        if added := {key: value for key, value in old.items() if key not in array.attrs}:
            with unwarned():
                array.attrs.update(added)
            carried = True
    return carried


def _carry_over(
    info: StoreInfo, new: Path, layout: Layout, grid: Grid, names: tuple[str, ...]
) -> None:
    """Carry all results over: link the chunks that stay the same, copy the others by values."""
    origins = [_origins(info.sweep.axes[dim], grid.sweep.axes[dim]) for dim in grid.dims]
    origins.append(_origins(list(range(info.sweep.trials)), list(range(grid.sweep.trials))))
    source = zarr_group(info.path, "r")
    target = zarr_group(new, "r+")
    # Text of format 1 has another type, so that its chunks cannot be linked.
    linkable = tuple(n for n in names if array_of(source, n).dtype == array_of(target, n).dtype)
    others = tuple(n for n in names if n not in linkable)
    for block in layout.block_indices():
        region = layout.region(block)
        old = [origin[part] for origin, part in zip(origins, region, strict=True)]
        if any((indices < 0).all() for indices in old):
            continue
        old_block = [
            _same_chunk(indices, chunk, size)
            for indices, chunk, size in zip(old, layout.chunks, info.layout.shape, strict=True)
        ]
        if all(index is not None for index in old_block):
            _link_block(info.path, new, linkable, [str(index) for index in old_block], block)
            _copy_block(source, target, others, region, old)
        else:
            _copy_block(source, target, names, region, old)
        mark_excluded(target, grid, region)


def _origins(old: list[object], new: list[object]) -> np.ndarray:
    """Give the index of each value in the old axis, −1 if the old axis lacks it."""
    index_of = {value_label(value): index for index, value in enumerate(old)}
    return np.array([index_of.get(value_label(value), -1) for value in new])


def _same_chunk(indices: np.ndarray, chunk: int, size: int) -> int | None:
    """Give the index of the old chunk with exactly these values at the same offsets, or None.

    Args:
        indices: old index of each value in the new chunk, −1 if it is new.
        chunk: chunk size along the dimension.
        size: old size of the dimension.
    """
    offsets = np.flatnonzero(indices >= 0)
    old = indices[offsets]
    index = int(old[0]) // chunk
    length = min(chunk, size - index * chunk)
    same = len(old) == length and (old == index * chunk + offsets).all()
    return index if same else None


def _link_block(
    old: Path, new: Path, names: tuple[str, ...], old_block: list[str], block: tuple[int, ...]
) -> None:
    """Hard-link the chunks of a block into the new store, or copy them if links are impossible.

    Both stores may share a file, because chunk files are replaced and not rewritten.
    """
    for name in names:
        source = old.joinpath(name, "c", *old_block)
        target = new.joinpath(name, "c", *map(str, block))
        if not source.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)


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
