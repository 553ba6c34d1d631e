"""The checks that authors run on classes of their own: ours pass, broken ones are told."""

import sys
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from genprior.sweeps.variables import Variable
from genprior.tasks import testing
from genprior.tasks.experiment import Experiment
from genprior.tasks.experiments import EXPERIMENTS
from genprior.tasks.generators import GENERATORS, Gaussian
from genprior.tasks.problems import PROBLEMS, CompressedSensing, Denoising, Misfit
from genprior.tasks.solvers import SOLVERS, Lasso, Subgradient

POINTS: dict[str, dict[str, Any]] = {
    "recovery": {"m": 20, "solver": {"max_steps": 40}},
    "condition": {"search": {"draws": 5, "ascents": 1, "steps": 4}},
    "landscape": {"m": 20, "plane": {"along": 0.5}},
    "trajectory": {"m": 20, "trajectory": {"angle": 100.0, "step": 30}},
    "successive-decoding": {"k": 4, "depth": 1, "n": 120, "widths": (120,), "m": 10},
    "no-operation": {},
}
MADE = {"sparsity": 1, "n": 12}


@pytest.mark.parametrize("name", PROBLEMS.built_in)
def test_our_problems_keep_the_contract(name: str) -> None:
    testing.check_problem(PROBLEMS.built_in[name])


@pytest.mark.parametrize("name", [name for name in GENERATORS.built_in if name != "trained"])
def test_our_generators_keep_the_contract(name: str) -> None:
    generator = GENERATORS.built_in[name]
    testing.check_generator(generator, **(MADE if generator.shape else {}))


def test_the_generator_of_a_file_keeps_the_contract(tmp_path: Any) -> None:
    random = np.random.default_rng(0)
    weights = {f"weights_{i}": random.standard_normal(s) for i, s in ((1, (9, 2)), (2, (12, 9)))}
    np.savez(tmp_path / "net.npz", **weights)
    testing.check_generator(GENERATORS.built_in["trained"], weights=str(tmp_path / "net.npz"))


@pytest.mark.parametrize("name", SOLVERS.built_in)
def test_our_solvers_keep_the_contract(name: str) -> None:
    settings = {"success": {"metric": "signal_error"}} if name == "lasso" else {}
    steps = {"max_steps": 60} if name == "descent" else {}
    testing.check_solver(SOLVERS.built_in[name], solver=steps, **settings)


@pytest.mark.parametrize("name", EXPERIMENTS.built_in)
def test_our_experiments_keep_the_contract(name: str) -> None:
    testing.check_experiment(EXPERIMENTS.built_in[name], **POINTS[name])


class WrongGradient(Denoising):
    name: ClassVar[str] = "wrong-gradient"

    def gradient(self, misfit: Misfit) -> np.ndarray:
        return 2 * super().gradient(misfit)


class GlobalDraw(Denoising):
    name: ClassVar[str] = "global-draw"

    @classmethod
    def draw(cls, point: Any, signal: Any, streams: Any) -> Any:
        return cls(signal + np.random.default_rng().standard_normal(point.n))


class OtherQuadratic(CompressedSensing):
    name: ClassVar[str] = "other-quadratic"

    def quadratic(self) -> Any:
        form = super().quadratic()
        return form._replace(observed=form.observed + 1)


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (WrongGradient, "gradient"),
        (GlobalDraw, "streams"),
        (OtherQuadratic, "quadratic"),
    ],
)
def test_a_problem_that_breaks_the_contract_is_told(problem: type, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        testing.check_problem(problem)
    assert problem.name not in [each.name for each in PROBLEMS.known()]


class Narrow(Gaussian):
    name: ClassVar[str] = "narrow"

    @classmethod
    def draw(cls, random: Any, point: Any) -> Any:
        wider = point.model_copy(update={"widths": (point.widths[0] + 1, point.widths[1])})
        return super().draw(random, wider)


def test_a_generator_of_another_shape_is_told() -> None:
    with pytest.raises(AssertionError, match="widths"):
        testing.check_generator(Narrow)


class Oracle(Subgradient):
    name: ClassVar[str] = "oracle"

    @classmethod
    def solve(cls, point: Any, instance: Any, streams: Any) -> Any:
        return super().solve(point, instance, streams)._replace(code=instance.target)


def test_a_solver_that_looks_at_the_target_is_told() -> None:
    with pytest.raises(AssertionError, match="oracle"):
        testing.check_solver(Oracle, solver={"max_steps": 20})
    with pytest.raises(AssertionError, match="signal_error"):
        testing.check_solver(Lasso)


class Forgetful(Experiment):
    name: ClassVar[str] = "forgetful"
    variables: ClassVar[tuple[Variable, ...]] = (Variable("away", "float64", "an error"),)

    def draw(self, point: Any, draws: Any) -> Any:
        return _Given(np.nan)


@dataclass(frozen=True)
class _Given:
    value: float

    def run(self) -> dict[str, float]:
        return {"away": self.value}


def test_an_experiment_whose_value_means_not_run_is_told() -> None:
    with pytest.raises(AssertionError, match="NaN"):
        testing.check_experiment(Forgetful)


def gives(value: Any) -> Any:
    return lambda *given: value


def raises(*given: Any) -> Any:
    raise KeyError("in two\nlines")


def ends(*given: Any) -> Any:
    sys.exit(3)


BASES: dict[str, tuple[Any, type[Any], dict[str, Any]]] = {
    "problem": (testing.check_problem, Denoising, {}),
    "generator": (testing.check_generator, Gaussian, {}),
    "solver": (testing.check_solver, Subgradient, {"solver": {"max_steps": 20}}),
}
# Methods of classes, of objects, and declarations.
BROKEN: list[tuple[str, str, Any]] = [
    ("problem", "start_scale", gives("1.0")),
    ("problem", "tolerance", gives(np.nan)),
    ("problem", "step_size", raises),
    ("problem", "scale", gives(0)),
    ("problem", "gradient", raises),
    ("problem", "offset", "x"),
    ("problem", "mirror_ratio", classmethod(raises)),
    ("problem", "mirror_ratio", classmethod(ends)),
    ("problem", "entries", classmethod(gives(10**30))),
    ("problem", "entries", classmethod(gives(np.nan))),
    ("problem", "residuals", classmethod(raises)),
    ("problem", "has_matrix", classmethod(raises)),
    ("problem", "has_noise", classmethod(gives("no"))),
    ("problem", "check", classmethod(ends)),
    ("problem", "table", "mask"),
    ("generator", "curvature", classmethod(gives("1"))),
    ("generator", "entries", classmethod(gives(10**30))),
    ("generator", "draw_code", classmethod(raises)),
    ("generator", "check", classmethod(ends)),
    ("solver", "solve", classmethod(raises)),
    ("solver", "entries", classmethod(gives(10**30))),
    ("solver", "check_installed", classmethod(ends)),
    ("experiment", "inner", None),
    ("experiment", "parameters", ("zz",)),
    ("experiment", "version", None),
    ("experiment", "check", raises),
    ("experiment", "check_point", ends),
    ("experiment", "memory", gives(10**30)),
    ("experiment", "pilot", gives(np.nan)),
]


class Zero(Forgetful):
    name: ClassVar[str] = "zero"

    def draw(self, point: Any, draws: Any) -> Any:
        return _Given(0.0)


BASES["experiment"] = (testing.check_experiment, Zero, {})


@pytest.mark.parametrize(("kind", "name", "member"), BROKEN, ids=lambda each: str(each)[:9])
def test_whatever_is_broken_is_told_in_one_line(kind: str, name: str, member: Any) -> None:
    check, base, parameters = BASES[kind]
    broken = type("Broken", (base,), {"name": "broken", name: member})
    with pytest.raises(AssertionError) as told:
        check(broken, **parameters)
    assert "\n" not in str(told.value)
    assert "roken" in str(told.value)


@pytest.mark.parametrize("kind", BASES)
def test_what_is_not_broken_passes(kind: str) -> None:
    check, base, parameters = BASES[kind]
    check(type("Whole", (base,), {"name": "whole"}), **parameters)


def test_the_class_that_is_given_is_tested_and_not_one_of_its_name() -> None:
    """As in a notebook whose cell was changed and has not been registered again."""
    whole = type("Edited", (Denoising,), {"name": "edited"})
    broken = type("Edited", (WrongGradient,), {"name": "edited"})
    PROBLEMS.register(whole)
    try:
        with pytest.raises(AssertionError, match="gradient"):
            testing.check_problem(broken)
        assert PROBLEMS.find("edited") is whole
        PROBLEMS.register(broken)
        testing.check_problem(whole)
        assert PROBLEMS.find("edited") is broken
    finally:
        PROBLEMS.forget("edited")


def test_a_parameter_that_no_point_has_is_named_in_one_line() -> None:
    with pytest.raises(AssertionError, match="'foo'") as told:
        testing.check_problem(CompressedSensing, foo=3)
    assert "\n" not in str(told.value)
    assert "pydantic" not in str(told.value)
