"""`fit`: make the analyses that a store's sweep asks for, and write them into the store."""

import json
from collections.abc import Iterator
from pathlib import Path

import xarray as xr

from ...store import (
    OtherLayoutError,
    StoreError,
    check_place,
    mark_outdated,
    read_info,
    remove_analysis,
    write_analysis,
)
from ...sweeps import SweepError, UserError
from ...sweeps.readings import AnalysisError
from ..analyses import Analysis, Request, analyses
from ..analyses.transition import transition_axis
from .crashes import with_crashes
from .freshness import (
    BY_COMMAND,
    LATER_TRIALS,
    NOT_INSTALLED,
    made_from,
    outdated_of,
    present_analyses,
    recorded,
    stored,
)
from .group_calls import GroupCalls
from .results import Fits

MOST_READINGS = 5


def fit_store(
    path: Path,
    along: str | None = None,
    calls: GroupCalls | None = None,
    below: float | None = None,
) -> Fits:
    """Make every analysis that a store's sweep asks for, and write it into the store.

    Analyses that the sweep no longer asks for are removed. A run may write trials at the same time:
    all analyses are of the trials that were done at the first reading. They are marked as out of
    date if more trials are done when they are written.

    Args:
        path: the store.
        along: axis of the transition; the sweep's `fit.along` if None.
        calls: calls a function for each of many groups; in this process if None.
        below: judge success again: a trial succeeds if its error is below this number.

    Raises:
        SweepError: the sweep asks for no analysis, or only for analyses that cannot be made.
        StoreError: the store cannot be read or written.
        AnalysisError: a class from outside failed; the other analyses are written.
    """
    for _ in range(MOST_READINGS):
        try:
            return _fit(Request(read_info(path), along, calls, below))
        except OtherLayoutError:
            continue
    raise StoreError(
        f"{path} was extended during each of {MOST_READINGS} attempts to fit it; try again later."
    )


def _fit(request: Request) -> Fits:
    info = request.info
    refused = check_fits(request)
    check_place(info.path)
    made = set()
    for analysis in asked_analyses(request):
        if analysis.name in refused:
            continue
        dataset = None if analysis.reads_trials else stored(analysis, request)
        if dataset is None:
            try:
                dataset = compute(analysis, request)
            except OtherLayoutError:
                raise
            except UserError as error:
                refused[analysis.name] = error
                continue
            made.add(analysis.name)
        request.fits[analysis.name] = dataset
    if not request.fits:
        raise next(iter(refused.values()))
    refused |= _write(request, made)
    # A fault of a class is raised when the other analyses are written, for its traceback.
    if faults := [error for error in refused.values() if isinstance(error, AnalysisError)]:
        raise faults[0]
    left_out = {name: str(error) for name, error in refused.items()} | {
        table: f"{info.path}: [{table}]: {NOT_INSTALLED}." for table in info.sweep.unread
    }
    sweep = info.sweep
    return Fits(str(info.path), request.fits, left_out, sweep.expected, sweep.source, request.below)


def compute(analysis: Analysis, request: Request) -> xr.Dataset:
    """Make one analysis of a request, and count the crashed trials of its cells.

    Raises:
        SweepError: it cannot be computed from the results.
        StoreError: the results cannot be read.
        AnalysisError: a class from outside failed, or gave no dataset.
    """
    dataset = analysis.compute(request)
    if not isinstance(dataset, xr.Dataset):
        raise AnalysisError(
            f"analysis {analysis.name!r}: compute gives a {type(dataset).__name__}, and has to "
            "give an xarray.Dataset."
        )
    if analysis.counted_like:
        if analysis.counted_like not in dataset:
            raise AnalysisError(
                f"analysis {analysis.name!r}: counted_like is {analysis.counted_like!r}, which "
                "compute does not give."
            )
        dataset = with_crashes(dataset, request.trials.status, analysis.counted_like)
    if analysis.reads_trials:
        dataset = dataset.assign_attrs(trials_used=request.trials.done)
        if request.below is not None:
            dataset = dataset.assign_attrs(success_below=request.below)
    return dataset


def asked_analyses(request: Request) -> Iterator[Analysis]:
    """Iterate over the analyses that a request asks for, in the order in which they are made."""
    for analysis in analyses():
        if analysis.asked(request.info, request.along) is not None:
            yield analysis


def check_fits(request: Request) -> dict[str, UserError]:
    """Find the analyses of a request that cannot be made, before any is computed.

    Returns:
        By name of the analysis, why it has to be left out.

    Raises:
        SweepError: the request asks for no analysis, or none of them can be made.
    """
    asked = list(asked_analyses(request))
    if not asked:
        transition_axis(request.info, request.along)
    for analysis in asked:
        analysis.check_request(request)
    refused = dict[str, UserError]()
    for analysis in asked:
        try:
            analysis.refuse(request)
        except (SweepError, AnalysisError) as error:
            refused[analysis.name] = error
    if len(refused) == len(asked):
        raise next(iter(refused.values()))
    return refused


def _write(request: Request, made: set[str]) -> dict[str, UserError]:
    """Write the analyses that were made, and remove those that the request does not ask for.

    An analysis along an axis that a command named stays until its trials change.

    Returns:
        By name of an analysis that cannot be stored, the reason.

    Raises:
        OtherLayoutError: a run extended the store meanwhile.
    """
    info, refused = request.info, dict[str, UserError]()
    changed = request.trials.changed()
    for analysis in asked_analyses(request):
        name = analysis.name
        if name not in made:
            continue
        try:
            request.fits[name] = write_analysis(
                info.path,
                name,
                request.fits[name],
                json.dumps(made_from(analysis, request)),
                revision=info.revision,
                outdated=LATER_TRIALS if changed and analysis.reads_trials else None,
            )
        except (TypeError, ValueError, NotImplementedError) as error:
            del request.fits[name]
            refused[name] = AnalysisError(
                f"analysis {name!r}: its dataset cannot be stored: {type(error).__name__}: {error}"
            )
            refused[name].__cause__ = error
    if not changed and request.trials.changed():
        written = [a.name for a in analyses() if a.reads_trials and a.name in request.fits]
        mark_outdated(info.path, dict.fromkeys(written, LATER_TRIALS))
    present, outdated = present_analyses(info), outdated_of(info, request.trials.digest)
    for analysis in analyses():
        name = analysis.name
        if name not in present or name in request.fits:
            continue
        by_command = not recorded(present[name]).keys().isdisjoint(BY_COMMAND)
        if not by_command or name in outdated:
            remove_analysis(info.path, name, revision=info.revision)
    return refused


def stored_or_computed(analysis: Analysis, request: Request) -> xr.Dataset:
    """Load an analysis if the store has one that is up to date, else make it without writing it."""
    dataset = stored(analysis, request)
    if dataset is None:
        analysis.refuse(request)
        dataset = compute(analysis, request)
    return dataset
