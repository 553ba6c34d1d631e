"""The metadata documents of a store, `zarr.json`: one for each array, and copies at the root.

They are read and written as JSON, without zarr: each is read once, and an error in reading one
proves that it is damaged.
"""

import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from .errors import StoreError, WrongStoreError, explained
from .exchange import settle
from .lock import documents_held
from .ordinary import UnsafeFileError, check_inside, parsed, read_file

DOCUMENT = "zarr.json"
FORMAT = 2
ANALYSIS, CHUNKS = "analysis", "c"
MOST_NESTED = 50  # groups in groups
MOST_NAMES = 1000  # arrays of one kind
VARIABLES = "trial_variables"
# Earlier formats that are still read, with the attributes that were renamed since. Their text
# coordinates have a variable length, until an extension writes them again.
EARLIER_NAMES: dict[int, dict[str, str]] = {1: {"variables": VARIABLES}}
ALWAYS_THERE = ("seconds", "error", "status")
Document = dict[str, Any]


class BrokenDocumentError(ValueError):
    """A document is not a JSON object."""


def read_document(folder: Path) -> Document:
    """Read the document of an array or a group.

    Raises:
        FileNotFoundError: the folder has no document.
        BrokenDocumentError: the document is not a JSON object.
        UnsafeFileError: it is a link, no file, or too large.
    """
    try:
        document = parsed(read_file(folder / DOCUMENT))
    except (NotADirectoryError, IsADirectoryError) as error:
        raise FileNotFoundError(*error.args) from None
    except ValueError as error:
        raise BrokenDocumentError(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise BrokenDocumentError("not a JSON object")
    return document


def is_array(document: Document) -> bool:
    """Say whether a document describes an array."""
    return document.get("node_type") == "array" and isinstance(document.get("shape"), list)


def is_same(one: Document, other: Document) -> bool:
    """Compare two documents as text, so that NaN equals NaN."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def write_document(folder: Path, document: Document) -> None:
    """Write a document in one step: a kill leaves the old one or the new one."""
    new = folder / f".{DOCUMENT}.{uuid.uuid4().hex}.partial"
    try:
        new.write_text(json.dumps(document, indent=2), encoding="utf-8")
        os.replace(new, folder / DOCUMENT)
    finally:
        new.unlink(missing_ok=True)


def make_group(folder: Path) -> None:
    """Make a group, if the folder is not one already."""
    folder.mkdir(exist_ok=True)
    if not (folder / DOCUMENT).exists():
        write_document(folder, {"attributes": {}, "zarr_format": 3, "node_type": "group"})


def read_root(path: Path) -> Document:
    """Read the document at the root of a store.

    Raises:
        WrongStoreError: there is no genprior store at the path.
        StoreError: the document is damaged, or this version does not read its format.
    """
    with explained(path, "reading it"):
        settle(path)
        if not path.exists():
            raise WrongStoreError(f"{path}: there is no such store; 'genprior run' makes one.")
        if not path.is_dir():
            raise WrongStoreError(f"{path} is a file; a store is a folder.")
        try:
            root = read_document(path)
        except FileNotFoundError:
            if _has_results(path):
                raise _damaged_root(path, "it is missing") from None
            raise WrongStoreError(f"{path} is not a genprior store; choose another path.") from None
        except BrokenDocumentError as error:
            raise _damaged_root(path, str(error)) from None
    attributes = root.get("attributes")
    store_format = attributes.get("genprior_format") if isinstance(attributes, dict) else None
    if store_format is None:
        if _has_results(path):
            raise _damaged_root(path, "it has no attribute 'genprior_format'")
        raise WrongStoreError(f"{path} is not a genprior store; choose another path.")
    if isinstance(store_format, int) and store_format in EARLIER_NAMES:
        root = {**root, "attributes": _renamed_attributes(root["attributes"])}
    elif store_format != FORMAT:
        raise StoreError(
            f"{path} has format {store_format}, this genprior reads formats 1 to {FORMAT}; use the "
            f"version that wrote it ({root['attributes'].get('genprior_version', 'unknown')})."
        )
    if (root.get("node_type"), root.get("zarr_format")) != ("group", 3):
        raise _damaged_root(path, "it does not say that it is a group of Zarr format 3")
    for name in ("revision", "sweep", VARIABLES):
        if not isinstance(root["attributes"].get(name), str):
            raise _damaged_root(path, f"it has no attribute '{name}'")
    check_names(path, own_arrays(root))
    check_names(path, {part for name in copies(root) for part in name.split("/")})
    _check_no_links(path, own_arrays(root))
    return root


def _check_no_links(path: Path, arrays: Iterable[str]) -> None:
    """Refuse links in place of what genprior writes: they may lead out of the store.

    Raises:
        UnsafeFileError: names the link.
    """
    for name in (*arrays, ANALYSIS):
        for part in (DOCUMENT, CHUNKS):
            check_inside(path, (name, part))


def check_names(path: Path, names: Iterable[str]) -> None:
    """Refuse names of arrays that would lead out of a store.

    Raises:
        StoreError: naming one.
    """
    for name in names:
        if name in ("", ".", "..") or set(name) & set("/\\\0"):
            raise _damaged_root(path, f"no array can be called {name!r}")


def _renamed_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    """Give the attributes of an earlier format the names that they have in this one."""
    names = EARLIER_NAMES[attributes["genprior_format"]]
    renamed = {names.get(name, name): value for name, value in attributes.items()}
    return {**renamed, "genprior_format": FORMAT}


def _has_results(path: Path) -> bool:
    """Say whether a folder has the arrays of a store, even if its own document is damaged."""
    return all((path / name / DOCUMENT).is_file() for name in ALWAYS_THERE)


def _damaged_root(path: Path, what: str) -> StoreError:
    return StoreError(f"{path / DOCUMENT} is damaged ({what}); restore it from a copy.")


def read_revision(path: Path) -> str:
    """Read the revision of a store, which changes with its layout."""
    return str(read_root(path)["attributes"]["revision"])


def copies(root: Document) -> dict[str, Document]:
    """Give the root's copies of the documents below it, by path: its consolidated metadata."""
    consolidated = root.get("consolidated_metadata")
    by_path = consolidated.get("metadata") if isinstance(consolidated, dict) else None
    if not isinstance(by_path, dict):
        return {}
    return {name: copy for name, copy in by_path.items() if isinstance(copy, dict)}


def own_arrays(root: Document) -> list[str]:
    """List the arrays that a store must have: results, times, errors, status, axes, coordinates."""
    try:
        results = [str(name) for name in parsed(root["attributes"][VARIABLES])][:MOST_NAMES]
    except (KeyError, ValueError, TypeError):
        results = []
    axes = copies(root).get("status", {}).get("dimension_names")
    axes = axes[:MOST_NAMES] if isinstance(axes, list) else []
    return [*results, *ALWAYS_THERE, *map(str, axes), *coordinates(root["attributes"])]


def coordinates(attributes: dict[str, Any]) -> list[str]:
    """List the names of the coordinates that are not axes."""
    return str(attributes.get("coordinates", "")).split(maxsplit=MOST_NAMES)[:MOST_NAMES]


def consolidate(path: Path) -> None:
    """Copy all documents into the root's, so that opening a store reads one file.

    If the document of one of the store's own arrays is missing or damaged, its old copy is kept,
    so that the document can be restored from it.
    """
    root = read_document(path)
    old_copies, documents = copies(root), dict(documents_below(path))
    if isinstance(attributes := root.get("attributes"), dict) and "genprior_format" in attributes:
        if attributes["genprior_format"] in EARLIER_NAMES:
            root = {**root, "attributes": _renamed_attributes(attributes)}
        for name in own_arrays(root):
            if name in old_copies:
                documents.setdefault(name, old_copies[name])
    in_order = sorted(documents.items(), key=lambda item: (item[0].count("/"), item[0]))
    consolidated = {"kind": "inline", "must_understand": False, "metadata": dict(in_order)}
    write_document(path, {**root, "consolidated_metadata": consolidated})


def documents_below(folder: Path, prefix: str = "") -> Iterator[tuple[str, Document]]:
    """Read all documents below a group, with their paths; of the user's, those that can be read."""
    if prefix.count("/") > MOST_NESTED:
        return
    with os.scandir(folder) as entries:
        # Links are not followed: they may form a circle.
        folders = (entry for entry in entries if entry.is_dir(follow_symlinks=False))
        names = sorted(entry.name for entry in folders)
    for name in names:
        try:
            document = read_document(folder / name)
        except (FileNotFoundError, BrokenDocumentError, UnsafeFileError):
            continue
        if document.get("node_type") == "group":
            empty = {"kind": "inline", "must_understand": False, "metadata": {}}
            yield prefix + name, {**document, "consolidated_metadata": empty}
            yield from documents_below(folder / name, f"{prefix}{name}/")
        elif document.get("node_type") == "array":
            yield prefix + name, document


def record(path: Path, attributes: dict[str, Any]) -> None:
    """Set attributes of a store, in one step."""
    record_change(path, lambda present: attributes)


def record_change(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change attributes of a store, in one step.

    Args:
        path: the store.
        change: gives the new attributes from the present ones, which another run may have changed a
            moment ago; those that it does not give stay.
    """
    with documents_held(path), explained(path, "recording how it is continued"):
        root = read_root(path)
        new = change(root["attributes"])
        write_document(path, {**root, "attributes": {**root["attributes"], **new}})
