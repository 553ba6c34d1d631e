"""What a larger store takes over from a smaller one: which chunks stay the same, and attributes."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np

from .documents import VARIABLES, BrokenDocumentError, is_array, read_document
from .info import StoreInfo
from .own_files import zarr_group
from .unwarned import unwarned

# The attributes of a store that each store has of its own.
OWN_ATTRIBUTES = (
    "title", "genprior_format", "revision", "sweep", "sweep_hash", "coordinates", VARIABLES,
)  # fmt: skip
SPARE_BYTES = 1_000_000


def own_arrays(info: StoreInfo) -> dict[str, int]:
    """Give the number of dimensions of each array that genprior wrote, by name."""
    documents = {}
    for name in info.arrays:
        with suppress(FileNotFoundError, BrokenDocumentError):
            documents[name] = read_document(info.path / name)
    return {name: len(own["shape"]) for name, own in documents.items() if is_array(own)}


def own_bytes(info: StoreInfo) -> int:
    """Count the bytes of the arrays that genprior wrote."""
    arrays = (info.path / name for name in own_arrays(info))
    files = (file for array in arrays for file in array.rglob("*"))
    return sum(file.lstat().st_size for file in files if file.is_file())


def carry_attributes(info: StoreInfo, new: Path) -> bool:
    """Copy attributes that the user added to arrays; say whether there were any."""
    carried = False
    source = zarr_group(info.path, "r")
    target = zarr_group(new, "r+")
    for name in own_arrays(info):
        if (array := target.get(name)) is None:
            continue
        old = source[name].attrs.asdict()
        if name in info.placement:
            old.pop("_FillValue", None)  # where trials are not placed, these arrays have none
        if added := {key: value for key, value in old.items() if key not in array.attrs}:
            with unwarned():
                array.attrs.update(added)
            carried = True
    return carried


def same_chunk(indices: np.ndarray, chunk: int, size: int) -> int | None:
    """Give the index of the old chunk with exactly these values at the same offsets, or None.

    Args:
        indices: old index of each value in the new chunk, −1 if it is new.
        chunk: chunk size along the dimension.
        size: old size of the dimension.
    """
    offsets = np.flatnonzero(indices >= 0)
    old = indices[offsets]
    index = int(old[0]) // chunk
    length = min(chunk, size - index * chunk)
    same = len(old) == length and (old == index * chunk + offsets).all()
    return index if same else None


def link_block(
    old: Path, new: Path, names: tuple[str, ...], old_block: list[str], block: tuple[int, ...]
) -> None:
    """Hard-link the chunks of a block into the new store, or copy them if links are impossible.

    Both stores may share a file, because chunk files are replaced and not rewritten.
    """
    for name in names:
        source = old.joinpath(name, "c", *old_block)
        target = new.joinpath(name, "c", *map(str, block))
        if not source.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)
