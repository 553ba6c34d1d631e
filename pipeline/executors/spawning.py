"""Worker processes that do not run the caller's script again.

A process that Python spawns imports its parent's script, to find what is defined there. A script
without `if __name__ == "__main__"` would then start workers in every worker. Dask's workers do not
need the script, because Dask sends what the script defines by value.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import spawn
from typing import Any

from ...tasks.numerics.shared_context import shared

WORKER = "Dask Worker process"  # the beginning of the names that Dask gives its processes
PREPARE = "get_preparation_data"
MAIN = ("init_main_from_name", "init_main_from_path")


@shared
@contextmanager
def without_script() -> Iterator[None]:
    """Let Dask's workers start without the caller's script; other processes start as usual."""
    usual = spawn.get_preparation_data
    setattr(spawn, PREPARE, partial(_for_a_worker, usual))
    try:
        yield
    finally:
        setattr(spawn, PREPARE, usual)


def _for_a_worker(usual: Callable[[str], dict[str, Any]], name: str) -> dict[str, Any]:
    """Give the data with which a process is prepared; those of a worker without the script."""
    data = usual(name)
    return {k: v for k, v in data.items() if not (name.startswith(WORKER) and k in MAIN)}
