"""What an experiment is: one trial of a point, drawn once, then run."""

import time
from abc import ABC, abstractmethod
from typing import Any, Protocol

from ..sweeps import Draws, Grid, Point
from ..sweeps.tables import Strict
from ..sweeps.variables import Variable

# What every experiment has that draws a network, and what one has that draws a problem.
NETWORK = (
    "k", "depth", "widths", "n", "generator", "gain", "last_layer", "width_rule", "width_factor",
    "sparsity", "wedge_angle", "weights", "target_norm", "m", "ensemble", "student_df", "noise",
    "dither",
)  # fmt: skip
PROBLEM = ("problem", "samples", "target", "target_codes")


class Trial(Protocol):
    """What was drawn of one trial."""

    def run(self) -> dict[str, Any]:
        """Compute a value for each of the experiment's variables; twice the same ones."""
        ...


class Experiment(ABC):
    """What a worker runs for every trial of every point; it travels to the workers pickled.

    A subclass in `experiments/`, one that another package offers as an entry point of the group
    `genprior.experiments`, or one that was registered, is a value of `experiment` in sweep files.

    Attributes:
        name: value of `experiment`.
        version: number that changes whenever results may.
        variables: what a trial gives a value for; `success`, if it is among them, counts. Where it
            is not, pictures show the first one.
        inner: parameters whose values a worker runs through before it goes to another draw.
        table: more parameters, that it alone has: the name of their table in sweep files, and its
            model, a subclass of `Strict` whose fields are declared by `quantity`.
        parameters: those that it has, or whole tables of them; all if None.
    """

    name: str
    version: int = 1
    variables: tuple[Variable, ...]
    inner: tuple[str, ...] = ()
    table: tuple[str, type[Strict]] | None = None
    parameters: tuple[str, ...] | None = None

    @abstractmethod
    def draw(self, point: Point, draws: Draws) -> Trial:
        """Draw a trial, a pure function of its arguments.

        Args:
            point: all parameters, which `check_point` let pass.
            draws: opens the random stream of a purpose.
        """

    def check(self, grid: Grid) -> None:
        """Refuse, before anything runs, a sweep whose points could not be run.

        Raises:
            SweepError: with the point and what is wrong.
        """
        return

    def check_point(self, point: Point) -> None:
        """Refuse a point, once before its trials: of very large sweeps `check` sees some only.

        Raises:
            ValueError: saying what is wrong, in one line.
        """
        return

    def pilot(self, point: Point, draws: Draws, seconds: float) -> float:
        """Estimate the processor time of a trial within about the given time, both in seconds."""
        begun = time.thread_time()
        self.draw(point, draws).run()
        return time.thread_time() - begun

    def memory(self, point: Point) -> int:
        """Bytes one trial of the point holds at once."""
        return 0
