"""What a store holds, counted."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..store import Status, load_results, read_info
from ..sweeps import Grid, Sweep
from ..sweeps.sharing import shared_draws
from ..tasks.audits import audit_abandonment
from .freshness import describe

SHOWN_ERRORS = 5


def store_status(path: Path) -> dict[str, Any]:
    """Count the trials of a store by status, and say what crashed ones said."""
    info = read_info(path)
    audited = "abandonment" in info.variables
    counted = "success" in info.variables
    names = ["status", "seconds", *(["success"] if counted else [])]
    names += ["abandonment"] if audited else []
    results = load_results(path, names)
    status = results["status"].values
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
        "successes": int(np.nansum(results["success"].values[done])) if counted else None,
        "trial_seconds": float(np.nansum(results["seconds"].values)),
        "abandonment": _audit(info.sweep, results) if audited else None,
        "analyses": describe(info, results),
        "errors": _errors(path, status),
        "machine": info.attributes.get("machine"),
        "kernel_version": info.attributes.get("kernel_version"),
    }


def _audit(sweep: Sweep, results: xr.Dataset) -> dict[str, Any] | None:
    if not (results["abandonment"] > 0).any():
        return None
    found = audit_abandonment(results["abandonment"])
    values = {str(name): array.item() for name, array in found.items()}
    # Points that share draws, as those of several solvers or targets do, are no sample of one rate.
    axes = [name for name, listed in sweep.axes.items() if len(listed) > 1]
    is_sample = shared_draws(Grid(sweep), axes) == ((), None)
    if not values["audited"] or not is_sample:
        values |= {"wrong_rate": None, "wrong_rate_low": None, "wrong_rate_high": None}
    return values


def _errors(path: Path, status: np.ndarray) -> list[dict[str, Any]]:
    if not (status == Status.CRASHED).any():
        return []
    errors = load_results(path, ["error"])["error"]
    found = []
    for index in np.argwhere(status == Status.CRASHED)[:SHOWN_ERRORS]:
        one = errors[tuple(int(i) for i in index)]
        place = {str(dim): one.coords[dim].item() for dim in errors.dims}
        found.append({**place, "error": str(one.item())})
    return found
