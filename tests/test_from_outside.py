"""Everything a sweep names, added from outside the packages: a class each, and nothing else."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from click.testing import Result
from helpers import results

from genprior.pipeline import run_sweep
from genprior.pipeline.executors.opening import open_executor
from genprior.store import read_info
from genprior.sweeps import Grid, Purpose, Sweep, SweepError, UserError, point_identity
from genprior.sweeps.parameter import quantity
from genprior.sweeps.parameters import PARAMETERS
from genprior.sweeps.tables import Strict
from genprior.sweeps.variables import Flag, Variable
from genprior.tasks import task_kind, testing
from genprior.tasks.environment import environment, needs_of
from genprior.tasks.experiment import NETWORK, PROBLEM, Experiment
from genprior.tasks.experiments import EXPERIMENTS
from genprior.tasks.generators import GENERATORS, Generator, gaussian_network
from genprior.tasks.instance import Instance, draw_problem
from genprior.tasks.problems import PROBLEMS, Denoising, Misfit, Problem
from genprior.tasks.solvers import SOLVERS, Solution, Solver
from genprior.tasks.solvers.descent import Verdict


class Mask(Strict):
    share: float = quantity(0.5, "share of entries that are seen", gt=0, le=1, draws=True)


class Inpainting(Problem):
    """b = y* where it is seen, L(y) = ½‖M y − b‖²."""

    name: ClassVar[str] = "inpainting"
    table: ClassVar[tuple[str, type[Strict]]] = ("mask", Mask)

    def __init__(self, seen: np.ndarray, observed: np.ndarray):
        self.seen, self.observed = seen, observed

    @classmethod
    def draw(cls, point: Any, signal: np.ndarray, streams: Any) -> "Inpainting":
        seen = streams(Purpose.MEASUREMENTS).random(point.n) < point.mask.share
        return cls(seen, signal * seen)

    def misfit(self, signal: np.ndarray) -> Misfit:
        residual = signal * self.seen - self.observed
        return Misfit(0.5 * float(residual @ residual), residual, signal * self.seen)

    def gradient(self, misfit: Misfit) -> np.ndarray:
        return misfit.residual

    def curvature(self) -> float:
        return float(self.seen.mean())

    def scale(self) -> float:
        return float(np.linalg.norm(self.observed) / np.sqrt(self.seen.mean()))


class Blocks(Strict):
    share: float = quantity(0.5, "share of weights that are kept", gt=0, le=1, draws=True)


class Thinned(Generator):
    """Gaussian weights, of which only some are kept."""

    name: ClassVar[str] = "thinned"
    table: ClassVar[tuple[str, type[Strict]]] = ("thinning", Blocks)

    @classmethod
    def draw(cls, random: np.random.Generator, point: Any) -> Any:
        network = gaussian_network(random, point.k, point.widths, 1 / point.thinning.share)
        for weight in network.weights:
            weight *= random.random(weight.shape) < point.thinning.share
        return network

    @classmethod
    def curvature(cls, point: Any) -> float:
        return float(0.5**point.depth)


class Steps(Strict):
    count: int = quantity(100, "steps", "steps", ge=1, setting=True)


class Momentum(Solver):
    """Descent with momentum, without negation."""

    name: ClassVar[str] = "momentum"
    table: ClassVar[tuple[str, type[Strict]]] = ("momentum", Steps)

    @classmethod
    def solve(cls, point: Any, instance: Instance, streams: Any) -> Solution:
        objective, code = instance.objective, instance.start
        velocity = np.zeros_like(code)
        for _ in range(point.momentum.count):
            vector = objective.descent_vector(objective.evaluate(objective.first(code)))
            velocity = 0.5 * velocity - instance.method.step_size * vector
            code = code + velocity
        end = objective.evaluate(objective.first(code))
        norm = float(np.linalg.norm(objective.descent_vector(end)))
        steps = point.momentum.count
        return Solution(code, None, end.loss, norm, steps, Verdict.BUDGET_SPENT)


class AtStart:
    """The trial of the experiment below."""

    def __init__(self, instance: Instance):
        self.instance = instance

    def run(self) -> dict[str, Any]:
        objective = self.instance.objective
        loss = objective.evaluate(objective.first(self.instance.start)).loss
        return {"success": int(loss < 0.5), "start_loss": loss}


class FirstLoss(Experiment):
    """How large the loss is where a descent would start."""

    name = "first-loss"
    variables = (
        Variable("success", "int8", "low", flags=(Flag(0, "high"), Flag(1, "low"))),
        Variable("start_loss", "float64", "loss at the start", "signal units squared"),
    )
    parameters = (*PROBLEM, *NETWORK, "solver")

    def draw(self, point: Any, draws: Any) -> AtStart:
        return AtStart(draw_problem(point, draws))


CLASSES = ((PROBLEMS, Inpainting), (GENERATORS, Thinned), (SOLVERS, Momentum),
           (EXPERIMENTS, FirstLoss))  # fmt: skip
SWEEP: dict[str, Any] = {
    "name": "outside",
    "trials": 3,
    "axes": {"mask.share": [0.5, 1.0], "momentum.count": [2, 200]},
    "parameters": {
        "k": 2, "depth": 2, "widths": [30, 60], "problem": "inpainting", "generator": "thinned",
        "solver.method": "momentum", "thinning.share": 0.8, "success.below": 0.01,
    },
    "blocks": {"trials": 4},
}  # fmt: skip


@pytest.fixture
def outside() -> Iterator[None]:
    """All four registered, and forgotten at the end."""
    for registry, found in CLASSES:
        registry.register(found)
    yield
    for registry, found in CLASSES:
        registry.forget(found.name)
    assert "mask.share" not in PARAMETERS


@pytest.mark.usefixtures("outside")
def test_they_keep_the_contract() -> None:
    testing.check_problem(Inpainting)
    testing.check_generator(Thinned)
    testing.check_solver(Momentum)
    testing.check_experiment(FirstLoss, m=9)


@pytest.mark.usefixtures("outside")
def test_a_sweep_runs_through_all_of_them(store: Path) -> None:
    run_sweep(Sweep.parse(SWEEP), store)
    found = results(store)
    assert (found.status == 1).all()
    assert found.success.dims == ("mask.share", "momentum.count", "trial")
    share = found.success.mean("trial").sel({"mask.share": 1.0})
    assert share.sel({"momentum.count": 200}) > share.sel({"momentum.count": 2}) == 0
    assert found["mask.share"].attrs["long_name"] == "share of entries that are seen"
    assert float(found["thinning.share"]) == 0.8


@pytest.mark.usefixtures("outside")
def test_what_a_table_says_decides_draws_and_settings_do_not() -> None:
    grid = Grid(Sweep.parse(SWEEP))
    names = {index: point_identity(grid.point(index)) for index in np.ndindex(2, 2)}
    assert names[0, 0] == names[0, 1] != names[1, 0]


@pytest.mark.usefixtures("outside")
def test_an_experiment_from_outside_runs_by_either_name(store: Path) -> None:
    written = {**SWEEP, "axes": {"mask.share": [0.5, 1.0]}, "experiment": "first-loss"}
    written["parameters"] = {
        name: value for name, value in SWEEP["parameters"].items() if name != "success.below"
    }
    summary = run_sweep(Sweep.parse(written), store)
    assert summary.computed == 6
    assert results(store).start_loss.min() > 0
    named = Sweep.parse({"task" if k == "experiment" else k: v for k, v in written.items()})
    assert run_sweep(named, store).computed == 0


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.usefixtures("outside")
def test_workers_in_processes_run_them_too(store: Path) -> None:
    """Where the classes are in no module that a worker could import, as in a notebook's cell."""
    for registry, found in CLASSES:
        found.__module__ = "__main__"
        registry.register(found)
    try:
        with open_executor("processes", 2) as executor:
            assert run_sweep(Sweep.parse(SWEEP), store, executor).computed == 12
    finally:
        for _, found in CLASSES:
            found.__module__ = __name__
    made = json.loads(results(store).attrs["history"])[0]
    assert made["problem_packages"].startswith("inpainting: source ")


def test_a_store_whose_classes_are_gone_opens_and_is_not_continued(
    store: Path, genprior: Callable[..., Result]
) -> None:
    for registry, found in CLASSES:
        registry.register(found)
    run_sweep(Sweep.parse({**SWEEP, "fit": {"along": "mask.share"}}), store)
    for registry, found in CLASSES:
        registry.forget(found.name)
    status = genprior("status", store, "--json")
    assert (status.exit_code, json.loads(status.stdout)["trials"]["done"]) == (0, 12)
    assert genprior("fit", store).exit_code == 0
    sweep = store.parent / "again.toml"
    sweep.write_text("task = 'first-loss'\naxes.k = [2]\nparameters = {depth = 1, widths = [9]}\n")
    refused = genprior("run", sweep, store)
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "first-loss" in refused.stderr
    with pytest.raises(SweepError, match=r"inpainting|thinned"):
        run_sweep(read_info(store).sweep, store)


def test_a_class_that_is_none_or_takes_a_name_of_ours_is_refused() -> None:
    known = [each.name for each in PROBLEMS.known()]
    with pytest.raises(SweepError, match=r"Thinned.* genprior\.tasks\.problems\.Problem"):
        PROBLEMS.register(Thinned)
    renamed = type("Renamed", (Inpainting,), {"name": "inversion"})
    with pytest.raises(SweepError, match="inversion"):
        PROBLEMS.register(renamed)
    taken = type("Taken", (Inpainting,), {"name": "taken", "table": ("solver", Mask)})
    with pytest.raises(SweepError, match="solver"):
        PROBLEMS.register(taken)
    spaced = type("Spaced", (Inpainting,), {"name": "two words"})
    with pytest.raises(SweepError, match="two words"):
        PROBLEMS.register(spaced)
    assert [each.name for each in PROBLEMS.known()] == known


@pytest.mark.usefixtures("outside")
def test_a_class_with_another_source_does_not_continue_a_store(store: Path) -> None:
    """A package's version, or a hash of the source, is part of what a store is computed with."""
    run_sweep(Sweep.parse({**SWEEP, "trials": 2}), store)
    for registry, found in CLASSES[1:3]:
        registry.register(found, source="another")
        with pytest.raises(UserError, match="source another"):
            run_sweep(Sweep.parse(SWEEP), store)
        registry.register(found)
    assert run_sweep(Sweep.parse(SWEEP), store).computed == 4


@pytest.mark.usefixtures("outside")
def test_a_worker_goes_back_to_a_class_that_was_replaced_meanwhile() -> None:
    """Three runs of one worker: a class, another one of its name, the first one again."""
    environments = []
    sweep = Sweep.parse(SWEEP)
    for digest in ("first", "second", "first"):
        SOLVERS.register(Momentum, digest)
        needs = needs_of(task_kind("recovery"), Grid(sweep))
        SOLVERS.forget("momentum")
        environments.append(environment(needs))
        assert SOLVERS.origin("momentum") == f"source {digest}"
    assert environments[0] == environments[2] != environments[1]
    assert "source second" in str(environments[1]["solver_packages"])


def test_a_parameter_whose_class_is_gone_is_named(store: Path) -> None:
    SOLVERS.register(Momentum)
    parameters = {
        "k": 2, "depth": 1, "widths": [20], "m": 9, "solver.method": "momentum",
        "momentum.count": 5,
    }  # fmt: skip
    try:
        run_sweep(Sweep.parse({"trials": 2, "parameters": parameters}), store)
    finally:
        SOLVERS.forget("momentum")
    left = read_info(store).sweep
    with pytest.raises(SweepError, match="'momentum'"):
        run_sweep(left, store)
    SOLVERS.register(type("Bare", (Momentum,), {"table": None}))
    try:
        with pytest.raises(SweepError, match=r"'momentum\.count'"):
            run_sweep(left, store)
    finally:
        SOLVERS.forget("momentum")


@pytest.mark.usefixtures("outside")
def test_a_table_belongs_to_one_class_at_a_time() -> None:
    """Another class cannot take it; the same class, written again, may change it or leave it."""
    other = type("Other", (Denoising,), {"name": "other", "table": ("mask", Steps)})
    with pytest.raises(SweepError, match="mask"):
        PROBLEMS.register(other)
    assert PARAMETERS["mask.share"].default == 0.5
    again = type("Inpainting", (Inpainting,), {"table": ("mask", Steps)})
    PROBLEMS.register(again)
    assert "mask.count" in PARAMETERS
    assert "mask.share" not in PARAMETERS
    PROBLEMS.register(type("Inpainting", (Inpainting,), {"table": None}))
    assert "mask.count" not in PARAMETERS
