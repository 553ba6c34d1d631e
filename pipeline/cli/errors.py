"""The end of a command that fails: a message in one line, and the exit status."""

import errno
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ..interrupts import ignore_signals

if TYPE_CHECKING:
    from ...sweeps import UserError

FAILED, USAGE, INCOMPLETE = 1, 2, 3


class FriendlyGroup(click.Group):
    """Commands that report a user's mistake in one line on stderr; `--debug` shows a traceback."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read the options; `--help` and `--version` print, which may fail, and end here."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except BrokenPipeError:
            raise
        except OSError as error:
            _tell(f"{error.strerror or error}.")
            raise click.exceptions.Exit(FAILED) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and explain errors that the user can correct."""
        if not ctx.params.get("debug"):
            # What Dask leaves behind when a command is interrupted is collected when Python ends,
            # and asyncio then reports errors that nobody has asked for.
            logging.getLogger("asyncio").setLevel(logging.CRITICAL + 1)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ignore_signals()
            _tell("interrupted; nothing is lost, repeat the same command.")
            ctx.exit(INCOMPLETE)
        except BrokenPipeError:
            # The program that reads the output has ended, such as `head`: nobody can be told.
            sys.stderr.close()
            ctx.exit(FAILED)
        except OSError as error:
            if ctx.params.get("debug"):
                raise
            where = f"{error.filename}: " if error.filename else ""
            _tell(f"{where}{error.strerror or error}.")
            ctx.exit(FAILED)
        except Exception as error:
            user_error = _user_error(error)
            if user_error is None or ctx.params.get("debug"):
                raise
            _tell(str(user_error))
            ctx.exit(user_error.exit_status)


def _user_error(error: Exception) -> "UserError | None":
    """Explain an error that a user can correct; None for others.

    Dask's configuration is among them: any command may be the first that imports Dask.
    """
    from ...sweeps import UserError
    from ..executors.errors import malformed_configuration

    if isinstance(error, UserError):
        return error
    if _lacks_files(error):
        return UserError(f"{os.strerror(errno.EMFILE)}; raise the limit (ulimit -n).")
    return malformed_configuration(error) if isinstance(error, ValueError) else None


def _lacks_files(error: BaseException | None) -> bool:
    """Say whether too many open files caused an error; libraries report that in several ways."""
    while error is not None:
        by_number = isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)
        if by_number or os.strerror(errno.EMFILE) in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _tell(message: str) -> None:
    """Print a message on stderr, if stderr can be written."""
    with unheard():
        click.echo(f"genprior: {message}", err=True)


@contextmanager
def unheard() -> Iterator[None]:
    """Drop output that can no longer be printed, for example because the terminal was closed."""
    try:
        yield
    except OSError:
        with open(os.devnull, "wb") as nothing:
            for stream in (1, 2):
                os.dup2(nothing.fileno(), stream)
