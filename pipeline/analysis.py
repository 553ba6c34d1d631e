"""Fitting what a store holds, as its sweep asks, and keeping the fits beside it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr

from ..store import StoreInfo, exclusive, load_results, read_info
from ..sweeps import Grid, SweepError
from ..sweeps.directions import direction_along, least_value
from ..sweeps.errors import did_you_mean
from ..sweeps.sharing import check_separate
from ..tasks.audits import LONG_NAMES as AUDIT_FIELDS
from ..tasks.audits import audit_abandonment
from ..tasks.fits import fit_transitions
from ..tasks.uniform import worst_over_targets
from .basins import basin_rows, basins_of, check_basins_of
from .comparisons import check_comparison_of, compare_of, comparison_rows
from .crashes import with_crashes
from .freshness import (
    BASIN_GROUP,
    COMPARISON,
    LAW,
    TRAJECTORY,
    TRANSITION,
    UNIFORM,
    Analyst,
)
from .landscapes import is_landscape, trajectories_of, trajectory_rows
from .laws import check_law_of, fit_law_of, law_rows
from .rows import indices, plain_values
from .uniform import number_of_targets, uniform_of, uniform_rows

FOUND = ("transitions", "laws", "comparisons", "uniform", "basins", "trajectories")
JSON_FIELDS = (
    "outcome", "p50", "p50_low", "p50_high", "width", "width_low", "width_high",
    "ceiling", "ceiling_low", "ceiling_high", "direction", "trials", "crashed", "flag",
)  # fmt: skip
RATES = ("wrong_rate", "wrong_rate_low", "wrong_rate_high")


def fit_store(path: Path, along: str | None = None) -> dict[str, Any]:
    """Make every fit that a store's sweep names, write them into it, and give them as plain values.

    Those of earlier calls that it does not make again are removed.

    Args:
        path: the store.
        along: axis of the transition; the sweep's `fit.along` if None.

    Raises:
        SweepError: the sweep names nothing to fit, or what cannot be fitted.
        StoreError: the store cannot be read or written.
    """
    check_fits(read_info(path), along)
    with exclusive(path):
        info = read_info(path)
        refused = check_fits(info, along)
        found: dict[str, Any] = {group: [] for group in FOUND}
        found["left_out"] = list(refused.values())
        found |= {"expected": info.sweep.expected, "source": info.sweep.source}
        fitted = None
        analyst = Analyst(info, along)
        if number_of_targets(info) and "success" in info.variables:
            uniform = with_crashes(uniform_of(info), analyst.status, "success_all")
            analyst.write(UNIFORM, uniform)
            found |= {"uniform": uniform_rows(uniform), "level": uniform.attrs["level"]}
        if along or info.sweep.fit.along:
            fitted = with_crashes(fit_transitions_of(info, along), analyst.status, "p50")
            analyst.write(TRANSITION, fitted)
            found |= as_json(fitted)
        if info.sweep.law and LAW not in refused:
            law = with_crashes(fit_law_of(info), analyst.status, "constant")
            analyst.write(LAW, law)
            found |= {"laws": law_rows(law), "level": law.attrs["level"]}
        if info.sweep.compare and COMPARISON not in refused:
            compared = with_crashes(compare_of(info, fitted), analyst.status, "rate")
            analyst.write(COMPARISON, compared)
            found |= {"comparisons": comparison_rows(compared), "level": compared.attrs["level"]}
        if info.sweep.basins and BASIN_GROUP not in refused:
            basins = with_crashes(basins_of(info), analyst.status, "runs")
            analyst.write(BASIN_GROUP, basins)
            found |= {"basins": basin_rows(basins), "level": basins.attrs["level"]}
        if is_landscape(info):
            trajectories = trajectories_of(info)
            analyst.write(TRAJECTORY, trajectories)
            found |= {"trajectories": trajectory_rows(trajectories)}
        analyst.clear()
    return found


def check_fits(info: StoreInfo, along: str | None) -> dict[str, str]:
    """Refuse, before anything is fitted, a sweep of which nothing can be.

    Returns:
        Which of its fits have to be left out, and why.

    Raises:
        SweepError: saying what is missing.
    """
    sweep = info.sweep
    reads = sweep.law or sweep.compare or sweep.basins or is_landscape(info)
    if along or sweep.fit.along or not (reads or number_of_targets(info)):
        axis = transition_axis(info, along)
        if sweep.compare and sweep.compare.over == axis:
            raise SweepError(
                f"--along: {axis!r} is compare.over too; compare the values of another axis."
            )
    refused = _refusals(info, along)
    asked = {LAW: sweep.law, COMPARISON: sweep.compare, BASIN_GROUP: sweep.basins}
    others = along or sweep.fit.along or number_of_targets(info) or is_landscape(info)
    if refused and not others and not any(asked[name] for name in set(asked) - set(refused)):
        raise SweepError(next(iter(refused.values())))
    return refused


def _refusals(info: StoreInfo, along: str | None) -> dict[str, str]:
    """Say which of the fits of a sweep its store does not allow, and why."""
    found = {}
    checks: dict[str, Callable[[], object]] = {
        LAW: partial(check_law_of, info),
        COMPARISON: partial(check_comparison_of, info, along or info.sweep.fit.along),
        BASIN_GROUP: partial(check_basins_of, info),
    }
    for name, check in checks.items():
        try:
            check()
        except SweepError as error:
            found[name] = str(error)
    return found


def fit_transitions_of(info: StoreInfo, along: str | None = None) -> xr.Dataset:
    """Fit the transitions of a store's results."""
    axis = transition_axis(info, along)
    audited = "abandonment" in info.variables
    results = load_results(info.path, ["success", *(["abandonment"] if audited else [])])
    try:
        fitted = fit_transitions(
            worst_over_targets(results[["success"]])["success"],
            axis,
            direction=direction_along(info.sweep, axis),
            floor=least_value(axis),
        )
    except ValueError as error:
        raise SweepError(f"{info.path}: {error}") from None
    if not audited:
        return fitted
    abandonment = results["abandonment"]
    if not (abandonment > 0).any():
        return fitted
    # Runs are audited one by one, also where several targets make a trial.
    runs = [dim for dim in abandonment.dims if dim not in fitted["p50"].dims]
    audits = audit_abandonment(abandonment, [str(dim) for dim in runs])
    if number_of_targets(info):
        # Targets of one trial share its draws, and are no sample of one rate.
        for name in ("wrong_rate", "wrong_rate_low", "wrong_rate_high"):
            audits[name] = audits[name].where(False)
    return fitted.merge(audits, compat="override", join="exact", combine_attrs="override")


def transition_axis(info: StoreInfo, along: str | None = None) -> str:
    """Find the axis of the transition, and check that it may be one."""
    sweep = info.sweep
    axis = along or sweep.fit.along
    if "success" not in info.variables:
        raise SweepError(
            f"{info.path}: trials of task '{sweep.task}' neither succeed nor fail; there is no "
            "transition to fit."
        )
    if axis is None:
        raise SweepError(
            f"{info.path}: its sweep names no fit.along, no law and nothing to compare; give "
            f"--along one of {', '.join(sweep.axes)}."
        )
    if axis not in sweep.axes:
        raise SweepError(f"--along: {axis!r} is no axis. {did_you_mean(axis, sweep.axes)}")
    check_separate(Grid(sweep), axis, f"{info.path}: {'--along' if along else 'fit.along'}")
    return axis


def _audit_of(one: xr.Dataset) -> dict[str, Any]:
    """Give what is known of abandoned runs; no rate where none was audited."""
    counts = plain_values(one, [name for name in AUDIT_FIELDS if name in one])
    return counts if counts.get("audited") else counts | {n: None for n in RATES if n in counts}


def as_json(fitted: xr.Dataset) -> dict[str, Any]:
    """Give fits as rows, one a group, each with the group's coordinates."""
    along = fitted.attrs["along"]
    groups = list(fitted["p50"].dims)
    rows = []
    for index in indices(fitted["p50"]):
        one = fitted.isel(index)
        rows.append(
            {
                **{str(name): one.coords[name].item() for name in groups},
                "along": along,
                **plain_values(one, [name for name in JSON_FIELDS if name in one]),
                **_audit_of(one),
                "method": fitted.attrs["method"],
            }
        )
    positions = fitted[along].values
    return {
        "transitions": rows,
        "groups": groups,
        "level": fitted.attrs["level"],
        "positions": [float(positions.min()), float(positions.max())],
    }
