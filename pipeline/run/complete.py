"""Runs for which nothing is left to do: they need neither workers nor the right to write."""

from typing import Any

import numpy as np

from ...store import StoreError, StoreInfo, survey_store
from ...sweeps import union
from ...tasks.generators import weights_digests
from ...tasks.generators.settled import settled
from .placed import PlacedBlocks
from .prepare import recorded_weights
from .request import RunRequest
from .selection import count_successes, select_trials
from .summary import RunSummary


def complete_summary(request: RunRequest) -> RunSummary | None:
    """Sum up a run whose trials are all done; None if something is to be computed or recorded.

    The files of the store are listed, so that a store that lost some is not complete.
    """
    if request.stored is None:
        return None
    try:
        info, surveyed = survey_store(request.path)
    except StoreError:
        return None  # the run mends what can be mended, and tells the rest
    info = info.with_grid(request.stored)
    latest = union(info.sweep, settled(request.grid))
    weights = recorded_weights(info.attributes)
    changed = any(weights.get(p) != d for p, d in weights_digests(request.grid).items())
    if surveyed.damages or surveyed.unmarked.any() or latest != info.sweep or changed:
        return None
    counts = _complete_counts(request, info, surveyed.status)
    if counts is None:
        return None
    return RunSummary(
        str(request.path),
        successes=None if counts["already_successful"] is None else 0,
        part=str(request.part or ""),
        workers=0,
        **counts,
    )


def _complete_counts(
    request: RunRequest, info: StoreInfo, status: np.ndarray
) -> dict[str, Any] | None:
    """Give the figures of a run whose trials are all done; None if one is missing."""
    if info.sweep.placed is not None:
        placed = PlacedBlocks(info, request.sweep, request.part)
        return placed.counts() | placed.figures() if placed.is_over else None
    wanted, todo, unasked = select_trials(info, request.sweep, status, request.part)
    if todo.any():
        return None
    return {
        "total": int(wanted.sum()),
        "already_done": int(wanted.sum()),
        "already_successful": (
            count_successes(info, wanted) if "success" in info.variables else None
        ),
        "unasked": unasked,
    }
