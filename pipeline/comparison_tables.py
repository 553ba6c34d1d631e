"""What `genprior fit` prints of comparisons."""

from typing import Any

from rich.table import Table

from ..sweeps.labels import value_label
from .crashes import crash_lines
from .table_parts import before, captioned, estimate, number, p_value, percent, table_of


def comparisons(rows: list[dict[str, Any]]) -> Table:
    """One row a value where transitions are compared, else one a cell."""
    table = _shifts(rows) if "shift" in rows[0] else _cells(rows)
    kind = "paired, trial by trial" if rows[0]["paired"] else "independent draws"
    table.title = f"{rows[0]['over']} compared with {rows[0]['reference']}; {kind}"
    table.title_justify = "left"
    return table


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
    return captioned(table, [*lines, *_crashes(rows, groups)])


def _joint_lines(rows: list[dict[str, Any]], groups: list[str]) -> list[str]:
    """Write the joint test of every group that has one, once: it is about no single value."""
    tests = {}
    for row in rows:
        place = ", ".join(f"{name} = {value_label(row[name])}" for name in groups)
        if row["joint"]["p_one_curve"] is not None:
            tests[place] = p_value(row["joint"]["p_one_curve"])
    if not tests:
        return []
    found = "; ".join(f"{place}: {p}" if place else p for place, p in tests.items())
    values = ", ".join(rows[0]["joint"]["values"])
    return [
        f"p, one 50 % point for all of {values} together: {found}",
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
