"""Transitions: the 50 % point of success along an axis, for every group of the other axes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...sweeps import Grid, Sweep, SweepError
from ...sweeps.checks import has_positions
from ...sweeps.directions import expected_direction, given_direction, least_value
from ...sweeps.errors import did_you_mean
from ...sweeps.sharing import share_along, shared_draws
from .base import Analysis, Request
from .uniform import TARGET, number_of_targets

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from rich.table import Table

    from ...store import StoreInfo
    from ..show.canvas import Look

JSON_FIELDS = (
    "outcome", "p50", "p50_low", "p50_high", "p10", "p10_low", "p10_high", "p90", "p90_low",
    "p90_high", "width", "width_low", "width_high", "log_width", "log_width_low", "log_width_high",
    "ceiling", "ceiling_low", "ceiling_high", "direction", "trials", "crashed", "shape",
    "shape_weight", "fit_p", "dispersion", "flag",
)  # fmt: skip
RATES = ("wrong_rate", "wrong_rate_low", "wrong_rate_high")


class Transition(Analysis):
    """The 50 % point of success along `fit.along`, with counts of abandoned and audited runs."""

    name = "transition"
    json_name = "transitions"
    counted_like = "p50"
    takes_along = True
    version = 3
    rank = 0

    def names(self) -> Iterable[str]:
        """Give the names of its variables and of the fields of its rows."""
        from ...tasks.statistics.audits import LONG_NAMES as AUDIT_FIELDS
        from ...tasks.statistics.fits import LONG_NAMES

        return {*LONG_NAMES, *AUDIT_FIELDS, *JSON_FIELDS, "along", "method", "failures"}

    def needs(self, sweep: Sweep) -> Iterable[tuple[str, str]]:
        """Give success as the variable that it reads."""
        return [("fit.along", "success")] if sweep.fit.along else ()

    def check(self, sweep: Sweep) -> None:
        """Refuse the numbers of targets as positions.

        Raises:
            SweepError: `fit.along` is `target`.
        """
        if sweep.fit.along == TARGET:
            raise SweepError(
                "fit.along: 'target' numbers the targets of a trial; its values are no positions."
            )

    def asked(self, info: "StoreInfo", along: str | None) -> dict[str, Any] | None:
        """Give the axis, `fit.direction` and `fit.scatter`."""
        axis = along or info.sweep.fit.along
        fit = info.sweep.fit
        return {"along": axis, "direction": fit.direction, "scatter": fit.scatter} if axis else None

    def check_request(self, request: Request) -> None:
        """Refuse an axis along which no transition can be fitted."""
        if request.axis is not None:
            transition_axis(request.info, request.along)

    def compute(self, request: Request) -> "xr.Dataset":
        """Fit the transitions, and count abandoned runs if there are any."""
        from ...tasks.statistics.audits import audit_abandonment, audited_variable
        from ...tasks.statistics.fits import fit_transitions
        from ...tasks.statistics.uniform import worst_over_targets

        info = request.info
        axis = transition_axis(info, request.along)
        audited = audited_variable(info.sweep.task)
        if audited not in info.variables:
            audited = None
        results = request.trials.load(["success", *([audited] if audited else [])])
        try:
            fitted = fit_transitions(
                worst_over_targets(results[["success"]])["success"],
                axis,
                direction=given_direction(info.sweep, axis),
                expected=expected_direction(info.sweep, axis),
                floor=least_value(axis),
                scatter=info.sweep.fit.scatter,
                clustered=is_clustered(info, axis, request.along),
                call_each=request.call_each,
            )
        except ValueError as error:
            raise SweepError(f"{info.path}: {error}") from None
        fitted = _with_excluded(request.trials.excluded, fitted)
        if not audited:
            return fitted
        abandonment = results[audited]
        if not (abandonment > 0).any():
            return fitted
        # Each run is audited on its own, also if a trial has several targets.
        runs = [dim for dim in abandonment.dims if dim not in fitted["p50"].dims]
        audits = audit_abandonment(abandonment, [str(dim) for dim in runs])
        if number_of_targets(info):
            # Targets of one trial share its draws, so that their runs are not independent.
            for name in RATES:
                audits[name] = audits[name].where(False)
        return fitted.merge(audits, compat="override", join="exact", combine_attrs="override")

    def records(self, dataset: "xr.Dataset") -> list[dict[str, Any]]:
        """Give a row for each group that is not excluded, with the group's coordinates."""
        from ...tasks.statistics.outcomes import EXCLUDED
        from ..fit.rows import indices, place_of, plain_values

        rows = []
        for index in indices(dataset["p50"]):
            group = dataset.isel(index)
            if group["outcome"].item() == EXCLUDED:
                continue
            rows.append(
                {
                    **place_of(group, index),
                    "along": dataset.attrs["along"],
                    **plain_values(group, [name for name in JSON_FIELDS if name in group]),
                    **_audit_of(group),
                    "method": dataset.attrs["method"],
                }
            )
        return rows

    def summary(self, dataset: "xr.Dataset") -> dict[str, Any]:
        """Give the axes of the groups, the level of the intervals, and the ends of the axis."""
        positions = dataset[dataset.attrs["along"]].values
        return {
            "groups": [str(dim) for dim in dataset["p50"].dims],
            "level": dataset.attrs["level"],
            "clustered": bool(dataset.attrs.get("clustered", 0)),
            "positions": [float(positions.min()), float(positions.max())],
        }

    def table(self, dataset: "xr.Dataset") -> "Table":
        """Make a table with a row for each group."""
        from ..show.transition_tables import transitions

        return transitions(transitions_as_json(dataset))

    def shows(self, info: "StoreInfo") -> bool:
        """Say whether success is drawn along an axis on which a transition can be fitted."""
        from ..show.canvas import shown_variable

        axis = axis_drawn(info)
        counts_once = shared_draws(Grid(info.sweep), [axis]).clash is None
        return shown_variable(info) == "success" and has_positions(info.sweep, axis) and counts_once

    def drawn_along(self, info: "StoreInfo") -> str | None:
        """Give the horizontal axis of the picture."""
        return axis_drawn(info)

    def draw(self, request: Request, dataset: "xr.Dataset", look: "Look") -> "Figure":
        """Draw curves along the axis, or maps if another axis has more than two numbers."""
        from ..show.canvas import MAX_CURVES
        from ..show.success_figures import draw_curves, draw_maps

        others = [str(dim) for dim in dataset["p50"].dims]
        numeric = [d for d in others if dataset[d].dtype.kind in "if" and dataset[d].size > 2]
        axis = str(dataset.attrs["along"])
        # Of placed trials each value has few, which a map would show as noise.
        few = request.info.layout.is_placed and dataset["p50"].size <= MAX_CURVES
        if numeric and not few:
            return draw_maps(request.info, dataset, numeric[-1], axis, look)
        return draw_curves(request.info, dataset, axis, look)


def transitions_as_json(dataset: "xr.Dataset") -> dict[str, Any]:
    """Give the rows of the transitions and their summary, as `fit --json` prints them."""
    analysis = Transition()
    return {"transitions": analysis.records(dataset), **analysis.summary(dataset)}


def transition_axis(info: "StoreInfo", along: str | None = None) -> str:
    """Find the axis of the transition, and check it.

    Args:
        info: the store.
        along: the axis that a command names; `fit.along` if None.

    Raises:
        SweepError: no axis is named, it is not an axis, or success cannot be fitted along it.
    """
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
        raise SweepError(f"--along: {axis!r} is not an axis. {did_you_mean(axis, sweep.axes)}")
    is_clustered(info, axis, along)
    return axis


def is_clustered(info: "StoreInfo", axis: str, along: str | None = None) -> bool:
    """Say whether all values of an axis share their draws, so that each draw counts once.

    Raises:
        SweepError: only some of them do.
    """
    key = f"{info.path}: {'--along' if along else 'fit.along'}"
    return share_along(Grid(info.sweep), axis, key)


def axis_drawn(info: "StoreInfo") -> str:
    """Give the axis along which a picture of trials is drawn.

    Raises:
        SweepError: the sweep has no axis.
    """
    sweep = info.sweep
    if sweep.plot.x is not None:
        return sweep.plot.x
    if sweep.fit.along is not None:
        return sweep.fit.along
    if not sweep.axes:
        raise SweepError(f"{info.path}: its sweep has no axis to draw along.")
    return [name for name in sweep.axes if name != "target" or len(sweep.axes) == 1][-1]


def _with_excluded(excluded: "xr.DataArray", fitted: "xr.Dataset") -> "xr.Dataset":
    """Name the groups that the rules of the sweep exclude.

    Args:
        excluded: the mask of excluded points, or of excluded groups.
        fitted: the transitions.
    """
    from ...tasks.statistics.outcomes import EXCLUDED

    excluded = excluded.all([dim for dim in excluded.dims if dim not in fitted["p50"].dims])
    for name in ("outcome", "flag"):
        values = fitted[name]
        fitted[name] = values.copy(
            data=np.where(excluded.transpose(*values.dims), EXCLUDED, values)
        )
    return fitted


def _audit_of(group: "xr.Dataset") -> dict[str, Any]:
    """Give the counts of abandoned and audited runs; the rate is None if none was audited."""
    from ...tasks.statistics.audits import LONG_NAMES as AUDIT_FIELDS
    from ..fit.rows import plain_values

    counts = plain_values(group, [name for name in AUDIT_FIELDS if name in group])
    return counts if counts.get("audited") else counts | {n: None for n in RATES if n in counts}
