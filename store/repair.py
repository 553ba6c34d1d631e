"""Repair of what a check of a store found: what is lost becomes pending, leftovers are removed."""

from collections.abc import Iterable, Sequence
from contextlib import suppress

import numpy as np

from ..sweeps.variables import Variable
from .analyses import remove_analysis
from .chunks import chunk_path, remove_chunk
from .errors import explained
from .exchange import clear
from .info import StoreInfo
from .integrity import Block, excluded_points
from .layout import ERROR, SECONDS, STATUS, Status
from .lock import documents_held
from .mending import mend_store
from .own_files import zarr_group
from .reading import read_info
from .template import array_of
from .trial_checks import contradictions, not_cleared
from .verify import Index, Inspection, computed_coordinates


def repair_store(
    inspection: Inspection, variables: Sequence[Variable], lost: Iterable[Index] = ()
) -> StoreInfo:
    """Repair a store; the caller must hold the lock of a run (`exclusive`).

    A kill at any moment leaves a store in which a check finds the rest.

    Args:
        inspection: what was found.
        variables: what the store's task fills.
        lost: other trials whose results are wrong.

    Returns:
        The store after the repair.

    Raises:
        WrongStoreError: the store has trials of points that its rules exclude now.
        StoreError: something can be neither computed nor written again; the message names it.
    """
    info = inspection.info
    with explained(info.path, "repairing it"):
        # A chunk that is not there is what mending looks for; a damaged status it finds itself.
        for damage in inspection.damages:
            for block in damage.blocks if damage.array != STATUS.name else ():
                remove_chunk(info.path / damage.array, block)
        for fault in inspection.faults.values():
            for block in fault.blocks if fault.misplaced else ():
                for name in info.placement:
                    remove_chunk(info.path / name, block)
        computed = computed_coordinates(info)
        mend_store(info, variables, [d for d in inspection.other_values if d.array not in computed])
        info = read_info(info.path).with_grid(info.grid)
        blocks = {block for fault in inspection.faults.values() for block in fault.blocks}
        # Of a block that lost a chunk, the others still have values.
        blocks.update(block for damage in inspection.damages for block in damage.blocks)
        if inspection.not_cleared is not None:
            blocks.update(inspection.not_cleared.blocks)
        if not inspection.unread:
            by_block = _by_block(info, lost)
            for block in sorted(blocks | set(by_block)):
                _reset(info, variables, block, by_block.get(block, []))
        for file in inspection.strays.unfinished:
            with suppress(FileNotFoundError):
                (info.path / file).unlink()
        for area in inspection.strays.areas:
            if area.parent != info.path.resolve().parent:  # those were cleared with the lock
                with documents_held(info.path):  # a fit may be using it
                    clear(area.with_name(area.name[1:].rpartition(".work-")[0]))
    for name in inspection.analyses:
        remove_analysis(info.path, name)
    return info


def _by_block(info: StoreInfo, lost: Iterable[Index]) -> dict[Block, list[Index]]:
    """Group trials by their blocks, as offsets in these."""
    blocks: dict[Block, list[Index]] = {}
    for index in lost:
        block = tuple(i // chunk for i, chunk in zip(index, info.layout.chunks, strict=True))
        offset = tuple(i % chunk for i, chunk in zip(index, info.layout.chunks, strict=True))
        blocks.setdefault(block, []).append(offset)
    return blocks


def _reset(
    info: StoreInfo, variables: Sequence[Variable], block: Block, lost: Sequence[Index]
) -> None:
    """Mark the wrong trials of a block as pending, then remove their values."""
    group = zarr_group(info.path, "r+")
    region = info.layout.region(block)
    known = {variable.name: variable for variable in variables if variable.name in info.variables}
    arrays = {
        name: array_of(group, name)
        for name in (*known, SECONDS.name, ERROR.name, STATUS.name)
        if name == STATUS.name or chunk_path(info.path / name, block).exists()
    }
    values = {name: np.array(array[region]) for name, array in arrays.items()}
    excluded = excluded_points(info)[region[:-1]]
    wrong = np.zeros(values[STATUS.name].shape, dtype=bool)
    for _, mask in contradictions(values, tuple(known.values()), excluded):
        wrong |= mask
    for offset in lost:
        wrong[offset] = True
    status = np.where(wrong, Status.PENDING, values[STATUS.name]).astype(np.int8)
    status[excluded] = Status.EXCLUDED
    empty = wrong | not_cleared({**values, STATUS.name: status}, tuple(known.values()))
    arrays[STATUS.name][region] = status
    for name, array in arrays.items():
        if name != STATUS.name and empty.any():
            values[name][empty] = "" if name == ERROR.name else array.fill_value
            array.with_config({"write_empty_chunks": True})[region] = values[name]
