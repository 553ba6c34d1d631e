"""Repair of a store before a run: lost trials become pending, lost metadata is written again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..sweeps.variables import Variable
from .chunks import remove_chunk
from .documents import DOCUMENT, consolidate
from .errors import WrongStoreError, explained
from .info import StoreInfo
from .integrity import (
    Damage,
    Survey,
    coordinate_damages,
    damage_error,
    document_damages,
    excluded_points,
    read_array,
    survey,
)
from .layout import ERROR, SECONDS, STATUS, Status, placement
from .lock import documents_held
from .own_files import zarr_group
from .reading import read_info
from .template import add_array, array_of, coordinates_of, mark_excluded, write_coordinate


@dataclass(frozen=True)
class Mended:
    """What a repair found and did.

    Attributes:
        status: status of every trial after the repair.
        damages: what was wrong, one text for each damage.
        blocks: number of blocks that lost trials that were done.
    """

    status: np.ndarray
    damages: tuple[str, ...]
    blocks: int


def mend_store(
    info: StoreInfo, variables: Sequence[Variable], also: Sequence[Damage] = ()
) -> Mended:
    """Repair a store: write lost metadata again, and mark blocks that lost results as not run.

    The caller must hold the lock of a run (`exclusive`).

    Args:
        info: the store.
        variables: what the store's task fills.
        also: other damage of coordinates and documents, which only `verify` looks for.

    Raises:
        WrongStoreError: the store has trials of points that its rules exclude now.
        StoreError: something can be neither computed nor written again; the message names it.
    """
    with explained(info.path, "mending it"):
        documents = [
            *document_damages(info, info.results),
            *coordinate_damages(info),
            *also,
        ]
        if documents or any(name not in info.copies for name in info.arrays):
            with documents_held(info.path):
                _write_again(info, documents, variables)
                consolidate(info.path)
            info = read_info(info.path).with_grid(info.grid)
        _check_excluded(info)
        surveyed = survey(info)
        _clear(info, surveyed)
        known = {damage.array for damage in documents if not damage.inner}
        others = [damage for damage in surveyed.damages if damage.array not in known]
        texts = tuple(str(damage) for damage in (*documents, *others))
        return Mended(surveyed.status, texts, int(surveyed.lost.sum()))


def _check_excluded(info: StoreInfo) -> None:
    """Refuse a store with trials of points that its rules exclude now."""
    if not info.sweep.exclude:
        return
    status, _ = read_array(info, STATUS.name)
    if (status[excluded_points(info)] == Status.DONE).any():
        raise WrongStoreError(
            f"{info.path}: it holds trials of points that its rules exclude now: an older version "
            "compared numbers to their last digit. Choose another store."
        )


def _write_again(info: StoreInfo, damages: Sequence[Damage], variables: Sequence[Variable]) -> None:
    """Write the documents of results and whole coordinates as they were when the store was made."""
    own = (*variables, SECONDS, ERROR, STATUS, *placement(info.sweep))
    known = {variable.name: variable for variable in own}
    coordinates = coordinates_of(info.grid)
    unknown = [d for d in damages if d.array not in known and d.array not in coordinates]
    if unknown:
        raise damage_error(info, unknown, "Restore it from a copy.")
    group = zarr_group(info.path, "r+")
    for damage in damages:
        (info.path / damage.array / DOCUMENT).unlink(missing_ok=True)
        if damage.array in known:
            add_array(group, _with_stored_text(info, known[damage.array]), info.layout)
        else:
            remove_chunk(info.path / damage.array, (0,) * coordinates[damage.array][2].ndim)
            write_coordinate(group, *coordinates[damage.array])


def _with_stored_text(info: StoreInfo, variable: Variable) -> Variable:
    """Give a variable the text type of its chunks, which has a variable length in format 1."""
    stored = info.copies.get(variable.name, {}).get("data_type")
    return replace(variable, dtype="string") if stored == "string" else variable


def _clear(info: StoreInfo, surveyed: Survey) -> None:
    """Mark lost trials as pending in the status, then remove the damaged chunks.

    Where it is lost which trials were placed, they are not asked: the run places them again.
    """
    group = zarr_group(info.path, "r+")
    changed = surveyed.lost.copy()
    for damage in surveyed.damages:
        for block in damage.blocks if damage.array in info.placement else ():
            trials = surveyed.status[info.layout.region(block)]
            trials[trials == Status.PENDING] = Status.NOT_ASKED
        for block in damage.blocks if damage.array == ERROR.name else ():
            changed[block] = True
    for block in map(tuple, np.argwhere(changed)):
        region = info.layout.region(block)
        if surveyed.lost[block]:
            # The old chunk may not be readable. Without one, no trial of the block was run.
            remove_chunk(info.path / STATUS.name, block)
        if not surveyed.lost[block] or (surveyed.status[region] != info.layout.not_run).any():
            array_of(group, STATUS.name)[region] = surveyed.status[region]
    if info.sweep.exclude and surveyed.unmarked.any():
        for index in np.argwhere(surveyed.unmarked):
            mark_excluded(group, info.grid, info.layout.region(tuple(index)))
    for damage in surveyed.damages:
        for block in damage.blocks if damage.array != STATUS.name else ():
            remove_chunk(info.path / damage.array, block)
