"""Where text for people goes: folded to the width of a terminal, and never in a pipe or a file."""

from copy import copy

from rich.console import Console, ConsoleDimensions
from rich.table import Table

UNFOLDED = 1_000_000  # columns
USUAL = 80


class Output(Console):
    """A console that folds lines only where somebody sees them.

    Paths and error texts may hold what rich would take for its markup, so that it has none.
    """

    def __init__(self, *, stderr: bool = False):
        super().__init__(stderr=stderr, markup=False, emoji=False)

    @property
    def size(self) -> ConsoleDimensions:
        """Width and height; where there is no terminal, a width that nothing reaches."""
        # FORCE_COLOR makes rich draw its bars, of stderr, into a pipe; they need an end.
        if not (self.file.isatty() or (self.stderr and self.is_terminal)):
            return ConsoleDimensions(UNFOLDED, 25)
        found = super().size
        return found if found.width > 0 else ConsoleDimensions(USUAL, found.height)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size

    def print_table(self, table: Table) -> None:
        """Print a table; its title and its caption may be wider than the table itself."""
        bare = copy(table)
        bare.title = bare.caption = None
        if table.title:
            self.print(table.title, style="table.title", highlight=False)
        if self.is_terminal:
            self.print(bare)
        else:
            with self.capture() as captured:
                self.print(bare)
            # rich fills the last column with blanks.
            text = "\n".join(line.rstrip() for line in captured.get().splitlines())
            self.print(text, highlight=False)
        if table.caption:
            self.print(table.caption, style="table.caption", highlight=False)
