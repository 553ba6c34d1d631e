"""The printed table of a scaling law."""

from typing import Any

import xarray as xr
from rich.table import Table

from .table_parts import captioned, number, p_value, table_of


def scaling(rows: list[dict[str, Any]], dataset: xr.Dataset) -> Table:
    """Make a table with a row for each term, and one for each shape of a theorem."""
    table = table_of("", "estimate", "95 % interval", "scatter", "p, exact", "log odds")
    for row in rows:
        is_shape = row["kind"] == "shape"
        table.add_row(
            f"constant of {row['term']}" if is_shape else _term(row),
            _number(row["value"]),
            f"{_number(row['low'])} – {_number(row['high'])}",
            _scatter(row["tau"]) if is_shape else "",
            p_value(row["lack_of_fit"]) if is_shape else "",
            number(row["log_odds"], "{:+.1f}").replace("-", "−") if is_shape else "",
        )
    of, figures = dataset.attrs["of"], dataset.attrs
    groups = dataset["used"].size
    lines = [
        f"law of {of} at 50 % success, over {figures['groups']} of {groups} groups whose success "
        "crosses 50 %",
        f"scatter of ln {of} about the law: {_scatter(figures['tau'])}; exactly the law: p "
        f"{_p(figures['lack_of_fit'])}",
    ]
    if any(row["kind"] == "shape" for row in rows):
        lines.append(
            "p, exact: of the shape without scatter; log odds: its evidence less that of the law "
            "with all terms, in nats"
        )
    return captioned(table, lines)


def _number(value: float | None) -> str:
    return number(value, "{:.3g}").replace("-", "−")


def _term(row: dict[str, Any]) -> str:
    if row["term"] == "constant":
        return "ln constant"
    kind = "per layer, ln factor" if row["term"] == "depth" else "exponent"
    return f"{row['term']}, {kind}"


def _scatter(tau: float | None) -> str:
    return "–" if tau is None else f"{100 * tau:.1f} %"


def _p(value: float) -> str:
    text = p_value(value if value == value else None)
    return text if text.startswith(("<", "–")) else f"= {text}"
