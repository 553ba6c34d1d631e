"""Progress of a run: a bar on a terminal, elsewhere a line every ten seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from ..run.summary import RunSummary

LINE_EVERY = 10.0
LEAST_BAR, MOST_BAR = 10, 50
SPARE = 3  # columns kept free for the ^C that a terminal prints, so that the line does not wrap


class Progress(Protocol):
    """Shows the progress of a run."""

    def phase(self, text: str) -> None:
        """Show what is done before the first trials."""
        ...

    def expect(self, total: int) -> None:
        """Show the number of trials."""
        ...

    def tell(self, text: str) -> None:
        """Show a line that stays."""
        ...

    def listen(self, summary: RunSummary) -> None:
        """Show the counts of the run so far."""
        ...


@contextmanager
def progress(console: Console) -> Iterator[Progress]:
    """Show a run's progress on a console, a terminal or not."""
    if not console.is_terminal:
        yield Lines(console)
        return
    bar = Bar(console)
    live = Live(console=console, refresh_per_second=8, get_renderable=lambda: bar.render())
    live.start()
    try:
        yield bar
    finally:
        # The terminal may have been closed.
        with suppress(OSError):
            # The line of a run that did not begin is removed.
            live.transient = not bar.begun
            live.stop()


class Bar:
    """One line on a terminal; if it is too narrow, the least important figures are left out."""

    def __init__(self, console: Console):
        self._console = console
        self._total: int | None = None
        self._begun = self._heard = time.monotonic()
        self._summary: RunSummary | None = None
        self._spinner = Spinner("dots" if console.encoding.startswith("utf") else "line")
        self._phase = "starting"

    @property
    def begun(self) -> bool:
        """Whether a run has begun."""
        return self._summary is not None

    def phase(self, text: str) -> None:
        """Show the text next to a spinner."""
        self._phase = text

    def expect(self, total: int) -> None:
        """Show the number of trials next to the spinner."""
        self._total = total

    def tell(self, text: str) -> None:
        """Print the text above the line."""
        with suppress(OSError):
            self._console.print(text, highlight=False, soft_wrap=True)

    def listen(self, summary: RunSummary) -> None:
        """Keep the counts until the line is drawn again."""
        self._summary, self._heard = summary, time.monotonic()

    def render(self) -> RenderableType:
        """Draw the line."""
        now = time.monotonic()
        width = max(self._console.width - SPARE, 20)
        if self._summary is None:
            count = "" if self._total is None else f"0/{self._total} trials"
            parts = [self._phase, clock(now - self._begun), count]
            self._spinner.update(text=Text(_fitting(parts, width - 2)))
            return self._spinner
        summary, since = self._summary, now - self._heard
        elapsed = f"{clock(now - self._begun)} elapsed"
        figures = [_count(summary), _share(summary), _left(summary, since) or elapsed]
        figures.insert(2, _rate(summary, "/s"))
        if _left(summary):
            figures.append(elapsed)
        text = _fitting([*filter(None, figures), *_outcomes(summary)], width - LEAST_BAR - 1)
        line = Table.grid(padding=(0, 1, 0, 0))
        line.add_column(no_wrap=True)
        line.add_column(no_wrap=True, overflow="crop")
        length = max(1, min(MOST_BAR, width - len(text) - 1))
        line.add_row(ProgressBar(1, summary.finished_share, width=length), text)
        return line


class Lines:
    """Prints a line every ten seconds, for files and pipes."""

    def __init__(self, console: Console):
        self._console = console
        self._last = time.monotonic() - LINE_EVERY
        self._phase = "starting"

    def phase(self, text: str) -> None:
        """Keep the text; `expect` prints it."""
        self._phase = text

    def expect(self, total: int) -> None:
        """Print what is done before the first trials."""
        self.tell(f"{self._phase}, then timing a few trials")

    def tell(self, text: str) -> None:
        """Print a line; if it cannot be printed, as on a full disk, the run continues."""
        with suppress(OSError):
            self._console.print(text, highlight=False, soft_wrap=True)

    def listen(self, summary: RunSummary) -> None:
        """Print a line if the last one is ten seconds old, and at the end."""
        if time.monotonic() - self._last < LINE_EVERY and not summary.is_over:
            return
        self._last = time.monotonic()
        self.tell(", ".join([count_of(summary), *figures_of(summary)]))


def count_of(summary: RunSummary) -> str:
    """Write how many trials have ended."""
    return f"{_count(summary)} trials"


def figures_of(summary: RunSummary) -> list[str]:
    """Write the share that is done, the rate, the time left, and what `_outcomes` writes."""
    parts = [_share(summary), _rate(summary, " trials/s")]
    parts += [_left(summary) and f"about {_left(summary)}", *_outcomes(summary)]
    return [part for part in parts if part]


def clock(seconds: float) -> str:
    """Write a duration as a clock does.

    Dask's `format_time` changes its unit and its length as time goes by, and a line that is drawn
    again and again would jump.
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _fitting(parts: list[str], width: int) -> str:
    """Join as many parts as fit into a width, and at least the first one."""
    parts = list(filter(None, parts))
    while len(parts) > 1 and len("  ".join(parts)) > width:
        parts.pop()
    return "  ".join(parts)[:width]


def _per_second(summary: RunSummary) -> float:
    return (summary.computed + summary.crashed) / max(summary.wall_seconds, 1e-9)


def _count(summary: RunSummary) -> str:
    finished = summary.total - summary.pending
    if summary.groups:
        return f"{summary.groups_ended}/{summary.groups} groups, {finished}"
    return f"{finished}/{summary.total}"


def _share(summary: RunSummary) -> str:
    return f"{int(100 * summary.finished_share + 1e-9)} %"


def _rate(summary: RunSummary, unit: str) -> str:
    return f"{_per_second(summary):.3g}{unit}" if summary.computed else ""


def _left(summary: RunSummary, since: float = 0.0) -> str:
    """Write the time that is left, some seconds after a summary."""
    from ..run.summary import time_left

    left = None if summary.is_over else time_left(summary)
    return "" if left is None else f"{clock(max(0.0, left - since))} left"


def _outcomes(summary: RunSummary) -> list[str]:
    """Write the share of successes, and numbers of crashed trials and dead workers."""
    parts = []
    if summary.crashed:
        parts.append(f"{summary.crashed} crashed")
    if summary.workers_lost:
        parts.append(deaths(summary.workers_lost))
    if summary.done_successes is not None and (summary.computed or summary.crashed):
        share = 100 * summary.done_successes / max(summary.done, 1)
        parts.insert(0, f"success so far {share:.0f} %")
    return parts


def deaths(count: int) -> str:
    """Write how many workers died."""
    return "1 worker died" if count == 1 else f"{count} workers died"
