"""The kinds of task a sweep can ask for."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

from ..sweeps import Grid, Point, SweepError
from ..sweeps.errors import did_you_mean
from ..sweeps.variables import Flag, Variable
from .conditions import Condition
from .landscape import LandscapeTask
from .recovery import Recovery
from .successive_decoding import SuccessiveDecoding


class TaskKind(Protocol):
    """What a worker can run for every trial of every point; it travels to the workers pickled."""

    @property
    def name(self) -> str:
        """Name, as `task` in a sweep file."""
        ...

    @property
    def version(self) -> int:
        """Number that changes whenever results may."""
        ...

    @property
    def variables(self) -> tuple[Variable, ...]:
        """What `run` returns a value for; `success`, if it is among them, counts.

        Where it is not, pictures show the first one.
        """
        ...

    @property
    def inner(self) -> tuple[str, ...]:
        """Parameters whose values a worker runs through before it goes to another draw."""
        ...

    def check(self, grid: Grid) -> None:
        """Refuse points that could not be run.

        Raises:
            SweepError: with the point and what is wrong.
        """
        ...

    def run(self, point: Point, trial: int, seed: int, paired: Collection[str]) -> dict[str, Any]:
        """Run one trial, a pure function of its arguments."""
        ...

    def pilot(
        self, point: Point, trial: int, seed: int, paired: Collection[str], seconds: float
    ) -> float:
        """Estimate the processor time of a trial within about the given time, both in seconds."""
        ...

    def memory(self, point: Point) -> int:
        """Bytes one trial of the point holds at once."""
        ...


@dataclass(frozen=True)
class NoOperation:
    """A task that does nothing: what is left is the pipeline's own cost."""

    name: str = "no-operation"
    version: int = 1
    variables: tuple[Variable, ...] = (
        Variable("success", "int8", "always 1", flags=(Flag(0, "failed"), Flag(1, "succeeded"))),
    )

    inner: tuple[str, ...] = ()

    def check(self, grid: Grid) -> None:
        """Any point will do."""

    def run(self, point: Point, trial: int, seed: int, paired: Collection[str]) -> dict[str, Any]:
        """Succeed at once."""
        return {"success": 1}

    def pilot(
        self, point: Point, trial: int, seed: int, paired: Collection[str], seconds: float
    ) -> float:
        """A call and no more, in seconds."""
        return 1e-6

    def memory(self, point: Point) -> int:
        """Nothing is held."""
        return 0


KINDS: dict[str, TaskKind] = {
    kind.name: kind
    for kind in (
        Recovery(),
        Condition(),
        LandscapeTask(),
        SuccessiveDecoding(),
        NoOperation(),
    )
}


def check_task(kind: TaskKind, grid: Grid) -> None:
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


def task_kind(name: str) -> TaskKind:
    """Find a task kind by name.

    Raises:
        SweepError: there is none of that name.
    """
    if name not in KINDS:
        raise SweepError(f"task: there is no kind {name!r}. {did_you_mean(name, KINDS)}")
    return KINDS[name]
