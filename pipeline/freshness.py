"""Whether the fits of a store are still those of its trials and of its sweep.

An analysis carries what it was made from: a digest of the trials that it read, and the settings of
the sweep that asked for it. Where either has changed, `run` marks it, `status` tells it, `plot`
does without it, and `fit` makes it again or removes it.
"""

import json
from typing import Any

import xarray as xr

from ..store import (
    OUTDATED,
    StoreError,
    StoreInfo,
    analysis_groups,
    damaged_analyses,
    mark_outdated,
    open_analysis,
    read_analyses,
)
from .analyses import Analysis, Request, analyses, analysis_of
from .trials import Trials

LATER = "trials were run after it was made"
OTHERWISE = "the sweep asks for another one by now"
NO_LONGER = "the sweep names it no longer"
UNKNOWN = "an earlier version made it, which did not say of which trials"
OTHER_VERSION = "another version of the analysis made it"
NOT_HERE = "its analysis is not installed here"


def made_from(analysis: Analysis, request: Request) -> dict[str, Any]:
    """Say what an analysis of a request is made from, to be kept with it."""
    found: dict[str, Any] = {
        "analysis": analysis.name,
        "settings": analysis.asked(request.info, request.along),
    }
    if analysis.version != 1:
        found["version"] = analysis.version
    if request.along is not None and analysis.takes_along:
        found["along"] = request.along
    if analysis.reads_trials:
        found["results"] = request.trials.digest
    return found


def stored(analysis: Analysis, request: Request) -> xr.Dataset | None:
    """Load an analysis from the store of a request; None if it is not there, whole and current.

    Of one that depends on the axis of a transition, the axis has to be that of the request.
    """
    info, name = request.info, analysis.name
    attributes = read_analyses(info.path, [name]).get(name)
    if attributes is None or OUTDATED in attributes:
        return None
    wanted = json.loads(json.dumps(made_from(analysis, request)))
    # Who named the axis does not matter: it is among the settings. Earlier versions gave no name.
    aside = {"along": None, "analysis": None}
    if wanted | aside != recorded(attributes) | aside:
        return None
    try:
        return open_analysis(info.path, name).load()
    except (StoreError, ValueError, KeyError, TypeError, OSError):
        return None


def outdated_of(info: StoreInfo, digest: str | None = None) -> dict[str, str]:
    """Say which analyses of a store are out of date, and why.

    Args:
        info: the store.
        digest: of its trials, from `digest_of`; None leaves trials aside.
    """
    found = {}
    for name, attributes in present_analyses(info).items():
        kept, analysis = recorded(attributes), analysis_of(name)
        later = digest is not None and kept.get("results", digest) != digest
        if analysis is None:
            if later or OUTDATED in attributes:
                found[name] = LATER
            continue
        wanted = analysis.asked(info, kept.get("along"))
        if wanted is None:
            found[name] = NO_LONGER
        elif not kept:
            found[name] = UNKNOWN
        elif kept.get("settings") != wanted:
            found[name] = OTHERWISE
        elif kept.get("version", 1) != analysis.version:
            found[name] = OTHER_VERSION
        elif later or OUTDATED in attributes:
            found[name] = LATER
    return found


def describe(info: StoreInfo, digest: str) -> dict[str, dict[str, Any]]:
    """Give the analyses of a store by name: of how many trials, and why out of date if they are.

    With the axis along which a command asked for one.

    Args:
        info: the store.
        digest: of its trials, from `digest_of`.
    """
    outdated = outdated_of(info, digest)
    present = present_analyses(info)
    for name, why in damaged_analyses(info.path, present).items():
        outdated[name] = f"it is damaged ({why})"
    return {
        name: {"trials": attributes.get("trials_used"), "outdated": outdated.get(name)}
        | {key: value for key, value in recorded(attributes).items() if key == "along"}
        for name, attributes in present.items()
    }


def not_made(info: StoreInfo) -> list[str]:
    """Name the analyses that the sweep of a store asks for and that the store does not hold.

    Of those that are not installed here, the table in the sweep is named.
    """
    present, axis = present_analyses(info), info.sweep.fit.along
    missing = []
    for analysis in analyses():
        along = recorded(present.get(analysis.name, {})).get("along", axis)
        other_axis = bool(axis) and analysis.takes_along and along != axis
        if analysis.asked(info, None) is not None and (analysis.name not in present or other_axis):
            missing.append(analysis.name)
    return [*missing, *(f"[{table}] ({NOT_HERE})" for table in info.sweep.unread)]


def mark(info: StoreInfo, writes: bool) -> None:
    """Mark the analyses of a store that a run makes out of date, before it writes a trial.

    Args:
        info: the store, with the sweep of the run.
        writes: whether the run has trials to write.
    """
    present = present_analyses(info)
    reasons = {name: LATER for name in present if writes and _reads_trials(name, present[name])}
    _mark(info, reasons | outdated_of(info))


def mark_late(info: StoreInfo) -> None:
    """Mark the analyses that were made while a run went on, and that lack its later trials."""
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
    """Read the attributes of the analyses of a store: the registered ones first, in their order.

    A copy under another name is the user's.
    """
    known = [analysis.name for analysis in analyses()]
    others = [name for name in analysis_groups(info.path) if name not in known]
    return read_analyses(info.path, [*known, *others])


def _reads_trials(name: str, attributes: dict[str, Any]) -> bool:
    analysis = analysis_of(name)
    return analysis.reads_trials if analysis else "results" in recorded(attributes)


def recorded(attributes: dict[str, Any]) -> dict[str, Any]:
    """Read what an analysis says it was made from; nothing where an earlier version made it."""
    try:
        found = json.loads(str(attributes["made_from"]))
    except (KeyError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
