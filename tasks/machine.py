"""What decides the last bits of a result besides its inputs: BLAS, its threads, the processor."""

import platform
from functools import cache

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
    """Name what two machines must share for equal bits: NumPy's BLAS, its version and kernels."""
    found = [library for library in threadpool_info() if library["user_api"] == "blas"]
    # SciPy may bring a BLAS of its own, loaded or not; no trial calls it.
    own = [library for library in found if "numpy" in str(library.get("filepath"))] or found
    names = (
        f"{library['internal_api']} {library.get('version')} {library.get('architecture') or ''}"
        for library in own
    )
    return ", ".join([platform.machine(), *sorted({name.strip() for name in names})])
