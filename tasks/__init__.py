"""What a worker computes: arrays in, labelled values out.

This room imports `sweeps` and nothing else of ours: it knows neither Dask nor Zarr.
"""

from .kinds import KINDS, TaskKind, check_task, task_kind
from .recovery import KERNEL_VERSION, Recovery, recover

__all__ = [
    "KERNEL_VERSION",
    "KINDS",
    "Recovery",
    "TaskKind",
    "check_task",
    "recover",
    "task_kind",
]
