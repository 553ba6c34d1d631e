"""What is sent to a worker for a block, and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...tasks import Experiment
from ...tasks.environment import Environment, Needs
from ...tasks.registry import ByValue

Index = tuple[int, ...]
Placed = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class BlockTask(ByValue):
    """Which trials of a block to run, and how.

    Attributes:
        path: the store.
        revision: the layout of the store.
        block: index of the block along each dimension.
        wanted: mask of the trials to run, over the block.
        kind: the task.
        needs: the task, packages and classes with which its trials are computed.
        expected: the environment that a worker must have; None if environments may be mixed.
        run: identifies the run.
        retries: how often a crashed trial is tried again.
        weights: the SHA-256 of weights files, by path.
        trial_timeout: seconds after which a trial is stopped; None for no limit.
        placed: value and number of each trial of the block, along its last dimension, if trials
            are placed; else empty.
        careful: whether the worker notes each trial before it runs, because workers died in this
            block.
    """

    path: Path
    revision: str
    block: Index
    wanted: np.ndarray
    kind: Experiment
    needs: Needs
    expected: Environment | None
    run: str
    retries: int = 0
    weights: Mapping[str, str] = field(default_factory=dict)
    trial_timeout: float | None = None
    placed: Placed = ()
    careful: bool = False


@dataclass(frozen=True)
class BlockReport:
    """What a run has of a block, from all workers that had it; times in seconds.

    Attributes:
        block: index of the block along each dimension.
        done: trials that are done.
        crashed: trials that crashed.
        successes: successes among the trials that are done.
        seconds: time of all its trials together.
        error: what the last crashed trial said, with its coordinates.
        environment: the environment of the worker.
    """

    block: tuple[int, ...]
    done: int
    crashed: int
    successes: int
    seconds: float
    error: str = ""
    environment: Environment = field(default_factory=dict)
