"""The experiments a sweep can ask for, each a class in a file of its own."""

from typing import Any

from ...sweeps import Grid, SweepError
from ...sweeps.errors import did_you_mean
from ...sweeps.parameters import tell_tasks
from ..conditions import CONDITIONS
from ..experiment import Experiment
from ..generators import GENERATORS
from ..problems import PROBLEMS
from ..registry import Registry
from ..solvers import SOLVERS
from .condition import ConditionBound
from .landscape import LandscapeTask
from .no_operation import NoOperation
from .recovery import Recovery
from .successive_decoding import SuccessiveDecoding

EXPERIMENTS: Registry[Experiment] = Registry(
    "experiment",
    Experiment,  # type: ignore[type-abstract]
    (Recovery, ConditionBound, LandscapeTask, SuccessiveDecoding, NoOperation),
)
# What sweep files ask for, at hand; tests add their own.
KINDS: dict[str, Experiment] = {name: found() for name, found in EXPERIMENTS.built_in.items()}


def task_kind(name: str) -> Experiment:
    """Find an experiment by name.

    Raises:
        SweepError: there is none of that name.
    """
    return KINDS[name] if name in KINDS else EXPERIMENTS.find(name)()


def _parameters_of(name: str) -> tuple[str, ...] | None:
    """List what an experiment has, with the tables of what it may name."""
    kind = task_kind(name)
    own = getattr(kind, "parameters", None)
    if own is None:
        return None
    named: dict[str, Registry[Any]]
    named = {
        "problem": PROBLEMS,
        "generator": GENERATORS,
        "solver": SOLVERS,
        "condition": CONDITIONS,
    }
    classes: list[Any] = [kind]
    classes += [each for key in named if key in own for each in named[key].known()]
    return (*own, *(each.table[0] for each in classes if getattr(each, "table", None)))


tell_tasks(_parameters_of)


def check_task(kind: Experiment, grid: Grid) -> None:
    """Refuse, before anything runs, points that cannot be, and readings of what no trial gives.

    Raises:
        SweepError: with what is wrong.
    """
    sweep = grid.sweep
    names = [variable.name for variable in kind.variables]
    known = [variable.name for variable in kind.variables if not variable.flags]
    if "success" in names:
        known.append("success")
    asked = {"plot.variable": sweep.plot.variable} if sweep.plot.variable else {}
    asked |= {"law.variable": sweep.law.variable} if sweep.law else {}
    for key, name in asked.items():
        if name not in known:
            raise SweepError(f"{key}: trials give no {name!r}. {did_you_mean(name, known)}")
    success = {"fit.along": sweep.fit.along, "compare": sweep.compare, "basins": sweep.basins}
    for key, reads in success.items():
        if reads and "success" not in names:
            raise SweepError(f"{key}: trials of task '{kind.name}' neither succeed nor fail.")
    if sweep.basins and "mirror_error" not in names:
        raise SweepError(f"basins: trials of task '{kind.name}' have no mirror.")
    kind.check(grid)
