"""Reading a store: labelled results, its sweep and layout, and the status of its trials."""

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import zarr
from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.storage import LocalStore

from ..sweeps import Sweep, SweepError, UserError
from .documents import (
    DOCUMENT,
    VARIABLES,
    Document,
    check_names,
    chunks_of,
    copies,
    read_document,
    read_revision,
    read_root,
)
from .errors import StoreError, explained, in_short, library_error
from .integrity import (
    StoreInfo,
    Survey,
    check_complete,
    damage_error,
    is_laid_out,
    read_array,
    reading_error,
    survey,
)
from .layout import STATUS, TRIAL, Layout

if TYPE_CHECKING:
    import xarray as xr

MAX_READS = 5
Read = TypeVar("Read")


def open_group(path: Path, mode: Any = "r") -> zarr.Group:
    """Open a store's group.

    Raises:
        WrongStoreError: there is no genprior store at the path.
        StoreError: the store is damaged, or this version does not read its format.
    """
    root = read_root(path)
    try:
        return zarr.open_group(path, mode=mode, use_consolidated=False)
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
        tables = json.loads(attributes["sweep"])
        variables = tuple(map(str, json.loads(attributes[VARIABLES])))
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
    dims = (*sweep.axes, TRIAL)
    shape = (*(len(values) for values in sweep.axes.values()), sweep.trials)
    for document in _documents_of_results(path, variables, root_copies):
        chunks = chunks_of(document)
        if isinstance(chunks, list) and all(isinstance(c, int) and c > 0 for c in chunks):
            layout = Layout(dims, shape, tuple(chunks))
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
    info = read_info(path)
    with readable(info, [STATUS.name]):
        status, damages = read_array(info, STATUS.name)
        if damages:
            raise damage_error(info, damages)
        return status


def survey_store(path: Path, read: Sequence[str] = ()) -> tuple[StoreInfo, Survey]:
    """Read the status of a store and find its damages. The folder of each array is listed once.

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

    return _read_one_layout(path, read_survey)


def _read_one_layout(path: Path, read: Callable[[], Read]) -> Read:
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
        try:
            return _open_dataset(path.absolute(), chunks)  # xarray would expand a ~
        except (ValueError, KeyError, TypeError):
            # The root's copies may be lost; under `python -O` zarr cannot read those of groups.
            return _open_dataset(_OwnArrays(info), chunks)


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

    return _read_one_layout(path, opened)


def _open_dataset(store: Any, chunks: Any) -> "xr.Dataset":
    # Imported here: workers never open results, and start faster without xarray and pandas.
    import xarray as xr

    # xarray changes the warning filters.
    with warnings.catch_warnings():
        dataset: xr.Dataset = xr.open_zarr(store, chunks=chunks, consolidated=True)
    return dataset


class _OwnArrays(LocalStore):
    """A store restricted to its own arrays, with copies at the root made from their documents."""

    def __init__(self, info: StoreInfo):
        super().__init__(info.path, read_only=True)
        metadata = {name: read_document(info.path / name) for name in info.arrays}
        group = {"zarr_format": 3, "node_type": "group", "attributes": info.attributes}
        consolidated = {"kind": "inline", "must_understand": False, "metadata": metadata}
        self._document = json.dumps({**group, "consolidated_metadata": consolidated}).encode()

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Give the bytes of a file; those of the root's document are made here."""
        if key == DOCUMENT:
            return (prototype or default_buffer_prototype()).buffer.from_bytes(self._document)
        return await super().get(key, prototype, byte_range)


def load_results(path: Path, names: list[str]) -> "xr.Dataset":
    """Read variables into memory, completely and all from one layout of the store.

    If a run extends the store meanwhile, they are read again.

    Raises:
        StoreError: something of them is missing or damaged; the message names it.
    """

    def load() -> "xr.Dataset":
        info = read_info(path)
        with readable(info, [STATUS.name, *names]):
            dataset = open_results(path)
            # Workers write the status last: the results of trials that are done now exist already.
            status = np.asarray(dataset[STATUS.name].values)
            loaded = dataset[names].load()
            check_complete(info, dict.fromkeys([STATUS.name, *names]), status)
        return loaded

    return _read_one_layout(path, load)


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
