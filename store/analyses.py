"""Analyses in a store: write them, read them, and mark those that are out of date.

An analysis is a group `analysis/<name>` of a store. If genprior made it, its attribute `made_from`
says from which trials and settings. Every other group there is the user's and is never changed.
"""

import json
import os
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from .documents import (
    ANALYSIS,
    DOCUMENT,
    BrokenDocumentError,
    Document,
    consolidate,
    copies,
    documents_below,
    is_same,
    make_group,
    read_document,
    read_revision,
    read_root,
    write_document,
)
from .errors import OtherLayoutError, StoreError, explained, in_short
from .exchange import NEW, OLD, clear, is_vacant, put_in_place, work_area
from .lock import documents_held
from .ordinary import UnsafeFileError, check_inside
from .own_files import OwnFiles, zarr_group
from .plain import chunk_bytes, why_not_plain
from .unwarned import unwarned

if TYPE_CHECKING:
    import xarray as xr

TEXT_STEP = 128  # characters; the length of a text type is a multiple of this
MADE_FROM, OUTDATED = "made_from", "outdated"
# Earlier versions made these analyses only. Theirs do not say their name, and some have no
# `made_from` but one of these attributes.
EARLIER_ANALYSES = ("basin", "comparison", "law", "trajectory", "transition", "uniform")
EARLIER_MARKS = (MADE_FROM, "level", "most_steps")


class OutdatedWarning(UserWarning):
    """An opened analysis is out of date: the store's trials or settings changed since."""


def write_analysis(
    path: Path,
    name: str,
    dataset: "xr.Dataset",
    made_from: str,
    *,
    revision: str | None = None,
    outdated: str | None = None,
) -> "xr.Dataset":
    """Write a labelled analysis as the group `analysis/<name>` of a store, over an older one.

    A run may write trials at the same time: only the documents are locked, while the group is
    written.

    Args:
        path: the store.
        name: name of the analysis.
        dataset: the analysis.
        made_from: the trials and settings it was made from, stored as the attribute `made_from`.
        revision: the layout of the store from which it was made; None for the present one.
        outdated: why it is out of date already; None if it is not.

    Returns:
        The analysis as it was written.

    Raises:
        OtherLayoutError: the store has another layout now.
        StoreError: the file system refused, or genprior did not make the group of that name.
    """
    folder = path / ANALYSIS / name
    with _analysis_work_area(path, name, "writing", revision) as area:
        if not (is_vacant(folder) or is_ours(folder) or _copy_is_ours(path, name)):
            raise StoreError(
                f"{folder} was not made by 'genprior fit', which has to write there; give it "
                "another name."
            )
        marks = {MADE_FROM: made_from}
        marks |= {} if outdated is None else {OUTDATED: _advice(outdated)}
        marked = _for_netcdf(dataset).assign_attrs(marks)
        # As with results, checksums show a wrong bit, and no chunk is left out for its fill values.
        codecs = {"compressors": (ZstdCodec(level=1), Crc32cCodec())}
        with zarr.config.set({"array.write_empty_chunks": True}):
            marked.to_zarr(
                area / NEW, mode="w", zarr_format=3, consolidated=True,
                encoding=dict.fromkeys(marked.variables, codecs),
            )  # fmt: skip
        put_in_place(area, folder)
    return marked


def _for_netcdf(dataset: "xr.Dataset") -> "xr.Dataset":
    """Convert a dataset to what netCDF can hold.

    Text gets a fixed length. Of the attributes, truth values become 0 and 1, and None is dropped.
    """
    import xarray as xr

    texts = {
        name: xr.Variable(
            variable.dims,
            _fixed_length([str(value) for value in variable.values.flat]).reshape(variable.shape),
            variable.attrs,
        )
        for name, variable in dataset.variables.items()
        if variable.dtype.kind in "OT" and all(isinstance(v, str) for v in variable.values.flat)
    }
    converted = dataset.assign({k: v for k, v in texts.items() if k not in dataset.coords})
    converted = converted.assign_coords({k: v for k, v in texts.items() if k in dataset.coords})
    for described in (converted, *(converted[name] for name in converted.variables)):
        described.attrs = {
            key: int(value) if isinstance(value, bool) else value
            for key, value in described.attrs.items()
            if value is not None
        }
    return converted


def _fixed_length(texts: list[str]) -> np.ndarray:
    """Give texts a length in steps, so that successive fits of a store mostly share one type.

    A reader may have opened the group with the older type.
    """
    longest = max(map(len, texts), default=1)
    return np.array(texts, dtype=f"U{TEXT_STEP * max(1, -(-longest // TEXT_STEP))}")


def remove_analysis(path: Path, name: str, *, revision: str | None = None) -> None:
    """Remove an analysis from a store.

    Args:
        path: the store.
        name: name of the analysis.
        revision: the layout of the store in which it was seen; None for the present one.

    Raises:
        OtherLayoutError: the store has another layout now.
        StoreError: the file system refused.
    """
    with _analysis_work_area(path, name, "removing", revision) as area:
        # Without this folder, no later command completes an exchange after a kill.
        (area / NEW).rmdir()
        with suppress(FileNotFoundError):  # another fit may have removed it already
            (path / ANALYSIS / name).rename(area / OLD)


def analysis_groups(path: Path) -> list[str]:
    """List the names of the folders under `analysis/`, also of those that genprior did not make."""
    try:
        with os.scandir(path / ANALYSIS) as entries:
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in folders if not name.startswith("."))


def mark_outdated(path: Path, reasons: Mapping[str, str]) -> None:
    """Write into the attributes of analyses why they are out of date.

    Args:
        path: the store.
        reasons: the reason for each name of an analysis.

    Raises:
        StoreError: the file system refused.
    """
    if not reasons:
        return
    with documents_held(path), explained(path, "marking analyses as out of date"), unwarned():
        for name, reason in reasons.items():
            if not _attributes(path / ANALYSIS / name):
                continue  # damaged; `fit` makes it again
            document = read_document(path / ANALYSIS / name)
            document["attributes"] = {**document["attributes"], OUTDATED: _advice(reason)}
            write_document(path / ANALYSIS / name, document)
        consolidate(path)


def _advice(reason: str) -> str:
    return f"{reason}; 'genprior fit' makes it again"


def read_analyses(path: Path, names: Collection[str]) -> dict[str, dict[str, Any]]:
    """Read the attributes of analyses, by name.

    Names that the store does not hold are left out, and so are groups that genprior did not make.
    If the document of an analysis is damaged, its copy at the root is read.
    """
    root_copies = copies(read_root(path))
    analyses = {}
    for name in names:
        attributes = _attributes(path / ANALYSIS / name)
        if not attributes and (path / ANALYSIS / name).is_dir():
            attributes = root_copies.get(f"{ANALYSIS}/{name}", {}).get("attributes") or {}
        if _made_as(name, attributes):
            analyses[name] = attributes
    return analyses


def damaged_analyses(path: Path, names: Collection[str]) -> dict[str, str]:
    """Read analyses completely, and say for each that is damaged what is wrong with it.

    Earlier versions wrote analyses without checksums, and no chunk that had fill values only. In
    those, a missing chunk is not seen.
    """
    root_copies = copies(read_root(path))
    damaged = {}
    for name in names:
        begin = f"{ANALYSIS}/{name}/"
        arrays = [key.removeprefix(begin) for key in root_copies if key.startswith(begin)]
        try:
            group = zarr_group(path / ANALYSIS / name)
            for name_of in arrays:
                _check_plain(path / ANALYSIS / name, name_of)
                array = group[name_of]
                if isinstance(array, zarr.Array):
                    array[...]
                    if has_checksums(array) and array.nchunks_initialized < array.nchunks:
                        damaged[name] = f"a chunk of {name_of} is missing"
        except Exception as error:
            damaged[name] = in_short(error)
    return damaged


def has_checksums(array: zarr.Array[Any]) -> bool:
    """Say whether the chunks of an array have checksums."""
    return any(isinstance(codec, Crc32cCodec) for codec in array.compressors)


def changed_documents(path: Path, names: Collection[str]) -> dict[str, str]:
    """Compare the documents of analyses with their copies at the root.

    A fit that writes just now has changed one of them first.

    Returns:
        By the name of each analysis whose documents differ, which one does.
    """
    root_copies, changed = copies(read_root(path)), {}
    for key, copy in root_copies.items():
        name = key.removeprefix(f"{ANALYSIS}/").split("/")[0]
        if not key.startswith(f"{ANALYSIS}/") or name not in names or name in changed:
            continue
        try:
            own = read_document(path / key)
        except (FileNotFoundError, BrokenDocumentError):
            changed[name] = f"{key}/{DOCUMENT} is missing or damaged"
            continue
        # A group has copies of its own arrays' documents, which its copy at the root has not.
        gathered = {"consolidated_metadata": None}
        if not is_same(own | gathered, copy | gathered):
            changed[name] = f"{key}/{DOCUMENT} differs from its copy in {DOCUMENT}"
    return changed


def own_analyses(path: Path) -> list[str]:
    """List the names of the analyses that genprior made in a store."""
    return list(read_analyses(path, analysis_groups(path)))


def is_ours(folder: Path) -> bool:
    """Say whether genprior made a group under `analysis/`."""
    return _made_as(folder.name, _attributes(folder))


def _copy_is_ours(path: Path, name: str) -> bool:
    """Say by its copy at the root whether genprior made a group, if its own document is damaged."""
    copy = copies(read_root(path)).get(f"{ANALYSIS}/{name}", {})
    return _made_as(name, copy.get("attributes") or {})


def _made_as(name: str, attributes: Mapping[str, Any]) -> bool:
    """Say whether genprior made a group with these attributes, under this name.

    A copy under another name is the user's.
    """
    try:
        made_from = json.loads(str(attributes[MADE_FROM]))
    except (KeyError, ValueError):
        made_from = None
    if isinstance(made_from, dict) and "analysis" in made_from:
        return bool(made_from["analysis"] == name)
    return name in EARLIER_ANALYSES and any(mark in attributes for mark in EARLIER_MARKS)


def open_analysis(path: Path, name: str) -> "xr.Dataset":
    """Open an analysis of a store, and warn with `OutdatedWarning` if it is out of date.

    Raises:
        StoreError: the store holds no analysis of that name, or it is damaged.
    """
    import xarray as xr

    read_root(path)
    check_inside(path, (ANALYSIS, name))
    if not (path / ANALYSIS / name).is_dir():
        raise StoreError(f"{path} holds no {ANALYSIS}/{name}; 'genprior fit' makes it.")
    try:
        with warnings.catch_warnings():  # xarray changes the warning filters
            folder = path.absolute() / ANALYSIS / name
            files = OwnFiles(folder, read_only=True, known=_checked_copies(folder))
            dataset: xr.Dataset = xr.open_zarr(files, chunks=None, zarr_format=3)
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


def _checked_copies(folder: Path) -> dict[str, int | None]:
    """Give the bytes of a decoded chunk of each array of an analysis, from the copies at its root.

    Raises:
        BrokenDocumentError: one of them is no array that genprior reads.
    """
    known: dict[str, int | None] = {}
    # Without copies, xarray reads the documents.
    documents = copies(read_document(folder)) or dict(documents_below(folder))
    for name, copy in documents.items():
        if why := why_not_plain(copy):
            raise BrokenDocumentError(f"{name}: {why}")
        known[name] = chunk_bytes(copy)
    return known


def _attributes(folder: Path) -> dict[str, Any]:
    """Read the attributes of a group; empty if there is no group or it cannot be read."""
    try:
        document = read_document(folder)
    except (OSError, BrokenDocumentError, UnsafeFileError):
        return {}
    attributes = document.get("attributes")
    is_group = (document.get("node_type"), document.get("zarr_format")) == ("group", 3)
    return dict(attributes) if is_group and isinstance(attributes, dict) else {}


def _check_plain(folder: Path, array: str) -> Document:
    """Give the document of an array of an analysis.

    Raises:
        FileNotFoundError: it has no document.
        BrokenDocumentError: genprior does not read such an array.
    """
    check_inside(folder, array.split("/"))
    document = read_document(folder / array)
    if why := why_not_plain(document):
        raise BrokenDocumentError(f"{array}: {why}")
    return document


@contextmanager
def _analysis_work_area(path: Path, name: str, doing: str, revision: str | None) -> Iterator[Path]:
    """Give a work area next to an analysis; at the end remove it and consolidate the metadata.

    The documents are locked meanwhile, so that no run extends the store or changes its root.

    The work area is inside the store: next to a mounted store begins another file system.
    """
    check_inside(path, (ANALYSIS, name))
    with documents_held(path), explained(path, f"{doing} {ANALYSIS}/{name}"), unwarned():
        if revision is not None and read_revision(path) != revision:
            raise OtherLayoutError(f"{path} was extended meanwhile; repeat the same command.")
        make_group(path / ANALYSIS)
        clear(path / ANALYSIS / name)
        with work_area(path / ANALYSIS / name) as area:
            yield area
        consolidate(path)
