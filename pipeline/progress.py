"""Showing how a run gets on: a live bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from .run import Listener, RunSummary

LINE_EVERY = 10.0
STARTING = "starting workers, timing a few trials"


@contextmanager
def progress(console: Console) -> Iterator[Listener]:
    """Show a run's progress on a console; give the function that is told of it."""
    if console.is_terminal:
        with _bar(console) as listener:
            yield listener
    else:
        console.print(STARTING, highlight=False)
        yield _lines(console)


@contextmanager
def _bar(console: Console) -> Iterator[Listener]:
    bar = Progress(
        TextColumn("trials"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("[dim]elapsed"),
        TimeElapsedColumn(),
        TextColumn("[dim]left"),
        TimeRemainingColumn(elapsed_when_finished=False),
        TextColumn("{task.fields[outcome]}"),
        console=console,
        speed_estimate_period=120,
    )
    with bar:
        task = bar.add_task("trials", total=None, rate="", outcome=STARTING)

        def listen(summary: RunSummary) -> None:
            bar.update(
                task,
                total=summary.total,
                completed=summary.total - summary.pending,
                rate=_rate(summary),
                outcome=_outcome(summary),
            )

        yield listen


def _lines(console: Console) -> Listener:
    last = time.monotonic() - LINE_EVERY

    def listen(summary: RunSummary) -> None:
        nonlocal last
        if time.monotonic() - last < LINE_EVERY and summary.pending:
            return
        last = time.monotonic()
        finished = summary.total - summary.pending
        share = 100 * finished // max(summary.total, 1)
        parts = [f"{finished}/{summary.total} trials, {share} %", _rate(summary), _left(summary)]
        console.print(", ".join(filter(None, [*parts, _outcome(summary)])), highlight=False)

    return listen


def _per_second(summary: RunSummary) -> float:
    return (summary.computed + summary.crashed) / max(summary.wall_seconds, 1e-9)


def _rate(summary: RunSummary) -> str:
    return f"{_per_second(summary):.3g} trials/s" if summary.computed else ""


def _left(summary: RunSummary) -> str:
    if not summary.computed or not summary.pending:
        return ""
    minutes, seconds = divmod(int(summary.pending / _per_second(summary)), 60)
    return f"about {minutes}:{seconds:02d} left"


def _outcome(summary: RunSummary) -> str:
    if not summary.computed and not summary.crashed:
        return ""
    parts = []
    if summary.successes is not None:
        share = 100 * summary.successes / max(summary.computed, 1)
        parts.append(f"success so far {share:.0f} %")
    if summary.crashed:
        parts.append(f"{summary.crashed} crashed")
    return ", ".join(parts)
