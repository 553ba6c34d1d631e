"""What a worker computes: arrays in, labelled values out.

This room imports `sweeps` and nothing else of ours: it knows neither Dask nor Zarr.
"""

from .experiment import Experiment
from .experiments import KINDS, check_task, task_kind
from .experiments.recovery import KERNEL_VERSION, Recovery, recover

__all__ = [
    "KERNEL_VERSION",
    "KINDS",
    "Experiment",
    "Recovery",
    "check_task",
    "recover",
    "task_kind",
]
