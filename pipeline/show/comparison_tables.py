"""Tables of comparisons, which `genprior fit` prints."""

from typing import Any

from rich.table import Table

from ...sweeps.labels import value_label
from ..analyses.comparison import DIFFERENT, detectable, would_be_seen
from ..fit.crashes import crash_lines
from .table_parts import (
    UNKNOWN,
    before,
    captioned,
    estimate,
    group_text,
    p_value,
    percent,
    table_of,
    titled,
)

PAIRS = {
    False: "trials at all {} together; it also sees other ceilings and slopes",
    True: "draws, by where along {} they begin to succeed",
}
JOINT = {
    False: "likelihood ratio against one point for each, given that they share slope and ceiling",
    True: "scatter of the 50 % points about their mean, in their standard errors",
}


def comparisons(rows: list[dict[str, Any]]) -> Table:
    """Make a table with a row for each value if transitions are compared, else for each cell."""
    table = _shifts(rows) if "shift" in rows[0] else _cells(rows)
    kind = "paired, trial by trial" if rows[0]["paired"] else "independent draws"
    return titled(table, f"{rows[0]['over']} compared with {rows[0]['reference']}; {kind}")


def _shifts(rows: list[dict[str, Any]]) -> Table:
    """Make a table with a row for each value of each group, the reference first."""
    groups, along = before(rows[0], "over"), rows[0]["along"]
    paired = rows[0]["paired"]
    table = table_of(
        *groups, rows[0]["over"], f"50 % point ({along})", "shift", "p, Holm", "detectable",
        *(["p, pairs"] if paired else []), "remark",
    )  # fmt: skip
    group = None
    for row in rows:
        if group != (group := [value_label(row[name]) for name in groups]):
            empty = [UNKNOWN] * (4 if paired else 3)
            table.add_row(
                *group, row["reference"], _point(row, "reference_"), *empty, row["reference_flag"]
            )
        table.add_row(
            *group,
            row["value"],
            _point(row, ""),
            estimate(row, "shift", "{:+.3g}"),
            p_value(row["p_shift_holm"]),
            UNKNOWN if row["detectable_shift"] is None else detectable(row),
            *([p_value(row["p_pooled_holm"])] if paired else []),
            row["flag"],
        )
    lines = [*_joint_lines(rows, groups), *_finding_lines(rows, groups), *_explained(rows)]
    differ, tested = (sum(row[n] for row in rows) for n in ("cells_that_differ", "cells_tested"))
    lines.append(f"success itself differs in {differ} of {tested} cells (p < {DIFFERENT:g}, Holm)")
    return captioned(table, [*lines, *_crashes(rows, groups)])


def _point(row: dict[str, Any], whose: str) -> str:
    """Write a 50 % point with its interval, or its bound outside the values that were run."""
    outcome = row[f"{whose}outcome"]
    if outcome == "inside":
        return estimate(row, f"{whose}p50", "{:.4g}")
    sign, bound = {"below": ("<", "high"), "above": (">", "low")}.get(outcome, ("", ""))
    if sign and row[f"{whose}p50_{bound}"] is not None:
        return f"{sign} {row[f'{whose}p50_{bound}']:.4g}"
    return "never" if outcome == "never" else UNKNOWN


def _finding_lines(rows: list[dict[str, Any]], groups: list[str]) -> list[str]:
    """Write for each group which values are shifted, and what "not shown" is worth."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        parts.setdefault(group_text(row, groups), []).append(row)
    lines = []
    for group, found in parts.items():
        start = f"{group}: " if group else ""
        shifted = [row["value"] for row in found if row["finding"] == "shifted"]
        unseen = [row for row in found if row["finding"] == "not-shown"]
        pairs = [
            row["value"]
            for row in found
            if row["finding"] != "shifted" and _is_small(row["p_pooled_holm"])
        ]
        reference = found[0]["reference"]
        if shifted:
            lines.append(f"{start}shifted from {reference}: {', '.join(shifted)}")
        if unseen:
            least = max(unseen, key=lambda row: row["detectable_shift"])
            names = ", ".join(row["value"] for row in unseen)
            lines.append(f"{start}no shift is shown for {names}; {would_be_seen(least)}")
        if pairs:
            lines.append(
                f"{start}but success in pairs differs from {reference} for {', '.join(pairs)} "
                "(p, pairs)"
            )
    return lines


def _is_small(p: float | None) -> bool:
    return p is not None and p < DIFFERENT


def _explained(rows: list[dict[str, Any]]) -> list[str]:
    """Say once what the columns are."""
    along, reference, paired = (rows[0][name] for name in ("along", "reference", "paired"))
    tests = sum(row["p_shift_holm"] is not None for row in rows)
    adjusted = f", adjusted for {tests} shifts" if tests > 1 else ""
    part = any(row["detectable_share"] is not None for row in rows)
    lines = [
        f"shift: the 50 % point minus that of {reference}; in brackets: 95 % intervals",
        f"p, Holm: of no shift{adjusted}; detectable: the smallest shift that this many trials "
        "find with 80 % power"
        + (" after the adjustment" if adjusted else "")
        + (f" (in % of the 50 % point of {reference})" if part else ""),
    ]
    clustered = rows[0]["clustered"]
    if paired:
        pairs = PAIRS[clustered].format(along)
        lines.append(
            f"paired: all values of {rows[0]['over']} have the same draws, and intervals, p and "
            f"detectable shift use that; p, pairs: McNemar's test, Holm, of the {pairs}"
        )
    if clustered:
        lines.append(f"draws are shared along {along}: each counts once")
    if any(row["flag"] for row in rows):
        lines.append(
            f"remark: of the value or of {reference}, explained above; a shift needs two 50 % "
            f"points inside the values of {along} that were run, and outcomes that do not "
            "contradict the direction"
        )
    return lines


def _joint_lines(rows: list[dict[str, Any]], groups: list[str]) -> list[str]:
    """Write the joint test of all values once for each group that has one."""
    tests = {}
    for row in rows:
        group = group_text(row, groups)
        if row["joint"]["p_one_curve"] is not None:
            tests[group] = p_value(row["joint"]["p_one_curve"])
    if not tests:
        return []
    p_values = "; ".join(f"{group}: {p}" if group else p for group, p in tests.items())
    values = ", ".join(rows[0]["joint"]["values"])
    return [
        f"p, one 50 % point for all of {values} together: {p_values}",
        f"({JOINT[rows[0]['clustered']]})",
    ]


def _cells(rows: list[dict[str, Any]]) -> Table:
    axes = before(rows[0]["cells"][0], "successes")
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
                percent(cell, "rate", cell["runs"]),
                percent(cell, "reference_rate", cell["reference_runs"]),
                percent(cell, "difference", cell["runs"], "+"),
                *([f"{cell['gained']}, {cell['lost']}"] if paired else []),
                p_value(cell["p_holm"]),
            )
    return captioned(table, ["in brackets: 95 % intervals", *_crashes(rows, [])])


def _crashes(rows: list[dict[str, Any]], groups: list[str]) -> list[str]:
    """Say how many trials crashed at each value or at the reference."""
    over = rows[0]["over"]
    counts = [
        {
            **{name: row[name] for name in groups},
            over: row["value"],
            "crashed": row.get("crashed", 0) + row.get("reference_crashed", 0),
            "runs": sum(cell["runs"] + cell["reference_runs"] for cell in row["cells"]),
        }
        for row in rows
    ]
    return crash_lines(counts, [*groups, over], "runs")
