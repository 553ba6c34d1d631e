"""A store is not continued by a class that computes something else, wherever it was defined."""

from pathlib import Path
from typing import Any

import pytest

import genprior as gp
from genprior.tasks.class_digest import class_digest
from genprior.tasks.experiments import EXPERIMENTS
from genprior.tasks.problems import PROBLEMS

EXPERIMENT = """
from genprior.sweeps import Purpose
from genprior.sweeps.variables import Variable
from genprior.tasks.experiment import Experiment

FACTOR = 1.0

class Trial:
    def __init__(self, value):
        self.value = value

    def run(self):
        return {"drawn": FACTOR * self.value}

class Drawn(Experiment):
    name = "drawn"
    variables = (Variable("drawn", "float64", "what was drawn"),)
    parameters = ("k", "depth", "widths")

    def draw(self, point, draws):
        return Trial(draws(Purpose.TARGET).random())
"""
SWEEP = {"task": "drawn", "axes": {"k": [2, 3]}, "parameters": {"depth": 1, "widths": [9]}}


def define(source: str) -> dict[str, Any]:
    """Define the experiment as a cell of a notebook does, and register it."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(source, names)
    gp.experiment(names["Drawn"])
    return names


def run(store: Path, trials: int) -> None:
    sweep = gp.Sweep.parse({**SWEEP, "trials": trials})
    gp.run(sweep, store, scheduler="synchronous", progress=False)


@pytest.mark.parametrize(
    ("old", "new"), [("FACTOR = 1.0", "FACTOR = 1000.0"), ("FACTOR * self", "-FACTOR * self")]
)
def test_a_class_that_was_changed_does_not_continue_a_store(
    tmp_path: Path, old: str, new: str
) -> None:
    """The constant and the class of the trial are both outside the experiment's own source."""
    try:
        define(EXPERIMENT)
        run(tmp_path / "s.zarr", 2)
        define(EXPERIMENT.replace(old, new))
        with pytest.raises(gp.UserError, match="experiment packages"):
            run(tmp_path / "s.zarr", 4)
        define(EXPERIMENT)
        run(tmp_path / "s.zarr", 4)
        assert gp.status(tmp_path / "s.zarr").trials.done == 8
    finally:
        EXPERIMENTS.forget("drawn")


def test_a_constant_that_a_later_cell_changes_counts(tmp_path: Path) -> None:
    """The class is not registered again, and computes something else all the same."""
    try:
        cell = define(EXPERIMENT)
        run(tmp_path / "s.zarr", 2)
        cell["FACTOR"] = 1000.0
        with pytest.raises(gp.UserError, match="experiment packages"):
            run(tmp_path / "s.zarr", 4)
    finally:
        EXPERIMENTS.forget("drawn")


PROBLEM = """
from genprior.tasks.problems import Denoising, Misfit

class Scaled(Denoising):
    name = "scaled"
    FACTOR = 1.0

    def misfit(self, signal):
        misfit = super().misfit(signal)
        return misfit._replace(loss=self.FACTOR * misfit.loss)
"""


@pytest.mark.parametrize("task", ["landscape", "trajectory"])
def test_nothing_of_a_class_is_kept_for_the_next_run(tmp_path: Path, task: str) -> None:
    """The same points, draws and process: what a block draws once ends with the block."""
    axes: dict[str, Any] = {"plane.along": [0.5, 1.5], "plane.across": [0.0, 1.0]}
    if task == "trajectory":
        axes = {"trajectory.step": [0, 1]}
    parameters = {"k": 2, "depth": 1, "widths": [9], "problem": "scaled"}
    written = {"task": task, "trials": 1, "axes": axes, "parameters": parameters}
    losses = []
    try:
        for factor in ("1.0", "3.0"):
            names: dict[str, Any] = {"__name__": "__main__"}
            exec(PROBLEM.replace("1.0", factor), names)
            gp.problem(names["Scaled"])
            store = tmp_path / f"{factor}.zarr"
            gp.run(gp.Sweep.parse(written), store, scheduler="synchronous", progress=False)
            losses.append(gp.open(store).loss.values.ravel()[0])
    finally:
        PROBLEMS.forget("scaled")
    assert losses[1] == pytest.approx(3 * losses[0])


@pytest.mark.slow
@pytest.mark.cluster
def test_an_experiment_of_a_cell_runs_in_worker_processes_at_once(tmp_path: Path) -> None:
    """It is pickled for the first time by this run, which must not change its digest."""
    try:
        define(EXPERIMENT)
        sweep = gp.Sweep.parse({**SWEEP, "trials": 3})
        summary = gp.run(sweep, tmp_path / "s.zarr", workers=2, progress=False)
        assert summary.computed == 6
    finally:
        EXPERIMENTS.forget("drawn")


def test_a_digest_is_not_computed_for_every_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have to read large arrays, and the class is that of this process."""
    counted: list[type] = []

    def count(found: type) -> str:
        counted.append(found)
        return class_digest(found)

    monkeypatch.setattr("genprior.tasks.registry.class_digest", count)
    numbers = []
    try:
        for trials in (1, 6):
            define(EXPERIMENT)
            counted.clear()
            sweep = gp.Sweep.parse({**SWEEP, "trials": trials, "blocks": {"trials": 1}})
            gp.run(sweep, tmp_path / f"{trials}.zarr", scheduler="synchronous", progress=False)
            numbers.append(len(counted))
    finally:
        EXPERIMENTS.forget("drawn")
    assert numbers[0] == numbers[1] > 0
