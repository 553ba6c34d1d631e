"""What decides the last bits of a result besides its inputs: BLAS, its threads, the processor."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import scipy.linalg.blas  # noqa: F401  (loads the BLAS that must be limited, and named)
from threadpoolctl import ThreadpoolController, threadpool_info, threadpool_limits

from .shared_context import shared


@shared
@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Give BLAS one thread in this process while any of its threads is in this context.

    A product differs in its last bits between one and two threads, and environment variables
    have no effect once NumPy is loaded. The number of threads is restored at the end.
    """
    _let_any_thread_limit()
    limit = _blas().limit(limits=1, user_api="blas")
    try:
        yield
    finally:
        _let_any_thread_limit()
        limit.restore_original_limits()


@cache
def limit_blas_threads() -> None:
    """Give BLAS one thread in this process until it ends, as a benchmark does."""
    threadpool_limits(limits=1, user_api="blas")


def _let_any_thread_limit() -> None:
    """Release OpenBLAS from the thread that limited it first, even if it is the caller's.

    While that thread lives, recent versions of threadpoolctl silently ignore all others.
    """
    for library in _blas().lib_controllers:
        clear = getattr(library, "clear_controlling_thread", None)
        if clear is not None:
            clear(force=True)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


@cache
def machine_kind() -> str:
    """Name what two machines must share for equal bits: the BLAS of NumPy and SciPy."""
    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    # Other packages may have loaded a BLAS of their own.
    paths = [str(library.get("filepath")) for library in libraries]
    own = [
        library
        for library, path in zip(libraries, paths, strict=True)
        if "numpy" in path or "scipy" in path
    ] or libraries
    names = (
        f"{library['internal_api']} {library.get('version')} {library.get('architecture') or ''}"
        for library in own
    )
    return ", ".join([platform.machine(), *sorted({name.strip() for name in names})])
