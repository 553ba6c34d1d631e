"""The trials of one store as records, wherever they lie: on a grid of values, or placed."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..sweeps import Sweep
from ..sweeps.placing import group_dims
from ..sweeps.variables import Variable
from .chunks import blocks_with
from .errors import StoreError, WrongStoreError
from .info import StoreInfo
from .integrity import open_array
from .layout import ASKED, ERROR, SECONDS, STATUS, Status, origins, trial_at
from .placement_checks import twice
from .reading import read_values, readable

Values = dict[str, np.ndarray]


@dataclass(frozen=True)
class StoredTrials:
    """The trials of a store that are done, crashed or pending, in the order of the store.

    Attributes:
        info: the store.
        place: flat index of each trial in the arrays of the store, shape (t,).
        status: its status.
        number: its number among the trials of its point.
        round: the round in which it was placed; 0 if trials are not placed.
        value: its value along the axis of placed trials; None if trials are not placed.
        results: its results and time by name; the fill value if it is pending.
        errors: the texts of crashed trials by their index here.
    """

    info: StoreInfo
    place: np.ndarray
    status: np.ndarray
    number: np.ndarray
    round: np.ndarray
    value: np.ndarray | None
    results: Values
    errors: dict[int, str]

    @cached_property
    def _at(self) -> tuple[np.ndarray, ...]:
        return np.unravel_index(self.place, self.info.layout.shape)

    @property
    def probe(self) -> np.ndarray:
        """The index of each placed trial in its group."""
        return self._at[-1]

    @property
    def placed_values(self) -> list[int]:
        """The values at which trials were placed, increasing; none if trials are not placed."""
        return [] if self.value is None else np.unique(self.value).tolist()

    @property
    def most_of_a_value(self) -> int:
        """The largest number of trials of one point."""
        return int(self.number.max(initial=0)) + 1

    def values_along(self, dim: str) -> np.ndarray:
        """Give the value of each trial along an axis of whole numbers."""
        own, at = self._along(dim)
        return np.asarray(np.array([int(value) for value in own], dtype=np.int64)[at])

    def index_along(self, dim: str, values: list[object]) -> np.ndarray:
        """Give the index of each trial's value among some values of an axis."""
        own, at = self._along(dim)
        return np.asarray(origins(values, own)[at])

    def _along(self, dim: str) -> tuple[list[Any], np.ndarray]:
        """Give the values of an axis, and the index of each trial among them."""
        sweep: Sweep = self.info.sweep
        if self.value is not None and dim == sweep.placed:
            own, at = np.unique(self.value, return_inverse=True)
            return own.tolist(), at.ravel()
        return list(sweep.axes[dim]), self._at[group_dims(sweep).index(dim)]


def read_trials(info: StoreInfo, variables: tuple[Variable, ...]) -> StoredTrials:
    """Read the trials of a store into memory.

    Raises:
        WrongStoreError: it has a trial of a point that its rules exclude now.
        StoreError: something is damaged, or placed trials have no place.
    """
    status = _read(info, STATUS.name)
    if not np.isin(status, [*Status]).all():
        raise StoreError(f"{info.path}: a trial has an unknown status; 'genprior verify' finds it.")
    if info.sweep.placed is None and info.sweep.exclude:
        excluded = np.broadcast_to(info.grid.excluded[..., np.newaxis], status.shape)
        if (excluded & (status == Status.DONE)).any():
            raise excluded_error(info)
        status = np.where(excluded, Status.EXCLUDED, status)
    texts = _errors(info, status)
    place = np.flatnonzero(np.isin(status, ASKED))
    own = status.ravel()[place]
    results = {}
    for variable in (*variables, SECONDS):
        values = _read(info, variable.name).ravel()[place].astype(variable.dtype)
        values[own == Status.PENDING] = variable.fill
        results[variable.name] = values
    errors = {at: texts[p] for at, p in enumerate(place.tolist()) if p in texts} if texts else {}
    number = np.unravel_index(place, info.layout.shape)[-1]
    value, rounds = None, np.zeros(place.size, dtype=np.int64)
    if info.sweep.placed is not None:
        value, number, rounds = (_read(info, name).ravel()[place] for name in info.placement)
        _check_places(info, place, value, number, rounds)
    return StoredTrials(info, place, own, number, rounds, value, results, errors)


def excluded_error(info: StoreInfo) -> WrongStoreError:
    """Say that a store has trials of points that its rules exclude now."""
    return WrongStoreError(
        f"{info.path}: it holds trials of points that its rules exclude now: an older version "
        "compared numbers to their last digit. Leave it out."
    )


def _read(info: StoreInfo, name: str) -> np.ndarray:
    return read_values(info, [name], "merging it")[name]


def _errors(info: StoreInfo, status: np.ndarray) -> dict[int, str]:
    """Read the error texts of crashed trials, by flat index; only their blocks are read."""
    texts: dict[int, str] = {}
    crashed = status == Status.CRASHED
    if not crashed.any():
        return texts
    with readable(info, [ERROR.name], "merging it"):
        array = open_array(info, ERROR.name)
        for block in map(tuple, np.argwhere(blocks_with(crashed, info.layout)).tolist()):
            region = info.layout.region(block)
            stored = np.asarray(array[region])
            for offset in map(tuple, np.argwhere(crashed[region]).tolist()):
                at = tuple(part.start + i for part, i in zip(region, offset, strict=True))
                texts[int(np.ravel_multi_index(at, status.shape))] = str(stored[offset])
    return texts


def _check_places(
    info: StoreInfo, place: np.ndarray, value: np.ndarray, number: np.ndarray, rounds: np.ndarray
) -> None:
    """Refuse placed trials without a place, and two with the same one."""
    lacks = (value < 0) | (number < 0) | (rounds < 0)
    what = "it has no place along the axis, or no number"
    if not lacks.any():
        lacks = twice(place // info.layout.shape[-1], value, number)
        what = "another trial of its group has the same value and number"
    if lacks.any():
        at = np.unravel_index(int(place[lacks][0]), info.layout.shape)
        name = trial_at(info.grid, tuple(map(int, at)))
        raise StoreError(
            f"{info.path}: trial {name}: {what}. 'genprior verify --repair' marks it, and the run "
            "places it again."
        )
