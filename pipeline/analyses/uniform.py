"""Uniform recovery: trials in which several targets have the same draws."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .base import Analysis, Request

if TYPE_CHECKING:
    import xarray as xr
    from rich.table import Table

    from ...store import StoreInfo

TARGET = "target"


class Uniform(Analysis):
    """The share of recovered targets, and the share of trials that recovered all targets."""

    name = "uniform"
    json_name = "uniform"
    counted_like = "success_all"

    def names(self) -> Iterable[str]:
        """Give the names of its variables."""
        from ...tasks.statistics.uniform import LONG_NAMES

        return LONG_NAMES

    def asked(self, info: "StoreInfo", along: str | None) -> dict[str, Any] | None:
        """Give the number of targets, if there are several."""
        targets = number_of_targets(info)
        return {"targets": targets} if targets and "success" in info.variables else None

    def compute(self, request: Request) -> "xr.Dataset":
        """Compute uniform recovery for every cell."""
        from ...tasks.statistics.uniform import ERRORS, uniform_recovery

        names = [name for name in ("success", *ERRORS) if name in request.info.variables]
        return uniform_recovery(request.trials.load(names))

    def records(self, dataset: "xr.Dataset") -> list[dict[str, Any]]:
        """Give a row for each cell, with medians of the errors over trials."""
        from ...tasks.statistics.uniform import medians_over_trials
        from ..fit.rows import columns, places

        medians, dims = medians_over_trials(dataset), dataset["success_all"].dims
        shares = ("success_share", "success_all", "success_all_low", "success_all_high")
        cells = zip(
            places(dataset, dims),
            columns(dataset, ("runs", "crashed", *shares), dims),
            columns(medians, list(medians), dims),
            strict=True,
        )
        targets = int(dataset["targets"])
        return [
            {**place, "targets": targets, **counts, **errors} for place, counts, errors in cells
        ]

    def table(self, dataset: "xr.Dataset") -> "Table":
        """Make a table with a row for each cell: shares of recovered targets, and errors."""
        from ...sweeps.labels import value_label
        from ..fit.crashes import crash_lines
        from ..show.table_parts import before, captioned, number, percent, table_of, titled

        rows = self.records(dataset)
        axes = before(rows[0], "targets")
        table = table_of(
            *axes, "trials", "targets recovered, %", "all recovered, %", "worst error", "mean error"
        )
        targets = rows[0]["targets"]
        titled(table, f"{targets} targets for each draw; signal errors, medians over trials")
        for row in rows:
            share = row["success_share"]
            table.add_row(
                *(value_label(row[name]) for name in axes),
                str(int(row["runs"])),
                "–" if share is None else f"{100 * share:.3g}",
                percent(row, "success_all", int(row["runs"])),
                number(row.get("worst_signal_error"), "{:.3g}"),
                number(row.get("mean_signal_error"), "{:.3g}"),
            )
        lines = ["in brackets: 95 % intervals", *crash_lines(rows, axes, "runs")]
        return captioned(table, lines)


def number_of_targets(info: "StoreInfo") -> int:
    """Count the targets that share each draw; 0 if every trial has draws of its own."""
    targets = len(info.sweep.axes.get(TARGET, ()))
    return targets if targets > 1 else 0
