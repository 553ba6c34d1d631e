"""Reading a store: labelled results, its sweep and layout, and the status of its trials."""

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import zarr

from ..sweeps import Sweep, SweepError, UserError
from .documents import (
    DOCUMENT,
    VARIABLES,
    Document,
    check_names,
    copies,
    read_document,
    read_revision,
    read_root,
)
from .errors import StoreError, explained, in_short, library_error
from .info import StoreInfo
from .integrity import (
    Damage,
    Survey,
    check_complete,
    damage_error,
    document_damages,
    is_laid_out,
    read_array,
    reading_error,
    survey,
)
from .layout import STATUS, Layout
from .ordinary import parsed
from .own_files import OwnFiles, zarr_group
from .plain import chunk_bytes, chunk_shape, fits_a_block, why_not_plain
from .sparse import load_existing

if TYPE_CHECKING:
    import xarray as xr

MAX_READS = 5
MOST_INDICES = 10_000_000  # of an index that the user added
Read = TypeVar("Read")


def open_group(path: Path, mode: Any = "r") -> zarr.Group:
    """Open a store's group.

    Raises:
        WrongStoreError: there is no genprior store at the path.
        StoreError: the store is damaged, or this version does not read its format.
    """
    root = read_root(path)
    try:
        return zarr_group(path, mode)
    except (ValueError, KeyError, TypeError) as error:
        raise library_error(path, root["attributes"], error) from None


def read_info(path: Path) -> StoreInfo:
    """Read the sweep, layout and attributes of a store, from one file.

    Raises:
        WrongStoreError: there is no genprior store at the path.
        StoreError: the store is damaged, or this version cannot read its format or its sweep.
    """
    root = read_root(path)
    attributes, root_copies = root["attributes"], copies(root)
    try:
        tables = parsed(attributes["sweep"])
        variables = tuple(map(str, parsed(attributes[VARIABLES])))
    except (ValueError, TypeError) as error:
        raise StoreError(f"{path}: its metadata is damaged ({in_short(error)}).") from None
    try:
        sweep = Sweep.parse(tables, str(path), stored=True)
    except (SweepError, ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"{path}: this genprior cannot read its sweep ({in_short(error)}); use the version "
            f"that wrote it ({attributes.get('genprior_version', 'unknown')})."
        ) from None
    check_names(path, sweep.axes)
    layout = _layout(path, sweep, variables, root_copies)
    return StoreInfo(path, sweep, layout, variables, attributes, root_copies)


def _layout(
    path: Path, sweep: Sweep, variables: tuple[str, ...], root_copies: dict[str, Document]
) -> Layout:
    """Find the layout of the results: dimensions of the sweep, chunks of a result's document."""
    shape = Layout.of(sweep, ()).shape
    for document in _documents_of_results(path, variables, root_copies):
        chunks = chunk_shape(document)
        if not why_not_plain(document) and 0 not in chunks and fits_a_block(chunks, shape):
            layout = Layout.of(sweep, tuple(chunks))
            if is_laid_out(document, layout):
                return layout
    raise StoreError(
        f"{path / STATUS.name / DOCUMENT} is damaged (no array has the shape of the sweep); "
        "restore it from a copy."
    )


def _documents_of_results(
    path: Path, variables: tuple[str, ...], root_copies: dict[str, Document]
) -> Iterator[Document]:
    """Give the documents of results: first the copies, then those that have to be read."""
    names = (STATUS.name, *variables)
    yield from (root_copies[name] for name in names if name in root_copies)
    for name in names:
        try:
            yield read_document(path / name)
        except (OSError, ValueError):
            continue


def read_status(path: Path) -> np.ndarray:
    """Read the status of every trial, int8, over the axes and the trial.

    Raises:
        StoreError: a chunk is damaged; the message names it.
    """
    return read_values(read_info(path), [STATUS.name])[STATUS.name]


def read_values(
    info: StoreInfo, names: Sequence[str], doing: str = "reading it"
) -> dict[str, np.ndarray]:
    """Read arrays of results as they are stored, by name; −1 and NaN mean *not run*.

    Args:
        info: the store.
        names: the arrays.
        doing: what is being done, for messages about the file system.

    Raises:
        StoreError: a chunk is damaged; the message names it.
    """
    values = {}
    with readable(info, names, doing):
        for name in names:
            values[name], damages = read_array(info, name)
            if damages:
                raise damage_error(info, damages)
    return values


def survey_store(path: Path, read: Sequence[str] = ()) -> tuple[StoreInfo, Survey]:
    """Read the status of a store and find its damages, from listings of the arrays' folders.

    Args:
        path: the store.
        read: variables to read as far as possible; names that the store lacks are ignored.

    Raises:
        StoreError: the status cannot be read, or the installed libraries cannot read intact bytes.
    """

    def read_survey() -> tuple[StoreInfo, Survey]:
        info = read_info(path)
        with explained(path, "reading it"):
            return info, survey(info, [name for name in read if name in info.results])

    return read_one_layout(path, read_survey)


def read_one_layout(path: Path, read: Callable[[], Read]) -> Read:
    """Read a store, and repeat that if a run changed its layout meanwhile."""
    for _ in range(MAX_READS):
        before = read_revision(path)
        try:
            result = read()
        except UserError:
            if read_revision(path) == before:
                raise
            continue
        if read_revision(path) == before:
            return result
    raise StoreError(
        f"{path} was extended during each of {MAX_READS} attempts to read it; try again later."
    )


def open_results(path: Path, chunks: Any = None) -> "xr.Dataset":
    """Open the results lazily, like `xarray.open_zarr`, but with messages that explain damage.

    Args:
        path: the store.
        chunks: `chunks` of `xarray.open_zarr`; with None, arrays are read at their first use and
            without Dask.

    Returns:
        A dataset whose dimensions are the swept axes and `trial`; NaN means *not run*.

    Raises:
        StoreError: the store is damaged, or the installed libraries cannot read it.
    """
    info = read_info(path)
    with readable(info, []):
        known = _check_copies(info)
        try:
            files = OwnFiles(path.absolute(), read_only=True, known=known)
            return _open_dataset(files, chunks, _absurd(info))
        except (ValueError, KeyError, TypeError):
            # The root's copies may be lost; under `python -O` zarr cannot read those of groups.
            return _open_dataset(_OwnArrays(info), chunks)


def _check_copies(info: StoreInfo) -> dict[str, int | None]:
    """Refuse copies at the root by which xarray would read something else than genprior wrote.

    Returns:
        The bytes of a decoded chunk of each array.
    """
    known: dict[str, int | None] = {}
    for name in info.arrays:
        copy = info.copies.get(name)
        if copy is None:
            continue
        if why := why_not_plain(copy, info.layout.sizes):
            damages = document_damages(info, [name])
            raise damage_error(
                info, damages or [Damage(name, f"has a wrong copy in the root ({why})")]
            )
        known[name] = chunk_bytes(copy)
    return known


def open_complete(path: Path, chunks: Any = None) -> "xr.Dataset":
    """Open the results as `open_results` does, unless something of the store is missing.

    Arrays and chunks that are lost would be read as *not run*. A wrong checksum is seen only when
    its chunk is read.

    Raises:
        StoreError: the store is damaged, or the installed libraries cannot read it.
    """

    def opened() -> "xr.Dataset":
        info = read_info(path)
        status = read_status(path)
        with readable(info, info.results):
            check_complete(info, info.results, status)
        return open_results(path, chunks)

    return read_one_layout(path, opened)


def _absurd(info: StoreInfo) -> list[str]:
    """Name arrays of the user that xarray would load at once, and that are not worth it."""
    foreign = {name: copy for name, copy in info.copies.items() if name not in info.arrays}
    indices = (name for name, copy in foreign.items() if copy.get("dimension_names") == [name])
    return [
        name
        for name in indices
        if why_not_plain(foreign[name]) or prod(foreign[name]["shape"]) > MOST_INDICES
    ]


def _open_dataset(store: Any, chunks: Any, without: Sequence[str] = ()) -> "xr.Dataset":
    # Imported here: workers never open results, and start faster without xarray and pandas.
    import xarray as xr

    # xarray changes the warning filters.
    with warnings.catch_warnings():
        dataset: xr.Dataset = xr.open_zarr(
            store, chunks=chunks, consolidated=True, zarr_format=3, drop_variables=without
        )
    return dataset


class _OwnArrays(OwnFiles):
    """A store restricted to its own arrays, with copies at the root made from their documents."""

    def __init__(self, info: StoreInfo):
        super().__init__(info.path, read_only=True)
        if damages := document_damages(info, info.arrays):
            raise damage_error(info, damages)
        metadata = {name: read_document(info.path / name) for name in info.arrays}
        group = {"zarr_format": 3, "node_type": "group", "attributes": info.attributes}
        consolidated = {"kind": "inline", "must_understand": False, "metadata": metadata}
        self._document = json.dumps({**group, "consolidated_metadata": consolidated}).encode()

    def _content(self, key: str) -> bytes:
        """Give the bytes of a file; those of the root's document are made here."""
        return self._document if key == DOCUMENT else super()._content(key)


def load_results(path: Path, names: list[str]) -> "xr.Dataset":
    """Read variables into memory, completely and all from one layout of the store.

    If a run extends the store meanwhile, they are read again.

    Raises:
        StoreError: something of them is missing or damaged; the message names it.
    """

    def load() -> "xr.Dataset":
        info = read_info(path)
        needed = dict.fromkeys([STATUS.name, *names, *info.placement])
        with readable(info, [*needed]):
            dataset = open_results(path)
            # Workers write the status last: the results of trials that are done now exist already.
            own = dataset[[STATUS.name]].reset_coords(drop=True)
            status = np.asarray(load_existing(own, info)[STATUS.name].values)
            loaded = load_existing(dataset[names], info)
            check_complete(info, needed, status)
        return loaded

    return read_one_layout(path, load)


@contextmanager
def readable(info: StoreInfo, names: Sequence[str], doing: str = "reading it") -> Iterator[None]:
    """Turn errors in reading variables of a store into a `StoreError` that names what is damaged.

    Args:
        info: the store.
        names: the variables that are read.
        doing: what is being done, for messages about the file system.
    """
    with explained(info.path, doing):
        try:
            yield
        except (OSError, UserError):
            raise
        except Exception as error:
            raise reading_error(info, names, error) from None
