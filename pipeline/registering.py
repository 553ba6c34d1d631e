"""Decorators that let sweeps of this process name a class of one's own."""

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
    """Register a recovery problem: its attribute `name` is a value of `problem` from now on.

    A class of the same name that was registered before is replaced; it travels to local workers.

    Raises:
        SweepError: it is not complete, or has a name of genprior's own.
    """
    PROBLEMS.register(definition)
    return definition


def generator(definition: GeneratorClass) -> GeneratorClass:
    """Register a generator: its attribute `name` is a value of `generator` from now on.

    Raises:
        SweepError: it is not complete, or has a name of genprior's own.
    """
    GENERATORS.register(definition)
    return definition


def solver(definition: SolverClass) -> SolverClass:
    """Register a solver: its attribute `name` is a value of `solver.method` from now on.

    Raises:
        SweepError: it is not complete, or has a name of genprior's own.
    """
    SOLVERS.register(definition)
    return definition


def experiment(definition: ExperimentClass) -> ExperimentClass:
    """Register an experiment: its attribute `name` is a value of `experiment` from now on.

    Raises:
        SweepError: it is not complete, or has a name of genprior's own.
    """
    EXPERIMENTS.register(definition)
    return definition


def analysis(definition: AnalysisClass) -> AnalysisClass:
    """Register an analysis: sweep files may have its table, and `fit` makes it, from now on.

    Raises:
        TypeError: it is no complete analysis.
        ValueError: its table cannot be called so.
    """
    register(definition)
    return definition
