"""How commands end: one line for a mistake, the right exit status, never a stray traceback."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from .interrupts import ignore_signals

if TYPE_CHECKING:
    from ..sweeps import UserError

FAILED, USAGE, INCOMPLETE = 1, 2, 3


class FriendlyGroup(click.Group):
    """Commands whose users' mistakes end in one line on stderr; `--debug` shows where."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and explain what the user can mend."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ignore_signals()
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
        except Exception as error:
            known = _known(error)
            if known is None or ctx.params.get("debug"):
                raise
            _tell(str(known))
            ctx.exit(known.exit_status)


def _known(error: Exception) -> "UserError | None":
    """Give what a user can mend, if an error says that; any command may be the first with Dask."""
    from ..sweeps import UserError
    from .cluster_errors import malformed_configuration

    if isinstance(error, UserError):
        return error
    if _lacks_files(error):
        return UserError(f"{os.strerror(errno.EMFILE)}; raise the limit (ulimit -n).")
    return malformed_configuration(error) if isinstance(error, ValueError) else None


def _lacks_files(error: BaseException | None) -> bool:
    """Say whether an error comes of too many open files, which libraries tell in many ways."""
    while error is not None:
        few = isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)
        if few or os.strerror(errno.EMFILE) in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _tell(message: str) -> None:
    """Say it on stderr if anything can be said there; the exit status tells the rest."""
    with unheard():
        click.echo(f"genprior: {message}", err=True)


@contextmanager
def unheard() -> Iterator[None]:
    """Drop what cannot be printed any more, as after a terminal was closed."""
    try:
        yield
    except OSError:
        with open(os.devnull, "wb") as nothing:
            for stream in (1, 2):
                os.dup2(nothing.fileno(), stream)
