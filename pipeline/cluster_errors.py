"""What goes wrong with Dask's schedulers and workers, in words of the user's."""

import importlib
import os
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import Any

from ..sweeps import UserError

# Names nothing of genprior where it cannot be imported, so that it can be called there.
IMPORT = "import genprior.pipeline.worker"


class SchedulerError(UserError):
    """No scheduler has that name, and it is no address."""

    exit_status = 2


class ClusterError(UserError):
    """A cluster that cannot be started, that went away, or whose workers lack something."""


def import_dask(*, workers: bool = False) -> None:
    """Import Dask, which reads its configuration; with workers, all that they need of it.

    Raises:
        ClusterError: the configuration cannot be read or used; names the file.
    """
    try:
        import dask.config  # noqa: F401
    except ValueError as error:
        raise malformed_configuration(error) or error from None
    try:
        if workers:
            import distributed  # noqa: F401
    except Exception as error:
        raise ClusterError(
            f"Dask cannot be used: {reason(error)}. Its configuration may be the reason "
            f"({configuration()})."
        ) from None


def spare_dask() -> None:
    """Import Dask without those files of its configuration that cannot be read.

    xarray imports it to see whether arrays are Dask's; a store can be read whatever the files say.
    """
    try:
        import dask.config
    except ValueError:
        yaml: Any = importlib.import_module("yaml")
        load = yaml.safe_load

        def lenient(text: str) -> Any:
            with suppress(Exception):
                return loaded if isinstance(loaded := load(text), dict) else None

        yaml.safe_load = lenient
        try:
            import dask.config  # noqa: F401
        finally:
            yaml.safe_load = load


def malformed_configuration(error: BaseException) -> ClusterError | None:
    """Say which file of Dask's configuration cannot be read; None if that is not the error."""
    if not isinstance(error, ValueError) or "dask config file" not in str(error):
        return None
    return ClusterError(f"{' '.join(str(error).split())[:300]}. Mend that file, or move it away.")


def configuration() -> str:
    """Name the places that Dask's configuration comes from, for messages."""
    import dask.config

    return ", ".join([*filter(os.path.exists, dask.config.paths), "variables DASK_…"])


def reason(error: BaseException, longest: int = 200) -> str:
    """The innermost cause of an error, in one line of a bounded length."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(error).split())[:longest].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextmanager
def explained() -> Iterator[None]:
    """Explain a cluster that goes away, that cannot run our functions, or whose workers die."""
    try:
        yield
    except (OSError, CancelledError) as error:
        raise ClusterError(
            f"the Dask scheduler went away ({type(error).__name__}). What was finished is kept; "
            "start it again and repeat the same command."
        ) from error
    except Exception as error:
        if (known := known_failure(error)) is None:
            raise
        raise known from error


def known_failure(error: BaseException) -> ClusterError | None:
    """Say what an error of Dask's means; None if it is none of Dask's.

    A module that is missing comes as such from a function that was called, as a bare Exception
    with its text where the function itself could not be unpickled, as the cause of a RuntimeError
    from the scheduler.
    """
    cause = error.__cause__
    if isinstance(error, ImportError):
        return lacking("the workers", str(error))
    if isinstance(error, RuntimeError) and isinstance(cause, ImportError):
        return lacking("the scheduler", str(cause))
    if type(error) is Exception and "ModuleNotFoundError" in str(error):
        return lacking("the workers", str(error))
    if type(error).__name__ == "KilledWorker":
        return ClusterError(
            "workers died each time they got this to do (killed, for want of memory?). Repeat the "
            "same command with fewer --workers, or give them more memory."
        )
    return None


def lacking(who: str, what: str) -> ClusterError:
    """Say that genprior, or something that it needs, is not installed where it is to run."""
    return ClusterError(
        f"{who} cannot import genprior ({what}); install the same genprior, with what it needs, "
        "where they run."
    )
