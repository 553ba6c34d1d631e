"""Parts of the tables that commands print."""

from collections.abc import Iterable
from typing import Any

from rich.table import Table

from ...sweeps.labels import value_label


def table_of(*columns: str) -> Table:
    """Make an empty table with these columns and without lines."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def percent(row: dict[str, Any], name: str, trials: int, sign: str = "") -> str:
    """Write a share with its interval in %, with a decimal from 1000 trials on."""
    if not trials or row[name] is None:
        return "–"
    digits = 0 if trials < 1000 else 1
    best, low, high = (f"{100 * row[name + end]:{sign}.{digits}f}" for end in ("", "_low", "_high"))
    return f"{best} [{low}, {high}]"


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
    return "–" if value is None else form.format(value)


def estimate(row: dict[str, Any], name: str, form: str) -> str:
    """Write an estimate with its interval."""
    if row[name] is None:
        return "–"
    values = [row[f"{name}{end}"] for end in ("", "_low", "_high")]
    best, low, high = ("–" if value is None else form.format(value) for value in values)
    return f"{best} [{low}, {high}]"


def p_value(value: float | None) -> str:
    """Write a p-value."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
