"""How results show themselves: as a table in a notebook, as lines where they are printed."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from html import escape

STYLE = "text-align: left; vertical-align: top; white-space: pre-line"


class Shown(ABC):
    """A result that is shown as rows, each with a name."""

    @abstractmethod
    def rows(self) -> Mapping[str, str]:
        """Give what is shown, text by name."""

    def __str__(self) -> str:
        """Write a line a row."""
        rows = self.rows()
        width = max(map(len, rows), default=0)
        indent = "\n" + " " * (width + 2)
        return "\n".join(
            f"{name.ljust(width)}  {text.replace(chr(10), indent)}".rstrip()
            for name, text in rows.items()
        )

    def _repr_html_(self) -> str:
        """Write a table; Jupyter asks for it."""
        return html_table(self.rows())


def html_table(rows: Mapping[str, str]) -> str:
    """Write rows, text by name, as a table of HTML."""
    lines = (
        f'<tr><th style="{STYLE}">{escape(name)}</th><td style="{STYLE}">{escape(text)}</td></tr>'
        for name, text in rows.items()
    )
    return f"<table>{''.join(lines)}</table>"
