"""The result of `fit`: a labelled dataset for each analysis of a store."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import xarray as xr
from rich.table import Table

from ..analyses import Analysis, analyses


@dataclass(frozen=True, repr=False, eq=False)
class Fits(Mapping[str, xr.Dataset]):
    """The analyses of a store by name, in the order in which they are printed.

    Attributes:
        store: path of the store.
        datasets: the analyses, as they are stored.
        left_out: by name of an analysis that cannot be made, the reason.
        expected: the result that the sweep file announces.
        source: the publication that claims it.
        below: the error below which a trial succeeds, if success was judged again.
    """

    store: str
    datasets: Mapping[str, xr.Dataset]
    left_out: Mapping[str, str] = field(default_factory=dict)
    expected: str = ""
    source: str = ""
    below: float | None = None

    def __getitem__(self, name: str) -> xr.Dataset:
        """Give an analysis by name."""
        return self.datasets[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self.datasets)

    def __len__(self) -> int:
        """Count the analyses."""
        return len(self.datasets)

    def __hash__(self) -> int:
        """Hash the identity of the object, because datasets have no hash."""
        return id(self)

    def __eq__(self, other: object) -> bool:
        """Compare identities: two results are equal only if they are the same object."""
        return self is other

    @property
    def parts(self) -> list[tuple[Analysis, xr.Dataset]]:
        """The analyses with their datasets."""
        registered = analyses()
        return [(made, self.datasets[made.name]) for made in registered if made.name in self]

    def records(self) -> dict[str, Any]:
        """Give all analyses as plain values, as `fit --json` prints them.

        The rows of each analysis are under its key; the list is empty if it was not made.
        """
        values: dict[str, Any] = {analysis.json_name: [] for analysis in analyses()}
        values["left_out"] = list(self.left_out.values())
        values |= {"expected": self.expected, "source": self.source, "success_below": self.below}
        for analysis, dataset in self.parts:
            values[analysis.json_name] = analysis.records(dataset)
            values |= analysis.summary(dataset)
        return values

    def tables(self) -> list[Table]:
        """Give the printed tables of the analyses that have at least one row."""
        filled = [(analysis, made) for analysis, made in self.parts if all(made.sizes.values())]
        tables = [analysis.table(made) for analysis, made in filled]
        return [table for table in tables if table.row_count]

    def __str__(self) -> str:
        """Write the printed tables, and the reasons why analyses were left out."""
        from io import StringIO

        from rich.console import Console

        text = StringIO()
        # In a notebook rich would show the tables below the cell instead of writing them.
        console = Console(
            file=text, width=100, markup=False, emoji=False, highlight=False,
            force_jupyter=False, force_terminal=False,
        )  # fmt: skip
        for table in self.tables():
            console.print(table)
        lines = [line.rstrip() for line in text.getvalue().splitlines()]
        return "\n".join([*lines, *self.notes()])

    def notes(self) -> list[str]:
        """Say how success was judged, if again, and why analyses were left out."""
        judged = [] if self.below is None else [
            f"success is judged again: an error below {self.below:g}"
        ]  # fmt: skip
        return [*judged, *(f"left out: {why}" for why in self.left_out.values())]

    def _repr_html_(self) -> str:
        """Write the printed tables in a fixed-width font; Jupyter calls this."""
        return f"<pre>{escape(str(self))}</pre>"

    def __repr__(self) -> str:
        """List the analyses with their dimensions, and the reasons why others were left out."""
        lines = [f"<Fits of {self.store}>"]
        for name, dataset in self.datasets.items():
            sizes = ", ".join(f"{dim}: {size}" for dim, size in dataset.sizes.items())
            lines.append(f"  {name:<12} ({sizes})")
        lines += [f"  left out: {why}" for why in self.left_out.values()]
        return "\n".join(lines)
