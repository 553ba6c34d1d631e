"""Comparisons: success at every value of an axis against a reference value, for every cell."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ...sweeps import Grid, Sweep, SweepError
from ...sweeps.labels import value_label
from ...sweeps.sharing import check_compared
from ...sweeps.tables import Strict
from ...sweeps.values import check_value
from .base import Analysis, Request

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from rich.table import Table

    from ...store import StoreInfo
    from ..show.canvas import Look

CRASHED = ("crashed", "reference_crashed")
DIFFERENT = 0.05  # a Holm-adjusted p-value below this counts a cell or a 50 % point as different


class Compare(Strict):
    """The axis whose values are compared, and the value with which they are compared."""

    over: str
    reference: bool | int | float | str | list[int] | None = Field(
        None, json_schema_extra={"value_of": "over"}
    )


class Comparison(Analysis):
    """Differences of success rates for every cell, and shifts of the 50 % point if it is fitted."""

    name = "comparison"
    after = ("transition",)
    settings = Compare
    settings_name = "compare"
    json_name = "comparisons"
    counted_like = "rate"
    takes_along = True
    version = 2
    rank = 1
    no_log = "a comparison has a place for every value"

    def names(self) -> Iterable[str]:
        """Give the names of its variables and of the fields of its rows."""
        from ...tasks.statistics.comparisons import LONG_NAMES

        fields = {"over", "reference", "value", "paired", "along", "method", "flag"}
        counts = {"joint", "cells", "cells_tested", "cells_that_differ", "finding", "conclusion"}
        return {*LONG_NAMES, *CRASHED, *fields, *counts, "clustered"}

    def axes(self, sweep: Sweep) -> Iterable[tuple[str, str]]:
        """Give the axis whose values are compared."""
        compare = self.settings_of(sweep)
        return [("compare.over", compare.over)] if compare else ()

    def needs(self, sweep: Sweep) -> Iterable[tuple[str, str]]:
        """Give success as the variable that it reads."""
        return [("compare", "success")] if self.settings_of(sweep) else ()

    def check(self, sweep: Sweep) -> None:
        """Refuse a comparison along `fit.along`, or with a value that its axis does not have.

        An axis with one value is not refused, so that a command can run a part of the axis.

        Raises:
            SweepError: the message names the key and the value.
        """
        compare = self.settings_of(sweep)
        if compare is None:
            return
        if compare.over == sweep.fit.along:
            raise SweepError(
                f"compare.over: '{compare.over}' is fit.along too; compare the values of another "
                "axis."
            )
        if len(sweep.axes[compare.over]) > 1:
            reference_index(sweep)

    def check_draws(self, grid: Grid) -> None:
        """Refuse compared values that share a part of their draws, but not all."""
        compare = self.settings_of(grid.sweep)
        if compare is not None:
            check_compared(grid, compare.over, grid.sweep.fit.along)

    def asked(self, info: "StoreInfo", along: str | None) -> dict[str, Any] | None:
        """Give the settings, with those of the transitions that are compared."""
        settings = super().asked(info, along)
        fit = info.sweep.fit
        transition = {
            "along": along or fit.along,
            "direction": fit.direction,
            "scatter": fit.scatter,
        }
        return None if settings is None else settings | transition

    def check_request(self, request: Request) -> None:
        """Refuse a transition along the axis whose values are compared."""
        if request.axis is not None and self.settings_of(request.sweep).over == request.axis:
            raise SweepError(
                f"--along: {request.axis!r} is compare.over too; compare the values of another "
                "axis."
            )

    def refuse(self, request: Request) -> None:
        """Refuse an axis with one value, a missing reference, or partly shared draws."""
        self._paired(request, request.axis)

    def _paired(self, request: Request, along: str | None) -> bool:
        """Say whether trials of the same index have the same draws at all compared values."""
        over, path = self.settings_of(request.sweep).over, request.info.path
        values = request.sweep.axes[over]
        if len(values) < 2:
            raise SweepError(
                f"{path}: compare.over: '{over}' has one value, {values[0]}; a "
                "comparison needs two."
            )
        reference_index(request.sweep)
        return check_compared(Grid(request.sweep), over, along, f"{path}: compare.over")

    def compute(self, request: Request) -> "xr.Dataset":
        """Compare rates, and the transitions if they are fitted in the same request."""
        from ...tasks.statistics.comparisons import compare_rates, compare_transitions

        over, reference = self.settings_of(request.sweep).over, reference_index(request.sweep)
        fitted = request.fits.get("transition")
        along = None if fitted is None else str(fitted.attrs["along"])
        paired = self._paired(request, along)
        success = request.trials.load_worst(["success"])["success"]
        compared = compare_rates(success, over, reference, paired=paired)
        if fitted is None:
            return compared
        shifts = compare_transitions(success, fitted, over, reference, paired=paired)
        merged = compared.merge(shifts, compat="equals", join="exact", combine_attrs="override")
        clustered = fitted.attrs.get("clustered", 0)
        return merged.assign_attrs(along=along, clustered=clustered)

    def records(self, dataset: "xr.Dataset") -> list[dict[str, Any]]:
        """Give a row for each value and group, with its cells."""
        return comparison_rows(dataset)

    def table(self, dataset: "xr.Dataset") -> "Table":
        """Make a table with a row for each value if there are transitions, else for each cell."""
        from ..show.comparison_tables import comparisons

        return comparisons(comparison_rows(dataset))

    def shows(self, info: "StoreInfo") -> bool:
        """Say whether the picture shows the comparison: of success, and without a transition."""
        from ..show.canvas import shown_variable

        asked = self.settings_of(info.sweep) is not None and not info.sweep.fit.along
        return asked and shown_variable(info) == "success"

    def draw(self, request: Request, dataset: "xr.Dataset", look: "Look") -> "Figure":
        """Draw the rates of every value, the reference first."""
        from ..show.comparison_figures import draw_comparison

        return draw_comparison(request.info, dataset, look)


def reference_index(sweep: Sweep) -> int:
    """Find the index of the comparison's reference along its axis; 0 if the sweep names none.

    Raises:
        SweepError: the axis has no such value.
    """
    compare = Comparison().settings_of(sweep)
    if compare is None or compare.reference is None:
        return 0
    over, reference = compare.over, compare.reference
    try:
        reference = check_value(over, reference)
    except SweepError as error:
        raise SweepError(f"compare.reference: {error}") from None
    labels = [value_label(value) for value in sweep.axes[over]]
    if value_label(reference) not in labels:
        known = ", ".join(labels[:10]) + (", …" if labels[10:] else "")
        raise SweepError(
            f"compare.reference: '{over}' has no value {value_label(reference)}; it has {known}."
        )
    return labels.index(value_label(reference))


def comparison_rows(compared: "xr.Dataset") -> list[dict[str, Any]]:
    """Give a row for each compared value and group, with its cells.

    Groups are the combinations of values of all axes except `over` and the axis of the transition.
    Without transitions there is one group, which has all cells. `joint` is a test of all values of
    a group together, and the same in all rows of the group.
    """
    from ..fit.rows import indices, place_of

    over, along = compared.attrs["over"], compared.attrs.get("along")
    cell_dims = [dim for dim in compared["rate"].dims if dim != over]
    groups = [dim for dim in cell_dims if dim != along] if along else []
    first = compared["rate"].isel({d: 0 for d in cell_dims if d not in groups})
    rows = []
    for index in indices(first):
        part = compared.isel(index)
        cells = _cells(part, [dim for dim in cell_dims if dim not in groups])
        row = {
            **place_of(part, groups),
            "over": over,
            "reference": compared.attrs["reference"],
            "value": str(part.coords[over].item()),
            "paired": bool(compared.attrs["paired"]),
        }
        if along:
            row |= {"along": along} | _transition(part)
            row["joint"] = _joint(compared, part)
            row["finding"] = finding(row)
            row["conclusion"] = conclusion(row)
        adjusted = [cell["p_holm"] for cell in cells if cell["p_holm"] is not None]
        row |= {name: int(part[name].sum()) for name in CRASHED if name in part}
        row["cells_tested"] = len(adjusted)
        row["cells_that_differ"] = sum(p < DIFFERENT for p in adjusted)
        rows.append({**row, "cells": cells, "method": compared.attrs["method"]})
    return rows


def _transition(part: "xr.Dataset") -> dict[str, Any]:
    from ..fit.rows import plain, plain_values

    names = ("shift", "shift_low", "shift_high", "p_shift", "p_shift_holm", "detectable_shift",
             "detectable_share")  # fmt: skip
    row = plain_values(part, names)
    for name in ("p_pooled", "p_pooled_holm"):
        row[name] = plain(part[name].item()) if name in part else None
    for whose in ("", "reference_"):
        row |= plain_values(part, [f"{whose}p50{end}" for end in ("", "_low", "_high")])
        row[f"{whose}outcome"] = str(part[f"{whose}outcome"].item())
    row["reference_flag"] = str(part["reference_flag"].item())
    row["clustered"] = bool(part.attrs.get("clustered", 0))
    return {**row, "flag": str(part["flag"].item())}


def finding(row: dict[str, Any]) -> str:
    """Say what a comparison of two transitions found: "shifted", "not-shown" or "unknown".

    It is unknown where there is no p-value, or where no detectable shift says what "not shown" is
    worth.
    """
    if row["p_shift_holm"] is None:
        return "unknown"
    if row["p_shift_holm"] < DIFFERENT:
        return "shifted"
    return "unknown" if row["detectable_shift"] is None else "not-shown"


def conclusion(row: dict[str, Any]) -> str:
    """Write a finding as a sentence; no shift that was not shown is called equal."""
    if row["finding"] == "unknown":
        return "it is not known whether the 50 % point is shifted"
    if row["finding"] == "shifted":
        where = "above" if row["shift"] > 0 else "below"
        return f"the 50 % point is {where} that of {row['reference']}"
    return f"no shift is shown; {would_be_seen(row)}"


def would_be_seen(row: dict[str, Any]) -> str:
    """Say in words what a detectable shift means."""
    whole = f" of the 50 % point of {row['reference']})"
    return (
        f"a shift above {detectable(row).replace(')', whole)} would have been seen with 80 % "
        "power, a smaller one may have gone unseen"
    )


def detectable(row: dict[str, Any]) -> str:
    """Write a detectable shift, in % of the reference's 50 % point if that is meaningful."""
    text, share = f"{row['detectable_shift']:.3g}", row["detectable_share"]
    return text if share is None else f"{text} ({100 * share:.2g} %)"


def _joint(compared: "xr.Dataset", part: "xr.Dataset") -> dict[str, Any]:
    """Give the joint test of all values of a group."""
    from ..fit.rows import plain_values

    others = [str(value) for value in compared[compared.attrs["over"]].values.tolist()]
    return {"values": [compared.attrs["reference"], *others]} | plain_values(part, ["p_one_curve"])


def _cells(part: "xr.Dataset", dims: list[Any]) -> list[dict[str, Any]]:
    from ...tasks.statistics.comparisons import CELL_NAMES
    from ..fit.rows import columns, places

    names = [name for name in (*CELL_NAMES, *CRASHED) if name in part]
    cells = zip(places(part, dims), columns(part, names, dims), strict=True)
    return [{**place, **values} for place, values in cells]
