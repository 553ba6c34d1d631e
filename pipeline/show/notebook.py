"""Progress of a run that is called from Python: in a notebook, on a terminal, or not shown."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .progress import Progress, count_of, figures_of, progress

if TYPE_CHECKING:
    from ..run.summary import RunSummary

DRAW_EVERY = 0.2  # seconds
WIDTH = "20em"


@contextmanager
def shown_progress(wanted: bool) -> Iterator[Progress]:
    """Show a run's progress in a notebook or on a terminal; elsewhere nothing is shown.

    Args:
        wanted: if False, nothing is shown.
    """
    if wanted and in_notebook():
        display = NotebookBar()
        try:
            yield display
        finally:
            display.finish()
        return
    if wanted:
        from ..cli.consoles import Output

        console = Output(stderr=True)
        if console.is_terminal:
            with progress(console) as shown:
                yield shown
            return
    yield Silent()


def in_notebook() -> bool:
    """Say whether this code runs in a Jupyter kernel, which can show HTML."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class Silent:
    """Shows nothing."""

    def phase(self, text: str) -> None:
        """Show nothing."""

    def expect(self, total: int) -> None:
        """Show nothing."""

    def tell(self, text: str) -> None:
        """Show nothing."""

    def listen(self, summary: "RunSummary") -> None:
        """Show nothing."""


class NotebookBar:
    """A bar and a line of figures below a cell, updated in place."""

    def __init__(self) -> None:
        ipython: Any = import_module("IPython.display")
        self._phase, self._total = "starting", 0
        self._told: list[str] = []
        self._summary: RunSummary | None = None
        self._drawn = time.monotonic()
        self._handle = ipython.display(self._bundle(), raw=True, display_id=True)

    def phase(self, text: str) -> None:
        """Show what is done before the first trials."""
        self._phase = text
        self._draw()

    def expect(self, total: int) -> None:
        """Show how many trials there will be."""
        self._total = total
        self._draw()

    def tell(self, text: str) -> None:
        """Show a line above the bar, where it stays."""
        self._told.append(text)
        self._draw()

    def listen(self, summary: "RunSummary") -> None:
        """Show the progress of the run, at most a few times per second."""
        self._summary = summary
        if time.monotonic() - self._drawn > DRAW_EVERY:
            self._draw()

    def finish(self) -> None:
        """Show the final state; of a run that did not begin, only the lines that stay."""
        if self._summary is not None:
            self._draw()
            return
        html = "<br>".join(map(escape, self._told))
        self._handle.update({"text/plain": "\n".join(self._told), "text/html": html}, raw=True)

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        self._handle.update(self._bundle(), raw=True)

    def _bundle(self) -> dict[str, str]:
        """Give the bar as text and as HTML; Jupyter shows one of them."""
        summary, share = self._summary, 0.0
        parts = [self._phase, f"0/{self._total} trials"]
        if summary is not None:
            share, parts = summary.finished_share, [count_of(summary), *figures_of(summary)]
        text = ", ".join(parts)
        lines = [*self._told, text]
        bar = f'<progress value="{share:.4f}" max="1" style="width: {WIDTH}">'
        html = "<br>".join(map(escape, lines[:-1])) + f"<div>{bar}</progress> {escape(text)}</div>"
        return {"text/plain": "\n".join(lines), "text/html": html}
