"""Reading a store: labelled results, what the store says of itself, what has been done."""

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
    copies,
    read_document,
    read_revision,
    read_root,
)
from .errors import StoreError, explained, in_short
from .integrity import (
    StoreInfo,
    Survey,
    check_complete,
    chunks_of,
    foreign,
    is_laid_out,
    read_array,
    refusal,
    survey,
    unreadable,
)
from .layout import STATUS, TRIAL, Layout

if TYPE_CHECKING:
    import xarray as xr

MAX_READS = 5
Read = TypeVar("Read")


def open_group(path: Path, mode: Any = "r") -> zarr.Group:
    """Open a store's group.

    Raises:
        WrongStoreError: there is no store of ours at the path.
        StoreError: it is damaged, or of a format this version does not read.
    """
    root = read_root(path)
    try:
        return zarr.open_group(path, mode=mode, use_consolidated=False)
    except (ValueError, KeyError, TypeError) as error:
        raise foreign(path, root["attributes"], error) from None


def read_info(path: Path) -> StoreInfo:
    """Read what a store says of itself, from one file."""
    root = read_root(path)
    attributes, known = root["attributes"], copies(root)
    try:
        written = json.loads(attributes["sweep"])
        variables = tuple(map(str, json.loads(attributes[VARIABLES])))
    except (ValueError, TypeError) as error:
        raise StoreError(f"{path}: its metadata is damaged ({in_short(error)}).") from None
    try:
        sweep = Sweep.parse(written, str(path), stored=True)
    except (SweepError, ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"{path}: this genprior cannot read its sweep ({in_short(error)}); use the version "
            f"that wrote it ({attributes.get('genprior_version', 'unknown')})."
        ) from None
    layout = _layout(path, sweep, variables, known)
    return StoreInfo(path, sweep, layout, variables, attributes, known)


def _layout(
    path: Path, sweep: Sweep, variables: tuple[str, ...], known: dict[str, Document]
) -> Layout:
    """Find the layout that all results share: the sweep's, with the chunks of their documents."""
    dims = (*sweep.axes, TRIAL)
    shape = (*(len(values) for values in sweep.axes.values()), sweep.trials)
    for document in _documents_of_results(path, variables, known):
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
    path: Path, variables: tuple[str, ...], known: dict[str, Document]
) -> Iterator[Document]:
    """Give the documents that tell the layout, those that cost no reading first."""
    names = (STATUS.name, *variables)
    yield from (known[name] for name in names if name in known)
    for name in names:
        try:
            yield read_document(path / name)
        except (OSError, ValueError):
            continue


def read_status(path: Path) -> np.ndarray:
    """Read the status of every trial, int8, over the axes and the trial.

    Raises:
        StoreError: naming the damaged chunk, if one is.
    """
    info = read_info(path)
    with readable(info, [STATUS.name]):
        status, damages = read_array(info, STATUS.name)
        if damages:
            raise refusal(info, damages)
        return status


def survey_store(path: Path, read: Sequence[str] = ()) -> tuple[StoreInfo, Survey]:
    """See what a store holds and what is damaged in it: one listing for each array.

    Args:
        path: the store.
        read: variables to read as far as they can be read, those that the store has.
    """

    def look() -> tuple[StoreInfo, Survey]:
        info = read_info(path)
        with explained(path, "reading it"):
            return info, survey(info, [name for name in read if name in info.results])

    return _steadily(path, look)


def _steadily(path: Path, read: Callable[[], Read]) -> Read:
    """Read a store, again if a run has laid it out again meanwhile."""
    for _ in range(MAX_READS):
        before = read_revision(path)
        try:
            found = read()
        except UserError:
            if read_revision(path) == before:
                raise
            continue
        if read_revision(path) == before:
            return found
    raise StoreError(f"{path} is being extended again and again; try later.")


def open_results(path: Path, chunks: Any = None) -> "xr.Dataset":
    """Open the results lazily, as `xarray.open_zarr` does, with damage explained.

    Args:
        path: the store.
        chunks: as `xarray.open_zarr` takes them; None for arrays that are read when they are used,
            without Dask.

    Returns:
        Dimensions are the swept axes and `trial`; NaN means *not run*.
    """
    info = read_info(path)
    with readable(info, []):
        try:
            return _opened(path.absolute(), chunks)  # xarray expands a ~
        except (ValueError, KeyError, TypeError):
            # The root's copies may be gone; under `python -O` zarr cannot read those of groups.
            return _opened(_OwnArrays(info), chunks)


def _opened(store: Any, chunks: Any) -> "xr.Dataset":
    # Workers open no results, and start sooner without pandas.
    import xarray as xr

    # xarray puts a filter of its own before those of the caller.
    with warnings.catch_warnings():
        dataset: xr.Dataset = xr.open_zarr(store, chunks=chunks, consolidated=True)
    return dataset


class _OwnArrays(LocalStore):
    """A store as if it held its own arrays only, and the copies at its root were true."""

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
        """Give the bytes of a file, but the root's document as it should be."""
        if key == DOCUMENT:
            return (prototype or default_buffer_prototype()).buffer.from_bytes(self._document)
        return await super().get(key, prototype, byte_range)


def load_results(path: Path, names: list[str]) -> "xr.Dataset":
    """Read some variables into memory, all from one layout of the store, or not at all.

    A store that a run extends meanwhile changes its revision; it is then read again.

    Raises:
        StoreError: naming what is missing or damaged, if anything of them is.
    """

    def load() -> "xr.Dataset":
        info = read_info(path)
        with readable(info, [STATUS.name, *names]):
            dataset = open_results(path)
            # A worker writes the status last: what it calls done now is there to be read.
            status = np.asarray(dataset[STATUS.name].values)
            found = dataset[names].load()
            check_complete(info, dict.fromkeys([STATUS.name, *names]), status)
        return found

    return _steadily(path, load)


@contextmanager
def readable(info: StoreInfo, names: Sequence[str], doing: str = "reading it") -> Iterator[None]:
    """Explain what goes wrong while variables of a store are read: damage by its name."""
    with explained(info.path, doing):
        try:
            yield
        except (OSError, UserError):
            raise
        except Exception as error:
            raise unreadable(info, names, error) from None
