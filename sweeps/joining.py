"""The sweep of a store that is made of several: over all their values, or with placed trials."""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

from .compare import union
from .errors import SweepError
from .placing import MOST, MOST_OF_A_GROUP, over_values
from .sweep import Sweep


def joined(sweeps: Sequence[Sweep]) -> Sweep:
    """Join the grids of sweeps; texts and analyses are those of the first one."""
    return union(reduce(union, sweeps), sweeps[0])


def joined_over_values(parts: Iterable[tuple[Sweep, Sequence[int], int]]) -> Sweep:
    """Join sweeps to one over values, those at which trials were placed included.

    Args:
        parts: for each sweep, the values at which its trials were placed and the largest number of
            trials of one value; these count only where trials are placed.

    Raises:
        SweepError: the union is not a valid sweep.
    """
    known, placed = [], set()
    for sweep, values, trials in parts:
        if (along := sweep.placed) is None:
            known.append(sweep)
            continue
        placed.add(along)
        over = over_values(sweep, values or sweep.axes[along], trials)
        known.append(_with(over, fit={**over.as_dict()["fit"], "along": sweep.fit.along or along}))
    whole = joined(known)
    ordered = {along: sorted(whole.axes[along]) for along in placed}
    return _with(whole, axes={**whole.as_dict()["axes"], **ordered})


def joined_placed(sweeps: Sequence[Sweep]) -> Sweep:
    """Join sweeps to one whose trials are placed, with the settings of the first such sweep.

    Of sweeps over values alone, the axis is `fit.along` of the first one.

    Raises:
        SweepError: trials cannot be placed along the axis, or sweeps name different ones.
    """
    placed = [sweep for sweep in sweeps if sweep.placed is not None]
    along = placed[0].placed if placed else sweeps[0].fit.along
    table: dict[str, Any] = dict(placed[0].as_dict()["adaptive"]) if placed else {}
    if along is None:
        raise SweepError(
            "merge: which trials are placed along? The first store names no axis (fit.along). "
            "Name one with 'genprior run SWEEP STORE --set fit.along=AXIS', and merge then."
        )
    if others := sorted({str(sweep.placed) for sweep in placed} - {along}):
        raise SweepError(
            f"merge: trials are placed along '{along}' in one store and along '{others[0]}' in "
            "another one; they have no placed store in common. Give --as grid."
        )
    whole = joined([_with(sweep, adaptive=None) for sweep in sweeps])
    most = max((sweep.adaptive.most for sweep in placed if sweep.adaptive), default=MOST)
    return _with(whole, adaptive={**table, "along": along, "most": most})


def with_most(sweep: Sweep, most: int) -> Sweep:
    """Let each group of a sweep have at least so many placed trials.

    Raises:
        SweepError: these are more than a group can have.
    """
    if most > MOST_OF_A_GROUP:
        raise SweepError(
            f"merge: a group has {most:,} trials, and at most {MOST_OF_A_GROUP:,} can be placed. "
            "Give --as grid."
        )
    table = sweep.as_dict()["adaptive"]
    return _with(sweep, adaptive={**table, "most": max(most, table["most"])})


def _with(sweep: Sweep, **tables: Any) -> Sweep:
    """Give a sweep with other tables; one that is None is removed."""
    written = {**sweep.as_dict(), **tables}
    written = {key: value for key, value in written.items() if value is not None}
    return Sweep.parse(written, "the merged sweep", stored=True)
