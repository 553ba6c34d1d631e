"""Growing a store: values inserted anywhere in its axes, more trials, all at once or not at all."""

import os
import shutil
from pathlib import Path

import numpy as np
import zarr

from ..sweeps import Grid, Sweep
from ..sweeps.labels import value_label
from ..sweeps.variables import Variable
from .errors import StoreError, explained
from .exchange import beside, put_in_place
from .integrity import StoreInfo, check_complete
from .layout import ERROR, SECONDS, STATUS, Layout
from .reading import read_status, readable
from .template import array_of, build_template, mark_excluded

OWN_ATTRIBUTES = (
    "title", "genprior_format", "revision", "sweep", "sweep_hash", "coordinates", "variables",
)  # fmt: skip
SPARE_BYTES = 1_000_000


def extend_store(info: StoreInfo, sweep: Sweep, variables: tuple[Variable, ...]) -> None:
    """Lay the store out anew for a larger sweep, with every result it holds, and exchange them.

    A kill at any moment leaves the old store or the new one. Chunk sizes stay. Analyses are not
    carried over: they were of the smaller sweep.

    Args:
        info: the store as it is.
        sweep: the union of its sweep and what was asked for.
        variables: what its task kind fills.

    Raises:
        StoreError: it cannot be written, or something of it is missing or damaged.
    """
    path, new = info.path, beside(info.path, "new")
    with explained(path, "extending it"):
        needed = SPARE_BYTES + sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
        free = shutil.disk_usage(new.parent).free
        if needed > free:
            raise StoreError(
                f"{path}: extending it needs {needed / 1e6:,.1f} MB beside it and "
                f"{free / 1e6:,.1f} MB are free. Make room and repeat the same command."
            )
        grid = Grid(sweep)
        provenance = {k: v for k, v in info.attributes.items() if k not in OWN_ATTRIBUTES}
        layout = build_template(new, grid, variables, info.layout.chunks, provenance)
        names = tuple(v.name for v in (*variables, SECONDS, ERROR, STATUS))
        with readable(info, names, "extending it"):
            check_complete(info, names, read_status(path))
            _carry_over(info, new, layout, grid, names)
        put_in_place(new, path, beside(path, "old"))


def _carry_over(
    info: StoreInfo, new: Path, layout: Layout, grid: Grid, names: tuple[str, ...]
) -> None:
    origins = [_origins(info.sweep.axes[dim], grid.sweep.axes[dim]) for dim in grid.dims]
    origins.append(_origins(list(range(info.sweep.trials)), list(range(grid.sweep.trials))))
    source = zarr.open_group(info.path, mode="r", use_consolidated=False)
    target = zarr.open_group(new, mode="r+", use_consolidated=False)
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
            _link_block(info.path, new, names, [str(index) for index in same], block)
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
        block[places] = found
        array[region] = block
