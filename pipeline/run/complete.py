"""Runs for which nothing is left to do: they need neither workers nor the right to write."""

from ...store import StoreError, survey_store
from ...sweeps import union
from ...tasks.generators import weights_digests
from ...tasks.generators.settled import settled
from .prepare import count_successes, recorded_weights, select_trials
from .request import RunRequest
from .runner import RunSummary


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
    wanted, todo, unasked = select_trials(info, request.sweep, surveyed.status, request.part)
    if todo.any():
        return None
    count, has_success = int(wanted.sum()), "success" in info.variables
    return RunSummary(
        str(request.path),
        total=count,
        already_done=count,
        already_successful=count_successes(info, wanted) if has_success else None,
        successes=0 if has_success else None,
        unasked=unasked,
        part=str(request.part or ""),
        workers=0,
    )
