"""Limits of memory and of open files: those of the machine, a batch job, and one process."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from ...tasks.numerics.shared_context import shared

# Bytes of a worker process before its first trial; measured: 150 MB resident, 550 MB of addresses.
WORKER_BYTES = 160e6
WORKER_ADDRESSES = 600e6
# Bytes of addresses that this process needs to communicate with workers.
CLIENT_ADDRESSES = 1.2e9
# Open files of this process, with pipes and sockets; measured: 23, and 12 for each worker.
CLIENT_FILES, WORKER_FILES = 40, 12
UNLIMITED = float("inf")
_WORKERS: list[int] = []  # of the runs that want more files now


def available_memory() -> float:
    """Give the bytes that are free for all processes together, in this batch job or container."""
    return float(min([psutil.virtual_memory().available, *group_memory()]))


def trial_memory(workers: int) -> float:
    """Give the bytes that a trial may use if trials run at a time in a number of processes."""
    return min(available_memory() / workers, process_memory())


def thread_memory(threads: int) -> float:
    """Give the bytes that a trial may use if trials run at a time in threads of this process.

    The limit of resident memory is not considered, because Linux does not enforce it.
    """
    addresses = _limit(resource.RLIMIT_AS) - psutil.Process().memory_info().vms
    return float(min(available_memory(), addresses)) / threads


def process_memory() -> float:
    """Give the bytes that this shell's limits leave for trials in one process; may be negative.

    Dask would take the limit of one process as that of all workers together, and pause them.
    """
    return min(
        _limit(resource.RLIMIT_RSS) - WORKER_BYTES,
        _limit(resource.RLIMIT_DATA) - WORKER_BYTES,
        _limit(resource.RLIMIT_AS) - WORKER_ADDRESSES,
    )


def process_limits() -> str:
    """Describe this shell's limits on the memory of a process, for messages; "" without limits."""
    from dask.utils import format_bytes

    kinds = {"m": resource.RLIMIT_RSS, "d": resource.RLIMIT_DATA, "v": resource.RLIMIT_AS}
    return ", ".join(
        f"ulimit -{option} allows {format_bytes(_limit(kind))} a process"
        for option, kind in kinds.items()
        if _limit(kind) < UNLIMITED
    )


def address_limit() -> float:
    """Give the bytes of addresses that ulimit -v allows a process."""
    return _limit(resource.RLIMIT_AS)


def file_limit() -> float:
    """Give the number of files that this process may open after `more_files` raised its limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return UNLIMITED if hard == resource.RLIM_INFINITY else float(hard)


@shared
@contextmanager
def _file_limit_kept() -> Iterator[None]:
    """Restore the limit of open files when no run needs more of them any longer."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@contextmanager
def more_files(workers: int) -> Iterator[None]:
    """Let this process open the files that some workers need; shells often allow only 1 024.

    Runs in several threads need files for the workers of all of them.
    """
    with _file_limit_kept():
        _WORKERS.append(workers)
        try:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            needed = CLIENT_FILES * len(_WORKERS) + WORKER_FILES * sum(_WORKERS)
            if soft != resource.RLIM_INFINITY and soft < needed <= file_limit():
                resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
            yield
        finally:
            _WORKERS.remove(workers)


def _limit(kind: int) -> float:
    soft, _ = resource.getrlimit(kind)
    return UNLIMITED if soft == resource.RLIM_INFINITY else float(soft)


def group_memory(
    membership: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")
) -> Iterator[float]:
    """Give the bytes left in each control group of this process and in each group above it.

    Both versions of control groups are read. Memory of cached files counts as free, because the
    kernel can reclaim it.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            folder, names = mount, ("memory.max", "memory.current", "")
        elif "memory" in controllers.split(","):
            folder = mount / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
        else:
            continue
        group = folder / path.strip("/")
        while group.is_relative_to(folder):
            left = _left(group, *names)
            if left is not None:
                yield left
            if group == folder:
                break
            group = group.parent


def _left(group: Path, limit: str, usage: str, prefix: str) -> float | None:
    """Give the bytes left in a group; None if it has no limit or its files cannot be read."""
    try:
        allowed, used = (int((group / name).read_text()) for name in (limit, usage))
        statistics = (group / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):
        return None
    counts = dict(line.split(maxsplit=1) for line in statistics if " " in line)
    files = sum(int(counts.get(f"{prefix}{kind}_file", 0)) for kind in ("inactive", "active"))
    return float(max(0, allowed - max(0, used - files)))
