"""How much memory and how many open files there may be: of the machine, a job, one process."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

# What a worker process holds before its first trial, in bytes; measured: 150 MB resident, of
# 550 MB of address space.
WORKER_BYTES = 160e6
WORKER_ADDRESSES = 600e6
# What this process needs to talk with workers.
CLIENT_ADDRESSES = 1.2e9
# Files (pipes and sockets too) that this process has open, measured: 23, and 12 for each worker.
CLIENT_FILES, WORKER_FILES = 40, 12
UNLIMITED = float("inf")


def available_memory() -> float:
    """Bytes free for all processes together, within the limits of a batch job or a container."""
    return float(min([psutil.virtual_memory().available, *group_memory()]))


def trial_memory(workers: int) -> float:
    """Bytes that each of some trials may hold that run at a time in processes of this machine."""
    return min(available_memory() / workers, process_memory())


def thread_memory(threads: int) -> float:
    """Bytes that each of some trials may hold that run at a time in this process.

    Resident memory counts for new processes only: this one has it, and Linux does not enforce it.
    """
    addresses = _limit(resource.RLIMIT_AS) - psutil.Process().memory_info().vms
    return float(min(available_memory(), addresses)) / threads


def process_memory() -> float:
    """Bytes that the limits of this shell leave to trials in one process; may be negative.

    Dask takes the limit of one process for that of all workers together, and then pauses them.
    """
    return min(
        _limit(resource.RLIMIT_RSS) - WORKER_BYTES,
        _limit(resource.RLIMIT_DATA) - WORKER_BYTES,
        _limit(resource.RLIMIT_AS) - WORKER_ADDRESSES,
    )


def process_limits() -> str:
    """Name the limits of this shell on the memory of a process, for messages; empty without."""
    from dask.utils import format_bytes

    kinds = {"m": resource.RLIMIT_RSS, "d": resource.RLIMIT_DATA, "v": resource.RLIMIT_AS}
    return ", ".join(
        f"ulimit -{option} allows {format_bytes(_limit(kind))} a process"
        for option, kind in kinds.items()
        if _limit(kind) < UNLIMITED
    )


def address_limit() -> float:
    """Bytes of addresses that a process may have, by ulimit -v."""
    return _limit(resource.RLIMIT_AS)


def file_limit() -> float:
    """How many files a process may have open, once `more_files` has raised that."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return UNLIMITED if hard == resource.RLIM_INFINITY else float(hard)


@contextmanager
def more_files(workers: int) -> Iterator[None]:
    """Let this process open as many files as some workers take; shells often allow 1 024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = CLIENT_FILES + WORKER_FILES * workers
    if soft != resource.RLIM_INFINITY and soft < needed <= file_limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _limit(kind: int) -> float:
    soft, _ = resource.getrlimit(kind)
    return UNLIMITED if soft == resource.RLIM_INFINITY else float(soft)


def group_memory(
    membership: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")
) -> Iterator[float]:
    """Give the bytes that every control group of this process, and every group above, has left.

    Both versions of control groups; what the kernel can take back from files counts as free.
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
    """Bytes left in a group; None without a limit, or where its files are not there."""
    try:
        allowed, used = (int((group / name).read_text()) for name in (limit, usage))
        statistics = (group / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):
        return None
    counts = dict(line.split(maxsplit=1) for line in statistics if " " in line)
    files = sum(int(counts.get(f"{prefix}{kind}_file", 0)) for kind in ("inactive", "active"))
    return float(max(0, allowed - max(0, used - files)))
