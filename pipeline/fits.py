"""What `fit` gives: one labelled dataset for each analysis of a store."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import xarray as xr
from rich.table import Table

from .analyses import Analysis, analyses


@dataclass(frozen=True, repr=False, eq=False)
class Fits(Mapping[str, xr.Dataset]):
    """The analyses of a store by name, in the order in which they are printed.

    Attributes:
        store: path of the store.
        datasets: the analyses, as the store keeps them.
        left_out: which analyses cannot be made, and why.
        expected: what the sweep says is to be expected.
        source: whose claim that is.
    """

    store: str
    datasets: Mapping[str, xr.Dataset]
    left_out: Mapping[str, str] = field(default_factory=dict)
    expected: str = ""
    source: str = ""

    def __getitem__(self, name: str) -> xr.Dataset:
        """Give an analysis by name."""
        return self.datasets[name]

    def __iter__(self) -> Iterator[str]:
        """Run through the names."""
        return iter(self.datasets)

    def __len__(self) -> int:
        """Count the analyses."""
        return len(self.datasets)

    def __hash__(self) -> int:
        """Tell two results apart; datasets have no hash."""
        return id(self)

    def __eq__(self, other: object) -> bool:
        """Two results are one only if they are the same object."""
        return self is other

    @property
    def parts(self) -> list[tuple[Analysis, xr.Dataset]]:
        """The analyses with their datasets."""
        return [(each, self.datasets[each.name]) for each in analyses() if each.name in self]

    def records(self) -> dict[str, Any]:
        """Give all as plain values, as `fit --json` prints them.

        The rows of every analysis are under its key, an empty list where it was not made.
        """
        found: dict[str, Any] = {analysis.json_name: [] for analysis in analyses()}
        found["left_out"] = list(self.left_out.values())
        found |= {"expected": self.expected, "source": self.source}
        for analysis, dataset in self.parts:
            found[analysis.json_name] = analysis.records(dataset)
            found |= analysis.summary(dataset)
        return found

    def tables(self) -> list[Table]:
        """Give the tables for people, of those analyses that have an entry."""
        return [analysis.table(made) for analysis, made in self.parts if analysis.records(made)]

    def __str__(self) -> str:
        """Write the tables of the command, and what was left out."""
        from io import StringIO

        from rich.console import Console

        text = StringIO()
        console = Console(file=text, width=100, markup=False, emoji=False, highlight=False)
        for table in self.tables():
            console.print(table)
        lines = [line.rstrip() for line in text.getvalue().splitlines()]
        return "\n".join([*lines, *(f"left out: {why}" for why in self.left_out.values())])

    def _repr_html_(self) -> str:
        """Write the tables of the command, in letters of one width; Jupyter asks for it."""
        return f"<pre>{escape(str(self))}</pre>"

    def __repr__(self) -> str:
        """Name the analyses with their dimensions, and what was left out."""
        lines = [f"<Fits of {self.store}>"]
        for name, dataset in self.datasets.items():
            sizes = ", ".join(f"{dim}: {size}" for dim, size in dataset.sizes.items())
            lines.append(f"  {name:<12} ({sizes})")
        lines += [f"  left out: {why}" for why in self.left_out.values()]
        return "\n".join(lines)
