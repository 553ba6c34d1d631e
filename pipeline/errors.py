"""How commands end: one line for a mistake, the right exit status, never a stray traceback."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import click

from ..sweeps import UserError

FAILED, USAGE, INCOMPLETE = 1, 2, 3


class FriendlyGroup(click.Group):
    """Commands whose users' mistakes end in one line on stderr; `--debug` shows where."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and explain what the user can mend."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            if ctx.params.get("debug"):
                raise
            _tell(str(error))
            ctx.exit(error.exit_status)
        except KeyboardInterrupt:
            _tell("interrupted; nothing is lost, repeat the same command.")
            ctx.exit(INCOMPLETE)
        except BrokenPipeError:
            # The reader of our output went away, as `head` does; there is nobody to tell.
            sys.stderr.close()
            ctx.exit(FAILED)
        except OSError as error:
            if ctx.params.get("debug"):
                raise
            where = f"{error.filename}: " if error.filename else ""
            _tell(f"{where}{error.strerror or error}.")
            ctx.exit(FAILED)


def _tell(message: str) -> None:
    """Say it on stderr if anything can be said there; the exit status tells the rest."""
    with suppress(OSError):
        click.echo(f"genprior: {message}", err=True)


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end a run as Ctrl-C does: batch systems warn before a kill.

    What is ignored, as under nohup, stays ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    kinds = [k for k in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(k) != signal.SIG_IGN]
    previous = [signal.signal(kind, interrupt) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, previous, strict=True):
            signal.signal(kind, handler)
