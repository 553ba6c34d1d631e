"""What a fit gives in Python."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

from .analysis import FOUND, fit_store


@dataclass(frozen=True, repr=False)
class Fitted(Mapping[str, Any]):
    """The fits of a store, as `genprior fit --json` gives them: the same keys, the same rows."""

    store: str
    found: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        """Give what `--json` has under a key."""
        return self.found[key]

    def __iter__(self) -> Iterator[str]:
        """Go through the keys."""
        return iter(self.found)

    def __len__(self) -> int:
        """Count the keys."""
        return len(self.found)

    @property
    def transitions(self) -> list[dict[str, Any]]:
        """Give the 50 % points, a row for each group of the other axes."""
        rows: list[dict[str, Any]] = self.found["transitions"]
        return rows

    def _tables(self) -> Mapping[str, Any]:
        from . import fit_tables, tables

        return {
            name: tables.transitions(self.found)
            if name == "transitions"
            else getattr(fit_tables, name)(self.found[name])
            for name in FOUND
            if self.found[name]
        }

    def __str__(self) -> str:
        """Write the tables of the command."""
        from rich.console import Console

        text = StringIO()
        console = Console(
            file=text, width=100, markup=False, emoji=False, highlight=False,
            force_terminal=False, force_jupyter=False,
        )  # fmt: skip
        for table in self._tables().values():
            console.print(table)
        lines = [line.rstrip() for line in text.getvalue().splitlines()]
        lines += [f"left out: {refusal}" for refusal in self.found["left_out"]]
        return "\n".join(lines)

    def __repr__(self) -> str:
        """Write the tables of the command: the rows are long."""
        return str(self)

    def _repr_html_(self) -> str:
        """Write the tables of the command, in letters of one width."""
        return f"<pre>{escape(str(self))}</pre>"


def fitted_store(path: Path, along: str | None) -> Fitted:
    """Fit a store as its sweep asks."""
    return Fitted(str(path), fit_store(path, along))
