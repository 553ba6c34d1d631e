"""Named rows of text as an HTML table, which notebooks show."""

from collections.abc import Mapping
from html import escape

STYLE = "text-align: left; vertical-align: top; white-space: pre-line"


def html_table(rows: Mapping[str, str]) -> str:
    """Write rows, given as text by name, as an HTML table."""
    lines = (
        f'<tr><th style="{STYLE}">{escape(name)}</th><td style="{STYLE}">{escape(text)}</td></tr>'
        for name, text in rows.items()
    )
    return f"<table>{''.join(lines)}</table>"
