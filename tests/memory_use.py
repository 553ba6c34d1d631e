"""How much memory a call takes."""

import tracemalloc
from collections.abc import Callable


def peak_memory(call: Callable[[], object], times: int = 2) -> int:
    """Give the least peak of several calls, in bytes.

    Memory of all threads is counted, and those of a Dask cluster in this process take some at any
    moment.
    """
    peaks = []
    for _ in range(times):
        tracemalloc.start()
        try:
            call()
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    return min(peaks)
