"""The console of the commands: lines are folded on a terminal, and not in a pipe or a file."""

from copy import copy

from rich.console import Console, ConsoleDimensions
from rich.table import Table

UNFOLDED = 1_000_000  # columns
USUAL = 80


class Output(Console):
    """A console that folds lines only on a terminal.

    rich's markup is switched off, because paths and error texts may contain square brackets.
    """

    def __init__(self, *, stderr: bool = False):
        super().__init__(stderr=stderr, markup=False, emoji=False)

    @property
    def size(self) -> ConsoleDimensions:
        """Width and height of the terminal; without a terminal, a width that no line reaches."""
        # With FORCE_COLOR rich draws progress bars on stderr into a pipe; they need a finite width.
        if not (self.file.isatty() or (self.stderr and self.is_terminal)):
            return ConsoleDimensions(UNFOLDED, 25)
        size = super().size
        return size if size.width > 0 else ConsoleDimensions(USUAL, size.height)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size

    def print_table(self, table: Table) -> None:
        """Print a table. Its title and its caption may be wider than the table."""
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
