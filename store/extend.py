"""Growing a store: values inserted anywhere in its axes, more trials, all at once or not at all."""

import os
import shutil
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import zarr

from ..sweeps import Grid
from ..sweeps.labels import value_label
from ..sweeps.variables import Variable
from .documents import VARIABLES, consolidate, read_revision
from .errors import StoreError, explained
from .exchange import NEW, put_in_place, work_area
from .foreign import carry, check_foreign, find_foreign, undisturbed
from .integrity import StoreInfo, check_complete
from .layout import ERROR, SECONDS, STATUS, TRIAL, Layout
from .lock import documents_held
from .places import check_replaceable
from .reading import read_status, readable
from .template import array_of, build_template, mark_excluded
from .unwarned import unwarned

OWN_ATTRIBUTES = (
    "title", "genprior_format", "revision", "sweep", "sweep_hash", "coordinates", VARIABLES,
)  # fmt: skip
SPARE_BYTES = 1_000_000


def extend_store(info: StoreInfo, grid: Grid, variables: tuple[Variable, ...]) -> None:
    """Lay the store out again for a larger sweep, with every result it holds, and exchange them.

    A kill at any moment leaves the old store or the new one. Chunk sizes stay. Analyses are not
    carried over: they were of the smaller sweep. What is not genprior's is carried over.

    Args:
        info: the store as it is.
        grid: the points of its sweep and of what was asked for together.
        variables: what its task kind fills.

    Raises:
        WrongStoreError: its folder cannot be replaced.
        StoreError: it cannot be written, would not fit, lacks something or is damaged, or holds
            what cannot be carried over; named.
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
            stack.enter_context(undisturbed(path, foreign))
            carry(path, new, foreign)
            if _carry_attributes(info, new) or foreign:
                consolidate(new)
            shutil.copystat(path, new)
            if read_revision(path) != info.revision:
                raise StoreError(f"{path} became another store while it was extended.")
            put_in_place(area, path)


def _own_arrays(info: StoreInfo) -> dict[str, int]:
    """Name the arrays that genprior wrote, with their numbers of dimensions."""
    group = zarr.open_group(info.path, mode="r", use_consolidated=False)
    labels = str(info.attributes.get("coordinates", "")).split()
    results = (*info.variables, SECONDS.name, ERROR.name, STATUS.name)
    arrays = {name: group.get(name) for name in (*info.layout.dims, *labels, *results)}
    return {name: array.ndim for name, array in arrays.items() if isinstance(array, zarr.Array)}


def _own_bytes(info: StoreInfo) -> int:
    """Count the bytes of the arrays that genprior wrote."""
    arrays = (info.path / name for name in _own_arrays(info))
    files = (file for array in arrays for file in array.rglob("*"))
    return sum(file.lstat().st_size for file in files if file.is_file())


def _carry_attributes(info: StoreInfo, new: Path) -> bool:
    """Keep what the user noted in the attributes of arrays; say whether there was anything."""
    found = False
    source = zarr.open_group(info.path, mode="r", use_consolidated=False)
    target = zarr.open_group(new, mode="r+", use_consolidated=False)
    for name in _own_arrays(info):
        if (array := target.get(name)) is None:
            continue
        noted = source[name].attrs.asdict()
        if added := {key: value for key, value in noted.items() if key not in array.attrs}:
            with unwarned():
                array.attrs.update(added)
            found = True
    return found


def _carry_over(
    info: StoreInfo, new: Path, layout: Layout, grid: Grid, names: tuple[str, ...]
) -> None:
    origins = [_origins(info.sweep.axes[dim], grid.sweep.axes[dim]) for dim in grid.dims]
    origins.append(_origins(list(range(info.sweep.trials)), list(range(grid.sweep.trials))))
    source = zarr.open_group(info.path, mode="r", use_consolidated=False)
    target = zarr.open_group(new, mode="r+", use_consolidated=False)
    # Text of format 1 is written otherwise now.
    alike = tuple(n for n in names if array_of(source, n).dtype == array_of(target, n).dtype)
    others = tuple(n for n in names if n not in alike)
    for block in layout.block_indices():
        region = layout.region(block)
        old = [origin[part] for origin, part in zip(origins, region, strict=True)]
        if any((indices < 0).all() for indices in old):
            continue
        same = [
            _same_chunk(indices, chunk, size)
            for indices, chunk, size in zip(old, layout.chunks, info.layout.shape, strict=True)
        ]
        if all(index is not None for index in same):
            _link_block(info.path, new, alike, [str(index) for index in same], block)
            _copy_block(source, target, others, region, old)
        else:
            _copy_block(source, target, names, region, old)
        mark_excluded(target, grid, region)


def _origins(old: list[object], new: list[object]) -> np.ndarray:
    """Index of each new value among the old ones, −1 where it is new."""
    places = {value_label(value): index for index, value in enumerate(old)}
    return np.array([places.get(value_label(value), -1) for value in new])


def _same_chunk(indices: np.ndarray, chunk: int, size: int) -> int | None:
    """Index of the old chunk that holds these values at these very places and nothing else."""
    offsets = np.flatnonzero(indices >= 0)
    known = indices[offsets]
    place = int(known[0]) // chunk
    whole = min(chunk, size - place * chunk)
    same = len(known) == whole and (known == place * chunk + offsets).all()
    return place if same else None


def _link_block(
    old: Path, new: Path, names: tuple[str, ...], place: list[str], block: tuple[int, ...]
) -> None:
    """Give a chunk that moves as a whole a second name; chunks are replaced, never rewritten."""
    for name in names:
        source = old.joinpath(name, "c", *place)
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
    """Assemble a block from old results at scattered places."""
    places = np.ix_(*(np.flatnonzero(indices >= 0) for indices in old))
    known = tuple(indices[indices >= 0] for indices in old)
    for name in names:
        found = np.asarray(array_of(source, name).oindex[known])
        array = array_of(target, name)
        block = np.array(array[region])
        block[places] = found.astype(block.dtype)
        array[region] = block
