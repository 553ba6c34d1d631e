"""Progress of a command that goes through the blocks or the trials of a store."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rich.console import Console

LINE_EVERY = 10.0  # seconds
SHOWN_AFTER = 1.0  # seconds: a short command shows nothing
Counter = Callable[[str, int, int], None]


def silent(phase: str, done: int, total: int) -> None:
    """Show nothing."""


@contextmanager
def counting(console: Console) -> Iterator[Counter]:
    """Show how far a command is: a line that is drawn again on a terminal, else a line at times.

    Yields:
        A function that is called with what is counted, how many are done, and how many there are.
    """
    begun = last = time.monotonic()
    is_terminal, drawn = console.is_terminal, False

    def count(phase: str, done: int, total: int) -> None:
        nonlocal last, drawn
        now = time.monotonic()
        wait = 0.2 if is_terminal else LINE_EVERY
        if now - begun < SHOWN_AFTER or now - last < wait:
            return
        last = now
        with suppress(OSError):  # the terminal may have been closed
            share = f" ({100 * done // total} %)" if total else ""
            text = f"{phase}: {done:,} of {total:,}{share}"
            if is_terminal:
                drawn = True
                width = max(console.width - 3, 20)
                console.file.write(f"\r{text[:width].ljust(width)}")
                console.file.flush()
            else:
                console.print(text, highlight=False, soft_wrap=True)

    try:
        yield count
    finally:
        if drawn:
            with suppress(OSError):
                console.file.write(f"\r{' ' * max(console.width - 3, 20)}\r")
                console.file.flush()
