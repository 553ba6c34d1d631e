"""The analysis `trajectory`: where the descents of the experiment `trajectory` ended."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...sweeps import Grid
from .base import Analysis, Request

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from rich.table import Table

    from ...store import StoreInfo
    from ..show.canvas import Look

END = "end"
# Ends of descents in the order of the table, with the headings of their columns.
HEADINGS = {
    "target": "at x*", "mirror": "at the mirror", "elsewhere": "elsewhere", "running": "not ended",
}  # fmt: skip
ENDS = tuple(HEADINGS)
LONG_NAMES = {
    "descents": "descents that were run, from all angles and in all trials",
    "count": "descents that ended there, or are still running at the last step",
    "median_steps": "median number of steps",
    "mirror_ratio": "length ρ of the mirror point relative to x*",
}


class Trajectory(Analysis):
    """Counts of the descents of every plane that ended at x*, at its mirror point or elsewhere."""

    name = "trajectory"
    json_name = "trajectories"
    counted_like = "descents"
    version = 2
    rank = 4
    no_log = "a plane has negative coordinates"

    def names(self) -> Iterable[str]:
        """Name its variables, dimensions and JSON fields."""
        return {*LONG_NAMES, END, "ends"}

    def asked(self, info: "StoreInfo", along: str | None) -> dict[str, Any] | None:
        """Ask for the analysis in every store of the experiment `trajectory`, or of one derived."""
        from ...tasks.experiments import is_kind
        from ...tasks.experiments.trajectory import Trajectory

        return {} if is_kind(info.sweep.task, Trajectory) else None

    def compute(self, request: Request) -> "xr.Dataset":
        """Count the descents by their end at the last step that was run.

        Returns:
            `descents`, `median_steps` and `mirror_ratio` over all axes except angle and step, and
            `count` over these and "end". A median or a ratio that does not exist is NaN.
        """
        import xarray as xr

        from ...tasks.experiments.trajectory import AT_MIRROR, AT_TARGET, STEP, End
        from ...tasks.instance import mirror_ratio_of
        from ..show.planes import plane_axes, plane_points

        grid = Grid(request.sweep)
        others = plane_axes(grid)
        results = request.trials.load(["steps", "end"]).sortby(STEP)
        known = results["end"].notnull()
        later = known.isel({STEP: slice(None, None, -1)}).argmax(STEP)
        last = results.isel({STEP: known.sizes[STEP] - 1 - later}).where(known.any(STEP))
        within = [dim for dim in last["end"].dims if dim not in others]
        counts = [(last["end"] == End[name.upper()]).sum(within) for name in ENDS]
        labels = xr.Variable(END, np.array(ENDS, dtype=np.dtypes.StringDType()))
        count = xr.concat(counts, dim=labels, coords="minimal", compat="override", join="exact")
        descents = last["end"].notnull().sum(within)
        ratios = np.full(descents.shape, np.nan)
        for cell, point in plane_points(grid).items():
            ratios[cell] = mirror_ratio_of(point)
        variables = {
            "descents": descents,
            "count": count.transpose(*others, END),
            "median_steps": last["steps"].median(within),
            "mirror_ratio": descents.copy(data=ratios),
        }
        dataset = xr.Dataset(
            {
                name: values.drop_vars(STEP, errors="ignore").assign_attrs(
                    long_name=LONG_NAMES[name], units="steps" if name == "median_steps" else "1"
                )
                for name, values in variables.items()
            },
            attrs={"at_target": AT_TARGET, "at_mirror": AT_MIRROR},
        )
        dataset[END].attrs = {"long_name": "where a descent ended"}
        return dataset

    def records(self, dataset: "xr.Dataset") -> list[dict[str, Any]]:
        """Give a row for each plane: the counts of its descents, and the median of their steps."""
        from ..fit.rows import indices, place_of, plain_values

        rows = []
        for index in indices(dataset["descents"]):
            plane = dataset.isel(index)
            counts = dict(
                zip(dataset[END].values.tolist(), plane["count"].values.tolist(), strict=True)
            )
            rows.append(
                {
                    **place_of(plane, index),
                    **plain_values(plane, ("descents", "crashed", "mirror_ratio")),
                    "ends": counts,
                    **plain_values(plane, ("median_steps",)),
                }
            )
        return rows

    def table(self, dataset: "xr.Dataset") -> "Table":
        """Make a table with a row for each plane: where its descents ended."""
        from ...sweeps.labels import value_label
        from ..fit.crashes import crash_lines
        from ..show.table_parts import before, captioned, number, table_of, titled

        rows = self.records(dataset)
        axes = before(rows[0], "descents")
        are_running = any(row["ends"]["running"] for row in rows)
        ends = [end for end in ENDS if end != "running" or are_running]
        headings = [HEADINGS[end] for end in ends]
        table = table_of(*axes, "ρ", "descents", *headings, "median steps")
        titled(table, "where descents on the plane ended; the mirror is −ρ x*")
        for row in rows:
            table.add_row(
                *(value_label(row[name]) for name in axes),
                number(row["mirror_ratio"], "{:.3f}"),
                str(row["descents"]),
                *(str(row["ends"][end]) for end in ends),
                number(row["median_steps"], "{:.0f}"),
            )
        return captioned(table, crash_lines(rows, axes, "descents"))

    def shows(self, info: "StoreInfo") -> bool:
        """Say whether the picture of the store shows this analysis."""
        return self.asked(info, None) is not None

    def draw(self, request: Request, dataset: "xr.Dataset", look: "Look") -> "Figure":
        """Draw the descents on their planes."""
        from ..show.trajectory_figures import draw_trajectories

        return draw_trajectories(request, dataset, look)
