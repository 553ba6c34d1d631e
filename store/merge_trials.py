"""Merge stores trial by trial, where one has placed trials or the new one shall have them.

A merge of stores over values goes block by block (`merge_blocks`). Placed trials have no common
blocks: here memory holds the trials of all stores at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..sweeps import Grid, Sweep
from ..sweeps.joining import joined_over_values, joined_placed, with_most
from ..sweeps.labels import value_label
from ..sweeps.placing import BATCH, excluded_groups, group_dims
from ..sweeps.variables import Variable
from .errors import StoreError
from .info import StoreInfo
from .layout import ERROR, SECONDS, STATUS, Layout, Listener, Status, choose_chunks, placement
from .merge_blocks import RANK, Merged, conflict_error
from .own_files import zarr_group
from .stored_trials import StoredTrials, excluded_error, read_trials
from .template import array_of
from .trial_checks import as_bits

MOST_CELLS = 100_000_000
BLOCKS = 1000  # of a new grid, about
FINISHED = (Status.DONE, Status.CRASHED)


@dataclass
class _Chosen:
    """The trials of the new store: each with the store that gives it.

    Attributes:
        key: flat index of each trial over groups, values and numbers, increasing; shape (t,).
        giver: its index among the trials of all stores, one after the other.
        status: its status.
        place: flat index in the arrays of the new store.
        round: the round in which it was placed.
    """

    key: np.ndarray
    giver: np.ndarray
    status: np.ndarray
    place: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    round: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def only(self, mask: np.ndarray) -> "_Chosen":
        """Leave the others out."""
        fields = (self.key, self.giver, self.status, self.place, self.round)
        return _Chosen(*(column[mask] if column.size else column for column in fields))


class TrialMerge:
    """The trials of several stores, and where they lie in a new one.

    Args:
        infos: the stores.
        variables: what the task fills.
        placed: whether trials are placed in the new store; else it has a grid of values.
        check: refuses points that the new store could not continue with.

    Attributes:
        grid: the points of the new store.
        chunks: sizes of its blocks.

    Raises:
        ConflictError: a trial has different results in two stores.
        SweepError: the new store's sweep is not valid.
        StoreError: a store is damaged, or the new one would be too large.
    """

    def __init__(
        self,
        infos: Sequence[StoreInfo],
        variables: tuple[Variable, ...],
        placed: bool,
        check: Callable[[Grid], None],
    ):
        self._variables = variables
        base = joined_placed([info.sweep for info in infos]) if placed else None
        self._stores = [read_trials(info, variables) for info in infos]
        sweep = base or joined_over_values(
            (t.info.sweep, t.placed_values, t.most_of_a_value) for t in self._stores
        )
        self._frame(sweep)
        self._number = np.repeat(np.arange(len(infos)), [t.place.size for t in self._stores])
        self._status = np.concatenate([t.status for t in self._stores])
        self.merged = Merged([0] * len(infos), dict.fromkeys(Status, 0))
        chosen = self._choose()
        if base is None:
            self.grid = Grid(sweep)
            self.chunks = self._grid_chunks(infos)
            chosen.place, chosen.round = chosen.key, np.zeros_like(chosen.key)
        else:
            probe, chosen = self._ordered(chosen)
            self.grid = Grid(with_most(base, -(-(int(probe.max(initial=-1)) + 1) // BATCH) * BATCH))
            *groups, most = Layout.of(self.grid.sweep, ()).shape
            _check_cells(self.grid.sweep)
            self.chunks = (*(1 for _ in groups), BATCH)
            chosen.place = self._group_of(chosen.key) * most + probe
        check(self.grid)
        self._chosen = self._not_excluded(chosen)
        self._count_taken()
        self._results = {name: self._taken_results(name) for name in self._names}

    @property
    def _names(self) -> tuple[str, ...]:
        return (*(variable.name for variable in self._variables), SECONDS.name)

    @property
    def _placement(self) -> tuple[str, ...]:
        return tuple(variable.name for variable in placement(self.grid.sweep))

    def _frame(self, sweep: Sweep) -> None:
        """Number the trials of all stores over the axes of the new one.

        If trials are placed, their axis comes last and has the values that any trial has.
        """
        along = sweep.placed
        self._axes: dict[str, list[Any]] = {dim: list(sweep.axes[dim]) for dim in group_dims(sweep)}
        if along is not None:
            seen = np.concatenate([t.values_along(along) for t in self._stores])
            self._axes[along] = np.unique(seen).tolist()
        else:
            _check_cells(sweep)
        trials = max([*(t.most_of_a_value for t in self._stores), 1 if along else sweep.trials])
        self._shape = (*map(len, self._axes.values()), trials)
        self._is_placed = along is not None
        keys = [self._keys(trials) for trials in self._stores]
        self._key = np.concatenate(keys) if keys else np.zeros(0, dtype=np.int64)

    def _keys(self, trials: StoredTrials) -> np.ndarray:
        if not trials.place.size:
            return np.zeros(0, dtype=np.int64)
        at = [trials.index_along(dim, values) for dim, values in self._axes.items()]
        return np.asarray(np.ravel_multi_index((*at, trials.number), self._shape), dtype=np.int64)

    def _choose(self) -> _Chosen:
        """Choose the store that gives each trial: done before crashed before pending, then first.

        Raises:
            ConflictError: a trial that is done in several has different results.
        """
        order = np.lexsort((self._number, -RANK[self._status].astype(int), self._key))
        key, first = np.unique(self._key[order], return_index=True)
        giver = order[first]
        done = np.flatnonzero(self._status == Status.DONE)
        given = giver[np.searchsorted(key, self._key[done])]
        again = done != given
        for name in (variable.name for variable in self._variables) if again.any() else ():
            self._compare(name, done[again], given[again])
        self.merged.identical = int(np.unique(given[again]).size)
        return _Chosen(key, giver, self._status[giver])

    def _compare(self, name: str, other: np.ndarray, first: np.ndarray) -> None:
        """Refuse a trial whose values in two stores differ in a bit."""
        values = self._all(name)
        differ = np.flatnonzero(as_bits(values[other]) != as_bits(values[first]))
        if not differ.size:
            return
        ours, theirs = int(first[differ[0]]), int(other[differ[0]])
        raise conflict_error(
            name,
            self._name_of(int(self._key[ours])),
            (self._store_of(theirs).info.path, values[theirs].item()),
            (self._store_of(ours).info.path, values[ours].item()),
        )

    def _all(self, name: str) -> np.ndarray:
        return np.concatenate([trials.results[name] for trials in self._stores])

    def _store_of(self, record: int) -> StoredTrials:
        return self._stores[int(self._number[record])]

    def _name_of(self, key: int) -> str:
        *at, number = map(int, np.unravel_index(key, self._shape))
        named = zip(self._axes.items(), at, strict=True)
        values = [f"{dim}={value_label(values[index])}" for (dim, values), index in named]
        return ", ".join([*values, f"trial={number}"])

    def _group_of(self, key: np.ndarray) -> np.ndarray:
        """Give the flat index of the group of each trial."""
        return np.asarray(key // prod(self._shape[-2:]))

    def _ordered(self, chosen: _Chosen) -> tuple[np.ndarray, _Chosen]:
        """Order the trials of every group, and leave out those that no placed store asked for.

        A group to which no other store adds a trial keeps its order. In others, the trials that
        have ended come first, by value and number, as round 0.

        Returns:
            The probe of each trial, and the trials.
        """
        probe = np.full(chosen.key.size, -1, dtype=np.int64)
        rounds = np.zeros(chosen.key.size, dtype=np.int64)
        ended = np.isin(chosen.status, FINISHED)
        groups = self._group_of(chosen.key)
        owners = self._owners()
        for start, stop in _spans(groups):
            part = slice(start, stop)
            keys, needed = chosen.key[part], chosen.key[part][ended[part]]
            owner = next(
                (o for o in owners.get(int(groups[start]), ()) if np.isin(needed, o[0]).all()), None
            )
            if owner is None:
                probe[part][ended[part]] = np.arange(needed.size)
                continue
            own, own_probe, own_round = owner
            at = np.minimum(np.searchsorted(own, keys), own.size - 1)
            mine = own[at] == keys
            probe[part] = np.where(mine, own_probe[at], -1)
            rounds[part] = np.where(mine, own_round[at], 0)
        chosen.round = rounds
        return probe[probe >= 0], chosen.only(probe >= 0)

    def _owners(self) -> dict[int, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
        """Give the trials of each group in each placed store, the longest first.

        Returns:
            By group, the keys in increasing order with their probes and rounds.
        """
        owners: dict[int, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
        for number, trials in enumerate(self._stores):
            if trials.value is None:
                continue
            keys = self._key[self._number == number]
            order = np.argsort(keys)
            columns = (keys[order], trials.probe[order], trials.round[order])
            groups = self._group_of(columns[0])
            for start, stop in _spans(groups):
                own = (columns[0][start:stop], columns[1][start:stop], columns[2][start:stop])
                owners.setdefault(int(groups[start]), []).append(own)
        return {
            group: sorted(known, key=lambda own: -own[0].size) for group, known in owners.items()
        }

    def _grid_chunks(self, infos: Sequence[StoreInfo]) -> tuple[int, ...]:
        """Choose the blocks of a grid: those of the largest grid store, else about `BLOCKS`."""
        grids = [info.layout for info in infos if not info.layout.is_placed]
        shape = Layout.of(self.grid.sweep, ()).shape
        if grids:
            chunks = max(grids, key=lambda layout: layout.size).chunks
            return tuple(map(min, chunks, shape))
        asked = self.grid.sweep.blocks.trials
        return choose_chunks(shape, asked or max(2 * BATCH, -(-prod(shape) // BLOCKS)))

    def _not_excluded(self, chosen: _Chosen) -> _Chosen:
        """Leave out trials of excluded points that did not end well.

        Raises:
            WrongStoreError: a trial of such a point is done.
        """
        excluded = excluded_groups(self.grid)
        if not excluded.any():
            return chosen
        last = self._shape[-1] if not self._is_placed else prod(self._shape[-2:])
        mask = excluded.ravel()[chosen.key // last]
        if (wrong := chosen.giver[mask & (chosen.status == Status.DONE)]).size:
            raise excluded_error(self._store_of(int(wrong[0])).info)
        return chosen.only(~mask)

    def _count_taken(self) -> None:
        givers = self._number[self._chosen.giver[np.isin(self._chosen.status, FINISHED)]]
        counted = np.bincount(givers, minlength=len(self._stores))
        self.merged.taken = [int(number) for number in counted]

    def _taken_results(self, name: str) -> np.ndarray:
        return np.asarray(self._all(name)[self._chosen.giver])

    def write(self, new: Path, layout: Layout, listen: Listener) -> Merged:
        """Write the trials into a new store, block by block.

        Args:
            new: the store, made for `grid` and `chunks`.
            layout: its layout.
            listen: called with the number of blocks that are written, and of all blocks.
        """
        group = zarr_group(new, "r+")
        arrays = {
            name: array_of(group, name).with_config({"write_empty_chunks": True})
            for name in (*self._names, ERROR.name, STATUS.name, *self._placement)
        }
        places = np.unravel_index(self._chosen.place, layout.shape)
        blocks = [place // chunk for place, chunk in zip(places, layout.chunks, strict=True)]
        flat = np.ravel_multi_index(tuple(blocks), layout.grid)
        order = np.argsort(flat, kind="stable")
        bounds = np.searchsorted(flat[order], np.arange(layout.blocks + 1))
        for count, block in enumerate(layout.block_indices()):
            listen(count, layout.blocks)
            region, records = layout.region(block), order[bounds[count] : bounds[count + 1]]
            at = tuple(
                place[records] - part.start for place, part in zip(places, region, strict=True)
            )
            status = np.full([part.stop - part.start for part in region], Status.NOT_ASKED)
            status[at] = self._chosen.status[records]
            if not layout.is_placed:  # of placed trials only some are asked
                status[self.grid.excluded[region[:-1]]] = Status.EXCLUDED
            for code, number in zip(*np.unique(status, return_counts=True), strict=True):
                self.merged.counts[Status(code)] += int(number)
            if records.size:
                self._write_block(arrays, region, records, at, status.shape)
            if (status != layout.not_run).any():
                arrays[STATUS.name][region] = status.astype(np.int8)
        listen(layout.blocks, layout.blocks)
        return self.merged

    def _write_block(
        self,
        arrays: Mapping[str, Any],
        region: tuple[slice, ...],
        records: np.ndarray,
        at: tuple[np.ndarray, ...],
        shape: tuple[int, ...],
    ) -> None:
        """Write all of a block but its status."""
        written: dict[str, np.ndarray] = {}
        if np.isin(self._chosen.status[records], FINISHED).any():
            written |= {name: self._results[name][records] for name in self._names}
        if along := self.grid.sweep.placed:
            *_, value, number = np.unravel_index(self._chosen.key[records], self._shape)
            values = np.array(self._axes[along], dtype=np.int64)[value]
            columns = (values, number, self._chosen.round[records])
            written |= zip(self._placement, columns, strict=True)
        for name, values in written.items():
            array = arrays[name]
            block = np.full(shape, array.fill_value, dtype=array.dtype)
            block[at] = values
            array[region] = block
        texts = [self._text(int(record)) for record in self._chosen.giver[records]]
        if any(texts):
            array = arrays[ERROR.name]
            block = np.full(shape, "", dtype=array.dtype)
            block[at] = texts
            array[region] = block

    def _text(self, record: int) -> str:
        trials = self._store_of(record)
        first = int(np.searchsorted(self._number, self._number[record]))
        return trials.errors.get(record - first, "") if trials.errors else ""


def _spans(groups: np.ndarray) -> list[tuple[int, int]]:
    """Give the begin and end of the trials of each group, of sorted groups."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1)).tolist()
    return list(zip(starts, [*starts, groups.size][1:], strict=True))


def _check_cells(sweep: Sweep) -> None:
    """Refuse a store with too many cells.

    Raises:
        StoreError: naming their number.
    """
    sizes = Layout.of(sweep, ()).sizes
    if (cells := prod(sizes.values())) > MOST_CELLS:
        written = " × ".join(f"{dim} {size:,}" for dim, size in sizes.items())
        raise StoreError(
            f"the merged store would have {cells:,} cells ({written}), and at most {MOST_CELLS:,} "
            "fit into memory. Merge fewer stores at a time, or give --as placed."
        )
