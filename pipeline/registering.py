"""Decorators that register a user's class for the sweeps of this process."""

from collections.abc import Callable
from typing import Any, TypeVar

from ..tasks.conditions import CONDITIONS, Condition
from ..tasks.experiment import Experiment
from ..tasks.experiments import EXPERIMENTS
from ..tasks.generators import GENERATORS, Generator
from ..tasks.problems import PROBLEMS, Problem
from ..tasks.solvers import SOLVERS, Solver
from .analyses import Analysis, register

Kind = TypeVar("Kind", bound=type[Any])
ProblemClass = TypeVar("ProblemClass", bound=type[Problem])
GeneratorClass = TypeVar("GeneratorClass", bound=type[Generator])
SolverClass = TypeVar("SolverClass", bound=type[Solver])
ConditionClass = TypeVar("ConditionClass", bound=type[Condition])
ExperimentClass = TypeVar("ExperimentClass", bound=type[Experiment])
AnalysisClass = TypeVar("AnalysisClass", bound=type[Analysis])
DOCUMENTED = """Register {what}: its attribute `name` becomes {becomes}.

    It replaces a class of the same name that was registered before. The class is sent to local
    workers.

    Raises:
        SweepError: the class is not complete, or takes a name of something else.
    """


def _decorator(
    name: str, what: str, becomes: str, register: Callable[[Any], Any]
) -> Callable[[Kind], Kind]:
    def registering(definition: Kind) -> Kind:
        register(definition)
        return definition

    registering.__name__ = registering.__qualname__ = name
    registering.__doc__ = DOCUMENTED.format(what=what, becomes=becomes)
    return registering


problem: Callable[[ProblemClass], ProblemClass] = _decorator(
    "problem", "a recovery problem", "a value of `problem`", PROBLEMS.register
)
generator: Callable[[GeneratorClass], GeneratorClass] = _decorator(
    "generator", "a generator", "a value of `generator`", GENERATORS.register
)
solver: Callable[[SolverClass], SolverClass] = _decorator(
    "solver", "a solver", "a value of `solver.method`", SOLVERS.register
)
condition: Callable[[ConditionClass], ConditionClass] = _decorator(
    "condition", "a condition", "a value of `condition`", CONDITIONS.register
)
experiment: Callable[[ExperimentClass], ExperimentClass] = _decorator(
    "experiment", "an experiment", "a value of `experiment`", EXPERIMENTS.register
)
analysis: Callable[[AnalysisClass], AnalysisClass] = _decorator(
    "analysis", "an analysis", "what `fit` makes where a sweep file has its table", register
)
