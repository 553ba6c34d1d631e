"""What `genprior fit` prints of laws and comparisons."""

from typing import Any

from rich.table import Table

from .tables import table_of

REMARKS = {
    "no-fit": "too few cells have 5 trials that recovered",
    "curved": "the medians are no power law; the exponents between neighbours are",
    "threshold": "the threshold of success cuts into the errors, which flattens the law",
}


def laws(rows: list[dict[str, Any]]) -> Table:
    """One row a group and axis: the claimed exponent beside the measured one."""
    groups = _before(rows[0], "variable")
    table = table_of(*groups, "axis", "claimed", "measured", "95 % interval", "remark")
    table.title = f"{rows[0]['variable']} of recovered trials = C · Π axis^exponent"
    table.title_justify = "left"
    for row in rows:
        table.add_row(
            *(_short(row[name]) for name in groups),
            row["axis"],
            _short(row["claimed"]),
            _number(row["exponent"], "{:.3f}"),
            _interval(row, "exponent", "{:.3f}"),
            ", ".join(filter(None, [_verdict(row), row["flag"]])),
        )
    return _captioned(table, _law_remarks(rows, groups))


def _law_remarks(rows: list[dict[str, Any]], groups: list[str]) -> list[str]:
    """Explain the flags, and give the local exponents where a law is curved."""
    lines = []
    for row in rows:
        if row["axis"] == rows[0]["axis"]:
            place = "".join(f"{name} = {_short(row[name])}, " for name in groups)
            lines.append(f"{place}{_entered(row)}")
    flags = {word for row in rows for word in row["flag"].split(", ") if word}
    lines += [f"{word}: {REMARKS[word]}" for word in sorted(flags)]
    for row in rows:
        if row["curved"] and row["local"]:
            place = "".join(f"{name} = {_short(row[name])}, " for name in groups)
            pieces = [
                f"{_short(one['from'])} – {_short(one['to'])}: "
                f"{_number(one['exponent'], '{:.2f}')} "
                f"[{_interval(one, 'exponent', '{:.2f}')}]"
                for one in row["local"]
            ]
            lines.append(f"{place}{row['axis']} {'; '.join(pieces)}")
    if any(row["clustered"] for row in rows):
        lines.append("draws are shared along an axis of the law; the intervals allow for it")
    return lines


def _verdict(row: dict[str, Any]) -> str:
    """Say where the claimed exponent lies, seen from the interval."""
    if row["exponent_low"] is None or row["exponent_high"] is None:
        return ""
    if row["claimed"] < row["exponent_low"]:
        return "claim too low"
    return "claim too high" if row["claimed"] > row["exponent_high"] else "claim inside"


def _entered(row: dict[str, Any]) -> str:
    if not row["trials"]:
        return "no trial was run"
    low, high = 100 * row["share_low"], 100 * row["share_high"]
    return (
        f"{row['entered']:,} of {row['trials']:,} trials recovered and entered "
        f"({low:.3g} – {high:.3g} %, 95 % interval)"
    )


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
        *groups, rows[0]["over"], f"shift in {along}", "95 % interval", "detectable",
        "p, one curve", *(["p, pairs"] if paired else []), "cells that differ", "remark",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            *(_short(row[name]) for name in groups),
            row["value"],
            _number(row["shift"], "{:+.3g}"),
            _interval(row, "shift", "{:+.3g}"),
            _number(row["detectable_shift"], "{:.3g}"),
            _p(row["p_one_curve"]),
            *([_p(row["p_pooled"])] if paired else []),
            f"{row['cells_that_differ']} of {len(row['cells'])}",
            row["flag"],
        )
    lines = [
        f"shift: of the 50 % point, less that of {rows[0]['reference']}; detectable: the smallest "
        "one that as many trials find with 80 % power",
        "p, one curve: likelihood ratio, one curve for all values against one offset for each",
    ]
    if paired:
        lines += [
            "p, pairs: McNemar, all discordant pairs along the axis: it uses the pairing",
            "shifts and their intervals take the draws as independent: with shared draws they are "
            "wider than need be",
        ]
    if any(row["flag"] for row in rows):
        lines.append(f"outside-grid: a 50 % point lies outside the values of {along} that were run")
    return _captioned(table, lines)


def _cells(rows: list[dict[str, Any]]) -> Table:
    axes = _before(rows[0]["cells"][0], "successes")
    over, paired = rows[0]["over"], rows[0]["paired"]
    table = table_of(
        over, *axes, "success, %", f"at {rows[0]['reference']}", "difference",
        *(["gained, lost"] if paired else []), "p", "p, Holm",
    )  # fmt: skip
    for row in rows:
        for cell in row["cells"]:
            table.add_row(
                row["value"],
                *(_short(cell[name]) for name in axes),
                _percent(cell, "rate", "{:.3g}"),
                _percent(cell, "reference_rate", "{:.3g}"),
                _percent(cell, "difference", "{:+.3g}"),
                *([f"{cell['gained']}, {cell['lost']}"] if paired else []),
                _p(cell["p_value"]),
                _p(cell["p_holm"]),
            )
    return _captioned(table, ["in brackets: 95 % intervals"])


def _percent(cell: dict[str, Any], name: str, form: str) -> str:
    if cell[name] is None:
        return "–"
    best, low, high = (form.format(100 * cell[name + end]) for end in ("", "_low", "_high"))
    return f"{best} [{low}, {high}]"


def _before(row: dict[str, Any], key: str) -> list[str]:
    """List the keys of a row that come before one: its coordinates."""
    return list(row)[: list(row).index(key)]


def _captioned(table: Table, lines: list[str]) -> Table:
    if lines:
        table.caption = "\n".join(lines)
        table.caption_justify = "left"
    return table


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _interval(row: dict[str, Any], name: str, form: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "–" if low is None or high is None else f"{form.format(low)} – {form.format(high)}"


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
