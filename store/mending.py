"""Mending a store before a run: what is lost becomes pending, what is known is written again."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import zarr

from ..sweeps.variables import Variable
from .chunks import chunk_path
from .documents import DOCUMENT, consolidate
from .errors import WrongStoreError, explained
from .integrity import (
    Damage,
    StoreInfo,
    Survey,
    coordinate_damages,
    document_damages,
    excluded_points,
    read_array,
    refusal,
    survey,
)
from .layout import ERROR, SECONDS, STATUS, Status
from .lock import documents_held
from .reading import read_info
from .template import add_array, array_of, coordinates_of, mark_excluded, write_coordinate


@dataclass(frozen=True)
class Mended:
    """A store as it is after it was mended.

    Attributes:
        status: of every trial.
        damages: what was wrong, in words.
        blocks: how many blocks have lost trials that were done.
    """

    status: np.ndarray
    damages: tuple[str, ...]
    blocks: int


def mend_store(info: StoreInfo, variables: Sequence[Variable]) -> Mended:
    """Make a store whole but for its trials: blocks that lost results count as not run.

    Its writer must hold it: `exclusive`.

    Args:
        info: the store.
        variables: what its task kind fills.

    Raises:
        StoreError: naming what can be neither computed nor written again.
    """
    with explained(info.path, "mending it"):
        documents = [
            *document_damages(info, info.results),
            *coordinate_damages(info),
        ]
        if documents or any(name not in info.copies for name in info.arrays):
            with documents_held(info.path):
                _write_again(info, documents, variables)
                consolidate(info.path)
            info = read_info(info.path).with_grid(info.grid)
        _check_excluded(info)
        found = survey(info)
        _clear(info, found)
        known = {damage.array for damage in documents if not damage.place}
        others = [damage for damage in found.damages if damage.array not in known]
        texts = tuple(str(damage) for damage in (*documents, *others))
        return Mended(found.status, texts, int(found.lost.sum()))


def _check_excluded(info: StoreInfo) -> None:
    """Refuse a store with trials of points that its rules leave out now."""
    if not info.sweep.exclude:
        return
    status, _ = read_array(info, STATUS.name)
    if (status[excluded_points(info)] == Status.DONE).any():
        raise WrongStoreError(
            f"{info.path}: it holds trials of points that its rules leave out now, for an older "
            "version compared numbers to their last digit. Choose another store."
        )


def _write_again(info: StoreInfo, damages: Sequence[Damage], variables: Sequence[Variable]) -> None:
    """Write the documents of results, and coordinates, as when the store was made."""
    known = {variable.name: variable for variable in (*variables, SECONDS, ERROR, STATUS)}
    coordinates = coordinates_of(info.grid)
    lasting = [d for d in damages if d.array not in known and d.array not in coordinates]
    if lasting:
        raise refusal(info, lasting, "Restore it from a copy.")
    group = zarr.open_group(info.path, mode="r+", use_consolidated=False)
    for damage in damages:
        (info.path / damage.array / DOCUMENT).unlink(missing_ok=True)
        if damage.array in known:
            add_array(group, _as_it_was(info, known[damage.array]), info.layout)
        else:
            write_coordinate(group, *coordinates[damage.array])


def _as_it_was(info: StoreInfo, variable: Variable) -> Variable:
    """Give a variable with the text that its chunks hold: of a variable length in format 1."""
    was = info.copies.get(variable.name, {}).get("data_type")
    return replace(variable, dtype="string") if was == "string" else variable


def _clear(info: StoreInfo, found: Survey) -> None:
    """Let the status say what is lost, then remove what cannot be read."""
    for block in map(tuple, np.argwhere(found.lost)):
        chunk_path(info.path / STATUS.name, block).unlink(missing_ok=True)
    group = zarr.open_group(info.path, mode="r+", use_consolidated=False)
    texts = [block for d in found.damages if d.array == ERROR.name for block in d.blocks]
    for block in texts:
        if not found.lost[block]:
            region = info.layout.region(block)
            array_of(group, STATUS.name)[region] = found.status[region]
    marked = found.lost | found.unmarked
    if info.sweep.exclude and marked.any():
        for place in np.argwhere(marked):
            mark_excluded(group, info.grid, info.layout.region(tuple(place)))
    for damage in found.damages:
        for block in damage.blocks if damage.array != STATUS.name else ():
            with suppress(FileNotFoundError):
                chunk_path(info.path / damage.array, block).unlink()
