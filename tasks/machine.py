"""What decides the last bits of a result besides its inputs: BLAS, its threads, the processor."""

import platform
from functools import cache

import scipy.linalg.blas  # noqa: F401  (loads the BLAS that must be limited, and named)
from threadpoolctl import threadpool_info, threadpool_limits


@cache
def limit_blas_threads() -> None:
    """Give BLAS one thread in this process, for good.

    A product differs in its last bits between one and two threads, and environment variables
    come too late once NumPy is loaded. The limit is never lifted: another thread of this process
    may be in the middle of a trial.
    """
    threadpool_limits(limits=1, user_api="blas")


@cache
def machine_kind() -> str:
    """Name what two machines must share for equal bits: the BLAS of NumPy and SciPy."""
    found = [library for library in threadpool_info() if library["user_api"] == "blas"]
    # Other packages may have loaded a BLAS of their own.
    paths = [str(library.get("filepath")) for library in found]
    own = [
        library
        for library, path in zip(found, paths, strict=True)
        if "numpy" in path or "scipy" in path
    ] or found
    names = (
        f"{library['internal_api']} {library.get('version')} {library.get('architecture') or ''}"
        for library in own
    )
    return ", ".join([platform.machine(), *sorted({name.strip() for name in names})])
