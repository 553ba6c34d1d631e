"""What a store holds, counted."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import xarray as xr

from ..store import Status, StoreInfo, survey_store
from ..sweeps import Grid
from ..sweeps.sharing import shared_draws
from ..tasks.audits import audit_abandonment
from .freshness import describe, not_made
from .shown import Shown
from .trials import digest_of

SHOWN_ERRORS = 5
READ = ("success", "seconds", "abandonment", "error")


@dataclass(frozen=True)
class Counts:
    """Trials of a store by status; `total` omits excluded ones."""

    total: int
    done: int
    crashed: int
    pending: int
    excluded: int


class Damaged(TypedDict):
    """What is missing or damaged, and how to mend it."""

    what: str
    remedy: str


class Crash(TypedDict):
    """A text that crashed trials said, how many said it, and where the first of them is."""

    error: str
    trials: int
    first: dict[str, Any]


@dataclass(frozen=True)
class StoreStatus(Shown):
    """What a store holds.

    Attributes:
        store: its path.
        sweep: the name of its sweep.
        title: likewise.
        hash: of the experiment.
        axes: how many values each axis has.
        trials: counted by status.
        successes: among the trials that are done; None where trials neither succeed nor fail.
        trial_seconds: of all trials together.
        abandonment: counts of abandoned and audited runs, and the share of wrong ones; None
            without any.
        analyses: those that the store holds, by name: of how many `trials`, why `outdated`.
        not_made: those that the sweep asks for and that are not there.
        errors: the first crashed trials, each with its coordinates and its `error`.
        crashes: the texts of all crashed trials.
        damaged: files that are missing or damaged.
        machine: what decides the last bits of results.
        kernel_version: of the task.
    """

    store: str
    sweep: str
    title: str
    hash: str
    axes: dict[str, int]
    trials: Counts
    successes: int | None
    trial_seconds: float
    abandonment: dict[str, Any] | None
    analyses: dict[str, dict[str, Any]]
    not_made: list[str]
    errors: list[dict[str, Any]]
    crashes: list[Crash]
    damaged: list[Damaged]
    machine: str | None
    kernel_version: int | None

    def rows(self) -> Mapping[str, str]:
        """Give the figures as text."""
        from .tables import status_rows

        return status_rows(self)


def store_status(path: Path) -> StoreStatus:
    """Count the trials of a store by status, and say what crashed ones said and what is damaged.

    Trials whose results are missing or damaged count as pending.
    """
    info, found = survey_store(path, READ)
    status, seconds = found.status, found.values.get("seconds", np.array([]))
    success, abandonment = (found.values.get(name) for name in ("success", "abandonment"))
    counts = {state.name.lower(): int((status == state).sum()) for state in Status}
    done = status == Status.DONE
    errors, crashes = _errors(info, status, found.values.get("error"))
    return StoreStatus(
        store=str(path),
        sweep=info.sweep.name,
        title=info.sweep.title,
        hash=info.sweep.hash,
        axes={name: len(values) for name, values in info.sweep.axes.items()},
        trials=Counts(total=int(status.size) - counts["excluded"], **counts),
        successes=None if success is None else int((success[done] > 0).sum()),
        trial_seconds=float(np.nansum(seconds)),
        abandonment=None if abandonment is None else _audit(info, abandonment),
        analyses=describe(info, digest_of(status, success)),
        not_made=not_made(info),
        errors=errors,
        crashes=crashes,
        damaged=[{"what": str(damage), "remedy": damage.remedy} for damage in found.damages],
        machine=info.attributes.get("machine"),
        kernel_version=info.attributes.get("kernel_version"),
    )


def _audit(info: StoreInfo, abandonment: np.ndarray) -> dict[str, Any] | None:
    if not (abandonment > 0).any():
        return None
    sweep = info.sweep
    found = audit_abandonment(xr.DataArray(abandonment, dims=info.layout.dims))
    values = {str(name): array.item() for name, array in found.items()}
    # Points that share draws, as those of several solvers or targets do, are no sample of one rate.
    axes = [name for name, listed in sweep.axes.items() if len(listed) > 1]
    is_sample = shared_draws(Grid(sweep), axes) == ((), None)
    if not values["audited"] or not is_sample:
        values |= {"wrong_rate": None, "wrong_rate_low": None, "wrong_rate_high": None}
    return values


def _errors(
    info: StoreInfo, status: np.ndarray, errors: np.ndarray | None
) -> tuple[list[dict[str, Any]], list[Crash]]:
    """Give the first crashed trials one by one, and all of them by what they said."""
    crashed = np.argwhere(status == Status.CRASHED)
    if errors is None or not len(crashed):
        return [], []
    axes = (*info.sweep.axes.values(), range(info.sweep.trials))

    def place_of(index: np.ndarray) -> dict[str, Any]:
        values = (known[i] for known, i in zip(axes, index, strict=True))
        return dict(zip(info.layout.dims, values, strict=True))

    texts = [str(text) for text in errors[tuple(crashed.T)]]
    first = dict(zip(reversed(texts), reversed(crashed), strict=True))
    shown = [
        {**place_of(index), "error": text}
        for index, text in zip(crashed[:SHOWN_ERRORS], texts, strict=False)
    ]
    crashes: list[Crash] = [
        {"error": text, "trials": count, "first": place_of(first[text])}
        for text, count in Counter(texts).most_common()
    ]
    return shown, crashes
