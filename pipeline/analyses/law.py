"""Error laws: exponents of axes that a source claims, next to those that the trials show."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from ...sweeps import Grid, Sweep, SweepError
from ...sweeps.checks import has_positions
from ...sweeps.flat import flatten
from ...sweeps.labels import value_label
from ...sweeps.sharing import shared_wholly
from ...sweeps.tables import Strict
from .base import Analysis, Request

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from rich.table import Table

    from ...store import StoreInfo
    from ..show.canvas import Look

GROUP_FIELDS = (
    "constant", "constant_low", "constant_high", "trials", "crashed", "entered", "no_logarithm",
    "share", "share_low", "share_high", "lack_of_fit", "flag",
)  # fmt: skip
REMARKS = {
    "no-fit": "too few cells have 5 trials in the law",
    "curved": "the medians do not follow a power law; the exponents between neighbours are below",
    "threshold": "trials just miss the threshold of success, which cuts off the largest errors and "
    "flattens the law",
    "no-logarithm": "trials whose value is 0, negative or infinite are left out of the law",
}


Exponent = Annotated[float, Field(strict=True)]


class PowerLaw(Strict):
    """The power law that a source claims for a variable, such as the error of recovered trials."""

    variable: str = "signal_error"
    exponents: Annotated[dict[str, Exponent], BeforeValidator(flatten)] = {}


class Law(Analysis):
    """The exponents of a variable along axes, next to the claimed ones."""

    name = "law"
    settings = PowerLaw
    settings_name = "law"
    json_name = "laws"
    counted_like = "constant"
    reads_codes = False
    rank = 2

    def names(self) -> Iterable[str]:
        """Give the names of its variables, its dimensions and the fields of its rows."""
        from ...tasks.statistics.law_fits import LONG_NAMES

        own = {"law_axis", "local", "local_axis", "local_from", "local_to"}
        fields = {"variable", "axis", "curved", "clustered", "method", "of"}
        return {*LONG_NAMES, *GROUP_FIELDS, *own, *fields}

    def axes(self, sweep: Sweep) -> Iterable[tuple[str, str]]:
        """Give the axes of the law."""
        law = self.settings_of(sweep)
        return [("law.exponents", name) for name in law.exponents] if law else ()

    def needs(self, sweep: Sweep) -> Iterable[tuple[str, str]]:
        """Give the variable of the law as the one that it reads."""
        law = self.settings_of(sweep)
        return [("law.variable", law.variable)] if law else ()

    def check(self, sweep: Sweep) -> None:
        """Refuse a law without an axis, or with an axis whose values are not positive numbers.

        Raises:
            SweepError: the message names the axis.
        """
        law = self.settings_of(sweep)
        if law is None:
            return
        if not law.exponents:
            raise SweepError(
                "law.exponents: it is empty; give an axis and its claimed exponent, as in k = 0.5."
            )
        for name in law.exponents:
            if not has_positions(sweep, name):
                raise SweepError(
                    f"law.exponents: '{name}' is not numeric; a power law needs numbers."
                )
            wrong = [value for value in sweep.axes[name] if value <= 0]
            if wrong:
                raise SweepError(
                    f"law.exponents: '{name}' has the value {value_label(wrong[0])}; "
                    "a power law needs positive ones."
                )

    def check_draws(self, grid: Grid) -> None:
        """Refuse axes along which points share a part of their draws, but not all."""
        law = self.settings_of(grid.sweep)
        if law is not None:
            shared_wholly(grid, list(law.exponents), "law.exponents")

    def refuse(self, request: Request) -> None:
        """Refuse a law along an axis with one value or with partly shared draws."""
        self._shared(request)

    def _shared(self, request: Request) -> tuple[str, ...]:
        """List the axes of the law along which all points share their draws."""
        axes, path = list(self.settings_of(request.sweep).exponents), request.info.path
        for axis in axes:
            if len(request.sweep.axes[axis]) < 2:
                raise SweepError(
                    f"{path}: law.exponents: '{axis}' has one value, "
                    f"{request.sweep.axes[axis][0]}; an exponent needs two."
                )
        return shared_wholly(Grid(request.sweep), axes, f"{path}: law.exponents")

    def compute(self, request: Request) -> "xr.Dataset":
        """Fit the law to the results.

        Raises:
            SweepError: the trials do not give its variable, or it cannot be fitted.
        """
        from ...tasks.statistics.law_fits import fit_laws

        law, info = self.settings_of(request.sweep), request.info
        if law.variable not in info.variables:
            raise SweepError(f"{info.path}: its trials give no {law.variable}; a law needs it.")
        judging = ("success", "signal_error", "latent_error")
        names = [name for name in judging if name in info.variables and name != law.variable]
        results = request.trials.load_worst([law.variable, *names])
        shared = self._shared(request)
        try:
            return fit_laws(
                results[law.variable],
                results.get("success"),
                law.exponents,
                shared=shared,
                judged=_judged(results) if set(judging) <= set(results) else None,
            )
        except ValueError as error:
            raise SweepError(f"{info.path}: {error}") from None

    def records(self, dataset: "xr.Dataset") -> list[dict[str, Any]]:
        """Give a row for each group and axis, with the group's coordinates."""
        from ...tasks.statistics.laws import REJECTED
        from ..fit.rows import indices, place_of, plain_values

        rows = []
        for index in indices(dataset["constant"]):
            group = dataset.isel(index)
            shared = {
                **place_of(group, index),
                "variable": dataset.attrs["variable"],
                "of": dataset.attrs["of"],
            }
            of_group = plain_values(group, GROUP_FIELDS)
            fit = group["lack_of_fit"].item()
            for axis in dataset["law_axis"].values.tolist():
                along_axis = group.sel(law_axis=axis)
                names = ("claimed", "exponent", "exponent_low", "exponent_high")
                rows.append(
                    {
                        **shared,
                        "axis": str(axis),
                        **plain_values(along_axis, names),
                        **of_group,
                        "curved": None if fit != fit else fit < REJECTED,
                        "clustered": bool(dataset.attrs["clustered_along"]),
                        "local": _local(group, axis),
                        "method": dataset.attrs["method"],
                    }
                )
        return rows

    def table(self, dataset: "xr.Dataset") -> "Table":
        """Make a table with a row for each group and axis: claimed and measured exponents."""
        from ..show.table_parts import before, captioned, estimate, percent, table_of, titled

        rows = self.records(dataset)
        groups = before(rows[0], "variable")
        of_recovered = rows[0]["of"] == "recovered trials"
        share = ["recovered, %"] if of_recovered else []
        table = table_of(*groups, "axis", "claimed", "measured", *share, "remark")
        titled(table, f"{rows[0]['variable']} of {rows[0]['of']} = C · Π axis^exponent")
        for row in rows:
            table.add_row(
                *(value_label(row[name]) for name in groups),
                row["axis"],
                f"{row['claimed']:g}",
                estimate(row, "exponent", "{:.3f}"),
                *([percent(row, "share", row["trials"])] if of_recovered else []),
                ", ".join(filter(None, [_verdict(row), row["flag"]])),
            )
        return captioned(table, _remarks(rows, groups))

    def shows(self, info: "StoreInfo") -> bool:
        """Say whether the picture shows the law.

        It does if `plot.variable` is the law's, or if the sweep asks for no other picture.
        """
        sweep, law = info.sweep, self.settings_of(info.sweep)
        if law is None:
            return False
        if sweep.plot.variable not in (None, "success"):
            return bool(sweep.plot.variable == law.variable)
        return sweep.fit.along is None and sweep.plot.x is None

    def draw(self, request: Request, dataset: "xr.Dataset", look: "Look") -> "Figure":
        """Draw the median errors against the first axis of the law."""
        from ..show.law_figures import draw_law

        return draw_law(request.info, dataset, look)


def _judged(results: "xr.Dataset") -> "xr.DataArray | None":
    """Give the error that decides success, divided by its threshold; None if it is not stored."""
    if not {"success.metric", "success.below"} <= set(results.coords):
        return None
    if (results["success.metric"] == "nearest_target").any():
        return None
    from ..fit.trials import judging_error

    return judging_error(results) / results["success.below"]


def _local(group: "xr.Dataset", axis: str) -> list[dict[str, Any]]:
    """List the exponents between neighbours along an axis."""
    from ..fit.rows import plain

    exponents = []
    for index in range(group.sizes["local"]):
        pair = group.isel(local=index)
        if pair["local_axis"].item() == axis:
            names = ("local_from", "local_to", "local_exponent", "local_exponent_low",
                     "local_exponent_high")  # fmt: skip
            keys = ("from", "to", "exponent", "exponent_low", "exponent_high")
            exponents.append(
                {key: plain(pair[name].item()) for key, name in zip(keys, names, strict=True)}
            )
    return exponents


def _remarks(rows: list[dict[str, Any]], groups: list[str]) -> list[str]:
    """Explain the remarks, and list the exponents between neighbours if a law is curved."""
    from ..fit.crashes import crash_lines
    from ..show.table_parts import estimate, group_text

    lines = ["in brackets: 95 % intervals"]
    if rows[0]["of"] == "recovered trials":
        lines[0] += "; recovered: the share of the trials that were run"
    flags = {word for row in rows for word in row["flag"].split(", ") if word}
    lines += [f"{word}: {REMARKS[word]}" for word in sorted(flags)]
    lines += _left_out(rows, groups)
    for row in rows:
        if row["curved"] and row["local"]:
            group = [group_text(row, groups)] if groups else []
            pieces = [
                f"{value_label(pair['from'])} – {value_label(pair['to'])}: "
                f"{estimate(pair, 'exponent', '{:.2f}')}"
                for pair in row["local"]
            ]
            lines.append(", ".join([*group, f"{row['axis']} {'; '.join(pieces)}"]))
    if any(row["clustered"] for row in rows):
        lines.append("draws are shared along an axis of the law; the intervals account for that")
    return lines + crash_lines(rows, groups, "trials")


def _left_out(rows: list[dict[str, Any]], groups: list[str]) -> list[str]:
    """Count the recovered trials that have no logarithm, in a line for each group."""
    from ..show.table_parts import group_text

    lines = []
    for row in rows:
        if row["no_logarithm"]:
            group = [group_text(row, groups)] if groups else []
            recovered = row["entered"] + row["no_logarithm"]
            left_out = f"without a logarithm: {row['no_logarithm']:,} of {recovered:,}"
            lines.append(", ".join([*group, left_out]))
    return list(dict.fromkeys(lines))


def _verdict(row: dict[str, Any]) -> str:
    """Say whether the claimed exponent lies below, in or above the measured interval.

    If values tie, as small counts do, they show no scatter. The interval then has no length, and
    the claim is not judged.
    """
    if row["exponent_low"] is None or row["exponent_high"] is None:
        return ""
    if row["exponent_high"] - row["exponent_low"] < 1e-9:
        return "values tie"
    if row["claimed"] < row["exponent_low"]:
        return "claim too low"
    return "claim too high" if row["claimed"] > row["exponent_high"] else "claim inside"
