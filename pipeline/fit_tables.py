"""What `genprior fit` prints of laws and comparisons."""

from typing import Any

from rich.table import Table

from ..sweeps.labels import value_label
from ..tasks.basins import BASINS
from .crashes import crash_lines
from .tables import table_of

REMARKS = {
    "no-fit": "too few cells have 5 trials that entered",
    "curved": "the medians are no power law; the exponents between neighbours are",
    "threshold": "trials just miss the threshold of success, which cuts off the largest errors and "
    "flattens the law",
    "no-logarithm": "trials with a value of 0, a negative or an infinite one stay out of the law",
}


def laws(rows: list[dict[str, Any]]) -> Table:
    """One row a group and axis: the claimed exponent beside the measured one."""
    groups = _before(rows[0], "variable")
    some = rows[0]["of"] == "recovered trials"
    share = ["recovered, %"] if some else []
    table = table_of(*groups, "axis", "claimed", "measured", *share, "remark")
    table.title = f"{rows[0]['variable']} of {rows[0]['of']} = C · Π axis^exponent"
    table.title_justify = "left"
    for row in rows:
        table.add_row(
            *(value_label(row[name]) for name in groups),
            row["axis"],
            f"{row['claimed']:g}",
            _estimate(row, "exponent", "{:.3f}"),
            *([_recovered(row)] if some else []),
            ", ".join(filter(None, [_verdict(row), row["flag"]])),
        )
    return _captioned(table, _law_remarks(rows, groups))


def _law_remarks(rows: list[dict[str, Any]], groups: list[str]) -> list[str]:
    """Explain the flags, and give the local exponents where a law is curved."""
    lines = ["in brackets: 95 % intervals"]
    if rows[0]["of"] == "recovered trials":
        lines[0] += "; recovered: the share of the trials that were run"
    flags = {word for row in rows for word in row["flag"].split(", ") if word}
    lines += [f"{word}: {REMARKS[word]}" for word in sorted(flags)]
    lines += _left_out(rows, groups)
    for row in rows:
        if row["curved"] and row["local"]:
            place = "".join(f"{name} = {value_label(row[name])}, " for name in groups)
            pieces = [
                f"{value_label(one['from'])} – {value_label(one['to'])}: "
                f"{_estimate(one, 'exponent', '{:.2f}')}"
                for one in row["local"]
            ]
            lines.append(f"{place}{row['axis']} {'; '.join(pieces)}")
    if any(row["clustered"] for row in rows):
        lines.append("draws are shared along an axis of the law; the intervals allow for it")
    return lines + crash_lines(rows, groups, "trials")


def _left_out(rows: list[dict[str, Any]], groups: list[str]) -> list[str]:
    """Count the recovered trials that have no logarithm, a line a group."""
    lines = []
    for row in rows:
        if row["no_logarithm"]:
            place = "".join(f"{name} = {value_label(row[name])}, " for name in groups)
            recovered = row["entered"] + row["no_logarithm"]
            lines.append(f"{place}without a logarithm: {row['no_logarithm']:,} of {recovered:,}")
    return list(dict.fromkeys(lines))


def _verdict(row: dict[str, Any]) -> str:
    """Say where the claimed exponent lies, seen from the interval.

    Values that tie, as small counts do, show no scatter: an interval without length judges nothing.
    """
    if row["exponent_low"] is None or row["exponent_high"] is None:
        return ""
    if row["exponent_high"] - row["exponent_low"] < 1e-9:
        return "values tie"
    if row["claimed"] < row["exponent_low"]:
        return "claim too low"
    return "claim too high" if row["claimed"] > row["exponent_high"] else "claim inside"


def _recovered(row: dict[str, Any]) -> str:
    return _percent(row, "share", row["trials"])


def uniform(rows: list[dict[str, Any]]) -> Table:
    """One row a cell: how many targets were recovered, and how large their errors are."""
    axes = _before(rows[0], "targets")
    table = table_of(
        *axes, "trials", "targets recovered, %", "all recovered, %", "worst error", "mean error"
    )
    table.title = f"{rows[0]['targets']} targets meet each draw; signal errors, medians over trials"
    table.title_justify = "left"
    for row in rows:
        share = row["success_share"]
        table.add_row(
            *(value_label(row[name]) for name in axes),
            str(int(row["runs"])),
            "–" if share is None else f"{100 * share:.3g}",
            _percent(row, "success_all", int(row["runs"])),
            _number(row.get("worst_signal_error"), "{:.3g}"),
            _number(row.get("mean_signal_error"), "{:.3g}"),
        )
    lines = ["in brackets: 95 % intervals", *crash_lines(rows, axes, "runs")]
    return _captioned(table, lines)


def basins(rows: list[dict[str, Any]]) -> Table:
    """One row a cell: how many runs ended at the true code, at the mirror, elsewhere."""
    axes = _before(rows[0], "runs")
    table = table_of(*axes, "runs", "ρ", "at x*, %", "at the mirror, %", "elsewhere, %")
    table.title = "where runs end; the mirror is −ρ x*"
    table.title_justify = "left"
    for row in rows:
        runs = int(row["runs"])
        shares = (_percent(row["ends"][basin], "share", runs) for basin in BASINS)
        ratio = _number(row["mirror_ratio"], "{:.3f}")
        table.add_row(*(value_label(row[name]) for name in axes), str(runs), ratio, *shares)
    lines = ["in brackets: 95 % intervals", *crash_lines(rows, axes, "runs")]
    return _captioned(table, lines)


def trajectories(rows: list[dict[str, Any]]) -> Table:
    """One row a plane: where descents from its rim ended."""
    axes = _before(rows[0], "mirror_ratio")
    table = table_of(*axes, "ρ", "at x*", "at the mirror", "elsewhere", "median steps")
    table.title = "descents from the rim of the plane; the mirror is −ρ x*"
    table.title_justify = "left"
    for row in rows:
        table.add_row(
            *(value_label(row[name]) for name in axes),
            _number(row["mirror_ratio"], "{:.3f}"),
            *(str(row["ends"][basin]) for basin in BASINS),
            _number(row["median_steps"], "{:.0f}"),
        )
    return table


def comparisons(rows: list[dict[str, Any]]) -> Table:
    """One row a value where transitions are compared, else one a cell."""
    table = _shifts(rows) if "shift" in rows[0] else _cells(rows)
    kind = "paired, trial by trial" if rows[0]["paired"] else "independent draws"
    table.title = f"{rows[0]['over']} compared with {rows[0]['reference']}; {kind}"
    table.title_justify = "left"
    return table


def _shifts(rows: list[dict[str, Any]]) -> Table:
    groups, along = _before(rows[0], "over"), rows[0]["along"]
    paired = rows[0]["paired"]
    table = table_of(
        *groups, rows[0]["over"], f"shift in {along}", "detectable",
        *(["p, pairs"] if paired else []), "cells that differ", "remark",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            *(value_label(row[name]) for name in groups),
            row["value"],
            _estimate(row, "shift", "{:+.3g}"),
            _number(row["detectable_shift"], "{:.3g}"),
            *([_p(row["p_pooled"])] if paired else []),
            f"{row['cells_that_differ']} of {row['cells_tested']}",
            row["flag"],
        )
    lines = [
        *_joint_lines(rows, groups),
        f"shift: of the 50 % point, with its 95 % interval, less that of {rows[0]['reference']}; "
        "detectable: the smallest one that as many trials find with 80 % power",
    ]
    if paired:
        lines += [
            "p, pairs: McNemar, all discordant pairs along the axis: it uses the pairing",
            "shifts and their intervals take the draws as independent: with shared draws they are "
            "wider than need be",
        ]
    if any(row["flag"] for row in rows):
        lines.append(
            f"remark: of either fit, as above; a shift needs two 50 % points inside the values of "
            f"{along} that were run, and outcomes that do not speak against the direction"
        )
    return _captioned(table, [*lines, *_crashes(rows, groups)])


def _joint_lines(rows: list[dict[str, Any]], groups: list[str]) -> list[str]:
    """Write the joint test of every group that has one, once: it is about no single value."""
    tests = {}
    for row in rows:
        place = ", ".join(f"{name} = {value_label(row[name])}" for name in groups)
        if row["joint"]["p_one_curve"] is not None:
            tests[place] = _p(row["joint"]["p_one_curve"])
    if not tests:
        return []
    found = "; ".join(f"{place}: {p}" if place else p for place, p in tests.items())
    values = ", ".join(rows[0]["joint"]["values"])
    return [
        f"p, one 50 % point for all of {values} together: {found}",
        "(likelihood ratio against one point for each, given that they share slope and ceiling)",
    ]


def _cells(rows: list[dict[str, Any]]) -> Table:
    axes = _before(rows[0]["cells"][0], "successes")
    over, paired = rows[0]["over"], rows[0]["paired"]
    table = table_of(
        over, *axes, "success, %", f"at {rows[0]['reference']}", "difference",
        *(["gained, lost"] if paired else []), "p, Holm",
    )  # fmt: skip
    for row in rows:
        for cell in row["cells"]:
            table.add_row(
                row["value"],
                *(value_label(cell[name]) for name in axes),
                _percent(cell, "rate", cell["runs"]),
                _percent(cell, "reference_rate", cell["reference_runs"]),
                _percent(cell, "difference", cell["runs"], "+"),
                *([f"{cell['gained']}, {cell['lost']}"] if paired else []),
                _p(cell["p_holm"]),
            )
    return _captioned(table, ["in brackets: 95 % intervals", *_crashes(rows, [])])


def _crashes(rows: list[dict[str, Any]], groups: list[str]) -> list[str]:
    """Say how many trials crashed at either of two values that are compared."""
    over = rows[0]["over"]
    told = [
        {
            **{name: row[name] for name in groups},
            over: row["value"],
            "crashed": row.get("crashed", 0) + row.get("reference_crashed", 0),
            "runs": sum(cell["runs"] + cell["reference_runs"] for cell in row["cells"]),
        }
        for row in rows
    ]
    return crash_lines(told, [*groups, over], "runs")


def _percent(row: dict[str, Any], name: str, trials: int, sign: str = "") -> str:
    """Write a share with its interval in %, with a decimal if so many trials tell one."""
    if not trials or row[name] is None:
        return "–"
    digits = 0 if trials < 1000 else 1
    best, low, high = (f"{100 * row[name + end]:{sign}.{digits}f}" for end in ("", "_low", "_high"))
    return f"{best} [{low}, {high}]"


def _before(row: dict[str, Any], key: str) -> list[str]:
    """List the keys of a row that come before one: its coordinates."""
    return list(row)[: list(row).index(key)]


def _captioned(table: Table, lines: list[str]) -> Table:
    if lines:
        table.caption = "\n".join(lines)
        table.caption_justify = "left"
    return table


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _estimate(row: dict[str, Any], name: str, form: str) -> str:
    if row[name] is None:
        return "–"
    values = [row[f"{name}{end}"] for end in ("", "_low", "_high")]
    best, low, high = ("–" if value is None else form.format(value) for value in values)
    return f"{best} [{low}, {high}]"


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
