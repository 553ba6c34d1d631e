"""Basins: where the runs of a store end, for every cell."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from ...sweeps import Grid, Sweep, SweepError
from ...sweeps.tables import Strict
from .base import Analysis, Request

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from rich.table import Table

    from ...store import StoreInfo
    from ..show.canvas import Look

NEEDED = ("success", "mirror_error")


class Basins(Strict):
    """Where runs end: at x*, which is success, at the mirror point −ρ_d x*, or elsewhere."""

    radius: float = Field(
        0.75, gt=0, le=1, description="largest distance from the mirror, in units of ‖ρ_d x*‖"
    )


class Basin(Analysis):
    """The shares of runs that end at the true code, at its mirror point, and elsewhere."""

    name = "basin"
    settings = Basins
    settings_name = "basins"
    json_name = "basins"
    counted_like = "runs"
    rank = 3
    no_log = "basins have a bar for every value"

    def names(self) -> Iterable[str]:
        """Give the names of its variables."""
        from ...tasks.statistics.basins import BASIN, LONG_NAMES

        return {BASIN, *LONG_NAMES}

    def needs(self, sweep: Sweep) -> Iterable[tuple[str, str]]:
        """Give success and the distance from the mirror as the variables that it reads."""
        return [("basins", name) for name in NEEDED] if self.settings_of(sweep) else ()

    def refuse(self, request: Request) -> None:
        """Refuse a store without the distance from the mirror."""
        missing = [name for name in NEEDED if name not in request.info.variables]
        if missing:
            raise SweepError(f"{request.info.path}: basins: its trials give no {missing[0]}.")

    def compute(self, request: Request) -> "xr.Dataset":
        """Count the runs in each basin."""
        import xarray as xr

        from ...tasks.statistics.basins import basin_shares

        results = request.trials.load(NEEDED)
        cells = results["success"].isel(trial=0, drop=True)
        ratio = xr.DataArray(_ratios(Grid(request.sweep)), coords=cells.coords, dims=cells.dims)
        radius = self.settings_of(request.sweep).radius
        return basin_shares(results["success"], results["mirror_error"], ratio, radius)

    def records(self, dataset: "xr.Dataset") -> list[dict[str, Any]]:
        """Give a row for each cell, with the shares of the basins."""
        from ...tasks.statistics.basins import BASIN
        from ..fit.rows import columns, places

        dims = dataset["runs"].dims
        basins = dataset[BASIN].values.tolist()
        shares = ("share", "share_low", "share_high")
        parts = [columns(dataset.sel({BASIN: basin}), shares, dims) for basin in basins]
        cells = zip(
            places(dataset, dims),
            columns(dataset, ("runs", "crashed", "mirror_ratio"), dims),
            zip(*parts, strict=True),
            strict=True,
        )
        return [
            {**place, **counts, "ends": dict(zip(basins, ends, strict=True))}
            for place, counts, ends in cells
        ]

    def table(self, dataset: "xr.Dataset") -> "Table":
        """Make a table with a row for each cell: the shares of runs in each basin."""
        from ...sweeps.labels import value_label
        from ...tasks.statistics.basins import BASINS
        from ..fit.crashes import crash_lines
        from ..show.table_parts import before, captioned, number, percent, table_of, titled

        rows = self.records(dataset)
        axes = before(rows[0], "runs")
        table = table_of(*axes, "runs", "ρ", "at x*, %", "at the mirror, %", "elsewhere, %")
        titled(table, "where runs end; the mirror is −ρ x*")
        for row in rows:
            runs = int(row["runs"])
            shares = (percent(row["ends"][basin], "share", runs) for basin in BASINS)
            ratio = number(row["mirror_ratio"], "{:.3f}")
            table.add_row(*(value_label(row[name]) for name in axes), str(runs), ratio, *shares)
        lines = ["in brackets: 95 % intervals", *crash_lines(rows, axes, "runs")]
        return captioned(table, lines)

    def shows(self, info: "StoreInfo") -> bool:
        """Say whether the picture shows basins: the sweep asks for them and for no transition."""
        sweep = info.sweep
        success = not sweep.fit.along and sweep.plot.variable in (None, "success")
        return self.settings_of(sweep) is not None and success

    def draw(self, request: Request, dataset: "xr.Dataset", look: "Look") -> "Figure":
        """Draw stacked shares of runs over an axis."""
        from ..show.basin_figures import draw_basins

        return draw_basins(request.info, dataset, look)


def _ratios(grid: Grid) -> np.ndarray:
    """Give ρ over a grid; NaN for excluded points and for points without a mirror."""
    from ...tasks.instance import mirror_ratio_of

    ratios = np.full(grid.shape, np.nan)
    for index in np.ndindex(grid.shape):
        if not grid.excluded[index]:
            ratios[index] = mirror_ratio_of(grid.point(index))
    return ratios
