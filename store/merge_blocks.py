"""Fill the blocks of a merged store with the trials of several stores, one block at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ..sweeps import Grid
from ..sweeps.variables import Variable
from .chunks import chunk_path, chunk_sizes
from .documents import read_document
from .errors import StoreError, WrongStoreError
from .info import StoreInfo
from .layout import (
    ERROR,
    SECONDS,
    STATUS,
    Layout,
    Listener,
    Region,
    Status,
    origins,
    origins_along,
    trial_at,
)
from .moving import link_block, same_chunk
from .own_files import zarr_group
from .plain import chunk_shape
from .reading import readable
from .stored_trials import excluded_error
from .template import array_of
from .trial_checks import as_bits

# Of several stores, the one whose status comes last here gives the trial.
ORDER = (Status.NOT_ASKED, Status.PENDING, Status.CRASHED, Status.DONE)
RANK = np.array([ORDER.index(s) if s in ORDER else 0 for s in Status], dtype=np.int8)
SAME = ("data_type", "fill_value", "codecs", "chunk_key_encoding")  # of arrays that share chunks


class ConflictError(WrongStoreError):
    """Two stores hold different results of one trial."""


@dataclass
class Merged:
    """What a merge made.

    Attributes:
        taken: for each store, the number of finished trials that come from it.
        identical: number of trials that are done in several stores, with the same results.
        linked: number of blocks whose files are shared with a store.
        counts: number of trials of the new store by status.
    """

    taken: list[int]
    counts: dict[Status, int]
    identical: int = 0
    linked: int = 0


@dataclass
class _Input:
    """One of the stores, and where its values lie in the new store.

    Attributes:
        number: its place among the stores.
        info: the store.
        sources: for each dimension of the new store, the index in this store of each value, −1 if
            the store lacks it.
        shared: the arrays whose chunks the new store could share.
    """

    number: int
    info: StoreInfo
    sources: list[np.ndarray]
    shared: frozenset[str] = field(default=frozenset())

    @cached_property
    def group(self) -> zarr.Group:
        """The group of the store."""
        return zarr_group(self.info.path, "r")

    @cached_property
    def begun(self) -> np.ndarray:
        """Mask over the blocks of the store: those that have a status."""
        return np.asarray(chunk_sizes(self.info.path / STATUS.name, self.info.layout.grid) >= 0)

    @cached_property
    def _arrays(self) -> dict[str, zarr.Array[Any]]:
        return {}

    def read(self, name: str, indices: tuple[np.ndarray, ...]) -> np.ndarray:
        """Read a part of an array; the message of an error names what is damaged."""
        with readable(self.info, [name], "merging it"):
            return np.asarray(self._array(name).oindex[indices])

    def check(self, name: str, block: tuple[int, ...]) -> None:
        """Read a chunk, if it exists; the message of an error names what is damaged."""
        if chunk_path(self.info.path / name, block).exists():
            with readable(self.info, [name], "merging it"):
                self._array(name)[self.info.layout.region(block)]

    def _array(self, name: str) -> zarr.Array[Any]:
        if name not in self._arrays:
            self._arrays[name] = array_of(self.group, name)
        return self._arrays[name]

    def has_begun(self, indices: tuple[np.ndarray, ...]) -> bool:
        """Say whether a block with some of these trials has a status; if not, all are pending."""
        chunks = zip(indices, self.info.layout.chunks, strict=True)
        return bool(self.begun[np.ix_(*(np.unique(part // chunk) for part, chunk in chunks))].any())


@dataclass
class _Piece:
    """The trials of one store in one block of the new store.

    Attributes:
        source: the store.
        old: for each dimension, the index in the store of each value of the block, −1 if none.
        indices: the same without −1.
        place: where these trials lie in the block.
        status: their status.
    """

    source: _Input
    old: list[np.ndarray]
    indices: tuple[np.ndarray, ...]
    place: tuple[np.ndarray, ...]
    status: np.ndarray


class BlockMerge:
    """Fills a new store with the trials of others, block by block."""

    def __init__(
        self,
        infos: Sequence[StoreInfo],
        new: Path,
        grid: Grid,
        variables: tuple[Variable, ...],
        layout: Layout,
    ):
        self.new, self.grid, self.layout = new, grid, layout
        self.target = zarr_group(new, "r+")
        self.names = tuple(v.name for v in (*variables, SECONDS, ERROR))
        self.compared = tuple(variable.name for variable in variables)
        self.inputs = [self._input(number, info) for number, info in enumerate(infos)]
        self.merged = Merged([0] * len(infos), dict.fromkeys(Status, 0))

    def _input(self, number: int, info: StoreInfo) -> _Input:
        sweep = self.grid.sweep
        sources = origins_along(info.sweep, sweep, self.grid.dims)
        sources.append(origins(list(range(info.sweep.trials)), list(range(sweep.trials))))
        shared = [name for name in self.names if self._is_alike(info, name)]
        return _Input(number, info, sources, frozenset(shared))

    def _is_alike(self, info: StoreInfo, name: str) -> bool:
        """Say whether the chunks of an array mean the same in a store and in the new one."""
        theirs, ours = read_document(info.path / name), read_document(self.new / name)
        same = all(theirs.get(key) == ours.get(key) for key in SAME)
        return same and chunk_shape(theirs) == chunk_shape(ours)

    def run(self, listen: Listener) -> Merged:
        """Fill all blocks."""
        for count, block in enumerate(self.layout.block_indices()):
            listen(count, self.layout.blocks)
            self._fill(block)
        listen(self.layout.blocks, self.layout.blocks)
        return self.merged

    def _fill(self, block: tuple[int, ...]) -> None:
        region = self.layout.region(block)
        pieces = [p for source in self.inputs if (p := self._piece(source, region)) is not None]
        shape = tuple(place.stop - place.start for place in region)
        status = np.full(shape, Status.NOT_ASKED, dtype=np.int8)
        for piece in pieces:
            present = status[piece.place]
            better = RANK[piece.status] > RANK[present]
            status[piece.place] = np.where(better, piece.status, present)
        self._check_excluded(region, pieces)
        givers = [p for p in pieces if np.isin(p.status, (Status.DONE, Status.CRASHED)).any()]
        if len(givers) == 1 and (old_block := self._same_block(givers[0])) is not None:
            self._link(givers[0], old_block, block)
        elif givers:
            self._copy(givers, status, region)
        status[self.grid.excluded[region[:-1]]] = Status.EXCLUDED
        for code, number in zip(*np.unique(status, return_counts=True), strict=True):
            self.merged.counts[Status(code)] += int(number)
        array = array_of(self.target, STATUS.name)
        if (status != Status.PENDING).any():
            array[region] = status

    def _piece(self, source: _Input, region: Region) -> _Piece | None:
        """Read the status of a store's trials in a block; None if the store has none there."""
        old = [origin[place] for origin, place in zip(source.sources, region, strict=True)]
        indices = tuple(part[part >= 0] for part in old)
        if not all(part.size for part in indices):
            return None
        place = np.ix_(*(np.flatnonzero(part >= 0) for part in old))
        shape = tuple(part.size for part in indices)
        if source.has_begun(indices):
            status = source.read(STATUS.name, indices)
            if not np.isin(status, [*Status]).all():
                raise StoreError(
                    f"{source.info.path}: a trial has an unknown status; 'genprior verify' "
                    "finds it."
                )
        else:
            status = np.full(shape, Status.PENDING, dtype=np.int8)
        return _Piece(source, old, indices, place, status)

    def _check_excluded(self, region: Region, pieces: list[_Piece]) -> None:
        """Refuse trials of points that the rules exclude now."""
        excluded = self.grid.excluded[region[:-1]]
        for piece in pieces if excluded.any() else ():
            mask = np.broadcast_to(excluded[..., np.newaxis], (*excluded.shape, region[-1].stop))
            if ((piece.status == Status.DONE) & mask[piece.place]).any():
                raise excluded_error(piece.source.info)

    def _same_block(self, piece: _Piece) -> tuple[int, ...] | None:
        """Give the block of a store that has exactly these trials at these places, or None."""
        if not piece.source.shared.issuperset(self.names):
            return None
        layout = piece.source.info.layout
        block = tuple(
            same_chunk(old, chunk, size)
            for old, chunk, size in zip(piece.old, self.layout.chunks, layout.shape, strict=True)
        )
        return None if any(index is None for index in block) else block  # type: ignore[return-value]

    def _link(self, piece: _Piece, old: tuple[int, ...], block: tuple[int, ...]) -> None:
        """Share the chunks of a block, after each was read: a wrong one is refused as elsewhere."""
        info = piece.source.info
        for name in self.names:
            piece.source.check(name, old)
        link_block(info.path, self.new, self.names, [str(index) for index in old], block)
        finished = np.isin(piece.status, (Status.DONE, Status.CRASHED))
        self.merged.taken[piece.source.number] += int(finished.sum())
        self.merged.linked += 1

    def _copy(self, givers: list[_Piece], status: np.ndarray, region: Region) -> None:
        """Write a block whose trials come from several stores, or lie elsewhere in one of them."""
        giver = np.full(status.shape, -1, dtype=np.int32)
        again = np.zeros(status.shape, dtype=bool)
        for piece in givers:
            number, present = piece.source.number, giver[piece.place]
            finished = np.isin(piece.status, (Status.DONE, Status.CRASHED))
            mine = finished & (piece.status == status[piece.place]) & (present < 0)
            giver[piece.place] = np.where(mine, number, present)
            twice = (piece.status == Status.DONE) & (present >= 0)
            again[piece.place] |= twice
            self.merged.taken[number] += int(mine.sum())
        self.merged.identical += int(again.sum())
        for name in self.names:
            array = array_of(self.target, name)
            values: Any = np.full(status.shape, array.fill_value, dtype=array.dtype)
            for piece in givers:
                own = giver[piece.place] == piece.source.number
                twice = (piece.status == Status.DONE) & ~own if name in self.compared else None
                if not (own.any() or (twice is not None and twice.any())):
                    continue
                theirs = piece.source.read(name, piece.indices).astype(values.dtype)
                present = values[piece.place]
                if twice is not None and twice.any():
                    self._compare(name, givers, giver, piece, twice, present, theirs, region)
                values[piece.place] = np.where(own, theirs, present)
            if name != ERROR.name or (values != "").any():
                array.with_config({"write_empty_chunks": True})[region] = values

    def _compare(
        self,
        name: str,
        givers: list[_Piece],
        giver: np.ndarray,
        piece: _Piece,
        twice: np.ndarray,
        present: np.ndarray,
        theirs: np.ndarray,
        region: Region,
    ) -> None:
        """Refuse a trial whose values in two stores differ in a bit."""
        differ = np.argwhere(twice & (as_bits(present) != as_bits(theirs)))
        if not len(differ):
            return
        at = tuple(int(index) for index in differ[0])
        inner = tuple(
            int(np.ravel(axis)[index]) for axis, index in zip(piece.place, at, strict=True)
        )
        index = tuple(place.start + offset for place, offset in zip(region, inner, strict=True))
        first = next(p.source.info for p in givers if p.source.number == giver[inner])
        raise conflict_error(
            name,
            trial_at(self.grid, index),
            (piece.source.info.path, theirs[at].item()),
            (first.path, present[at].item()),
        )


def conflict_error(
    name: str, trial: str, other: tuple[Path, Any], first: tuple[Path, Any]
) -> ConflictError:
    """Say that two stores hold different results of one trial.

    Args:
        name: the variable.
        trial: the trial's coordinates.
        other: the store that is refused, and its value.
        first: the other store, and its value.
    """
    return ConflictError(
        f"{other[0]} and {first[0]}: '{name}' of the trial {trial} is {other[1]!r} in the one and "
        f"{first[1]!r} in the other. A merge needs the same results of a trial that both hold: "
        "'genprior verify' tells which is damaged; else leave one store out."
    )
