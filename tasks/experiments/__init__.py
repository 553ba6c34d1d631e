"""The experiments that a sweep can run, each a class in a module of its own."""

from contextlib import suppress
from typing import Any

from ...sweeps import Grid, SweepError
from ...sweeps.errors import did_you_mean
from ...sweeps.parameters import PARAMETERS, Tasks, Values, tell_tasks
from ...sweeps.values import is_foreign
from ..conditions import CONDITIONS
from ..declared import check_experiment_class
from ..experiment import Experiment
from ..generators import GENERATORS
from ..problems import PROBLEMS
from ..registry import REGISTRIES, Registry
from ..solvers import SOLVERS
from .condition import ConditionBound
from .landscape import LandscapeTask
from .no_operation import NoOperation
from .recovery import Recovery
from .successive_decoding import SuccessiveDecoding
from .trajectory import Trajectory

EXPERIMENTS: Registry[Experiment] = Registry(
    "experiment",
    Experiment,  # type: ignore[type-abstract]
    (Recovery, ConditionBound, LandscapeTask, Trajectory, SuccessiveDecoding, NoOperation),
    check_experiment_class,
)


def task_kind(name: str) -> Experiment:
    """Find an experiment by name.

    Raises:
        SweepError: no experiment has that name, it cannot be loaded, or it is not complete.
    """
    return EXPERIMENTS.find(name)()


def _parameters_of(name: str) -> tuple[str, ...] | None:
    """List the parameters of an experiment, or tables of them; None for all."""
    return EXPERIMENTS.find(name).parameters


def _tables_of(name: str, values: Values | None) -> set[str]:
    """List the tables of an experiment, and of the classes that a sweep of it names."""
    classes: list[Any] = []
    with suppress(SweepError):  # that there is no such experiment is said where it is looked for
        classes.append(EXPERIMENTS.find(name))
    own = classes[0].parameters if classes else None
    for registry in REGISTRIES.values():
        what = registry.what
        if registry is EXPERIMENTS or not (own is None or what in own or what.split(".")[0] in own):
            continue
        if values is None:
            classes += registry.known()
            continue
        for named in values(what) or [PARAMETERS[what].default]:
            with suppress(SweepError):  # as above
                classes.append(registry.find(named))
    return {cls.table[0] for cls in classes if cls.table is not None}


tell_tasks(Tasks(_parameters_of, _tables_of, Recovery.name))


def check_task(kind: Experiment, grid: Grid) -> None:
    """Refuse, before anything runs, classes that are not here, and points that cannot be run.

    Raises:
        SweepError: says what is wrong.
    """
    sweep = grid.sweep
    for registry in (PROBLEMS, GENERATORS, SOLVERS, CONDITIONS):
        for name in registry.named_by(grid):
            registry.find(name)
    for name in (*sweep.axes, *sweep.parameters, *sweep.dependent):
        if is_foreign(name):
            raise SweepError(
                f"'{name}' is a parameter of a class that is not here; install or register it."
            )
    for name in sweep.axes:
        if name in (variable.name for variable in kind.variables):
            raise SweepError(
                f"axes: '{name}' is a variable of task '{kind.name}'; give the axis another name."
            )
    known = [v.name for v in kind.variables if not v.flags or v.name == "success"]
    if sweep.plot.variable and sweep.plot.variable not in known:
        hint = did_you_mean(sweep.plot.variable, known)
        raise SweepError(
            f"plot.variable: trials of task '{kind.name}' give no {sweep.plot.variable!r}. {hint}"
        )
    kind.check(grid)
