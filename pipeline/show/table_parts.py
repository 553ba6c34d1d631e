"""Parts of the tables that commands print."""

import re
from collections.abc import Iterable
from typing import Any

from rich.table import Table

from ...sweeps.labels import value_label

UNKNOWN = "–"


def table_of(*columns: str) -> Table:
    """Make an empty table with these columns and without lines."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def percent(row: dict[str, Any], name: str, trials: int, sign: str = "") -> str:
    """Write a share with its interval in %, with a decimal from 1000 trials on."""
    if not trials or row[name] is None:
        return UNKNOWN
    digits = 0 if trials < 1000 else 1
    best, low, high = (f"{100 * row[name + end]:{sign}.{digits}f}" for end in ("", "_low", "_high"))
    return _with_minus(f"{best} [{low}, {high}]")


def before(row: dict[str, Any], key: str) -> list[str]:
    """List the keys of a row that come before a key: its coordinates."""
    return list(row)[: list(row).index(key)]


def group_text(row: dict[str, Any], names: Iterable[str]) -> str:
    """Write the coordinates of a row, as in "k = 2, m = 30"."""
    return ", ".join(f"{name} = {value_label(row[name])}" for name in names)


def titled(table: Table, title: str) -> Table:
    """Set the title of a table, on the left."""
    table.title, table.title_justify = title, "left"
    return table


def captioned(table: Table, lines: list[str]) -> Table:
    """Set the caption of a table to some lines, if there are any."""
    if lines:
        table.caption = "\n".join(lines)
        table.caption_justify = "left"
    return table


def number(value: float | None, form: str) -> str:
    """Write a number in a form such as "{:.3g}"."""
    return UNKNOWN if value is None else _with_minus(form.format(value))


def estimate(row: dict[str, Any], name: str, form: str) -> str:
    """Write an estimate with its interval."""
    if row[name] is None:
        return UNKNOWN
    values = [row[f"{name}{end}"] for end in ("", "_low", "_high")]
    best, low, high = (number(value, form) for value in values)
    return f"{best} [{low}, {high}]"


def _with_minus(text: str) -> str:
    """Write signs as a minus, as pictures and pages do; a power of ten keeps its hyphen."""
    return re.sub("(?<!e)-", "−", text)


def interval_text(low: float | None, high: float | None) -> str:
    """Write an interval whose ends may be unknown."""
    if low is None and high is None:
        return UNKNOWN
    if high is None:
        return f"> {low:.4g}"
    return f"< {high:.4g}" if low is None else f"{low:.4g} – {high:.4g}"


def p_is(value: float | None) -> str:
    """Write what follows "p": "= 0.019" or "< 0.001"."""
    text = p_value(value if value == value else None)
    return text if text.startswith(("<", UNKNOWN)) else f"= {text}"


def p_value(value: float | None) -> str:
    """Write a p-value."""
    if value is None:
        return UNKNOWN
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
