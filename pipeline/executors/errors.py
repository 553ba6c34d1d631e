"""Errors of Dask's configuration, schedulers and workers, explained for the user."""

import importlib
import os
import re
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import Any

from ...sweeps import UserError

# Run as text on a worker: unlike a function of genprior, it arrives also where genprior is missing.
IMPORT = "import genprior.pipeline.run.worker"
# How errors of Python name one of our modules; a path of the user may contain the word as well.
OURS = re.compile(r"'genprior[.']")


class SchedulerError(UserError):
    """The named scheduler is neither a local one nor an address, or the client is unusable."""

    exit_status = 2


class ClusterError(UserError):
    """A cluster cannot be started, was lost, or has workers that lack something."""


class WorkersDiedError(ClusterError):
    """Every worker that got a task died, so that the task is given up."""


def import_dask(*, workers: bool = False) -> None:
    """Import Dask, which reads its configuration.

    Args:
        workers: also import `distributed`, which workers need.

    Raises:
        ClusterError: the configuration cannot be read or used; the message names the file.
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

    xarray imports Dask to recognise its arrays; reading a store does not need the configuration.
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
    """Say which file of Dask's configuration cannot be read; None if the error is another one."""
    if not isinstance(error, ValueError) or "dask config file" not in str(error):
        return None
    return ClusterError(
        f"{' '.join(str(error).split())[:300]}. Correct that file, or move it away."
    )


def configuration() -> str:
    """List the folders and variables that Dask's configuration comes from, for messages."""
    import dask.config

    return ", ".join([*filter(os.path.exists, dask.config.paths), "variables DASK_…"])


def reason(error: BaseException, longest: int = 200) -> str:
    """Give the innermost cause of an error, in one line.

    Args:
        error: the error.
        longest: the most characters of its text.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(error).split())[:longest].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextmanager
def explained() -> Iterator[None]:
    """Turn errors of a cluster into a `ClusterError`.

    Raises:
        ClusterError: the scheduler was lost, the workers cannot run genprior, or they died.
    """
    try:
        yield
    except (OSError, CancelledError) as error:
        raise ClusterError(
            f"the connection to the Dask scheduler was lost ({type(error).__name__}). Finished "
            "trials are kept; start the scheduler again and repeat the same command."
        ) from error
    except Exception as error:
        if (known := known_failure(error)) is None:
            raise
        raise known from error


def known_failure(error: BaseException) -> ClusterError | None:
    """Explain an error that Dask raised; None if it is not one of these.

    A missing module arrives in one of three ways: as an ImportError from a function that was
    called; as a plain Exception with its text if the function could not be unpickled; or as the
    cause of a RuntimeError from the scheduler. An AttributeError comes from a worker with another
    version only if it names one of our modules; any other one is a fault of a class.
    """
    from distributed.scheduler import KilledWorker

    cause = error.__cause__
    if isinstance(error, ImportError):
        return lacking("the workers", str(error))
    if isinstance(error, RuntimeError) and isinstance(cause, ImportError):
        return lacking("the scheduler", str(cause))
    if type(error) is Exception and "ModuleNotFoundError" in str(error):
        return lacking("the workers", str(error))
    if isinstance(error, AttributeError) and OURS.search(str(error)):
        return ClusterError(
            f"the workers have another version of genprior ({reason(error)}); install the same "
            "version where they run."
        )
    if isinstance(error, KilledWorker):
        return WorkersDiedError(
            "every worker that got this task died (perhaps killed because memory ran out). Repeat "
            "the same command with fewer --workers, or give them more memory."
        )
    return None


def lacking(who: str, what: str) -> ClusterError:
    """Say that genprior, or a module of a class, is not installed on workers or scheduler.

    Args:
        who: the workers, or the scheduler.
        what: the error, which names the module.
    """
    if OURS.search(what):
        return no_genprior(who, what)
    return ClusterError(
        f"{who} cannot import what this sweep needs ({what}); install it where they run."
    )


def no_genprior(who: str, what: str) -> ClusterError:
    """Say that genprior, or a package that it needs, is not installed on workers or scheduler."""
    return ClusterError(
        f"{who} cannot import genprior ({what}); install the same version of genprior, with its "
        "dependencies, where they run."
    )
