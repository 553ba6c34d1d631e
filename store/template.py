"""Making a store: all arrays, coordinates and attributes, before the first trial runs."""

import json
import shutil
import uuid
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.storage import MemoryStore

from ..sweeps import Grid, Sweep
from ..sweeps.parameters import PARAMETERS, facts, names_with, parameter_attributes
from ..sweeps.variables import Variable
from .documents import DOCUMENT, FORMAT, VARIABLES, consolidate, read_document
from .errors import StoreError, WrongStoreError, explained, in_short
from .exchange import NEW, appear, is_vacant, resolved, work_area
from .layout import ERROR, PROBE, SECONDS, STATUS, TRIAL, Layout, Status, placement
from .plain import why_not_plain
from .unwarned import unwarned

Coordinate = tuple[str, tuple[str, ...], np.ndarray, dict[str, str]]
BYTES_A_FILE = 4096
BYTES_OF_METADATA = 1_500_000  # about sixty arrays, coordinates included, and a fit


def create_store(
    path: Path,
    grid: Grid,
    variables: Iterable[Variable],
    chunks: tuple[int, ...],
    provenance: dict[str, Any],
) -> None:
    """Make an empty store for a sweep. It appears at its path only when it is complete.

    Args:
        path: the store; the path must not exist, or be an empty folder.
        grid: the points of the complete sweep.
        variables: what the sweep's task fills.
        chunks: sizes of a block along the sweep's axes and the trial.
        provenance: attributes that say on which machine and with which versions it is made.

    Raises:
        WrongStoreError: something else is at the path.
        StoreError: the file system refused, or the disk has too little space.
    """
    if not is_vacant(path):
        what = "is not a folder" if not path.is_dir() else "holds something else than a store"
        raise WrongStoreError(f"{path} {what}; choose another path for the store.")
    with explained(path, "creating the store"):
        needed = estimate_bytes(grid.sweep, variables, chunks)
        free = shutil.disk_usage(resolved(path).parent).free
        if needed > free:
            from dask.utils import format_bytes

            raise StoreError(
                f"{path} would take up to {format_bytes(needed)} and {format_bytes(free)} are "
                "free. Make room, or choose a coarser grid."
            )
        with work_area(path) as area:
            build_template(area / NEW, grid, tuple(variables), chunks, provenance)
            appear(area, path)


def build_template(
    path: Path,
    grid: Grid,
    variables: tuple[Variable, ...],
    chunks: tuple[int, ...],
    provenance: dict[str, Any],
) -> Layout:
    """Write metadata, coordinates and the status of excluded points into a new folder.

    The arguments are those of `create_store`.
    """
    sweep = grid.sweep
    layout = Layout.of(sweep, chunks)
    if len(chunks) != len(layout.shape):
        raise ValueError(f"chunks {chunks} do not fit the dimensions {layout.dims}.")
    coordinates = coordinates_of(grid)
    placed = placement(sweep)
    auxiliary = [name for name in coordinates if name not in (*grid.dims, TRIAL, PROBE)]
    attributes = {
        "title": sweep.title or sweep.name,
        "genprior_format": FORMAT,
        "revision": uuid.uuid4().hex,
        # The order of the axes is the order of the dimensions.
        "sweep": sweep.as_json(),
        "sweep_hash": sweep.hash,
        "coordinates": " ".join([*auxiliary, *(variable.name for variable in placed)]),
        VARIABLES: json.dumps([variable.name for variable in variables]),
        **provenance,
    }
    # zarr makes the hundred small files of a template faster in memory than one by one on disk.
    files: dict[str, Any] = {}
    group = zarr.create_group(MemoryStore(files), zarr_format=3, attributes=attributes)
    for coordinate in coordinates.values():
        write_coordinate(group, *coordinate)
    for variable in (*variables, SECONDS, ERROR, STATUS, *placed):
        add_array(group, variable, layout)
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.to_bytes())
    _mark_all_excluded(path, grid, layout)
    consolidate(path)
    return layout


def _mark_all_excluded(path: Path, grid: Grid, layout: Layout) -> None:
    if layout.is_placed or not grid.excluded.any():
        return
    group = zarr.open_group(path, mode="r+")
    for block in layout.block_indices():
        mark_excluded(group, grid, layout.region(block))


def mark_excluded(group: zarr.Group, grid: Grid, region: tuple[slice, ...]) -> None:
    """Mark the excluded points of a block in its status; other trials keep theirs."""
    if grid.sweep.placed is not None:
        return
    mask = grid.excluded[region[:-1]]
    if mask.any():
        array = array_of(group, "status")
        status = np.array(array[region])
        status[mask] = Status.EXCLUDED
        array[region] = status


def array_of(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """Give an array of a store.

    Raises:
        StoreError: the store has no such array, or its metadata cannot be read.
    """
    path = str(group.store_path).removeprefix("file://")
    try:
        document = read_document(Path(path, name))
        if why := why_not_plain(document):
            raise StoreError(f"{path}/{name}/{DOCUMENT} is damaged ({why}).")
        array = group.get(name)
    except FileNotFoundError:
        array = None
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}/{name}/{DOCUMENT} cannot be read ({in_short(error)}).") from None
    if not isinstance(array, zarr.Array):
        raise StoreError(f"{path}: it has no array '{name}'.")
    return array


def estimate_bytes(sweep: Sweep, variables: Iterable[Variable], chunks: tuple[int, ...]) -> int:
    """Give an upper bound of the size of the finished store, in bytes.

    It counts uncompressed values in whole blocks of the file system, and folders: all indices of a
    chunk but the last are names of folders.
    """
    layout = Layout.of(sweep, chunks)
    widths = [np.dtype(v.dtype).itemsize for v in (*variables, SECONDS, STATUS, *placement(sweep))]
    per_block = int(np.prod(chunks, dtype=float))
    folders = sum(prod(layout.grid[:depth]) for depth in range(len(layout.grid)))
    pages = sum(folders + layout.blocks * -(-per_block * width // BYTES_A_FILE) for width in widths)
    return BYTES_OF_METADATA + BYTES_A_FILE * pages


def add_array(group: zarr.Group, variable: Variable, layout: Layout) -> None:
    """Create the array of a variable: checksummed chunks whose fill value means *not run*."""
    attributes: dict[str, Any] = {"long_name": variable.long_name}
    fill: Any
    if variable is STATUS:
        # Pending is a legal value: without `_FillValue` xarray does not mask it.
        fill = int(layout.not_run)
    elif variable.name == ERROR.name:
        fill = ""
    else:
        fill = variable.fill
        attributes["units"] = variable.units
        from xarray.backends.zarr import FillValueCoder

        attributes["_FillValue"] = FillValueCoder.encode(fill, np.dtype(variable.dtype))
    if variable.flags:
        attributes.pop("units", None)
        attributes["flag_values"] = [flag.code for flag in variable.flags]
        attributes["flag_meanings"] = " ".join(flag.meaning for flag in variable.flags)
    _create(
        group,
        variable.name,
        layout.shape,
        layout.chunks,
        variable.dtype,
        fill,
        layout.dims,
        attributes,
    )


def _create(
    group: zarr.Group,
    name: str,
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    dtype: str,
    fill: Any,
    dims: tuple[str, ...],
    attributes: dict[str, Any],
) -> zarr.Array[Any]:
    with unwarned():
        return group.create_array(
            name,
            shape=shape,
            chunks=chunks,
            dtype=dtype,
            fill_value=fill,
            dimension_names=dims,
            attributes=attributes,
            compressors=[ZstdCodec(level=1), Crc32cCodec()],
            config={"write_empty_chunks": True},
        )


def coordinates_of(grid: Grid) -> dict[str, Coordinate]:
    """Give the axes, the trial and every parameter that is stored as a coordinate, by name."""
    sweep = grid.sweep
    layout = Layout.of(sweep, ())
    last, count = layout.dims[-1], layout.shape[-1]
    about = "index among the trials of a group" if layout.is_placed else "trial index"
    counted = {"long_name": about, "units": "1"}
    made: dict[str, Coordinate] = {last: (last, (last,), np.arange(count), counted)}
    labels = [*names_with("labelled"), *sweep.parameters, *sweep.dependent]
    others = [
        name
        for name in dict.fromkeys(labels)
        if name not in sweep.axes and not _is_left_out(sweep, name)
    ]
    for name in (*layout.dims[:-1], *others):
        column = grid.column(name)
        # What follows from the axis along which trials are placed is no coordinate of groups.
        if column is not None and sweep.placed not in column.dims:
            attributes = (
                parameter_attributes(name)
                if name in PARAMETERS
                else {"long_name": f"multiplier {name}", "units": "1"}
            )
            made[name] = (name, column.dims, column.values, attributes)
    return made


def _is_left_out(sweep: Sweep, name: str) -> bool:
    """Say whether a parameter needs no coordinate.

    The task does not have it, or it is optional and has its default, which means that it is unused.
    """
    if name not in PARAMETERS:
        return False
    if not sweep.has(name):
        return True
    is_optional = not (facts(name).labelled or facts(name).setting)
    return is_optional and sweep.parameters.get(name, ...) == PARAMETERS[name].default


def write_coordinate(
    group: zarr.Group,
    name: str,
    dims: tuple[str, ...],
    values: np.ndarray,
    attributes: dict[str, str],
) -> None:
    """Write a coordinate as one chunk, of the type of `as_stored`."""
    stored = as_stored(values)
    fill: Any = {"b": False, "i": 0, "f": np.nan, "U": ""}[stored.dtype.kind]
    dtype = str(stored.dtype)
    if stored.dtype.kind == "U":
        attributes = {"long_name": attributes["long_name"]}
        dtype = f"U{stored.dtype.itemsize // np.dtype('U1').itemsize}"
    shape = stored.shape
    array = _create(group, name, shape, shape or (), dtype, fill, dims, attributes)
    array[...] = stored


def as_stored(values: np.ndarray) -> np.ndarray:
    """Convert the values of a coordinate to the type in which they are stored.

    It is bool, int64, float64 or text. Text has the fixed length of the longest value, because
    NumPy and netCDF support text of a variable length badly.
    """
    kinds = {type(value) for value in values.ravel().tolist()}
    if kinds == {bool}:
        return values.astype("bool")
    if kinds == {int}:
        return values.astype("int64")
    if kinds <= {int, float}:
        return values.astype("float64")
    texts = np.array([str(value) for value in values.ravel()]).reshape(values.shape)
    return texts.astype(f"U{max(1, texts.dtype.itemsize // np.dtype('U1').itemsize)}")
