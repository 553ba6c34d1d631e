"""Reading a store: labelled results, what the store says of itself, what has been done."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from ..sweeps import Sweep, SweepError, UserError
from .errors import StoreError, WrongStoreError, explained, in_short
from .exchange import settle
from .layout import Layout
from .template import FORMAT, array_of

MAX_READS = 5


@dataclass(frozen=True)
class StoreInfo:
    """What a store says of itself."""

    path: Path
    sweep: Sweep
    layout: Layout
    variables: tuple[str, ...]
    attributes: dict[str, Any]

    @property
    def revision(self) -> str:
        """Changes whenever the store is laid out anew."""
        return str(self.attributes["revision"])


def open_group(path: Path, mode: Any = "r") -> zarr.Group:
    """Open a store's group.

    Raises:
        WrongStoreError: there is no store of ours at the path.
        StoreError: it is damaged, or of a format this version does not read.
    """
    settle(path)
    if not path.exists():
        raise WrongStoreError(f"{path}: there is no such store; 'genprior run' makes one.")
    if not path.is_dir():
        raise WrongStoreError(f"{path} is a file; a store is a folder.")
    try:
        group = zarr.open_group(path, mode=mode, use_consolidated=False)
        found = group.attrs.get("genprior_format")
    except FileNotFoundError:
        raise WrongStoreError(f"{path} holds no store of genprior.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{path / 'zarr.json'} is damaged ({in_short(error)}); restore it from a copy."
        ) from None
    if found is None:
        raise WrongStoreError(f"{path} holds no store of genprior.")
    if found != FORMAT:
        raise StoreError(
            f"{path} has format {found}, this genprior reads format {FORMAT}; use the version "
            f"that wrote it ({group.attrs.get('genprior_version', 'unknown')})."
        )
    return group


def read_info(path: Path) -> StoreInfo:
    """Read what a store says of itself."""
    group = open_group(path)
    attributes = dict(group.attrs)
    try:
        sweep = Sweep.parse(json.loads(str(attributes["sweep"])), str(path), stored=True)
        variables = tuple(json.loads(str(attributes["variables"])))
    except (KeyError, ValueError, TypeError, SweepError) as error:
        raise StoreError(f"{path}: its metadata is damaged ({in_short(error)}).") from None
    return StoreInfo(path, sweep, layout_of(group), variables, attributes)


def layout_of(group: zarr.Group) -> Layout:
    """Read the layout that all results of a store share."""
    status = array_of(group, "status")
    dims = getattr(status.metadata, "dimension_names", None) or ()
    return Layout(tuple(map(str, dims)), status.shape, status.chunks)


def read_status(path: Path) -> np.ndarray:
    """Read the status of every trial, int8, over the axes and the trial."""
    array = array_of(open_group(path), "status")
    with readable(path, ["status"]):
        return np.asarray(array[...])


def open_results(path: Path) -> xr.Dataset:
    """Open the results lazily, as `xarray.open_zarr` does, with damage explained.

    Returns:
        Dimensions are the swept axes and `trial`; NaN means *not run*.
    """
    open_group(path)
    try:
        dataset: xr.Dataset = xr.open_zarr(path.absolute(), chunks=None)  # xarray expands a ~
        return dataset
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise damaged(path, [], error) from None


def load_results(path: Path, names: list[str]) -> xr.Dataset:
    """Read some variables into memory, all from one layout of the store.

    A store that a run extends meanwhile changes its revision; it is then read again.

    Raises:
        StoreError: naming the damaged chunk, if one is.
    """
    for _ in range(MAX_READS):
        before = open_group(path).attrs["revision"]
        try:
            with readable(path, names):
                dataset = open_results(path)[names].load()
        except UserError:
            if open_group(path).attrs["revision"] == before:
                raise
            continue
        if open_group(path).attrs["revision"] == before:
            return dataset
    raise StoreError(f"{path} is being extended again and again; try later.")


@contextmanager
def readable(path: Path, names: Sequence[str], doing: str = "reading it") -> Iterator[None]:
    """Explain what goes wrong while variables of a store are read: a damaged chunk by its name."""
    with explained(path, doing):
        try:
            yield
        except (OSError, UserError):
            raise
        except Exception as error:
            raise damaged(path, names, error) from None


def damaged(path: Path, names: Sequence[str], error: Exception) -> StoreError:
    """Find the chunk that cannot be read, and say how to have it computed or written again."""
    group = open_group(path)
    layout = layout_of(group)
    for name in names:
        array = array_of(group, name)
        if array.shape != layout.shape:
            continue
        for block in layout.block_indices():
            try:
                array[layout.region(block)]
            except Exception as reason:
                place = "/".join(("c", *map(str, block)))
                return StoreError(
                    f"{path / name / place} is damaged ({in_short(reason)}). Remove "
                    f"{path / 'status' / place} and repeat the run: its trials are computed again."
                )
    for name in (*layout.dims, *str(group.attrs.get("coordinates", "")).split()):
        try:
            np.asarray(array_of(group, name)[...])
        except (ValueError, RuntimeError) as reason:
            return StoreError(
                f"{path / name} is damaged ({in_short(reason)}). Restore it from a copy, or repeat "
                "the run with more trials, which writes it anew."
            )
    return StoreError(f"{path} cannot be read ({in_short(error)}); restore it from a copy.")
