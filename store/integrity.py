"""What is missing from a store or damaged in it: told by listing it, and by the bytes it reads.

An error is called damage only where bytes prove it: a document that is no JSON or differs from its
copy, a chunk that is missing, cut or against its checksum.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ..sweeps import Grid, Sweep
from .chunks import CHECKSUM_BYTES, blocks_with, chunk_path, chunk_sizes, is_intact
from .documents import (
    ALWAYS_THERE,
    DOCUMENT,
    BrokenDocumentError,
    Document,
    coordinates,
    read_document,
)
from .errors import StoreError, in_short
from .layout import ERROR, STATUS, Layout, Status

Block = tuple[int, ...]
LIBRARIES = ("xarray", "zarr")
WRONG_CHECKSUM = "its checksum is wrong"


@dataclass(frozen=True)
class StoreInfo:
    """What a store says of itself; `copies` has the root's copies of the other documents."""

    path: Path
    sweep: Sweep
    layout: Layout
    variables: tuple[str, ...]
    attributes: dict[str, Any]
    copies: dict[str, Document] = field(default_factory=dict, repr=False)

    @cached_property
    def grid(self) -> Grid:
        """Lay out the points of its sweep, when somebody asks for them."""
        return Grid(self.sweep)

    def with_grid(self, grid: Grid) -> "StoreInfo":
        """Give the same with a grid that was laid out before, if it is that of the sweep."""
        # As text: of equal sweeps the axes may be in another order.
        if grid.sweep.as_json() == self.sweep.as_json():
            self.__dict__["grid"] = grid
        return self

    @property
    def revision(self) -> str:
        """Changes whenever the store is laid out again."""
        return str(self.attributes["revision"])

    @property
    def results(self) -> tuple[str, ...]:
        """Name the arrays over all axes and the trial."""
        return (*self.variables, *ALWAYS_THERE)

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Name the coordinates, axes and trial first."""
        return (*self.layout.dims, *coordinates(self.attributes))

    @property
    def arrays(self) -> tuple[str, ...]:
        """Name everything that the store must have."""
        return (*self.results, *self.coordinates)


@dataclass(frozen=True)
class Damage:
    """What is wrong with one array.

    Attributes:
        array: its name.
        what: in words.
        blocks: which of its chunks; none if it is the array's document, or the whole array.
        place: what it is of the array, if no chunk of results.
        listed: whether a listing shows it; a wrong checksum is seen only by those who read.
    """

    array: str
    what: str
    blocks: tuple[Block, ...] = ()
    place: str = ""
    listed: bool = True

    @property
    def file(self) -> Path:
        """What is damaged, below the store."""
        if self.blocks:
            return chunk_path(Path(self.array), self.blocks[0])
        return Path(self.array, self.place)

    @property
    def remedy(self) -> str:
        """Say how to have it computed or written again."""
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
    """What a store holds, as far as it can be trusted.

    Attributes:
        status: of every trial; what is lost counts as pending.
        values: variables that were asked for; the fill value where lost.
        damages: what is wrong.
        lost: over the blocks, those all of whose trials have to be computed again.
        unmarked: over the blocks, those with excluded points whose chunk does not say so.
    """

    status: np.ndarray
    values: dict[str, np.ndarray]
    damages: tuple[Damage, ...]
    lost: np.ndarray
    unmarked: np.ndarray


def survey(info: StoreInfo, read: Sequence[str] = ()) -> Survey:
    """List what a store has, and read its status and some variables as far as they can be read.

    Texts of errors are read only where there are any.

    Raises:
        StoreError: the status cannot be read at all, or an intact store cannot be read here.
    """
    damages = [*document_damages(info, info.results), *coordinate_damages(info)]
    broken = {damage.array for damage in damages}
    if STATUS.name in broken:
        raise refusal(info, damages)
    values = {}
    status, wrong = read_array(info, STATUS.name)
    damages += wrong
    for name in read:
        crashed = blocks_with(status == Status.CRASHED, info.layout)
        if name in broken or (name == ERROR.name and not crashed.any()):
            continue
        if name == ERROR.name:
            values[name], wrong = _read_blocks(info, name, open_array(info, name), crashed)
        else:
            values[name], wrong = read_array(info, name)
        damages += wrong
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
    """Give the mask over the axes of the points that a rule leaves out."""
    if not info.sweep.exclude:
        return np.zeros(info.layout.shape[:-1], dtype=bool)
    return info.grid.excluded


def check_complete(info: StoreInfo, names: Iterable[str], status: np.ndarray) -> None:
    """Refuse to go on with results of which a part is missing.

    Args:
        info: the store.
        names: which results.
        status: of every trial, read before them.

    Raises:
        StoreError: naming what is missing or damaged.
    """
    names = list(names)
    damages = [*document_damages(info, names), *coordinate_damages(info)]
    damages += chunk_damages(info, names, status)
    if damages:
        raise refusal(info, damages)


def unreadable(info: StoreInfo, names: Iterable[str], error: Exception) -> StoreError:
    """Explain why some results cannot be read: by damage, if the bytes prove it."""
    names = list(names)
    damages = [*document_damages(info, names), *coordinate_damages(info)]
    damages = damages or chunk_damages(info, names, None)
    for name in names if not damages else ():
        damages = read_array(info, name)[1]
        if damages:
            break
    return refusal(info, damages) if damages else foreign(info.path, info.attributes, error)


def refusal(info: StoreInfo, damages: Sequence[Damage], remedy: str = "") -> StoreError:
    """Name what is damaged, and say how to have it computed or written again."""
    first = damages[0]
    others = f" ({len(damages) - 1} more such damages)" if len(damages) > 1 else ""
    return StoreError(f"{info.path / str(first)}{others}. {remedy or first.remedy}")


def foreign(path: Path, attributes: dict[str, Any], error: Exception) -> StoreError:
    """Say what a library says of a store in which nothing is seen to be damaged."""
    here = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    there = ", ".join(f"{name} {attributes.get(f'{name}_version', '?')}" for name in LIBRARIES)
    return StoreError(
        f"{path} cannot be read with {here} ({type(error).__name__}: {in_short(error)}). No damage "
        f"was found in it; use the versions that wrote it ({there}) or later ones."
    )


def document_damages(info: StoreInfo, names: Iterable[str]) -> list[Damage]:
    """Compare the documents of arrays with their copies at the root, and with the layout."""
    return [damage for name in names if (damage := _document_damage(info, name)) is not None]


def _document_damage(info: StoreInfo, name: str) -> Damage | None:
    folder, copy = info.path / name, info.copies.get(name)
    try:
        own = read_document(folder)
    except FileNotFoundError:
        return Damage(name, "is missing", place=DOCUMENT if folder.is_dir() else "")
    except BrokenDocumentError as error:
        return Damage(name, f"is damaged ({in_short(error)})", place=DOCUMENT)
    is_result = name in info.results
    if not (is_laid_out(own, info.layout) if is_result else is_array(own)):
        return Damage(name, "is damaged (it is not of such an array)", place=DOCUMENT)
    if copy is not None and not _agree(own, copy):
        return Damage(name, f"is damaged (its copy in {DOCUMENT} differs)", place=DOCUMENT)
    return None


def is_array(document: Document) -> bool:
    """Say whether a document is of an array."""
    return document.get("node_type") == "array" and isinstance(document.get("shape"), list)


def is_laid_out(document: Document, layout: Layout) -> bool:
    """Say whether a document is of an array with this shape, these chunks and dimensions."""
    found = (document.get("shape"), chunks_of(document), document.get("dimension_names"))
    wanted = (list(layout.shape), list(layout.chunks), list(layout.dims))
    return is_array(document) and found == wanted


def chunks_of(document: Document) -> Any:
    """Give the chunk sizes that an array's document names, if it does."""
    try:
        return document["chunk_grid"]["configuration"]["chunk_shape"]
    except (KeyError, TypeError):
        return None


def _agree(own: Document, copy: Document) -> bool:
    """Whether two documents say the same; attributes may have been added by the user."""
    added, kept = own.get("attributes"), copy.get("attributes")
    if not isinstance(added, dict) or not isinstance(kept, dict):
        return _same(own, copy)
    known = {name: value for name, value in added.items() if name in kept}
    return _same({**own, "attributes": known}, copy)


def _same(one: Document, other: Document) -> bool:
    """Compare as text, in which NaN equals NaN."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def coordinate_damages(info: StoreInfo) -> list[Damage]:
    """Find coordinates that are missing or damaged; each is a single small chunk."""
    damages = document_damages(info, info.coordinates)
    broken = {damage.array for damage in damages}
    for name in info.coordinates:
        if name not in broken:
            place = (0,) * len(read_document(info.path / name)["shape"])
            chunk = chunk_path(info.path / name, place)
            file = str(chunk.relative_to(info.path / name))
            try:
                if not is_intact(chunk):
                    damages.append(Damage(name, f"is damaged ({_size(chunk)})", place=file))
            except FileNotFoundError:
                damages.append(Damage(name, "is missing", place=file))
    return damages


def _size(chunk: Path) -> str:
    bytes_there = chunk.stat().st_size
    return WRONG_CHECKSUM if bytes_there > CHECKSUM_BYTES else f"{bytes_there} bytes"


def chunk_damages(info: StoreInfo, names: Iterable[str], status: np.ndarray | None) -> list[Damage]:
    """List the chunks of results, and find those that are cut short or missing.

    Args:
        info: the store.
        names: which results.
        status: of every trial, read before the listing; without it none counts as missing.
    """
    damages: list[Damage] = []
    done = crashed = np.zeros(info.layout.grid, dtype=bool)
    if status is not None:
        crashed = blocks_with(status == Status.CRASHED, info.layout)
        # Where all trials crashed, a chunk has fill values only, and zarr need not write it.
        done = blocks_with(status == Status.DONE, info.layout)
    for name in names:
        sizes = chunk_sizes(info.path / name, info.layout.grid)
        needed = crashed if name == ERROR.name else done
        if name != STATUS.name:
            damages += _of(name, "is missing", needed & (sizes < 0))
        short = (sizes >= 0) & (sizes <= CHECKSUM_BYTES)
        damages += _of(name, "is damaged (cut to nothing)", short)
    return damages


def _of(name: str, what: str, blocks: np.ndarray, listed: bool = True) -> Iterator[Damage]:
    found = tuple(tuple(map(int, block)) for block in np.argwhere(blocks))
    if found:
        yield Damage(name, what, found, listed=listed)


def read_array(info: StoreInfo, name: str) -> tuple[np.ndarray, list[Damage]]:
    """Read results as far as they can be read.

    Returns:
        The values, the fill value where a chunk is missing or damaged, and the chunks whose
        checksum is wrong.

    Raises:
        StoreError: a chunk cannot be read though its bytes are intact.
    """
    array = open_array(info, name)
    try:
        return np.array(array[...]), []
    except OSError:
        raise
    except Exception:
        return _read_blocks(info, name, array)


def _read_blocks(
    info: StoreInfo, name: str, array: zarr.Array[Any], wanted: np.ndarray | None = None
) -> tuple[np.ndarray, list[Damage]]:
    """Read an array block by block: those that are wanted, all if None."""
    values: np.ndarray = np.zeros(array.shape, dtype=array.dtype)
    if name != ERROR.name:  # zeros are empty texts, and take no memory before they are written
        values[...] = array.fill_value
    there = chunk_sizes(info.path / name, info.layout.grid) > CHECKSUM_BYTES
    wrong = np.zeros(info.layout.grid, dtype=bool)
    for block in map(tuple, np.argwhere(there if wanted is None else there & wanted).tolist()):
        region = info.layout.region(block)
        try:
            values[region] = array[region]
        except OSError:
            raise
        except Exception as reason:
            try:
                wrong[block] = not is_intact(chunk_path(info.path / name, block))
            except FileNotFoundError:
                continue
            if not wrong[block]:
                raise foreign(info.path, info.attributes, reason) from None
    return values, list(_of(name, f"is damaged ({WRONG_CHECKSUM})", wrong, listed=False))


def open_array(info: StoreInfo, name: str) -> zarr.Array[Any]:
    """Open an array of a store.

    Raises:
        StoreError: the store lacks it, its document is damaged, or it cannot be read here.
    """
    try:
        return zarr.open_array(info.path / name, mode="r", zarr_format=3)
    except Exception as error:
        damages = document_damages(info, [name])
        if damages:
            raise refusal(info, damages) from None
        if isinstance(error, OSError):
            raise
        raise foreign(info.path, info.attributes, error) from None
