"""What the root of a store says."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..sweeps import Grid, Sweep
from .documents import ALWAYS_THERE, Document, coordinates
from .layout import Layout, placement


@dataclass(frozen=True)
class StoreInfo:
    """What the root of a store says; `copies` are its copies of the other documents, by path."""

    path: Path
    sweep: Sweep
    layout: Layout
    variables: tuple[str, ...]
    attributes: dict[str, Any]
    copies: dict[str, Document] = field(default_factory=dict, repr=False)

    @cached_property
    def grid(self) -> Grid:
        """The points of the store's sweep, computed at the first use."""
        return Grid(self.sweep)

    def with_grid(self, grid: Grid) -> "StoreInfo":
        """Take over a grid that was computed before, if it is that of the store's sweep."""
        # Compared as text, because sweeps with another order of the axes are equal.
        if grid.sweep.as_json() == self.sweep.as_json():
            self.__dict__["grid"] = grid
        return self

    @property
    def revision(self) -> str:
        """Identifies the layout: an extension changes it."""
        return str(self.attributes["revision"])

    @property
    def results(self) -> tuple[str, ...]:
        """The names of the arrays over all dimensions."""
        return (*self.variables, *ALWAYS_THERE, *self.placement)

    @property
    def placement(self) -> tuple[str, ...]:
        """The names of the arrays that say where trials are placed; none if they are not."""
        return tuple(variable.name for variable in placement(self.sweep))

    @property
    def read_by_placement(self) -> tuple[str, ...]:
        """The names of the results from which the next trials follow; none if none are placed."""
        return (*self.placement, "success") if self.layout.is_placed else ()

    @property
    def coordinates(self) -> tuple[str, ...]:
        """The names of the coordinates, axes and trial first."""
        own = (*self.layout.dims, *coordinates(self.attributes))
        return tuple(name for name in own if name not in self.placement)

    @property
    def arrays(self) -> tuple[str, ...]:
        """The names of all arrays that the store must have."""
        return (*self.results, *self.coordinates)
