"""The `zarr.json` documents of a store: one for each array, and the root's with a copy of each.

They are read and written as JSON, without zarr: once, and so that what an error proves is known.
"""

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import StoreError, WrongStoreError, explained
from .exchange import settle
from .lock import documents_held

DOCUMENT = "zarr.json"
FORMAT = 2
VARIABLES = "trial_variables"
# Formats that are read too: what they call the attributes that were renamed since. Their text
# coordinates have a variable length, until an extension writes them again.
EARLIER: dict[int, dict[str, str]] = {1: {"variables": VARIABLES}}
ALWAYS_THERE = ("seconds", "error", "status")
Document = dict[str, Any]


class BrokenDocumentError(ValueError):
    """A document that is no JSON object."""


def read_document(folder: Path) -> Document:
    """Read the document of an array or a group.

    Raises:
        FileNotFoundError: there is none.
        BrokenDocumentError: it is no JSON object.
    """
    try:
        document = json.loads((folder / DOCUMENT).read_bytes())
    except NotADirectoryError as error:
        raise FileNotFoundError(*error.args) from None
    except ValueError as error:
        raise BrokenDocumentError(f"no JSON: {error}") from None
    if not isinstance(document, dict):
        raise BrokenDocumentError("no JSON object")
    return document


def write_document(folder: Path, document: Document) -> None:
    """Write a document in one step: a kill leaves the old one or the new one."""
    new = folder / f".{DOCUMENT}.{uuid.uuid4().hex}.partial"
    try:
        new.write_text(json.dumps(document, indent=2), encoding="utf-8")
        os.replace(new, folder / DOCUMENT)
    finally:
        new.unlink(missing_ok=True)


def make_group(folder: Path) -> None:
    """Make a group, unless there is one."""
    folder.mkdir(exist_ok=True)
    if not (folder / DOCUMENT).exists():
        write_document(folder, {"attributes": {}, "zarr_format": 3, "node_type": "group"})


def read_root(path: Path) -> Document:
    """Read the document at the root of a store.

    Raises:
        WrongStoreError: there is no store of ours at the path.
        StoreError: it is damaged, or of a format this version does not read.
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
                raise _broken_root(path, "it is missing") from None
            raise WrongStoreError(f"{path} holds no store of genprior.") from None
        except BrokenDocumentError as error:
            raise _broken_root(path, str(error)) from None
    attributes = root.get("attributes")
    found = attributes.get("genprior_format") if isinstance(attributes, dict) else None
    if found is None:
        if _has_results(path):
            raise _broken_root(path, "it has no attribute 'genprior_format'")
        raise WrongStoreError(f"{path} holds no store of genprior.")
    if isinstance(found, int) and found in EARLIER:
        root = {**root, "attributes": _as_now(root["attributes"])}
    elif found != FORMAT:
        raise StoreError(
            f"{path} has format {found}, this genprior reads formats 1 to {FORMAT}; use the "
            f"version that wrote it ({root['attributes'].get('genprior_version', 'unknown')})."
        )
    if (root.get("node_type"), root.get("zarr_format")) != ("group", 3):
        raise _broken_root(path, "it does not say that it is a group of Zarr format 3")
    for name in ("revision", "sweep", VARIABLES):
        if not isinstance(root["attributes"].get(name), str):
            raise _broken_root(path, f"it has no attribute '{name}'")
    return root


def _as_now(attributes: dict[str, Any]) -> dict[str, Any]:
    """Give the attributes of an earlier format as they are called now."""
    names = EARLIER[attributes["genprior_format"]]
    now = {names.get(name, name): value for name, value in attributes.items()}
    return {**now, "genprior_format": FORMAT}


def _has_results(path: Path) -> bool:
    """Say whether a folder has the arrays of a store, whatever its own document says."""
    return all((path / name / DOCUMENT).is_file() for name in ALWAYS_THERE)


def _broken_root(path: Path, what: str) -> StoreError:
    return StoreError(f"{path / DOCUMENT} is damaged ({what}); restore it from a copy.")


def read_revision(path: Path) -> str:
    """Read which layout a store has now."""
    return str(read_root(path)["attributes"]["revision"])


def copies(root: Document) -> dict[str, Document]:
    """Give the root's copies of the documents below it, by path ("consolidated metadata")."""
    consolidated = root.get("consolidated_metadata")
    found = consolidated.get("metadata") if isinstance(consolidated, dict) else None
    if not isinstance(found, dict):
        return {}
    return {name: copy for name, copy in found.items() if isinstance(copy, dict)}


def own_arrays(root: Document) -> list[str]:
    """Name the arrays that a store must have: results, times, texts, status, axes, coordinates."""
    try:
        results = [str(name) for name in json.loads(root["attributes"][VARIABLES])]
    except (KeyError, ValueError, TypeError):
        results = []
    axes = copies(root).get("status", {}).get("dimension_names") or []
    return [*results, *ALWAYS_THERE, *map(str, axes), *coordinates(root["attributes"])]


def coordinates(attributes: dict[str, Any]) -> list[str]:
    """Name the coordinates that are no axes."""
    return str(attributes.get("coordinates", "")).split()


def consolidate(path: Path) -> None:
    """Copy all documents into the root's, so that opening a store reads one file.

    The copy of an array of ours whose own document is missing or damaged is kept: it can be
    restored from there.
    """
    root = read_document(path)
    known, found = copies(root), dict(_documents(path, ""))
    if isinstance(attributes := root.get("attributes"), dict) and "genprior_format" in attributes:
        if attributes["genprior_format"] in EARLIER:
            root = {**root, "attributes": _as_now(attributes)}
        for name in own_arrays(root):
            if name in known:
                found.setdefault(name, known[name])
    in_order = sorted(found.items(), key=lambda item: (item[0].count("/"), item[0]))
    consolidated = {"kind": "inline", "must_understand": False, "metadata": dict(in_order)}
    write_document(path, {**root, "consolidated_metadata": consolidated})


def _documents(folder: Path, prefix: str) -> Iterator[tuple[str, Document]]:
    """Go through the documents below a group."""
    with os.scandir(folder) as entries:
        # A link may lead round in a circle.
        folders = (entry for entry in entries if entry.is_dir(follow_symlinks=False))
        names = sorted(entry.name for entry in folders)
    for name in names:
        try:
            document = read_document(folder / name)
        except (FileNotFoundError, BrokenDocumentError):
            continue
        if document.get("node_type") == "group":
            empty = {"kind": "inline", "must_understand": False, "metadata": {}}
            yield prefix + name, {**document, "consolidated_metadata": empty}
            yield from _documents(folder / name, f"{prefix}{name}/")
        elif document.get("node_type") == "array":
            yield prefix + name, document


def record(path: Path, attributes: dict[str, Any]) -> None:
    """Change attributes of a store, in one step."""
    with documents_held(path), explained(path, "recording how it is continued"):
        root = read_root(path)
        write_document(path, {**root, "attributes": {**root["attributes"], **attributes}})
