"""Merging stores of one experiment into a new store: completely, or not at all."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ..sweeps import Grid
from ..sweeps.labels import value_label
from ..sweeps.placing import group_dims
from ..sweeps.variables import Variable
from .documents import consolidate, read_revision
from .errors import StoreError, WrongStoreError, explained
from .exchange import NEW, appear, is_vacant, work_area
from .foreign import carry, check_foreign, find_foreign, nested_stores_locked, same_content
from .holders import held_for_run
from .info import StoreInfo
from .integrity import check_complete
from .layout import ERROR, SECONDS, STATUS, Layout, Listener
from .lock import SILENT, written_error
from .merge_blocks import BlockMerge, Merged
from .merge_trials import TrialMerge
from .moving import SPARE_BYTES, carry_attributes, own_arrays, own_bytes
from .reading import read_status, readable
from .records import read_records
from .template import build_template, estimate_bytes


def merge_stores(
    infos: Sequence[StoreInfo],
    out: Path,
    grid: Grid,
    variables: tuple[Variable, ...],
    attributes: dict[str, Any],
    listen: Listener = lambda done, total: None,
) -> Merged:
    """Make a new store with the trials of several stores of one experiment, all over values.

    A trial that is done in one of them is done. One that is done in several must have the same
    results there, to the bit, except for its time. A trial that no store was asked for is *not
    asked*. Chunks that stay the same are shared by hard links. Analyses are not carried over,
    because they are of other trials; what genprior did not make is. Memory holds one block at a
    time.

    The caller must hold the lock of the new store (`exclusive`).

    Args:
        infos: the stores. Of what they have in common, the first one's is kept.
        out: path of the new store.
        grid: the points of all stores.
        variables: what the task fills.
        attributes: the attributes of the new store that say how its trials were computed.
        listen: called with the number of blocks that are merged, and of all blocks.

    Raises:
        ConflictError: a trial has different results in two stores; the message names it.
        WrongStoreError: the path of the new store is not vacant.
        StoreError: a store is being written, incomplete or damaged, or holds something that cannot
            be carried over; or the file system refused.
    """

    def by_blocks() -> _Filling:
        chunks = max(infos, key=lambda info: info.layout.size).layout.chunks
        needed = SPARE_BYTES + sum(map(own_bytes, infos))

        def fill(new: Path, layout: Layout) -> Merged:
            return BlockMerge(infos, new, grid, variables, layout).run(listen)

        return _Filling(grid, chunks, needed, fill)

    return _merge(infos, out, variables, attributes, by_blocks)


def convert_stores(
    infos: Sequence[StoreInfo],
    out: Path,
    variables: tuple[Variable, ...],
    attributes: dict[str, Any],
    *,
    placed: bool,
    check: Callable[[Grid], None] = lambda grid: None,
    listen: Listener = lambda done, total: None,
) -> Merged:
    """Make a new store of stores with placed trials, or one with placed trials of grids.

    It is as `merge_stores`, with these differences. A new grid has the values at which trials were
    placed, increasing; pending trials stay so. In a store with placed trials, a group to which no
    other store adds a trial keeps its order and its rounds, so that a run continues it as it would
    have been; in others the trials that have ended come first, by value and number, as round 0.
    Memory holds the trials of all stores at once.

    Args:
        infos: the stores, at least one.
        out: path of the new store.
        variables: what the task fills.
        attributes: the attributes of the new store that say how its trials were computed.
        placed: whether trials are placed in the new store; else it has a grid of values.
        check: refuses points that the new store could not continue with.
        listen: called with the number of blocks that are written, and of all blocks.

    Raises:
        ConflictError: a trial has different results in two stores; the message names it.
        SweepError: trials cannot be placed along the axis, or the grid is not valid.
        WrongStoreError: the path of the new store is not vacant.
        StoreError: as for `merge_stores`; or the new store would be too large for memory.
    """

    def by_trials() -> _Filling:
        merge = TrialMerge(infos, variables, placed, check)
        needed = estimate_bytes(merge.grid.sweep, variables, merge.chunks)

        def fill(new: Path, layout: Layout) -> Merged:
            return merge.write(new, layout, listen)

        return _Filling(merge.grid, merge.chunks, needed, fill)

    return _merge(infos, out, variables, attributes, by_trials)


class _Filling(NamedTuple):
    """What a new store will be, and how it gets its trials.

    Attributes:
        grid: its points.
        chunks: sizes of its blocks.
        needed: upper bound of its bytes.
        fill: writes the trials into the new folder with its layout.
    """

    grid: Grid
    chunks: tuple[int, ...]
    needed: int
    fill: Callable[[Path, Layout], Merged]


def _merge(
    infos: Sequence[StoreInfo],
    out: Path,
    variables: tuple[Variable, ...],
    attributes: dict[str, Any],
    prepare: Callable[[], _Filling],
) -> Merged:
    with explained(out, "merging into it"), ExitStack() as stack:
        for info in infos:
            stack.enter_context(_unwritten(info.path))
        own = (*(variable.name for variable in variables), SECONDS.name, ERROR.name)
        for info in infos:
            names = (*own, *info.placement)
            with readable(info, names, "merging it"):
                check_complete(info, (*names, STATUS.name), read_status(info.path))
        filling = prepare()
        sizes = Layout.of(filling.grid.sweep, ()).sizes
        for info in infos:
            foreign = find_foreign(info.path, own_arrays(info))
            check_foreign(info, foreign, sizes, _reordered(info, filling.grid))
        _check_foreign_of_several(infos)
        area = stack.enter_context(work_area(out))
        _check_space(filling.needed, out, area)
        new = area / NEW
        layout = build_template(new, filling.grid, variables, filling.chunks, attributes)
        _check_names(infos, new)
        merged = filling.fill(new, layout)
        for info in infos:
            foreign = find_foreign(info.path, own_arrays(info))
            copying = explained(info.path, "copying what genprior did not make")
            with copying, nested_stores_locked(info.path, foreign):
                absent = [entry for entry in foreign if not os.path.lexists(new / entry)]
                carry(info.path, new, absent, share=False)
            carry_attributes(info, new)
            if read_revision(info.path) != info.revision:
                raise StoreError(
                    f"{info.path} became another store while it was merged; repeat the same "
                    "command."
                )
        consolidate(new)
        if not is_vacant(out):
            raise WrongStoreError(f"{out} exists now; choose another path for the new store.")
        appear(area, out)
        return merged


def _check_names(infos: Sequence[StoreInfo], new: Path) -> None:
    """Refuse what the user put into a store if the new one has an array of its name.

    This happens only where the new store has other arrays: with placed trials, or without.

    Raises:
        StoreError: naming it.
    """
    ours = {entry.name for entry in new.iterdir() if entry.is_dir()}
    for info in infos:
        own = own_arrays(info)
        for entry in find_foreign(info.path, own):
            top, inside = entry.parts[0], len(entry.parts) > 1
            if (not inside and top in ours) or (inside and top in own and top not in ours):
                raise StoreError(
                    f"{info.path / entry} was not made by genprior, and "
                    + (
                        f"the new store has no array '{top}'"
                        if inside
                        else "genprior has to write there"
                    )
                    + "; rename it or move it out of the store, and repeat the same command."
                )


@contextmanager
def _unwritten(path: Path) -> Iterator[None]:
    """Keep runs from writing a store; if its folder is read-only, only look for one that writes.

    Raises:
        StoreError: a run writes the store.
    """
    if os.access(path.resolve().parent, os.W_OK):
        with held_for_run(path):
            yield
        return
    for record in read_records(path):
        if not record.is_dead() and record.age() < SILENT:
            raise written_error(path, record.who)
    yield


def _reordered(info: StoreInfo, grid: Grid) -> list[str]:
    """List the axes of a store that have the same values in another order in the new store."""
    own, new = info.sweep.axes, grid.sweep.axes
    return [
        dim
        for dim in group_dims(grid.sweep)
        if dim in info.layout.dims
        and len(own[dim]) == len(new[dim])
        and list(map(value_label, own[dim])) != list(map(value_label, new[dim]))
    ]


def _check_foreign_of_several(infos: Sequence[StoreInfo]) -> None:
    """Refuse what the user put into several stores under one name, unless it is the same.

    Raises:
        StoreError: naming it.
    """
    owner: dict[Path, StoreInfo] = {}
    for info in infos:
        for entry in find_foreign(info.path, own_arrays(info)):
            first = owner.setdefault(entry, info)
            if first is not info and not same_content(first.path / entry, info.path / entry):
                raise StoreError(
                    f"{info.path / entry} and {first.path / entry}: genprior made neither, and "
                    "they differ; rename one of them, or move it out of its store."
                )


def _check_space(needed: int, out: Path, area: Path) -> None:
    """Refuse a merge for which the disk has too little space.

    Files on the same disk are counted too: it is not known yet which of them can be shared.
    """
    free = shutil.disk_usage(area).free
    if needed > free:
        from dask.utils import format_bytes

        raise StoreError(
            f"{out}: merging needs up to {format_bytes(needed)} and {format_bytes(free)} are free. "
            "Make room, or choose another place."
        )
