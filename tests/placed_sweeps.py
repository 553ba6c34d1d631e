"""Tiny sweeps whose trials are placed, and the trials of a store whatever its layout."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from helpers import comparable, results, tiny_sweep

from genprior.store import Status
from genprior.sweeps import Sweep

Trial = tuple[int, int, int]
ENDED = (Status.DONE, Status.CRASHED)
NAMES = ("success", "latent_error", "iterations")


def placed_sweep(*settings: str, **changes: Any) -> Sweep:
    """Groups k = 2 and 4 of the scripted task, whose 50 % point is m = 6; 48 trials a group."""
    axes = {"k": [2, 4], "m": [2, 60]}
    given = {"axes": axes, "adaptive": {"precision": 0.9, "most": 128}, "blocks": {"trials": 99}}
    return tiny_sweep(*settings, **{**given, **changes})


def trials_of(path: Path, states: tuple[Status, ...] = ENDED) -> dict[Trial, tuple[Any, ...]]:
    """Status, results and error of each trial by its k, m and number."""
    held = results(path)
    names = ("k", "m", "trial", "status", *NAMES, "error")
    rows = zip(
        *(held[name].broadcast_like(held["status"]).values.ravel().tolist() for name in names),
        strict=True,
    )
    return {
        (int(k), int(m), int(trial)): (int(status), *map(repr, values))
        for k, m, trial, status, *values in rows
        if status in states
    }


def in_order(path: Path, k: int) -> list[tuple[int, int, int]]:
    """Value, number and round of the trials of a group, in the order of its probes."""
    group = results(path).sel(k=k)
    asked = group["status"].values != Status.NOT_ASKED
    columns = (group[name].values[asked].astype(int).tolist() for name in ("m", "trial", "round"))
    return list(zip(*columns, strict=True))


def statuses(path: Path) -> dict[str, int]:
    """The number of trials by status; those without trials are left out."""
    status = results(path)["status"].values
    return {state.name: int((status == state).sum()) for state in Status if (status == state).any()}


def assert_same_store(path: Path, expected: Path) -> None:
    """Everything is equal but times, and where the trials come from."""
    held, known = comparable(path), comparable(expected)
    for dataset in (held, known):
        dataset.attrs.pop("merged_from", None)
        dataset.attrs.pop("host", None)
    xr.testing.assert_identical(held, known)


def assert_no_trial_twice(path: Path) -> None:
    """No group has the same value and number twice, and all that is asked has both."""
    held = results(path)
    for k in held["k"].values.tolist():
        placed = [(value, number) for value, number, _ in in_order(path, k)]
        assert len(placed) == len(set(placed))
        assert np.min(placed) >= 0
