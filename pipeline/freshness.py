"""Whether the fits of a store are still those of its trials and of its sweep.

An analysis carries what it was made from: a digest of the trials that it read, and the settings of
the sweep that asked for it. Where either has changed, `run` marks it, `status` tells it, and `fit`
makes it again or removes it.
"""

import hashlib
import json
from collections.abc import Collection
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from ..store import (
    OUTDATED,
    Status,
    StoreInfo,
    damaged_analyses,
    load_results,
    mark_outdated,
    read_analyses,
    remove_analysis,
    write_analysis,
)
from ..sweeps import Sweep

TRANSITION, LAW, COMPARISON = "transition", "law", "comparison"
UNIFORM, BASIN_GROUP, TRAJECTORY = "uniform", "basin", "trajectory"
# A trajectory is drawn again: it reads no trial.
OF_TRIALS = (TRANSITION, LAW, COMPARISON, UNIFORM, BASIN_GROUP)
ANALYSES = (*OF_TRIALS, TRAJECTORY)
LATER = "trials were run after it was made"
OTHERWISE = "the sweep asks for another one by now"
NO_LONGER = "the sweep names it no longer"
UNKNOWN = "an earlier version made it, which did not say of which trials"


class Analyst:
    """Writes the analyses of one call of `fit`, each with what it was made from."""

    def __init__(self, info: StoreInfo, along: str | None):
        """Read which trials there are.

        Args:
            info: the store.
            along: the axis that the command names for the transition; None if the sweep does.
        """
        self.info, self.along = info, along
        results = load_results(info.path, evidence_names(info))
        self.status = results["status"]
        success = results["success"].values if "success" in results else None
        self.digest = digest_of(self.status.values, success)
        self.written: set[str] = set()

    def write(self, name: str, dataset: xr.Dataset) -> None:
        """Write an analysis into the store."""
        wanted = settings_of(self.info.sweep, name, self.along)
        made_from: dict[str, Any] = {"settings": wanted}
        if self.along is not None and name in (TRANSITION, COMPARISON):
            made_from["along"] = self.along
        if name in OF_TRIALS:
            made_from["results"] = self.digest
            used = int((self.status == Status.DONE).sum())
            dataset = dataset.assign_attrs(trials_used=used)
        write_analysis(self.info.path, name, dataset, json.dumps(made_from))
        self.written.add(name)

    def clear(self) -> None:
        """Remove those that were not made this time, but for a transition that a command asked for.

        That one stays as long as its trials are the same.
        """
        found = read_analyses(self.info.path, ANALYSES)
        outdated = outdated_of(self.info, self.digest)
        for name in sorted(set(found) - self.written):
            by_command = "along" in _made_from(found[name])
            if not (name == TRANSITION and by_command and name not in outdated):
                remove_analysis(self.info.path, name)


def evidence_names(info: StoreInfo) -> list[str]:
    """Name the variables that `digest_of` takes."""
    return ["status", *(["success"] if "success" in info.variables else [])]


def digest_of(status: np.ndarray, success: np.ndarray | None) -> str:
    """Digest which trials are done, which crashed, and which succeeded.

    Args:
        status: of every trial.
        success: likewise, with NaN or −1 for trials that were not run; None where there is none.
    """
    content = hashlib.sha256(str(status.shape).encode())
    content.update(status.astype(np.int8).tobytes())
    if success is not None:
        content.update(np.nan_to_num(success, nan=-1).astype(np.int8).tobytes())
    return content.hexdigest()[:32]


def settings_of(sweep: Sweep, name: str, along: str | None) -> dict[str, Any] | None:
    """Give what of a sweep decides an analysis; None if the sweep does not ask for it."""
    axis = along or sweep.fit.along
    targets = len(sweep.axes.get("target", ()))
    asked: dict[str, Any] = {
        TRANSITION: {"along": axis, "direction": sweep.fit.direction} if axis else None,
        LAW: sweep.law and sweep.law.model_dump(mode="json"),
        COMPARISON: sweep.compare
        and sweep.compare.model_dump(mode="json")
        | {"along": axis, "direction": sweep.fit.direction},
        UNIFORM: {"targets": targets} if targets > 1 else None,
        BASIN_GROUP: sweep.basins and sweep.basins.model_dump(mode="json"),
        TRAJECTORY: {} if sweep.task == "landscape" else None,
    }
    found: dict[str, Any] | None = asked[name]
    return found


def outdated_of(info: StoreInfo, digest: str | None = None) -> dict[str, str]:
    """Say which analyses of a store are out of date, and why.

    Args:
        info: the store.
        digest: of its trials, from `digest_of`; None leaves trials aside.
    """
    found = {}
    for name, attributes in read_analyses(info.path, ANALYSES).items():
        made_from = _made_from(attributes)
        wanted = settings_of(info.sweep, name, made_from.get("along"))
        later = digest is not None and name in OF_TRIALS and made_from.get("results") != digest
        if wanted is None:
            found[name] = NO_LONGER
        elif not made_from:
            found[name] = UNKNOWN
        elif made_from.get("settings") != wanted:
            found[name] = OTHERWISE
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
    present = read_analyses(info.path, ANALYSES)
    for name, why in damaged_analyses(info.path, present).items():
        outdated[name] = f"it is damaged ({why})"
    return {
        name: {"trials": attributes.get("trials_used"), "outdated": outdated.get(name)}
        | {key: value for key, value in _made_from(attributes).items() if key == "along"}
        for name, attributes in present.items()
    }


def not_made(info: StoreInfo) -> list[str]:
    """Name the analyses that the sweep of a store asks for and that the store does not hold."""
    present = read_analyses(info.path, ANALYSES)
    asked = partial(settings_of, info.sweep, along=None)
    missing = [n for n in ANALYSES if n not in present and asked(n) is not None]
    axis = info.sweep.fit.along
    if axis and _made_from(present.get(TRANSITION, {})).get("along", axis) != axis:
        missing.insert(0, TRANSITION)
    return missing


def mark(info: StoreInfo, writes: bool) -> None:
    """Mark the analyses of a store that a run makes out of date, before it writes a trial.

    Args:
        info: the store, with the sweep of the run.
        writes: whether the run has trials to write.
    """
    present = read_analyses(info.path, ANALYSES)
    reasons = dict.fromkeys(_of_trials(present), LATER) if writes else {}
    reasons |= outdated_of(info)
    mark_outdated(
        info.path,
        {name: why for name, why in reasons.items() if OUTDATED not in present[name]},
    )


def _of_trials(names: Collection[str]) -> list[str]:
    return [name for name in names if name in OF_TRIALS]


def _made_from(attributes: dict[str, Any]) -> dict[str, Any]:
    """Read what an analysis says it was made from; nothing where an earlier version made it."""
    try:
        found = json.loads(str(attributes["made_from"]))
    except (KeyError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
