"""The printed table of transitions, and lines on abandoned runs."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from ...sweeps.labels import value_label
from ..fit.crashes import crash_lines
from .table_parts import UNKNOWN, captioned, group_text, interval_text, p_is, table_of

MOST_EMPTY = 3  # groups without trials that a table of transitions lists
MOST_NAMED = 6  # groups whose intervals are wider
REMARKS = {
    "never": "success stays below 50 % at every value of {} that was run",
    "outside-grid": "success crosses 50 % outside the values of {} that were run; add values there",
    "leaves-grid": "the 95 % interval reaches beyond the values of {} that were run",
    "low-ceiling": "success may level off near or below 50 %, so that there may be no 50 % point",
    "misfit": "no curve fits the shares of success; the intervals allow for their larger scatter",
    "resolution-limited": "the transition is narrower than the distance of the values of {}",
    "against-direction": "the outcomes contradict the direction along {} that was fitted (the one "
    "given by fit.direction, or common to all curves)",
    "direction-open": "the outcomes do not show whether success rises or falls along {}; give the "
    "direction to 'genprior run' with --set fit.direction=rising or =falling",
    "not-nested": "draws fail again at values of {} beyond their first success, so that the shares "
    "tell the 50 % point, and not how wide the transition is",
    "no-trials": "no trial was run there",
}


def transitions(fitted: dict[str, Any]) -> Table:
    """Make a table with a row for each group. A 50 % point outside the grid is shown as a bound.

    There is a column of ceilings if the interval of at least one excludes 1.
    """
    rows = fitted["transitions"]
    along = rows[0]["along"]
    groups = [name for name in rows[0] if name in fitted["groups"]]
    ceilings = any(row["ceiling_high"] is not None and row["ceiling_high"] < 1 for row in rows)
    table = table_of(
        *groups, f"50 % point ({along})", "95 % interval", "10–90 % width",
        *(["ceiling, %"] if ceilings else []), "trials", "remark",
    )  # fmt: skip
    for column in table.columns:  # on a narrow terminal, the headers of the others are folded
        column.no_wrap = ceilings and column.header in ("95 % interval", "ceiling, %", "remark")
    words = {word for row in rows for word in row["flag"].split(", ")}
    empty = [row for row in rows if row["outcome"] == "no-trials"]
    is_long = MOST_EMPTY < len(empty) < len(rows)
    for row in rows:
        if is_long and row in empty:
            continue
        table.add_row(
            *(value_label(row[name]) for name in groups),
            _point(row, fitted["positions"]),
            _interval(row),
            UNKNOWN if row["width"] is None else f"{row['width']:.3g}",
            *([_ceiling(row)] if ceilings else []),
            f"{row['trials']:,}",
            row["flag"].replace(", ", ",\n"),
        )
    remarks = sorted(words & set(REMARKS) - ({"no-trials"} if is_long else set()))
    lines = [f"{len(empty)} groups without trials are left out"] if is_long else []
    if ceilings:
        lines.append("ceiling: success probability that the curve levels off at, 95 % interval")
    lines += [f"{name}: {REMARKS[name].format(along)}" for name in remarks]
    if fitted["clustered"]:
        lines.append(
            f"draws are shared along {along}: each counts once, for the value from which on it "
            "succeeds"
        )
    lines += [*_widened(rows, groups), *_audits(rows, groups)]
    lines += crash_lines(rows, groups, "trials")
    return captioned(table, lines)


def _widened(rows: list[dict[str, Any]], groups: Sequence[str]) -> list[str]:
    """Name the groups whose intervals allow for successes that vary together, and by how much."""
    wider = [row for row in rows if (row["dispersion"] or 1) > 1]
    if not wider:
        return []
    named = []
    for row in wider[:MOST_NAMED]:
        by = f"×{row['dispersion'] ** 0.5:.2g}, p {p_is(row['fit_p'])}"
        named.append(" ".join(filter(None, [group_text(row, groups), f"({by})"])))
    more = f" and {len(wider) - MOST_NAMED:,} more" if len(wider) > MOST_NAMED else ""
    return [
        "wider than for independent trials, as successes of one value seem to vary together "
        f"(fit.scatter): {'; '.join(named)}{more}"
    ]


def _ceiling(row: dict[str, Any]) -> str:
    """Write the interval of a ceiling in %."""
    if row["ceiling_low"] is None:
        return UNKNOWN
    return f"{100 * row['ceiling_low']:.3g} – {100 * row['ceiling_high']:.3g}"


def _audits(rows: list[dict[str, Any]], groups: Sequence[str]) -> list[str]:
    """Write the audit of each group, or of all together if there are many."""
    from ...tasks.statistics.intervals import wilson_interval

    hopeless = [row for row in rows if row.get("abandoned") or row.get("audited")]
    if len(hopeless) <= MOST_NAMED:
        return [
            ": ".join(filter(None, [group_text(row, groups), audit_text(row)])) for row in hopeless
        ]
    total = {n: sum(row[n] for row in hopeless) for n in ("abandoned", "audited", "audited_wrong")}
    low, high = wilson_interval(total["audited_wrong"], total["audited"])
    # Runs of one trial are not independent, and the rows have no interval then.
    known = any(row["wrong_rate_low"] is not None for row in hopeless)
    bounds = {"wrong_rate_low": low if known else None, "wrong_rate_high": high if known else None}
    return [f"{len(hopeless):,} groups: {audit_text(total | bounds)}"]


def audit_text(row: dict[str, Any]) -> str:
    """Write the numbers of abandoned and audited runs, and the rate of wrongly abandoned ones."""
    text = f"{row['abandoned']:,} abandoned as hopeless"
    if not row["audited"]:
        return f"{text}; none was audited, so that it is unknown how many would have recovered"
    text += f"; {row['audited_wrong']:,} of {row['audited']:,} audited ones recovered after that"
    if row["wrong_rate_low"] is None:
        return text
    low, high = (100 * row[f"wrong_rate_{bound}"] for bound in ("low", "high"))
    return (
        f"{text}, so {low:.3g} – {high:.3g} % of the abandoned ones would have recovered "
        "(95 % interval)"
    )


def _point(row: dict[str, Any], positions: tuple[float, float]) -> str:
    """Write a 50 % point, or its bound if it lies outside the values that were run."""
    if row["outcome"] == "inside":
        return f"{row['p50']:.4g}"
    if row["outcome"] not in ("below", "above"):
        return "never" if row["outcome"] == "never" else UNKNOWN
    sign, bound = ("<", row["p50_high"]) if row["outcome"] == "below" else (">", row["p50_low"])
    if bound is None:
        return UNKNOWN
    return f"{sign} {value_label(bound) if bound in positions else f'{bound:.4g}'}"


def _interval(row: dict[str, Any]) -> str:
    """Write the interval of a 50 % point that lies among the values that were run."""
    if row["outcome"] != "inside":
        return UNKNOWN
    return interval_text(row["p50_low"], row["p50_high"])
