"""The experiments that a sweep can run, each a class in a module of its own."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...sweeps import Grid, SweepError
from ...sweeps.errors import did_you_mean
from ...sweeps.parameters import PARAMETERS, Tasks, Values, tell_tasks
from ...sweeps.values import is_foreign
from ..declared import check_experiment_class
from ..experiment import Experiment
from ..hooks import ask, ask_number
from ..registry import REGISTRIES, Registry
from .condition import ConditionBound
from .landscape import LandscapeTask
from .no_operation import NoOperation
from .recovery import Recovery
from .successive_decoding import SuccessiveDecoding
from .trajectory import Trajectory

if TYPE_CHECKING:
    from ..point import Point

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
    found = EXPERIMENTS.find(name)
    try:
        return found()
    except (Exception, SystemExit) as error:
        raise SweepError(
            f"experiment {name!r} cannot be made: {type(error).__name__}: {error}."
        ) from None


def others() -> list[Registry[Any]]:
    """List the registries of the classes that parameters name: all but that of experiments."""
    return [registry for registry in REGISTRIES.values() if registry is not EXPERIMENTS]


def named_classes(grid: Grid) -> list[Any]:
    """List the classes that the parameters of a sweep name.

    Raises:
        SweepError: one of them is not here.
    """
    return [registry.find(name) for registry in others() for name in registry.named_by(grid)]


def check_installed(kind: Experiment, grid: Grid) -> None:
    """Refuse to run a sweep whose classes need a package that is missing; planning needs none.

    Raises:
        UserError: says how to install it.
    """
    try:
        ask(f"task {kind.name!r}", kind.check_installed)
        for registry in others():
            for name in registry.named_by(grid):
                registry.ask(name, "check_installed")
    except ValueError as error:
        raise SweepError(str(error)) from None


def memory_of(kind: Experiment, point: Point) -> int:
    """Count the bytes that a trial of a point holds at once.

    Raises:
        ValueError: a class of the point cannot tell; the message names it.
    """
    return int(ask_number(f"task {kind.name!r}", "memory", kind.memory, point))


def is_kind(name: str, base: type[Experiment]) -> bool:
    """Say whether an experiment is of a class, or of one derived from it; no if it is not here."""
    try:
        return issubclass(EXPERIMENTS.find(name), base)
    except SweepError:
        return False


def _parameters_of(name: str) -> tuple[str, ...] | None:
    """List the parameters of an experiment, or tables of them; None for all."""
    return EXPERIMENTS.find(name).parameters


def _tables_of(name: str, values: Values | None) -> set[str]:
    """List the tables of an experiment, and of the classes that a sweep of it names."""
    classes: list[Any] = []
    with suppress(SweepError):  # that there is no such experiment is said where it is looked for
        classes.append(EXPERIMENTS.find(name))
    own = classes[0].parameters if classes else None
    for registry in others():
        what = registry.what
        if not (own is None or what in own or what.split(".")[0] in own):
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
    named_classes(grid)
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
    try:
        ask(f"task {kind.name!r}", kind.check, grid)
    except ValueError as error:
        raise SweepError(str(error)) from None
