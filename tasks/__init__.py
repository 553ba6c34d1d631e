"""What a worker computes: arrays in, labelled values out.

This package imports `sweeps` and no other package of genprior; it knows neither Dask nor Zarr.
"""

from .experiment import Experiment, run_trial
from .experiments import EXPERIMENTS, check_task, task_kind
from .experiments.recovery import KERNEL_VERSION, Recovery
from .point import Point

__all__ = [
    "EXPERIMENTS",
    "KERNEL_VERSION",
    "Experiment",
    "Point",
    "Recovery",
    "check_task",
    "run_trial",
    "task_kind",
]
