"""The status of a store: counts of trials, successes and crashes, analyses, and damages."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import xarray as xr

from ..store import Record, Status, StoreInfo, WrongStoreError, is_vacant, read_info, survey_store
from ..store.records import read_records
from ..sweeps import Grid, UserError
from ..sweeps.placing import axis_sizes
from ..sweeps.sharing import shared_draws
from ..tasks.statistics.audits import audit_abandonment, audited_variable
from .fit.freshness import describe, not_made
from .fit.trials import digest_of
from .run.placed import groups_of
from .show.shown import Shown

SHOWN_ERRORS = 5
MOST = 1e15  # of any figure of a record
READ = ("success", "seconds", "error")


@dataclass(frozen=True)
class Counts:
    """Numbers of trials of a store by status.

    `total` does not include those that are excluded or that no command asked for.
    """

    total: int
    done: int
    crashed: int
    pending: int
    excluded: int
    not_asked: int


def counts_of(numbers: Mapping[Status, int]) -> Counts:
    """Name the numbers of trials by status, and add those that were asked for."""
    total = sum(numbers[state] for state in (Status.PENDING, Status.DONE, Status.CRASHED))
    return Counts(total=total, **{state.name.lower(): numbers[state] for state in Status})


class Damaged(TypedDict):
    """What is missing or damaged, and how to repair it."""

    what: str
    remedy: str


class Crash(TypedDict):
    """An error text, the number of trials that crashed with it, and the first one's coordinates."""

    error: str
    trials: int
    first: dict[str, Any]


class Running(TypedDict):
    """A run that writes the store now; times in seconds.

    Attributes:
        process: its process.
        host: the machine on which it runs.
        job: its batch job; "" outside of one.
        part: its part of the store, such as 3/16; "" if it writes alone.
        workers: trials run at a time; None until it has begun.
        total: trials that it was asked for; None until it has begun.
        done: trials of these that are done.
        crashed: trials of these that crashed.
        per_second: trials that it computes in a second; None until the first ones.
        seconds_left: how long it will take; None if that is unknown.
        groups: if it places trials, the number of groups that it was asked for; else 0 or None.
        groups_ended: groups of these that need no further trial.
        silent_seconds: time since its last sign.
    """

    process: int | None
    host: str
    job: str
    part: str
    workers: int | None
    total: int | None
    done: int | None
    crashed: int | None
    per_second: float | None
    seconds_left: float | None
    groups: int | None
    groups_ended: int | None
    silent_seconds: float


@dataclass(frozen=True, repr=False)
class StoreStatus(Shown):
    """The status of a store.

    Attributes:
        store: path of the store.
        sweep: name of its sweep.
        title: title of its sweep.
        hash: hash of the experiment.
        axes: number of values of each axis.
        trials: numbers of trials by status.
        successes: number of successes; None if the trials neither succeed nor fail.
        trial_seconds: time of all trials together.
        abandonment: numbers of abandoned and audited runs, and the rate of wrongly abandoned ones;
            None if there are none.
        analyses: the analyses in the store, by name: `trials`, their number of trials, and
            `outdated`, why it is out of date.
        not_made: the analyses that the sweep asks for and that the store does not hold.
        errors: the first crashed trials, each with its coordinates and its `error`.
        crashes: every error text once, with the number of trials.
        damaged: files that are missing or damaged.
        machine: processor family and BLAS, which decide the last bits of results.
        kernel_version: kernel version of the task.
        runs: the runs that write the store now.
        queue: state of each job of the last submission that waits or runs, if no run is alive.
        groups: if trials are placed, each group: its coordinates, `trials` that are done, the 50 %
            point `p50` with `p50_low` and `p50_high`, `reached`, the half-width of this interval
            over it, and `ended`, why it needs no further trial, or "".
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
    runs: list[Running]
    queue: dict[str, str]
    groups: list[dict[str, Any]]

    @property
    def groups_left(self) -> int:
        """Number of groups that need further trials, if these are placed."""
        return sum(not group["ended"] for group in self.groups)

    def rows(self) -> Mapping[str, str]:
        """Give the figures as text."""
        from .show.tables import status_rows

        return status_rows(self)


def store_status(path: Path) -> StoreStatus:
    """Count the trials of a store by status, and list its errors, analyses and damages.

    Trials whose results are missing or damaged count as pending.

    Args:
        path: the store.

    Raises:
        StoreError: there is no store, or its status cannot be read.
        NotMadeError: a job was submitted that should make the store.
    """
    try:
        audited = audited_variable(read_info(path).sweep.task)
    except WrongStoreError:
        if is_vacant(path):
            _tell_of_its_job(path)
        raise
    info, survey = survey_store(path, (*READ, *([audited] if audited else [])))
    status, seconds = survey.status, survey.values.get("seconds", np.array([]))
    success = survey.values.get("success")
    abandonment = survey.values.get(audited) if audited else None
    counts = counts_of({state: int((status == state).sum()) for state in Status})
    done, runs = status == Status.DONE, running(path)
    errors, crashes = _errors(info, status, survey.values.get("error"))
    return StoreStatus(
        store=str(path),
        sweep=info.sweep.name,
        title=info.sweep.title,
        hash=info.sweep.hash,
        axes=axis_sizes(info.sweep),
        trials=counts,
        successes=None if success is None else int((success[done] > 0).sum()),
        trial_seconds=float(np.nansum(seconds)),
        abandonment=None if abandonment is None else _audit(info, abandonment),
        analyses=describe(info, digest_of(status, success)),
        not_made=not_made(info),
        errors=errors,
        crashes=crashes,
        damaged=[{"what": str(damage), "remedy": damage.remedy} for damage in survey.damages],
        machine=info.attributes.get("machine"),
        kernel_version=info.attributes.get("kernel_version"),
        runs=runs,
        queue={} if runs or counts.done == counts.total else _queue(path),
        groups=[] if info.sweep.placed is None else groups_of(info, survey),
    )


def running(path: Path) -> list[Running]:
    """List the runs whose records can be read and that are not known to be dead."""
    try:
        records = read_records(path)
    except (OSError, UserError):
        return []
    return [_running(record) for record in records if record.fields and not record.is_dead()]


def _tell_of_its_job(path: Path) -> None:
    """Raise NotMadeError if a job was submitted that should make a store."""
    from .batch.submitted import check_made

    check_made(path)


def _queue(path: Path) -> dict[str, str]:
    """Ask Slurm for the jobs of the last submission; none if it does not answer."""
    from .batch.submitted import last_submission

    last = last_submission(path)
    return {} if last is None else last.states() or {}


def _running(record: Record) -> Running:
    """Take from a record what has the type that it should have: others may have written it."""
    fields, silent = record.fields, record.age()
    figures = fields.get("figures")

    def number(name: str) -> int | float | None:
        value = figures.get(name) if isinstance(figures, dict) else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return value if 0 <= value < MOST else None

    def count(name: str) -> int | None:
        value = number(name)
        return None if value is None else int(value)

    total, done, crashed = count("total"), count("done"), count("crashed")
    computed, seconds = number("computed"), number("seconds")
    rate = computed / seconds if computed and seconds else None
    groups, left = count("groups"), None
    if groups and (told := number("left")) is not None:
        left = max(0.0, told - silent)
    elif not groups and rate is not None and total is not None:
        left = max(0.0, (total - (done or 0) - (crashed or 0)) / rate - silent)
    process = fields.get("process")
    return {
        "process": process if isinstance(process, int) else None,
        "host": str(fields.get("host", "")),
        "job": str(fields.get("job", "")),
        "part": str(record.part or ""),
        "workers": count("workers"),
        "total": total,
        "done": done,
        "crashed": crashed,
        "per_second": rate,
        "seconds_left": left,
        "groups": groups,
        "groups_ended": count("groups_ended"),
        "silent_seconds": silent,
    }


def _audit(info: StoreInfo, abandonment: np.ndarray) -> dict[str, Any] | None:
    if not (abandonment > 0).any():
        return None
    sweep = info.sweep
    audits = audit_abandonment(xr.DataArray(abandonment, dims=info.layout.dims))
    values = {str(name): array.item() for name, array in audits.items()}
    # Points that share draws, such as those of several solvers or targets, are not independent.
    axes = [name for name, listed in sweep.axes.items() if len(listed) > 1]
    is_sample = shared_draws(Grid(sweep), axes) == ((), None)
    if not values["audited"] or not is_sample:
        values |= {"wrong_rate": None, "wrong_rate_low": None, "wrong_rate_high": None}
    return values


def _errors(
    info: StoreInfo, status: np.ndarray, errors: np.ndarray | None
) -> tuple[list[dict[str, Any]], list[Crash]]:
    """List the first crashed trials, and count all of them by their error text."""
    crashed = np.argwhere(status == Status.CRASHED)
    if errors is None or not len(crashed):
        return [], []
    axes = [
        info.sweep.axes[dim] if dim in info.sweep.axes else range(size)
        for dim, size in info.layout.sizes.items()
    ]

    def coordinates_of(index: np.ndarray) -> dict[str, Any]:
        values = (known[i] for known, i in zip(axes, index, strict=True))
        return dict(zip(info.layout.dims, values, strict=True))

    texts = [str(text) for text in errors[tuple(crashed.T)]]
    first = dict(zip(reversed(texts), reversed(crashed), strict=True))
    shown = [
        {**coordinates_of(index), "error": text}
        for index, text in zip(crashed[:SHOWN_ERRORS], texts, strict=False)
    ]
    crashes: list[Crash] = [
        {"error": text, "trials": count, "first": coordinates_of(first[text])}
        for text, count in Counter(texts).most_common()
    ]
    return shown, crashes
