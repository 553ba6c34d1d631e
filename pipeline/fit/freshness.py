"""Find the analyses of a store that are out of date, and mark them.

Each analysis stores what it was made from: a digest of the trials that it read, and the settings of
the sweep that asked for it. When either changes, the analysis is out of date: `run` marks it,
`status` reports it, `plot` does not use it, and `fit` makes it again or removes it.
"""

import json
from typing import Any

import xarray as xr

from ...store import (
    OUTDATED,
    StoreError,
    StoreInfo,
    analysis_groups,
    damaged_analyses,
    mark_outdated,
    open_analysis,
    read_analyses,
)
from ..analyses import Analysis, Request, analyses, analysis_of
from .trials import Trials

LATER_TRIALS = "trials were run after it was made"
OTHER_SETTINGS = "the sweep asks for it with other settings now"
NOT_ASKED = "the sweep no longer asks for it"
UNKNOWN_TRIALS = "an earlier version made it and did not record from which trials"
OTHER_VERSION = "another version of the analysis made it"
BY_COMMAND = ("along", "below")  # what a command may name for an analysis
NOT_INSTALLED = "its analysis is not installed here"


def made_from(analysis: Analysis, request: Request) -> dict[str, Any]:
    """Give what an analysis of a request is made from, to be stored with it."""
    origin: dict[str, Any] = {
        "analysis": analysis.name,
        "settings": analysis.asked(request.info, request.along),
    }
    if analysis.version != 1:
        origin["version"] = analysis.version
    if request.along is not None and analysis.takes_along:
        origin["along"] = request.along
    if analysis.reads_trials:
        origin["results"] = request.trials.digest
        if request.below is not None:
            origin["below"] = request.below
    return origin


def stored(analysis: Analysis, request: Request) -> xr.Dataset | None:
    """Load an analysis from the store of a request; None if it is missing, damaged or out of date.

    If it depends on the axis of a transition, the axis must be that of the request.
    """
    info, name = request.info, analysis.name
    attributes = read_analyses(info.path, [name]).get(name)
    if attributes is None or OUTDATED in attributes:
        return None
    expected = json.loads(json.dumps(made_from(analysis, request)))
    # `along` is not compared, because the settings contain the axis; nor is the name, which
    # earlier versions did not store.
    ignored = {"along": None, "analysis": None}
    if expected | ignored != recorded(attributes) | ignored:
        return None
    try:
        return open_analysis(info.path, name).load()
    except (StoreError, ValueError, KeyError, TypeError, OSError):
        return None


def outdated_of(info: StoreInfo, digest: str | None = None) -> dict[str, str]:
    """Find the analyses of a store that are out of date.

    Args:
        info: the store.
        digest: digest of its trials, from `digest_of`; if None, trials are not compared.

    Returns:
        By name of the analysis, the reason.
    """
    reasons = {}
    for name, attributes in present_analyses(info).items():
        origin, analysis = recorded(attributes), analysis_of(name)
        later = digest is not None and origin.get("results", digest) != digest
        if analysis is None:
            if later or OUTDATED in attributes:
                reasons[name] = LATER_TRIALS
            continue
        settings = analysis.asked(info, origin.get("along"))
        if settings is None:
            reasons[name] = NOT_ASKED
        elif not origin:
            reasons[name] = UNKNOWN_TRIALS
        elif origin.get("settings") != settings:
            reasons[name] = OTHER_SETTINGS
        elif origin.get("version", 1) != analysis.version:
            reasons[name] = OTHER_VERSION
        elif later or OUTDATED in attributes:
            reasons[name] = LATER_TRIALS
    return reasons


def describe(info: StoreInfo, digest: str) -> dict[str, dict[str, Any]]:
    """Describe the analyses of a store.

    Args:
        info: the store.
        digest: digest of its trials, from `digest_of`.

    Returns:
        By name: `trials`, the number of trials it was made from; `outdated`, why it is out of date
        or None; and `along`, the axis, and `below`, the error below which a trial succeeds, if a
        command named them.
    """
    outdated = outdated_of(info, digest)
    present = present_analyses(info)
    for name, why in damaged_analyses(info.path, present).items():
        outdated[name] = f"it is damaged ({why})"
    return {
        name: {"trials": attributes.get("trials_used"), "outdated": outdated.get(name)}
        | {key: value for key, value in recorded(attributes).items() if key in BY_COMMAND}
        for name, attributes in present.items()
    }


def not_made(info: StoreInfo) -> list[str]:
    """List the analyses that the sweep of a store asks for and that the store does not hold.

    An analysis that is not installed is listed by its table in the sweep file.
    """
    present, axis = present_analyses(info), info.sweep.fit.along
    missing = []
    for analysis in analyses():
        along = recorded(present.get(analysis.name, {})).get("along", axis)
        other = bool(axis) and analysis.takes_along and along != axis
        other |= "below" in recorded(present.get(analysis.name, {}))
        if analysis.asked(info, None) is not None and (analysis.name not in present or other):
            missing.append(analysis.name)
    return [*missing, *(f"[{table}] ({NOT_INSTALLED})" for table in info.sweep.unread)]


def mark(info: StoreInfo, writes: bool) -> None:
    """Mark the analyses of a store that a run will make out of date, before it writes a trial.

    Args:
        info: the store, with the sweep of the run.
        writes: whether the run has trials to write.
    """
    present = present_analyses(info)
    readers = [name for name in present if writes and _reads_trials(name, present[name])]
    _mark(info, dict.fromkeys(readers, LATER_TRIALS) | outdated_of(info))


def mark_late(info: StoreInfo) -> None:
    """Mark the analyses that were made during a run and lack its later trials."""
    unmarked = {n: a for n, a in present_analyses(info).items() if OUTDATED not in a}
    if not any(_reads_trials(name, attributes) for name, attributes in unmarked.items()):
        return
    _mark(info, outdated_of(info, Trials(info).digest))


def _mark(info: StoreInfo, reasons: dict[str, str]) -> None:
    present = present_analyses(info)
    mark_outdated(
        info.path,
        {name: why for name, why in reasons.items() if OUTDATED not in present.get(name, {})},
    )


def present_analyses(info: StoreInfo) -> dict[str, dict[str, Any]]:
    """Read the attributes of a store's analyses, by name; registered ones first, in their order.

    A group that is a copy of an analysis under another name is the user's, and is left out.
    """
    registered = [analysis.name for analysis in analyses()]
    others = [name for name in analysis_groups(info.path) if name not in registered]
    return read_analyses(info.path, [*registered, *others])


def _reads_trials(name: str, attributes: dict[str, Any]) -> bool:
    analysis = analysis_of(name)
    return analysis.reads_trials if analysis else "results" in recorded(attributes)


def recorded(attributes: dict[str, Any]) -> dict[str, Any]:
    """Read what an analysis was made from; empty if an earlier version made it."""
    try:
        origin = json.loads(str(attributes["made_from"]))
    except (KeyError, ValueError):
        return {}
    return origin if isinstance(origin, dict) else {}
