"""Tables of comparisons, which `genprior fit` prints."""

from typing import Any

from rich.table import Table

from ...sweeps.labels import value_label
from ..fit.crashes import crash_lines
from .table_parts import (
    before,
    captioned,
    estimate,
    group_text,
    number,
    p_value,
    percent,
    table_of,
    titled,
)


def comparisons(rows: list[dict[str, Any]]) -> Table:
    """Make a table with a row for each value if transitions are compared, else for each cell."""
    table = _shifts(rows) if "shift" in rows[0] else _cells(rows)
    kind = "paired, trial by trial" if rows[0]["paired"] else "independent draws"
    return titled(table, f"{rows[0]['over']} compared with {rows[0]['reference']}; {kind}")


def _shifts(rows: list[dict[str, Any]]) -> Table:
    groups, along = before(rows[0], "over"), rows[0]["along"]
    paired = rows[0]["paired"]
    table = table_of(
        *groups, rows[0]["over"], f"shift in {along}", "detectable",
        *(["p, pairs"] if paired else []), "cells that differ", "remark",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            *(value_label(row[name]) for name in groups),
            row["value"],
            estimate(row, "shift", "{:+.3g}"),
            number(row["detectable_shift"], "{:.3g}"),
            *([p_value(row["p_pooled"])] if paired else []),
            f"{row['cells_that_differ']} of {row['cells_tested']}",
            row["flag"],
        )
    lines = [
        *_joint_lines(rows, groups),
        f"shift: the 50 % point minus that of {rows[0]['reference']}, with its 95 % interval; "
        "detectable: the smallest shift that this many trials find with 80 % power",
    ]
    if paired:
        lines += [
            "p, pairs: McNemar's test of all discordant pairs along the axis; it uses the pairing",
            "shifts and their intervals treat the draws as independent, so that with shared draws "
            "the intervals are wider than necessary",
        ]
    if any(row["flag"] for row in rows):
        lines.append(
            "remark: of one of the two fits, explained above; a shift needs two 50 % points inside "
            f"the values of {along} that were run, and outcomes that do not contradict the "
            "direction"
        )
    return captioned(table, [*lines, *_crashes(rows, groups)])


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
        "(likelihood ratio against one point for each, given that they share slope and ceiling)",
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
