"""Declarations of classes from outside that would break others are refused at registration."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from helpers import recovery_sweep
from pydantic import BaseModel

import genprior as gp
from genprior.pipeline import run_sweep
from genprior.store import read_info
from genprior.sweeps import Grid, Sweep, SweepError
from genprior.sweeps.parameter import quantity
from genprior.sweeps.parameters import PARAMETERS
from genprior.sweeps.tables import Strict
from genprior.sweeps.variables import Flag, Variable
from genprior.tasks import Recovery
from genprior.tasks.experiment import Experiment
from genprior.tasks.experiments import EXPERIMENTS, check_task, task_kind
from genprior.tasks.experiments.landscape import LandscapeTask
from genprior.tasks.experiments.trajectory import Trajectory
from genprior.tasks.problems import PROBLEMS, Denoising


class Good(Strict):
    share: float = quantity(0.5, "a share", gt=0, le=1)


class Loose(BaseModel):
    share: float = quantity(0.5, "a share")


class Undeclared(Strict):
    share: float = 0.5


class OutOfBounds(Strict):
    share: float = quantity(2.0, "a share", gt=0, le=1)


class NotFinite(Strict):
    share: float = quantity(np.nan, "a share")


class NotStored(Strict):
    share: Any = quantity(object(), "a share")


class NoDefault(Strict):
    share: float = quantity(..., "a share")


class Keyword(Strict):
    lambda_: float = quantity(0.5, "a share")
    Größe: float = quantity(0.5, "a size")


class Drawn(Experiment):
    """One number."""

    name: ClassVar[str] = "drawn"
    variables: ClassVar[tuple[Variable, ...]] = (Variable("number", "float64", "a number"),)

    def draw(self, point: Any, draws: Any) -> Any:
        raise NotImplementedError


class Raising(Drawn):
    def __init__(self) -> None:
        raise SystemExit(3)


class Renaming(Drawn):
    def __init__(self) -> None:
        self.name = "other"  # type: ignore[misc]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before = [list(registry.known()) for registry in (PROBLEMS, EXPERIMENTS)], list(PARAMETERS)
    yield
    after = [list(registry.known()) for registry in (PROBLEMS, EXPERIMENTS)], list(PARAMETERS)
    assert after == before


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "default"},
        {"name": "a" * 65},
        {"name": "a\n"},
        {"packages": "scipy"},
        {"packages": ["scipy"]},
        {"uses": ["noise.sigma"]},
        {"uses": ("noise.sgima",)},
        {"uses": ([],)},
        {"table": "mask"},
        {"table": ("mask",)},
        {"table": ("mask", Loose)},
        {"table": ("mask", Good())},
        {"table": ("mask", Undeclared)},
        {"table": ("mask", OutOfBounds)},
        {"table": ("mask", NotFinite)},
        {"table": ("mask", NotStored)},
        {"table": ("mask", NoDefault)},
        {"table": ("mask", Keyword)},
        *(
            {"table": (name, Good)}
            for name in (
                "axes", "experiment", "table", "fit", "law", "codes", "model_dump", "k", "solver",
                "lambda", "two words", "größe", "_hidden", "trial", "status",
            )
        ),
    ],
)  # fmt: skip
def test_a_problem_is_refused_in_one_line(changes: dict[str, Any]) -> None:
    found = type("Outside", (Denoising,), {"name": "outside", **changes})
    with pytest.raises(SweepError) as refusal:
        gp.problem(found)
    assert "Outside" in str(refusal.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"variables": None},
        {"variables": ()},
        {"variables": [Variable("number", "float64", "a number")]},
        {"variables": ("number",)},
        {"variables": (Variable("number", "float64", "a"), Variable("number", "int8", "b"))},
        *(
            {"variables": (Variable(name, "float64", "a number"),)}
            for name in ("two words", "k", "trial", "seconds", "status", "error", "lambda")
        ),
        *(
            {"variables": (Variable("number", dtype, "a number"),)}
            for dtype in ("uint8", "bool", "complex128", "object", "float16", "nonsense")
        ),
        {"variables": (Variable("number", "int8", "a number", flags=(Flag(-1, "bad"),)),)},
        {"variables": (Variable("number", "int8", "a number", flags=((0, "bad"),)),)},
        {"version": None},
        {"version": True},
        {"version": 1.5},
        {"inner": None},
        {"inner": "k"},
        {"inner": ("zz",)},
        {"parameters": ("zz",)},
        {"parameters": ["k"]},
    ],
)
def test_an_experiment_is_refused_in_one_line(changes: dict[str, Any]) -> None:
    found = type("Outside", (Drawn,), changes)
    with pytest.raises(SweepError) as refusal:
        gp.experiment(found)
    assert "Outside" in str(refusal.value)


@pytest.mark.parametrize("found", [Raising, Renaming])
def test_an_experiment_whose_objects_are_others_is_refused(found: type[Experiment]) -> None:
    with pytest.raises(SweepError, match=found.__name__):
        gp.experiment(found)


def test_a_table_of_its_own_is_known_to_the_experiment_that_declares_it() -> None:
    changes = {"table": ("shares", Good), "inner": ("shares.share",), "parameters": ("k", "shares")}
    gp.experiment(type("Outside", (Drawn,), changes))
    EXPERIMENTS.forget("drawn")


def test_a_subclass_of_ours_records_its_own_name_and_version(store: Path) -> None:
    """With fields of a data class, the parent's defaults hid what a child said of itself."""

    class Older(Recovery):
        name: ClassVar[str] = "older"
        version: ClassVar[int] = 77
        variables: ClassVar[tuple[Variable, ...]] = Recovery.variables[:-1]

    try:
        gp.experiment(Older)
        run_sweep(recovery_sweep("task=older", "trials=1"), store)
        info = read_info(store)
        assert info.attributes["kernel_version"] == 77
        assert info.sweep.task == "older"
        assert Recovery.variables[-1].name not in info.variables
    finally:
        EXPERIMENTS.forget("older")


def test_an_axis_named_like_a_variable_of_the_experiment_is_refused() -> None:
    """An axis that is no parameter only multiplies; its array would be the variable's."""
    try:
        gp.experiment(Drawn)
        written = {
            "task": "drawn",
            "axes": {"k": [2, 4], "number": [2, 3]},
            "parameters": {"depth": 1, "widths": [9]},
            "dependent": {"m": {"times": "number", "of": "k"}},
        }
        with pytest.raises(SweepError, match="'number'"):
            check_task(task_kind("drawn"), Grid(Sweep.parse(written)))
    finally:
        EXPERIMENTS.forget("drawn")


class Named(LandscapeTask):
    """Draws as its parent does, and counts."""

    name: ClassVar[str] = "named"
    drawn: ClassVar[list[int]] = []

    def draw(self, point: Any, draws: Any) -> Any:
        self.drawn.append(draws.trial)
        return super().draw(point, draws)


class Told(Trajectory):
    name: ClassVar[str] = "told"
    drawn: ClassVar[list[int]] = []

    def draw(self, point: Any, draws: Any) -> Any:
        self.drawn.append(draws.trial)
        return super().draw(point, draws)


@pytest.mark.parametrize(
    ("found", "axes"),
    [
        (Named, {"plane.along": [0.5, 1.0], "plane.across": [0.0, 1.0]}),
        (Told, {"trajectory.step": [0, 1]}),
    ],
)
def test_a_subclass_that_draws_otherwise_is_run_by_its_own_draw(
    store: Path, found: type[Experiment], axes: dict[str, Any]
) -> None:
    """Its parent's sampler knows nothing of it."""
    try:
        gp.experiment(found)
        found.drawn.clear()  # type: ignore[attr-defined]
        parameters = {"k": 2, "depth": 1, "widths": [9], "problem": "inversion"}
        written = {"task": found.name, "trials": 2, "axes": axes, "parameters": parameters}
        summary = run_sweep(Sweep.parse({**written, "blocks": {"trials": 100}}), store)
        assert len(found.drawn) == summary.computed > 0  # type: ignore[attr-defined]
    finally:
        EXPERIMENTS.forget(found.name)


class Counts(Drawn):
    """Its variable is called like one of recoveries, and has no codes."""

    name: ClassVar[str] = "counts"
    variables: ClassVar[tuple[Variable, ...]] = (
        Variable("success", "int8", "found", flags=(Flag(0, "no"), Flag(1, "yes"))),
        Variable("abandonment", "int64", "how many"),
    )

    def draw(self, point: Any, draws: Any) -> Any:
        return SimpleNamespace(run=lambda: {"success": draws.trial % 2, "abandonment": 2})


def test_a_variable_that_is_called_like_ours_is_not_taken_for_it(store: Path) -> None:
    """A count of 2 is no run that was audited."""
    try:
        gp.experiment(Counts)
        written = {"task": "counts", "trials": 4, "axes": {"k": [2, 3]}, "fit": {"along": "k"}}
        run_sweep(Sweep.parse({**written, "parameters": {"depth": 1, "widths": [9]}}), store)
        assert gp.status(store).abandonment is None
        assert "audited" not in gp.fit(store)["transition"]
    finally:
        EXPERIMENTS.forget("counts")
