"""`fit`: make the analyses that a store's sweep asks for, and write them into the store."""

import json
from collections.abc import Iterator
from pathlib import Path

import xarray as xr

from ..store import (
    OtherLayoutError,
    StoreError,
    check_place,
    read_info,
    remove_analysis,
    write_analysis,
)
from ..sweeps import SweepError
from .analyses import Analysis, Request, analyses
from .analyses.transition import transition_axis
from .crashes import with_crashes
from .fit_results import Fits
from .freshness import (
    LATER_TRIALS,
    NOT_INSTALLED,
    made_from,
    outdated_of,
    present_analyses,
    recorded,
    stored,
)

MOST_READINGS = 5


def fit_store(path: Path, along: str | None = None) -> Fits:
    """Make every analysis that a store's sweep asks for, and write it into the store.

    Analyses that the sweep no longer asks for are removed. A run may write trials at the same time:
    all analyses are of the trials that were done at the first reading. They are marked as out of
    date if more trials are done when they are written.

    Args:
        path: the store.
        along: axis of the transition; the sweep's `fit.along` if None.

    Raises:
        SweepError: the sweep asks for no analysis, or only for analyses that cannot be made.
        StoreError: the store cannot be read or written.
    """
    for _ in range(MOST_READINGS):
        try:
            return _fit(Request(read_info(path), along))
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
            dataset = compute(analysis, request)
            made.add(analysis.name)
        request.fits[analysis.name] = dataset
    _write(request, made)
    left_out = refused | {
        table: f"{info.path}: [{table}]: {NOT_INSTALLED}." for table in info.sweep.unread
    }
    return Fits(str(info.path), request.fits, left_out, info.sweep.expected, info.sweep.source)


def compute(analysis: Analysis, request: Request) -> xr.Dataset:
    """Make one analysis of a request, and count the crashed trials of its cells."""
    dataset = analysis.compute(request)
    if analysis.counted_like:
        dataset = with_crashes(dataset, request.trials.status, analysis.counted_like)
    if analysis.reads_trials:
        dataset = dataset.assign_attrs(trials_used=request.trials.done)
    return dataset


def asked_analyses(request: Request) -> Iterator[Analysis]:
    """Iterate over the analyses that a request asks for, in the order in which they are made."""
    for analysis in analyses():
        if analysis.asked(request.info, request.along) is not None:
            yield analysis


def check_fits(request: Request) -> dict[str, str]:
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
    refused = {}
    for analysis in asked:
        try:
            analysis.refuse(request)
        except SweepError as error:
            refused[analysis.name] = str(error)
    if len(refused) == len(asked):
        raise SweepError(next(iter(refused.values())))
    return refused


def _write(request: Request, made: set[str]) -> None:
    """Write the analyses that were made, and remove those that the request does not ask for.

    An analysis along an axis that a command named stays until its trials change.

    Raises:
        OtherLayoutError: a run extended the store meanwhile.
    """
    info = request.info
    reason = LATER_TRIALS if request.trials.changed() else None
    for analysis in asked_analyses(request):
        if analysis.name in made:
            write_analysis(
                info.path,
                analysis.name,
                request.fits[analysis.name],
                json.dumps(made_from(analysis, request)),
                revision=info.revision,
                outdated=reason if analysis.reads_trials else None,
            )
    present, outdated = present_analyses(info), outdated_of(info, request.trials.digest)
    for analysis in analyses():
        name = analysis.name
        if name not in present or name in request.fits:
            continue
        by_command = "along" in recorded(present[name])
        if not by_command or name in outdated:
            remove_analysis(info.path, name, revision=info.revision)


def stored_or_computed(analysis: Analysis, request: Request) -> xr.Dataset:
    """Load an analysis if the store has one that is up to date, else make it without writing it."""
    dataset = stored(analysis, request)
    if dataset is None:
        analysis.refuse(request)
        dataset = compute(analysis, request)
    return dataset
