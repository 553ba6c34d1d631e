"""State of the caller's process that Dask changes while workers start and end."""

import logging
import multiprocessing
import os
import random
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ...tasks.numerics.shared_context import shared

SAFE_PATH = "PYTHONSAFEPATH"
LOGGERS = ("distributed.scheduler", "distributed.nanny", "distributed.worker")


@shared
@contextmanager
def caller_state_kept() -> Iterator[None]:
    """Restore environment variables, Python's random stream and multiprocessing's start method.

    Runs in several threads share it: what was there before the first is restored after the last.
    """
    environment = {name: os.environ.get(name) for name in _changed_variables()}
    stream = random.getstate()
    # typeshed has no None here.
    method: Any = multiprocessing.get_start_method(allow_none=True)
    try:
        yield
    finally:
        for name, value in environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        random.setstate(stream)
        usual = multiprocessing.get_all_start_methods()[0]
        if method is None and multiprocessing.get_start_method(allow_none=True) == usual:
            multiprocessing.set_start_method(None, force=True)


def _changed_variables() -> list[str]:
    """List the environment variables of this process that change when workers start."""
    import dask

    names = dask.config.get("distributed.nanny.pre-spawn-environ", {})
    ours = ("PYTHONHASHSEED", "__DASK_PARENT_PID", SAFE_PATH)
    return [*(names if isinstance(names, dict) else ()), *ours]


def forget_servers(servers: Iterable[Any]) -> None:
    """Remove what closed servers of Dask leave behind: folders in sys.path, and log handlers.

    A server removes its folder only if no other server put one before it, and its handler only
    when it is collected.
    """
    for server in servers:
        folder = getattr(server, "local_directory", None)
        if getattr(server, "_updated_sys_path", False):
            with suppress(ValueError):
                sys.path.remove(str(folder))
        if (handler := getattr(server, "_deque_handler", None)) is not None:
            for name in LOGGERS:
                logging.getLogger(name).removeHandler(handler)
