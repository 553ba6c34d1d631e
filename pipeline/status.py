"""What a store holds, counted."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..store import Status, StoreInfo, survey_store
from ..sweeps import Grid
from ..sweeps.sharing import shared_draws
from ..tasks.audits import audit_abandonment
from .freshness import describe, not_made
from .trials import digest_of

SHOWN_ERRORS = 5
READ = ("success", "seconds", "abandonment", "error")


def store_status(path: Path) -> dict[str, Any]:
    """Count the trials of a store by status, and say what crashed ones said and what is damaged.

    Trials whose results are missing or damaged count as pending.
    """
    info, found = survey_store(path, READ)
    status, seconds = found.status, found.values.get("seconds", np.array([]))
    success, abandonment = (found.values.get(name) for name in ("success", "abandonment"))
    counts = {state.name.lower(): int((status == state).sum()) for state in Status}
    done = status == Status.DONE
    return {
        "store": str(path),
        "sweep": info.sweep.name,
        "title": info.sweep.title,
        "hash": info.sweep.hash,
        "axes": {name: len(values) for name, values in info.sweep.axes.items()},
        "trials": {
            "total": int(status.size) - counts["excluded"],
            "done": counts["done"],
            "crashed": counts["crashed"],
            "pending": counts["pending"],
            "excluded": counts["excluded"],
        },
        "successes": None if success is None else int((success[done] > 0).sum()),
        "trial_seconds": float(np.nansum(seconds)),
        "abandonment": None if abandonment is None else _audit(info, abandonment),
        "analyses": describe(info, digest_of(status, success)),
        "not_made": not_made(info),
        **_errors(info, status, found.values.get("error")),
        "damaged": [{"what": str(damage), "remedy": damage.remedy} for damage in found.damages],
        "machine": info.attributes.get("machine"),
        "kernel_version": info.attributes.get("kernel_version"),
    }


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


def _errors(info: StoreInfo, status: np.ndarray, errors: np.ndarray | None) -> dict[str, Any]:
    """Give the first crashed trials one by one, and all of them by what they said."""
    crashed = np.argwhere(status == Status.CRASHED)
    if errors is None or not len(crashed):
        return {"errors": [], "crashes": []}
    axes = (*info.sweep.axes.values(), range(info.sweep.trials))

    def place_of(index: np.ndarray) -> dict[str, Any]:
        values = (known[i] for known, i in zip(axes, index, strict=True))
        return dict(zip(info.layout.dims, values, strict=True))

    texts = [str(text) for text in errors[tuple(crashed.T)]]
    first = dict(zip(reversed(texts), reversed(crashed), strict=True))
    return {
        "errors": [
            {**place_of(index), "error": text}
            for index, text in zip(crashed[:SHOWN_ERRORS], texts, strict=False)
        ],
        "crashes": [
            {"error": text, "trials": count, "first": place_of(first[text])}
            for text, count in Counter(texts).most_common()
        ],
    }
