"""Find what is missing or damaged in a store, by listing its files and from the bytes it reads.

Something counts as damaged only if its bytes prove it: a document that is not JSON or differs from
its copy; a chunk that is missing, cut, or does not match its checksum.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ..sweeps import UserError
from .chunks import CHECKSUM_BYTES, blocks_with, chunk_path, chunk_sizes, few_chunks, is_intact
from .documents import (
    DOCUMENT,
    BrokenDocumentError,
    Document,
    is_array,
    is_same,
    read_document,
)
from .errors import StoreError, in_short, library_error
from .info import StoreInfo
from .layout import ASKED, ERROR, STATUS, Layout, Status
from .own_files import zarr_array
from .plain import chunk_shape, why_not_plain

Block = tuple[int, ...]
WRONG_CHECKSUM = "its checksum is wrong"


@dataclass(frozen=True)
class Damage:
    """What is wrong with one array.

    Attributes:
        array: the array's name.
        what: the end of a sentence that begins with the file, such as "is missing".
        blocks: the damaged chunks of results; empty if something else is damaged.
        inner: the damaged file in the array's folder, if it is no chunk of results; "" for the
            whole array.
        listed: whether each run finds it; a wrong checksum is seen only by reading.
    """

    array: str
    what: str
    blocks: tuple[Block, ...] = ()
    inner: str = ""
    listed: bool = True

    @property
    def file(self) -> Path:
        """The damaged file or folder, relative to the store."""
        if self.blocks:
            return chunk_path(Path(self.array), self.blocks[0])
        return Path(self.array, self.inner)

    @property
    def remedy(self) -> str:
        """The next move, with which it is computed or written again."""
        if not self.blocks:
            return "Repeat the run: it is written again."
        if self.listed or self.array == STATUS.name:
            return "Repeat the run: its trials are computed again."
        return "Remove it and repeat the run: its trials are computed again."

    def __str__(self) -> str:
        others = len(self.blocks) - 1
        more = f" (and {others:,} more of its chunks)" if others > 0 else ""
        return f"{self.file} {self.what}{more}"


@dataclass(frozen=True)
class Survey:
    """The readable content of a store, and its damages.

    Attributes:
        status: status of every trial; lost trials count as pending.
        values: the requested variables, by name; the fill value where they are lost.
        damages: everything that is missing or damaged.
        lost: mask over the blocks: all trials of the block have to be computed again.
        unmarked: mask over the blocks: the stored status does not mark all excluded points.
    """

    status: np.ndarray
    values: dict[str, np.ndarray]
    damages: tuple[Damage, ...]
    lost: np.ndarray
    unmarked: np.ndarray


def survey(info: StoreInfo, read: Sequence[str] = ()) -> Survey:
    """List the files of a store, and read its status and some variables as far as possible.

    Error texts are read only from blocks with crashed trials. What decides where trials are placed
    is always read.

    Raises:
        StoreError: the status cannot be read, or the installed libraries cannot read intact bytes.
    """
    damages = [*document_damages(info, info.results), *coordinate_damages(info)]
    broken = {damage.array for damage in damages}
    if STATUS.name in broken:
        raise damage_error(info, damages)
    values = {}
    status, wrong = read_array(info, STATUS.name)
    damages += wrong
    always = info.read_by_placement
    for name in dict.fromkeys((*read, *always)):
        crashed = blocks_with(status == Status.CRASHED, info.layout)
        if name in broken or (name == ERROR.name and not crashed.any()):
            continue
        if name == ERROR.name:
            values[name], wrong = _read_blocks(info, name, open_array(info, name), crashed)
        else:
            values[name], wrong = read_array(info, name)
        damages += [replace(damage, listed=name in always) for damage in wrong]
    damages += chunk_damages(info, info.results, status)
    excluded = excluded_points(info)
    unmarked = blocks_with((status != Status.EXCLUDED) & excluded[..., np.newaxis], info.layout)
    status[excluded] = Status.EXCLUDED
    lost = np.zeros(info.layout.grid, dtype=bool)
    for damage in damages:
        is_result = damage.array in info.results and damage.array != ERROR.name
        for block in damage.blocks:
            trials = status[info.layout.region(block)]
            trials[trials == Status.CRASHED] = Status.PENDING
            if is_result:
                trials[trials == Status.DONE] = Status.PENDING
                lost[block] = True
    return Survey(status, values, tuple(damages), lost, unmarked)


def excluded_points(info: StoreInfo) -> np.ndarray:
    """Give the mask of excluded points, over the axes; of placed trials only some are asked."""
    if not info.sweep.exclude or info.layout.is_placed:
        return np.zeros(info.layout.shape[:-1], dtype=bool)
    return info.grid.excluded


def check_complete(info: StoreInfo, names: Iterable[str], status: np.ndarray) -> None:
    """Refuse results of which a part is missing.

    Args:
        info: the store.
        names: which results.
        status: status of every trial, read before the results.

    Raises:
        StoreError: something is missing or damaged; the message names it.
    """
    names = list(names)
    damages = [*document_damages(info, names), *coordinate_damages(info)]
    damages += chunk_damages(info, names, status)
    if damages:
        raise damage_error(info, damages)


def reading_error(info: StoreInfo, names: Iterable[str], error: Exception) -> StoreError:
    """Explain why results cannot be read: by damage if the bytes prove it, else by the library."""
    names = list(names)
    damages = [*document_damages(info, names), *coordinate_damages(info)]
    damages = damages or chunk_damages(info, names, None)
    for name in names if not damages else ():
        damages = read_array(info, name)[1]
        if damages:
            break
    if damages:
        return damage_error(info, damages)
    return library_error(info.path, info.attributes, error)


def damage_error(info: StoreInfo, damages: Sequence[Damage], remedy: str = "") -> StoreError:
    """Name the first of some damages, and the next move."""
    first = damages[0]
    others = f" ({len(damages) - 1} more such damages)" if len(damages) > 1 else ""
    return StoreError(f"{info.path / str(first)}{others}. {remedy or first.remedy}")


def document_damages(info: StoreInfo, names: Iterable[str]) -> list[Damage]:
    """Compare the documents of arrays with their copies at the root, and with the layout."""
    return [damage for name in names if (damage := _document_damage(info, name)) is not None]


def _document_damage(info: StoreInfo, name: str) -> Damage | None:
    folder, copy = info.path / name, info.copies.get(name)
    try:
        own = read_document(folder)
    except FileNotFoundError:
        return Damage(name, "is missing", inner=DOCUMENT if folder.is_dir() else "")
    except BrokenDocumentError as error:
        return Damage(name, f"is damaged ({in_short(error)})", inner=DOCUMENT)
    is_result = name in info.results
    if not (is_laid_out(own, info.layout) if is_result else is_array(own)):
        return Damage(name, "is damaged (it describes another array)", inner=DOCUMENT)
    if why := why_not_plain(own, info.layout.sizes):
        return Damage(name, f"is damaged ({why})", inner=DOCUMENT)
    if copy is not None and not _agree(own, copy):
        return Damage(name, f"is damaged (its copy in {DOCUMENT} differs)", inner=DOCUMENT)
    return None


def is_laid_out(document: Document, layout: Layout) -> bool:
    """Say whether a document describes an array with this shape, these chunks and dimensions."""
    described = (document.get("shape"), chunk_shape(document), document.get("dimension_names"))
    expected = (list(layout.shape), list(layout.chunks), list(layout.dims))
    return is_array(document) and described == expected


def _agree(own: Document, copy: Document) -> bool:
    """Compare a document with its copy, except for attributes that the user added."""
    added, kept = own.get("attributes"), copy.get("attributes")
    if not isinstance(added, dict) or not isinstance(kept, dict):
        return is_same(own, copy)
    known = {name: value for name, value in added.items() if name in kept}
    return is_same({**own, "attributes": known}, copy)


def coordinate_damages(info: StoreInfo) -> list[Damage]:
    """Find coordinates that are missing or damaged; each has one chunk."""
    damages = document_damages(info, info.coordinates)
    broken = {damage.array for damage in damages}
    for name in info.coordinates:
        if name not in broken:
            index = (0,) * len(read_document(info.path / name)["shape"])
            chunk = chunk_path(info.path / name, index)
            file = str(chunk.relative_to(info.path / name))
            try:
                if not is_intact(chunk):
                    damages.append(Damage(name, f"is damaged ({_reason(chunk)})", inner=file))
            except FileNotFoundError:
                damages.append(Damage(name, "is missing", inner=file))
    return damages


def _reason(chunk: Path) -> str:
    size = chunk.stat().st_size
    return WRONG_CHECKSUM if size > CHECKSUM_BYTES else f"it has only {size} bytes"


def chunk_damages(info: StoreInfo, names: Iterable[str], status: np.ndarray | None) -> list[Damage]:
    """List the chunks of results, and find those that are cut short or missing.

    Args:
        info: the store.
        names: which results.
        status: status of every trial, read before the listing; if None, no chunk counts as missing.
    """
    damages: list[Damage] = []

    @cache
    def with_any(statuses: tuple[Status, ...]) -> np.ndarray:
        return blocks_with(np.isin(np.asarray(status), statuses), info.layout)

    for name in names:
        sizes = chunk_sizes(info.path / name, info.layout.grid)
        if status is not None and name != STATUS.name:
            needed = with_any(needed_by(info, name))
            damages += _damage_of(name, "is missing", needed & (sizes < 0))
        short = (sizes >= 0) & (sizes <= CHECKSUM_BYTES)
        damages += _damage_of(name, f"is damaged (at most {CHECKSUM_BYTES} bytes are left)", short)
    return damages


def needed_by(info: StoreInfo, name: str) -> tuple[Status, ...]:
    """Give the statuses of trials that need a chunk; crashed ones need their error text alone."""
    if name == ERROR.name:
        return (Status.CRASHED,)
    return ASKED if name in info.placement else (Status.DONE,)


def _damage_of(name: str, what: str, mask: np.ndarray, listed: bool = True) -> Iterator[Damage]:
    blocks = tuple(tuple(map(int, block)) for block in np.argwhere(mask))
    if blocks:
        yield Damage(name, what, blocks, listed=listed)


def read_array(info: StoreInfo, name: str) -> tuple[np.ndarray, list[Damage]]:
    """Read results as far as possible.

    Returns:
        The values, the fill value where a chunk is missing or damaged, and the chunks whose
        checksum is wrong.

    Raises:
        StoreError: the installed libraries cannot read a chunk whose bytes are intact.
    """
    array = open_array(info, name)
    try:
        if info.layout.is_placed and few_chunks(info.path / name, info.layout.grid) is not None:
            return _read_blocks(info, name, array)
        return np.array(array[...]), []
    except (OSError, UserError):
        raise
    except Exception:
        return _read_blocks(info, name, array)


def _read_blocks(
    info: StoreInfo, name: str, array: zarr.Array[Any], wanted: np.ndarray | None = None
) -> tuple[np.ndarray, list[Damage]]:
    """Read an array block by block.

    Args:
        info: the store.
        name: the array's name.
        array: the array.
        wanted: mask over the blocks to read; None for all.
    """
    values: np.ndarray = np.zeros(array.shape, dtype=array.dtype)
    if name != ERROR.name:  # zeros are empty texts already, and need no memory until written
        values[...] = array.fill_value
    exists = chunk_sizes(info.path / name, info.layout.grid) > CHECKSUM_BYTES
    wrong = np.zeros(info.layout.grid, dtype=bool)
    for block in map(tuple, np.argwhere(exists if wanted is None else exists & wanted).tolist()):
        region = info.layout.region(block)
        try:
            values[region] = array[region]
        except (OSError, UserError):
            raise
        except Exception as reason:
            try:
                wrong[block] = not is_intact(chunk_path(info.path / name, block))
            except FileNotFoundError:
                continue
            if not wrong[block]:
                raise library_error(info.path, info.attributes, reason) from None
    return values, list(_damage_of(name, f"is damaged ({WRONG_CHECKSUM})", wrong, listed=False))


def open_array(info: StoreInfo, name: str) -> zarr.Array[Any]:
    """Open an array of a store.

    Raises:
        StoreError: it is missing or damaged, or the installed libraries cannot read it.
    """
    try:
        return zarr_array(info.path / name)
    except Exception as error:
        damages = document_damages(info, [name])
        if damages:
            raise damage_error(info, damages) from None
        if isinstance(error, UserError):
            raise
        if isinstance(error, OSError):
            raise
        raise library_error(info.path, info.attributes, error) from None
