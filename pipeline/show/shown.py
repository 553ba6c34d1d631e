"""Results as text: a table in a notebook, lines where they are printed."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from ...sweeps.html_table import html_table


class Shown(ABC):
    """A result that is shown as named rows."""

    @abstractmethod
    def rows(self) -> Mapping[str, str]:
        """Give the text of each row, by name."""

    def __str__(self) -> str:
        """Write each row as a line."""
        rows = self.rows()
        width = max(map(len, rows), default=0)
        indent = "\n" + " " * (width + 2)
        return "\n".join(
            f"{name.ljust(width)}  {text.replace(chr(10), indent)}".rstrip()
            for name, text in rows.items()
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Write an HTML table; Jupyter calls this."""
        return html_table(self.rows())
