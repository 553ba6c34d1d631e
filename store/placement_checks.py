"""Check where placed trials are: each has a value, a number and a round; no two are the same."""

from collections.abc import Mapping

import numpy as np

from .layout import ASKED, STATUS, Status

SAME = "the same trial as another one of its group"


def without_place(name: str) -> str:
    """Say what is wrong with trials that lack a value of their placement."""
    return f"asked for, but '{name}' has no value, so that it is not known which trial it is"


def twice(group: np.ndarray, value: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Mark the trials whose group has an earlier one of the same value and number.

    Args:
        group: the group of each trial, shape (t,).
        value: its value along the axis.
        number: its number.
    """
    _, first = np.unique(np.stack([group, value, number]), axis=1, return_index=True)
    mask = np.ones(value.size, dtype=bool)
    mask[first] = False
    return mask


def status_after_placing(
    status: np.ndarray,
    before: tuple[np.ndarray, np.ndarray],
    after: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Give the status of the trials of a block when they are placed.

    Args:
        status: their status before, shape (t,).
        before: the value and the number of each that were stored; −1 where there are none.
        after: those that are written now.

    Returns:
        *not asked* where no trial is placed; *pending* where a trial is new, also if it takes the
        place of another one, whose results do not count; else as before.
    """
    value, number = after
    moved = (before[0] != value) | (before[1] != number)
    placed = np.where((status == Status.NOT_ASKED) | moved, Status.PENDING, status)
    return np.where(value < 0, Status.NOT_ASKED, placed).astype(status.dtype)


class PlacementCheck:
    """Compares the placed trials of a store, block after block in row-major order.

    Args:
        names: names of the arrays with the value, the number and the round; none if trials are not
            placed.
    """

    def __init__(self, names: tuple[str, ...]):
        self._names = names
        self._seen: dict[tuple[int, ...], set[tuple[int, int]]] = {}

    def faults(
        self, values: Mapping[str, np.ndarray], start: tuple[int, ...]
    ) -> list[tuple[str, np.ndarray]]:
        """Find the trials of a block that have no place, or the place of another trial.

        Args:
            values: arrays over the block by name; those that cannot be read are left out.
            start: index of the block's first trial in the store.

        Returns:
            What is wrong, and a mask of the trials over the block, not empty.
        """
        if not self._names:
            return []
        asked = np.isin(values[STATUS.name], ASKED)
        known = [name for name in self._names if name in values]
        masks = [(without_place(name), asked & (values[name] < 0)) for name in known]
        if len(known) == len(self._names):
            whole = asked & ~np.logical_or.reduce([mask for _, mask in masks])
            masks.append((SAME, self._repeated(values, start, whole)))
        return [(what, mask) for what, mask in masks if mask.any()]

    def take(self, values: Mapping[str, np.ndarray], start: tuple[int, ...]) -> None:
        """Remember the trials of a block, with which those of later blocks are compared."""
        if start[-1] == 0:  # the first block of other groups
            self._seen.clear()
        if not self._names or not all(name in values for name in (*self._names, STATUS.name)):
            return
        asked = np.isin(values[STATUS.name], ASKED)
        for at in map(tuple, np.argwhere(asked).tolist()):
            self._group(start, at).add(self._trial(values, at))

    def _repeated(
        self, values: Mapping[str, np.ndarray], start: tuple[int, ...], whole: np.ndarray
    ) -> np.ndarray:
        mask = np.zeros(whole.shape, dtype=bool)
        here: set[tuple[tuple[int, ...], tuple[int, int]]] = set()
        for at in map(tuple, np.argwhere(whole).tolist()):
            trial, seen = self._trial(values, at), self._group(start, at)
            mask[at] = trial in seen or (at[:-1], trial) in here
            here.add((at[:-1], trial))
        return mask

    def _trial(self, values: Mapping[str, np.ndarray], at: tuple[int, ...]) -> tuple[int, int]:
        value, number = (int(values[name][at]) for name in self._names[:2])
        return value, number

    def _group(self, start: tuple[int, ...], at: tuple[int, ...]) -> set[tuple[int, int]]:
        index = tuple(a + b for a, b in zip(start[:-1], at[:-1], strict=True))
        return self._seen.setdefault(index, set())
