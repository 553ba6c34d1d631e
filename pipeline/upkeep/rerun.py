"""Run some done trials of a store again, and compare their results with the stored ones."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...store import Listener, Sampled, StoreInfo, as_bits, trial_at
from ...sweeps import Grid, UserError, draws_of
from ...sweeps.placing import of_group
from ...tasks import Experiment
from ...tasks.environment import environment, needs_of
from ...tasks.experiments import check_installed
from ...tasks.generators import weights_digests
from ...tasks.numerics.machine import one_blas_thread
from ...tasks.point import Point
from ...tasks.trial_values import values_check
from ..interrupts import check, pass_on
from ..run.provenance import compared


@dataclass(frozen=True)
class Different:
    """A trial that gives another result than the store holds.

    Attributes:
        trial: its coordinates, as text.
        index: its index over the axes and the trial.
        variable: the first variable that differs; "" if the trial crashes.
        stored: its value in the store.
        computed: its value here; the error's text if the trial crashes.
    """

    trial: str
    index: tuple[int, ...]
    variable: str
    stored: Any
    computed: Any


@dataclass(frozen=True)
class Rerun:
    """What running some trials again gave.

    Attributes:
        trials: number of trials that were run again.
        different: those that gave another result.
        environment: what this process computes with that differs from one of the environments in
            which the store was computed: `what`, `there` and `here`. It explains differences.
        not_run: why no trial was run again; "" if some were.
    """

    trials: int = 0
    different: list[Different] = field(default_factory=list)
    environment: list[dict[str, str]] = field(default_factory=list)
    not_run: str = ""

    @property
    def damaged(self) -> list[Different]:
        """The trials that differ although nothing explains it."""
        return [] if self.environment else self.different


def rerun(
    info: StoreInfo,
    kind: Experiment,
    sample: Sequence[Sampled],
    listen: Listener = lambda done, total: None,
) -> Rerun:
    """Run trials again in this process.

    Args:
        info: the store.
        kind: its task.
        sample: the trials, with their stored values.
        listen: called with the number of trials that were run, and of all.
    """
    if not sample:
        return Rerun(not_run="no trial is done")
    grid = info.grid
    try:
        check_installed(kind, grid)
        differences = _differences(info, kind)
    except UserError as error:
        return Rerun(not_run=str(error))
    read, draw, different = values_check(kind.variables), kind.sampler(), []
    with one_blas_thread():
        for count, trial in enumerate(sample):
            listen(count, len(sample))
            check()
            point, number = _point_of(info, trial)
            draws = draws_of(point, number, grid.sweep.seed, grid.sweep.paired)
            name = trial_at(grid, trial.at)
            try:
                kind.check_point(point)
                values = read(draw(point, draws).run())
            except BaseException as raised:
                pass_on(raised)
                text = f"{type(raised).__name__}: {raised}".split("\n")[0]
                different.append(Different(name, trial.at, "", None, text))
                continue
            if (other := _first_difference(kind, trial, values)) is not None:
                variable, stored, computed = other
                different.append(Different(name, trial.at, variable, stored, computed))
    listen(len(sample), len(sample))
    return Rerun(len(sample), different, differences)


def _point_of(info: StoreInfo, trial: Sampled) -> tuple[Point, int]:
    """Give the point of a stored trial, and its number."""
    if info.sweep.placed is None:
        return info.grid.point(trial.at[:-1]), trial.at[-1]
    value, number = (int(trial.values[name]) for name in info.placement[:2])
    grid = Grid(of_group(info.sweep, trial.at[:-1], [value]))
    return grid.point((0,) * len(grid.dims)), number


def _first_difference(
    kind: Experiment, trial: Sampled, values: dict[str, Any]
) -> tuple[str, Any, Any] | None:
    """Compare a trial's values with the stored ones, to the bit."""
    for variable in kind.variables:
        if variable.name not in trial.values:
            continue
        stored = np.atleast_1d(trial.values[variable.name])
        computed = np.atleast_1d(np.asarray(values[variable.name])).astype(stored.dtype)
        if (as_bits(stored) != as_bits(computed)).any():
            return variable.name, stored[0].item(), computed[0].item()
    return None


def _differences(info: StoreInfo, kind: Experiment) -> list[dict[str, str]]:
    """List what differs between this process and the environments of a store's runs.

    Raises:
        UserError: a weights file cannot be read.
    """
    here = environment(needs_of(kind, info.grid))
    entries = [info.attributes, *json.loads(info.attributes.get("history", "[]"))]
    weights = weights_digests(info.grid)
    found = dict.fromkeys(other for entry in entries for other in compared(entry, here, weights))
    return [
        {"what": other.what, "there": str(other.there), "here": str(other.here)} for other in found
    ]
