"""Fits next to the results they were made from: writing them, and saying when they are out of date.

An analysis is a group `analysis/<name>` of a store. Those that genprior made say in the attribute
`made_from` what they were made from; every other group there is the user's and stays.
"""

import os
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from .documents import consolidate, copies, make_group, read_revision, read_root
from .errors import OtherLayoutError, StoreError, explained, in_short
from .exchange import NEW, OLD, clear, is_vacant, put_in_place, work_area
from .lock import documents_held
from .unwarned import unwarned

if TYPE_CHECKING:
    import xarray as xr

TEXT = 128  # characters, of which lengths of text are multiples
ANALYSIS = "analysis"
MADE_FROM, OUTDATED = "made_from", "outdated"
# Those that earlier versions made do not say of what, but have one of these.
EARLIER = ("level", "most_steps")


class OutdatedWarning(UserWarning):
    """An analysis that was opened no longer says what the store's trials say."""


def write_analysis(
    path: Path,
    name: str,
    dataset: "xr.Dataset",
    made_from: str,
    *,
    revision: str | None = None,
    outdated: str | None = None,
) -> None:
    """Write a labelled analysis as the group `analysis/<name>` of a store, replacing an older one.

    A run may go on meanwhile: only the documents are held, while the group is written.

    Args:
        path: the store.
        name: of the analysis.
        dataset: the analysis.
        made_from: what it was made from, kept as its attribute of that name.
        revision: the layout of the store that it is of; None for the present one.
        outdated: why it is out of date already; None if it is not.

    Raises:
        OtherLayoutError: the store has been laid out again.
        StoreError: the file system refused, or a group of that name is not genprior's.
    """
    place = path / ANALYSIS / name
    with _workplace(path, name, "writing", revision) as area:
        if not (is_vacant(place) or is_own(place) or _was_own(path, name)):
            raise StoreError(
                f"{place} was not made by 'genprior fit', which would write there; give it another "
                "name."
            )
        marks = {MADE_FROM: made_from}
        marks |= {} if outdated is None else {OUTDATED: _advice(outdated)}
        marked = _for_netcdf(dataset).assign_attrs(marks)
        marked.to_zarr(area / NEW, mode="w", zarr_format=3, consolidated=True)
        put_in_place(area, place)


def _for_netcdf(dataset: "xr.Dataset") -> "xr.Dataset":
    """Give a dataset as netCDF could hold it: text of a fixed length, and attributes of two kinds.

    Truth values become 0 and 1, and what is None goes.
    """
    import xarray as xr

    texts = {
        name: xr.Variable(
            variable.dims,
            _of_fixed_length([str(value) for value in variable.values.flat]).reshape(
                variable.shape
            ),
            variable.attrs,
        )
        for name, variable in dataset.variables.items()
        if variable.dtype.kind in "OT" and all(isinstance(v, str) for v in variable.values.flat)
    }
    given = dataset.assign({k: v for k, v in texts.items() if k not in dataset.coords})
    given = given.assign_coords({k: v for k, v in texts.items() if k in dataset.coords})
    for described in (given, *(given[name] for name in given.variables)):
        described.attrs = {
            key: int(value) if isinstance(value, bool) else value
            for key, value in described.attrs.items()
            if value is not None
        }
    return given


def _of_fixed_length(texts: list[str]) -> np.ndarray:
    """Give texts a length that two fits of a store share: a reader may have the older types."""
    longest = max(map(len, texts), default=1)
    return np.array(texts, dtype=f"U{TEXT * max(1, -(-longest // TEXT))}")


def remove_analysis(path: Path, name: str, *, revision: str | None = None) -> None:
    """Remove an analysis from a store.

    Args:
        path: the store.
        name: of the analysis.
        revision: the layout of the store in which it was seen; None for the present one.

    Raises:
        OtherLayoutError: the store has been laid out again.
        StoreError: the file system refused.
    """
    with _workplace(path, name, "removing", revision) as area:
        # A kill from here on leaves nothing that could take the place again.
        (area / NEW).rmdir()
        with suppress(FileNotFoundError):  # another fit may have removed it
            (path / ANALYSIS / name).rename(area / OLD)


def analysis_groups(path: Path) -> list[str]:
    """Name the folders under `analysis/`, whoever made them."""
    try:
        with os.scandir(path / ANALYSIS) as entries:
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in folders if not name.startswith("."))


def mark_outdated(path: Path, reasons: Mapping[str, str]) -> None:
    """Say in the attributes of analyses why they are out of date, for whoever opens them.

    Args:
        path: the store.
        reasons: by name of the analysis.

    Raises:
        StoreError: the file system refused.
    """
    if not reasons:
        return
    with documents_held(path), explained(path, "marking what is out of date"), unwarned():
        for name, reason in reasons.items():
            if not _attributes(path / ANALYSIS / name):
                continue  # damaged; `fit` makes it again
            group = zarr.open_group(path / ANALYSIS / name, mode="r+")
            group.attrs.update({OUTDATED: _advice(reason)})
        consolidate(path)


def _advice(reason: str) -> str:
    return f"{reason}; 'genprior fit' makes it again"


def read_analyses(path: Path, names: Collection[str]) -> dict[str, dict[str, Any]]:
    """Read the attributes of those of some analyses that a store holds and that genprior made.

    Where the document of one is damaged, they are those of its copy at the root.
    """
    known = copies(read_root(path))
    found = {}
    for name in names:
        attributes = _attributes(path / ANALYSIS / name)
        if not attributes and (path / ANALYSIS / name).is_dir():
            attributes = known.get(f"{ANALYSIS}/{name}", {}).get("attributes") or {}
        if _is_ours(attributes):
            found[name] = attributes
    return found


def damaged_analyses(path: Path, names: Collection[str]) -> dict[str, str]:
    """Say of those of some analyses that cannot be read whole what is wrong with them.

    A chunk that is missing cannot be told from one that was never written, for want of values.
    """
    known = copies(read_root(path))
    found = {}
    for name in names:
        begin = f"{ANALYSIS}/{name}/"
        arrays = [key.removeprefix(begin) for key in known if key.startswith(begin)]
        try:
            group = zarr.open_group(path / ANALYSIS / name, mode="r", use_consolidated=False)
            for array in arrays:
                group[array][...]  # type: ignore[index]
        except Exception as error:
            found[name] = in_short(error)
    return found


def is_own(place: Path) -> bool:
    """Say whether a group under `analysis/` was made by genprior."""
    return _is_ours(_attributes(place))


def _was_own(path: Path, name: str) -> bool:
    """Say whether a group whose own document is lost or damaged was made by genprior."""
    copy = copies(read_root(path)).get(f"{ANALYSIS}/{name}", {})
    return _is_ours(copy.get("attributes") or {})


def _is_ours(attributes: Mapping[str, Any]) -> bool:
    return MADE_FROM in attributes or any(name in attributes for name in EARLIER)


def open_analysis(path: Path, name: str) -> "xr.Dataset":
    """Open an analysis of a store; one that is out of date comes with an `OutdatedWarning`.

    Raises:
        StoreError: there is none of that name.
    """
    import xarray as xr

    read_root(path)
    if not (path / ANALYSIS / name).is_dir():
        raise StoreError(f"{path} holds no {ANALYSIS}/{name}; 'genprior fit' makes it.")
    try:
        with warnings.catch_warnings():  # xarray adds a filter of its own
            dataset: xr.Dataset = xr.open_zarr(path.absolute() / ANALYSIS / name, chunks=None)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{path / ANALYSIS / name} is damaged ({in_short(error)}); 'genprior fit' makes it "
            "again."
        ) from None
    if OUTDATED in dataset.attrs:
        warnings.warn(
            f"{path}: {ANALYSIS}/{name} is out of date: {dataset.attrs[OUTDATED]}.",
            OutdatedWarning,
            stacklevel=2,
        )
    return dataset


def _attributes(place: Path) -> dict[str, Any]:
    """Read the attributes of a group; none where there is no group that can be read."""
    if not (place / "zarr.json").is_file():
        return {}
    try:
        return dict(zarr.open_group(place, mode="r", use_consolidated=False).attrs)
    except (ValueError, KeyError, TypeError, OSError):
        return {}


@contextmanager
def _workplace(path: Path, name: str, doing: str, revision: str | None) -> Iterator[Path]:
    """Give a work area next to an analysis, removed at the end, and copy the documents again.

    The documents are held meanwhile, so that no run lays the store out again or changes its root.

    It is in the store, for a store that is mounted has another file system next to it.
    """
    with documents_held(path), explained(path, f"{doing} {ANALYSIS}/{name}"), unwarned():
        if revision is not None and read_revision(path) != revision:
            raise OtherLayoutError(f"{path} was extended meanwhile; try again.")
        make_group(path / ANALYSIS)
        clear(path / ANALYSIS / name)
        with work_area(path / ANALYSIS / name) as area:
            yield area
        consolidate(path)
