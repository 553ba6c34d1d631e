"""What a store holds, counted."""

from pathlib import Path
from typing import Any

import numpy as np

from ..store import Status, load_results, read_info

SHOWN_ERRORS = 5


def store_status(path: Path) -> dict[str, Any]:
    """Count the trials of a store by status, and say what crashed ones said."""
    info = read_info(path)
    results = load_results(path, ["status", "success", "seconds"])
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
        "successes": int(np.nansum(results["success"].values[done])),
        "trial_seconds": float(np.nansum(results["seconds"].values)),
        "errors": _errors(path, status),
        "machine": info.attributes.get("machine"),
        "kernel_version": info.attributes.get("kernel_version"),
    }


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
