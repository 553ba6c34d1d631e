"""Check a whole store, block by block: documents, checksums, status against values, and files.

Nothing is written. Memory holds one block at a time.
"""

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr

from ..sweeps.variables import Variable
from .analyses import changed_documents, damaged_analyses, own_analyses
from .chunks import CHECKSUM_BYTES, chunk_path, is_intact
from .documents import read_document, read_revision
from .errors import OtherLayoutError, explained, library_error
from .foreign import find_foreign
from .info import StoreInfo
from .integrity import (
    WRONG_CHECKSUM,
    Block,
    Damage,
    coordinate_damages,
    document_damages,
    excluded_points,
    needed_by,
    open_array,
)
from .layout import ERROR, SECONDS, STATUS, TRIAL, Listener, Status
from .placement_checks import PlacementCheck
from .strays import Strays, find_strays
from .template import as_stored, coordinates_of
from .trial_checks import contradictions, not_cleared

WAIT = 0.5  # seconds in which a fit that writes ends
Index = tuple[int, ...]


@dataclass
class Fault:
    """Trials whose status contradicts their values.

    Attributes:
        what: what is wrong with them.
        trials: their number.
        first: the index of the first one, over the axes and the trial.
        blocks: the blocks in which they lie.
        misplaced: whether it is not known which trials they are.
    """

    what: str
    trials: int
    first: Index
    blocks: list[Block] = field(default_factory=list)
    misplaced: bool = False


class Sampled(NamedTuple):
    """A done trial: its index over the axes and the trial, and its stored values."""

    at: Index
    values: dict[str, Any]


@dataclass
class Inspection:
    """What a check of a store found.

    Attributes:
        info: the store.
        counts: number of trials by status; trials whose results are lost count as pending.
        damages: missing and damaged documents, coordinates and chunks.
        other_values: coordinates whose intact chunk has other values than the sweep gives.
        faults: trials whose status contradicts their values.
        not_cleared: trials that are not done and have values, as a killed writer leaves them.
        analyses: by the name of each damaged analysis, what is wrong.
        strays: files that no reader uses.
        foreign: what the user put into the store, relative to it.
        unread: the arrays whose values could not be compared, because their document is damaged.
        sample: some done trials.
        chunks: number of chunks whose checksum was compared.
    """

    info: StoreInfo
    counts: dict[Status, int]
    damages: list[Damage]
    other_values: list[Damage]
    faults: dict[str, Fault]
    not_cleared: Fault | None
    analyses: dict[str, str]
    strays: Strays
    foreign: list[Path]
    unread: list[str]
    sample: list[Sampled]
    chunks: int

    @property
    def damaged(self) -> bool:
        """Whether anything is damaged. Files that no reader uses are no damage."""
        return bool(self.damages or self.other_values or self.faults or self.analyses)


def inspect_store(
    info: StoreInfo,
    variables: Sequence[Variable],
    *,
    trials: int = 0,
    seed: int = 0,
    listen: Listener = lambda done, total: None,
) -> Inspection:
    """Check a store. A run may write it meanwhile: a block that looks wrong is read again.

    Args:
        info: the store.
        variables: what the task fills, with which values are compared; those that the store lacks
            are left out.
        trials: number of done trials to draw at random.
        seed: seed of that draw.
        listen: called with the number of blocks that are checked, and of all blocks.

    Raises:
        OtherLayoutError: a run gave the store another layout meanwhile.
        StoreError: the file system refused, or the installed libraries cannot read intact bytes.
    """
    with explained(info.path, "checking it"):
        return _Inspector(info, variables, trials, seed).run(listen)


class _Found(NamedTuple):
    """What was found in one block."""

    status: np.ndarray
    missing: list[str]
    broken: list[tuple[str, str]]  # an array, and what is wrong with its chunk
    wrong: list[tuple[str, np.ndarray]]  # what is wrong, and a mask of the trials
    misplaced: list[tuple[str, np.ndarray]]  # the same, of trials of which the place is wrong
    left: np.ndarray
    values: dict[str, np.ndarray]
    chunks: int


class _Inspector:
    """Goes through the blocks of a store."""

    def __init__(self, info: StoreInfo, variables: Sequence[Variable], trials: int, seed: int):
        self.info = info
        self.variables = [v for v in variables if v.name in info.variables]
        self.damages = [*document_damages(info, info.results), *coordinate_damages(info)]
        self.unread = [d.array for d in self.damages if d.array in info.results]
        self.arrays: dict[str, zarr.Array[Any]] = {
            name: open_array(info, name) for name in info.results if name not in self.unread
        }
        self.excluded = excluded_points(info)
        self.places = PlacementCheck(info.placement)
        self.lost: dict[tuple[str, str], list[Block]] = {}
        self.faults: dict[str, Fault] = {}
        self.left: Fault | None = None
        self.counts = dict.fromkeys(Status, 0)
        self.chunks = 0
        self.trials, self.random = trials, np.random.default_rng(seed)
        self.drawn: list[tuple[float, Index, dict[str, Any]]] = []

    def run(self, listen: Listener) -> Inspection:
        """Check everything."""
        info = self.info
        blocks = info.layout.blocks
        for count, block in enumerate(info.layout.block_indices()):
            listen(count, blocks)
            self._check(block)
        listen(blocks, blocks)
        grids = dict.fromkeys(info.results, info.layout.grid)
        grids |= {name: (1,) * _dimensions(info, name) for name in info.coordinates}
        chunks = [
            Damage(name, what, tuple(lost), listed=what != f"is damaged ({WRONG_CHECKSUM})")
            for (name, what), lost in self.lost.items()
        ]
        sample = [Sampled(index, values) for _, index, values in sorted(self.drawn, key=_order)]
        inspection = Inspection(
            info=info,
            counts=self.counts,
            damages=[*self.damages, *chunks],
            other_values=self._other_values(),
            faults=self.faults,
            not_cleared=self.left,
            analyses=damaged_fits(info.path),
            strays=find_strays(info.path, grids),
            foreign=find_foreign(info.path, {name: len(grid) for name, grid in grids.items()}),
            unread=self.unread,
            sample=sample,
            chunks=self.chunks,
        )
        self._check_layout()
        return inspection

    def _check(self, block: Block) -> None:
        found = self._look(block)
        if found.missing or found.broken or found.wrong or found.misplaced or found.left.any():
            # A run may have written the block while it was read, or given the store other blocks.
            self._check_layout()
            found = self._look(block)
        self.chunks += found.chunks
        region = self.info.layout.region(block)
        start = tuple(part.start for part in region)
        for name in found.missing:
            self.lost.setdefault((name, "is missing"), []).append(block)
        for name, what in found.broken:
            self.lost.setdefault((name, what), []).append(block)
        bad = np.zeros(found.status.shape, dtype=bool)
        for misplaced, faults in ((False, found.wrong), (True, found.misplaced)):
            for what, mask in faults:
                bad |= mask
                new = Fault(what, 0, _first(mask, start), misplaced=misplaced)
                fault = self.faults.setdefault(what, new)
                fault.trials += int(mask.sum())
                fault.blocks.append(block)
        self.places.take(found.values, start)
        if found.left.any():
            self.left = self.left or Fault("not done", 0, _first(found.left, start))
            self.left.trials += int(found.left.sum())
            self.left.blocks.append(block)
        self._count(found, bad)
        self._draw(found, bad, start)

    def _check_layout(self) -> None:
        if read_revision(self.info.path) != self.info.revision:
            raise OtherLayoutError(f"{self.info.path} got another layout; repeat the same command.")

    def _look(self, block: Block) -> _Found:
        """Read all chunks of a block, and compare them."""
        info = self.info
        region, path = info.layout.region(block), info.path
        shape = tuple(part.stop - part.start for part in region)
        values: dict[str, np.ndarray] = {}
        absent, broken, chunks = [], [], 0
        # The status first: results of trials that are done then were written before.
        for name in (
            STATUS.name,
            *self.info.variables,
            SECONDS.name,
            ERROR.name,
            *self.info.placement,
        ):
            chunk = chunk_path(path / name, block)
            try:
                intact = is_intact(chunk)
            except (FileNotFoundError, NotADirectoryError):
                absent.append(name)
                if name in self.arrays:
                    array = self.arrays[name]
                    values[name] = np.full(shape, array.fill_value, dtype=array.dtype)
                continue
            chunks += 1
            if not intact:
                broken.append((name, _reason(chunk)))
            elif name in self.arrays:
                values[name] = self._decoded(name, region)
        status = values.get(STATUS.name)
        if status is None:
            nothing = np.zeros(shape, dtype=bool)
            pending = np.full(shape, self.info.layout.not_run, dtype=np.int8)
            return _Found(pending, [], broken, [], [], nothing, {}, chunks)
        missing = [
            name
            for name in absent
            if name != STATUS.name
            and name not in self.unread
            and np.isin(status, needed_by(info, name)).any()
        ]
        known = {name: stored for name, stored in values.items() if name not in missing}
        excluded = self.excluded[region[:-1]]
        wrong = list(contradictions(known, self.variables, excluded))
        left = not_cleared(known, self.variables)
        start = tuple(part.start for part in region)
        misplaced = self.places.faults(known, start)
        return _Found(status, missing, broken, wrong, misplaced, left, known, chunks)

    def _decoded(self, name: str, region: tuple[slice, ...]) -> np.ndarray:
        try:
            return np.asarray(self.arrays[name][region])
        except OSError:
            raise
        except Exception as reason:
            raise library_error(self.info.path, self.info.attributes, reason) from None

    def _count(self, found: _Found, bad: np.ndarray) -> None:
        status = np.where(bad & ~(found.status == Status.EXCLUDED), Status.PENDING, found.status)
        names = [*found.missing, *(name for name, _ in found.broken)]
        if any(name != ERROR.name for name in names):
            status[status == Status.DONE] = Status.PENDING
        if names:
            status[status == Status.CRASHED] = Status.PENDING
        for state in Status:
            self.counts[state] += int((status == state).sum())

    def _draw(self, found: _Found, bad: np.ndarray, start: Index) -> None:
        """Keep a random sample of the done trials: those with the smallest random keys."""
        if found.missing or found.broken or not self.trials:
            return
        done = np.argwhere((found.status == Status.DONE) & ~bad)
        for key, at in zip(self.random.random(len(done)).tolist(), done, strict=True):
            if len(self.drawn) == self.trials and -self.drawn[0][0] <= key:
                continue
            offset = tuple(int(i) for i in at)
            index = tuple(a + b for a, b in zip(start, offset, strict=True))
            values = {
                name: stored[offset]
                for name, stored in found.values.items()
                if name in (*self.info.variables, *self.info.placement, SECONDS.name)
            }
            entry = (-key, index, values)
            if len(self.drawn) == self.trials:
                heapq.heapreplace(self.drawn, entry)
            else:
                heapq.heappush(self.drawn, entry)

    def _other_values(self) -> list[Damage]:
        """Find intact coordinates with other values than the sweep gives."""
        info, damages = self.info, []
        known = {damage.array for damage in self.damages}
        made = coordinates_of(info.grid)
        for name in info.coordinates:
            if name in known or name not in made:
                continue
            stored, computed = np.asarray(open_array(info, name)[...]), as_stored(made[name][2])
            if computed.dtype.kind == "U":
                stored, computed = stored.astype(object), computed.astype(object)
            differ = (
                np.argwhere(np.asarray(stored != computed, dtype=bool))
                if stored.shape == computed.shape
                else np.zeros((1, 0), dtype=int)
            )
            if len(differ):
                at = tuple(int(i) for i in differ[0])
                what = (
                    f"has the value {stored[at]} where the sweep gives {computed[at]}"
                    if stored.shape == computed.shape
                    else "has another shape than the sweep gives"
                )
                chunk = chunk_path(Path(), (0,) * computed.ndim)
                damages.append(Damage(name, what, inner=str(chunk)))
        return damages


def damaged_fits(path: Path, wait: float = WAIT) -> dict[str, str]:
    """Find damaged analyses, and say what is wrong with each.

    One whose documents differ from their copies is looked at again after `wait` seconds: a fit may
    be writing it.
    """
    names = own_analyses(path)
    changed = changed_documents(path, names)
    if changed:
        time.sleep(wait)
        names = own_analyses(path)
        changed = changed_documents(path, names)
    return changed | damaged_analyses(path, names)


def computed_coordinates(info: StoreInfo) -> set[str]:
    """Name the coordinates that follow from others, so that older versions may have rounded them.

    The axes, the trial and fixed parameters are written as the sweep gives them.
    """
    return set(info.coordinates) - {*info.layout.dims, TRIAL, *info.sweep.parameters}


def _order(entry: tuple[float, Index, dict[str, Any]]) -> Index:
    return entry[1]


def _first(mask: np.ndarray, start: Index) -> Index:
    """Give the index in the store of the first marked trial of a block."""
    return tuple(a + int(b) for a, b in zip(start, np.argwhere(mask)[0], strict=True))


def _reason(chunk: Path) -> str:
    try:
        size = chunk.stat().st_size
    except FileNotFoundError:
        return "is missing"
    if size > CHECKSUM_BYTES:
        return f"is damaged ({WRONG_CHECKSUM})"
    return f"is damaged (at most {CHECKSUM_BYTES} bytes are left)"


def _dimensions(info: StoreInfo, name: str) -> int:
    """Give the number of dimensions of a coordinate; 1 if its document cannot be read."""
    try:
        document = info.copies.get(name) or read_document(info.path / name)
        return len(document["shape"])
    except (OSError, ValueError, KeyError, TypeError):
        return 1
