"""How commands end: one line for a mistake, the right exit status, never a stray traceback."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
            click.echo(f"genprior: {error}", err=True)
            ctx.exit(error.exit_status)
        except KeyboardInterrupt:
            click.echo("genprior: interrupted; nothing is lost, repeat the same command.", err=True)
            ctx.exit(INCOMPLETE)
        except BrokenPipeError:
            # The reader of our output went away, as `head` does; there is nobody to tell.
            sys.stderr.close()
            ctx.exit(FAILED)


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does: batch systems send it before they kill."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
