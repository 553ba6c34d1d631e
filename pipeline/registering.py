"""Decorators that register a user's class for the sweeps of this process."""

from typing import TypeVar

from ..tasks.experiment import Experiment
from ..tasks.experiments import EXPERIMENTS
from ..tasks.generators import GENERATORS, Generator
from ..tasks.problems import PROBLEMS, Problem
from ..tasks.solvers import SOLVERS, Solver
from .analyses import Analysis, register

ProblemClass = TypeVar("ProblemClass", bound=type[Problem])
GeneratorClass = TypeVar("GeneratorClass", bound=type[Generator])
SolverClass = TypeVar("SolverClass", bound=type[Solver])
ExperimentClass = TypeVar("ExperimentClass", bound=type[Experiment])
AnalysisClass = TypeVar("AnalysisClass", bound=type[Analysis])


def problem(definition: ProblemClass) -> ProblemClass:
    """Register a recovery problem: its attribute `name` becomes a value of `problem`.

    It replaces a class of the same name that was registered before. The class is sent to local
    workers.

    Raises:
        SweepError: the class is not complete, or its name is one of genprior's.
    """
    PROBLEMS.register(definition)
    return definition


def generator(definition: GeneratorClass) -> GeneratorClass:
    """Register a generator: its attribute `name` becomes a value of `generator`.

    Raises:
        SweepError: the class is not complete, or its name is one of genprior's.
    """
    GENERATORS.register(definition)
    return definition


def solver(definition: SolverClass) -> SolverClass:
    """Register a solver: its attribute `name` becomes a value of `solver.method`.

    Raises:
        SweepError: the class is not complete, or its name is one of genprior's.
    """
    SOLVERS.register(definition)
    return definition


def experiment(definition: ExperimentClass) -> ExperimentClass:
    """Register an experiment: its attribute `name` becomes a value of `experiment`.

    Raises:
        SweepError: the class is not complete, or its name is one of genprior's.
    """
    EXPERIMENTS.register(definition)
    return definition


def analysis(definition: AnalysisClass) -> AnalysisClass:
    """Register an analysis: sweep files may have its table, and `fit` makes it.

    Raises:
        SweepError: the class is not complete, or takes a name of something else.
    """
    register(definition)
    return definition
