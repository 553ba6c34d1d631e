"""Merging stores of one experiment into a new store: completely, or not at all."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..sweeps import Grid
from ..sweeps.labels import value_label
from ..sweeps.variables import Variable
from .documents import consolidate, read_revision
from .errors import StoreError, WrongStoreError, explained
from .exchange import NEW, appear, is_vacant, work_area
from .foreign import carry, check_foreign, find_foreign, nested_stores_locked, same_content
from .holders import held_for_run
from .integrity import StoreInfo, check_complete
from .layout import ERROR, SECONDS, STATUS, TRIAL, Listener
from .lock import SILENT, written_error
from .merge_blocks import BlockMerge, Merged
from .moving import SPARE_BYTES, carry_attributes, own_arrays, own_bytes
from .reading import read_status, readable
from .records import read_records
from .template import build_template


def merge_stores(
    infos: Sequence[StoreInfo],
    out: Path,
    grid: Grid,
    variables: tuple[Variable, ...],
    attributes: dict[str, Any],
    listen: Listener = lambda done, total: None,
) -> Merged:
    """Make a new store with the trials of several stores of one experiment.

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
    with explained(out, "merging into it"), ExitStack() as stack:
        for info in infos:
            stack.enter_context(_unwritten(info.path))
        sizes = dict(zip(grid.dims, grid.shape, strict=True)) | {TRIAL: grid.sweep.trials}
        for info in infos:
            foreign = find_foreign(info.path, own_arrays(info))
            check_foreign(info, foreign, sizes, _reordered(info, grid))
            names = (*(variable.name for variable in variables), SECONDS.name, ERROR.name)
            with readable(info, names, "merging it"):
                check_complete(info, (*names, STATUS.name), read_status(info.path))
        _check_foreign_of_several(infos)
        area = stack.enter_context(work_area(out))
        _check_space(infos, out, area)
        new, chunks = area / NEW, max(infos, key=lambda info: info.layout.size).layout.chunks
        layout = build_template(new, grid, variables, chunks, attributes)
        merged = BlockMerge(infos, new, grid, variables, layout).run(listen)
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
        for dim in grid.dims
        if len(own[dim]) == len(new[dim])
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


def _check_space(infos: Sequence[StoreInfo], out: Path, area: Path) -> None:
    """Refuse a merge for which the disk has too little space.

    Files on the same disk are counted too: it is not known yet which of them can be shared.
    """
    needed, free = SPARE_BYTES + sum(map(own_bytes, infos)), shutil.disk_usage(area).free
    if needed > free:
        from dask.utils import format_bytes

        raise StoreError(
            f"{out}: merging needs up to {format_bytes(needed)} and {format_bytes(free)} are free. "
            "Make room, or choose another place."
        )
