"""The printed table of a scaling law."""

import math
from typing import Any

import xarray as xr
from rich.table import Table

from .table_parts import UNKNOWN, captioned, group_text, number, p_is, p_value, table_of

SHOWN_GROUPS = 8  # of each reason
FACTORS = {  # the coefficient is their logarithm
    "constant": "factor",
    "depth": "factor per layer",
    "k/n": "factor if n = k",
}


def scaling(rows: list[dict[str, Any]], dataset: xr.Dataset) -> Table:
    """Make a table with a row for each term, and one for each shape of a theorem."""
    of = dataset.attrs["of"]
    # Only shapes and forms have more columns than the first two.
    compared = any(row["kind"] in ("shape", "form") for row in rows)
    more = ("scatter", "p, exact", "log odds") if compared else ()
    table = table_of("", "estimate [95 % interval]", *more)
    for row in rows:
        if row["kind"] == "term":
            table.add_row(term_name(row["term"]), term_value(row))
        elif row["kind"] == "shape":
            table.add_row(
                f"{of} over {row['term']}",
                _interval(row["value"], row["low"], row["high"], "{:.3g}"),
                _scatter(row["tau"]),
                p_value(row["lack_of_fit"]),
                number(row["log_odds"], "{:+.1f}"),
            )
        elif row["kind"] == "form":
            table.add_row(
                f"{row['term']}: b",
                _interval(row["value"], row["low"], row["high"], "{:.2f}"),
                "",
                "",
                number(row["log_odds"], "{:+.1f}"),
            )
    return captioned(table, _lines(rows, dataset))


def term_name(term: str) -> str:
    """Say what a coefficient of a law is, as in "k: exponent"."""
    if term in FACTORS:
        return f"{term}: {FACTORS[term]}"
    return f"{term}: exponent"


def term_value(row: dict[str, Any], form: str = "{:.2f}") -> str:
    """Write a coefficient with its interval; factors of the constant and of a layer as such."""
    values = [row["value"], row["low"], row["high"]]
    if row["term"] in FACTORS:
        values = [None if value is None else math.exp(value) for value in values]
        is_wide = any(value is not None and not 0.1 <= value < 100 for value in values)
        form = "{:.3g}" if row["term"] == "constant" or is_wide else form
    best, low, high = values
    return _interval(best, low, high, form)


def _interval(best: float | None, low: float | None, high: float | None, form: str) -> str:
    if best is None:
        return UNKNOWN
    return f"{number(best, form)} [{number(low, form)}, {number(high, form)}]"


def _lines(rows: list[dict[str, Any]], dataset: xr.Dataset) -> list[str]:
    """Write what holds for the law as a whole, and which groups are left out."""
    from ...tasks.statistics.outcomes import EXCLUDED, NO_TRIALS
    from ...tasks.theory.terms import FORMS

    figures, of = dataset.attrs, dataset.attrs["of"]
    groups = sum(reason not in (EXCLUDED, NO_TRIALS) for reason in dataset["left_out"].values.flat)
    lines = [
        f"law of {of} at 50 % success over {figures['groups']} of {groups} groups with trials",
        f"its scatter {_scatter(figures['tau'])}, p of none {p_is(figures['lack_of_fit'])}",
        f"curves: {figures['curve']} (probability {100 * figures['curve_weight']:.0f} %); ceilings "
        f"{_ceilings(dataset)}",
    ]
    if not figures["converged"]:
        lines.append("the fit of the curves did not converge; do not rely on this law")
    if axes := figures.get("same_draws"):
        lines.append(
            f"groups along {axes.replace(' ', ', ')} have the same draws and count as independent: "
            "do not rely on the intervals"
        )
    shapes = [row for row in rows if row["kind"] == "shape"]
    if shapes:
        lines.append(
            "p, exact: of the shape without scatter; log odds: its evidence less that of the law "
            "with all terms, in nats"
        )
    lines += [
        f"{row['term']}: {row['meaning']}, b from 0 to {FORMS[row['term']].largest:g} a priori; "
        f"log odds against {FORMS[row['term']].replaces} with a free exponent"
        for row in rows
        if row["kind"] == "form"
    ]
    if unknown := [row["term"] for row in shapes if row["value"] is None]:
        lines.append(f"no value in some group: {', '.join(unknown)}")
    return lines + _left_out(rows)


def _left_out(rows: list[dict[str, Any]]) -> list[str]:
    """List the groups with trials that are left out, for each reason."""
    from ...tasks.statistics.group_laws import REASONS
    from ...tasks.statistics.outcomes import NO_TRIALS

    lines = []
    for reason, words in REASONS.items():
        if reason == NO_TRIALS:
            continue
        found = [row for row in rows if row["kind"] == "left out" and row["reason"] == reason]
        if not found:
            continue
        names = [name for name in found[0] if name not in ("kind", "reason")]
        groups = "; ".join(group_text(row, names) for row in found[:SHOWN_GROUPS])
        more = f" and {len(found) - SHOWN_GROUPS} more" if len(found) > SHOWN_GROUPS else ""
        lines.append(f"left out, {words}: {groups}{more}")
    return lines


def _ceilings(dataset: xr.Dataset) -> str:
    low, high = (100 * float(end) for end in (dataset["ceiling"].min(), dataset["ceiling"].max()))
    return f"{low:.0f} %" if f"{low:.0f}" == f"{high:.0f}" else f"{low:.0f} to {high:.0f} %"


def _scatter(tau: float | None) -> str:
    return UNKNOWN if tau is None else f"{100 * tau:.1f} %"
