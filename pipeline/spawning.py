"""Worker processes that do not run the caller's script a second time.

A process that Python spawns imports the script of its parent, so that it finds what is defined
there. Scripts therefore need an `if __name__ == "__main__"`, without which every worker would start
workers of its own. Dask sends what a script defines by value; its workers need no script.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import spawn
from typing import Any

from ..tasks.shared_context import shared

WORKER = "Dask Worker process"  # how Dask names them
PREPARE = "get_preparation_data"
MAIN = ("init_main_from_name", "init_main_from_path")


@shared
@contextmanager
def without_script() -> Iterator[None]:
    """Let Dask's workers start without the caller's script; other processes start as they do."""
    usual = spawn.get_preparation_data
    setattr(spawn, PREPARE, partial(_for_a_worker, usual))
    try:
        yield
    finally:
        setattr(spawn, PREPARE, usual)


def _for_a_worker(usual: Callable[[str], dict[str, Any]], name: str) -> dict[str, Any]:
    """Give what a process is prepared with, but for the script if it is a worker."""
    found = usual(name)
    return {k: v for k, v in found.items() if not (name.startswith(WORKER) and k in MAIN)}
