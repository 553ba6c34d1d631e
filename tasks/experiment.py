"""What an experiment is: it draws a trial of a point, and the trial is run."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ..sweeps import Draws, Grid, draws_of
from ..sweeps.tables import Strict
from ..sweeps.variables import Variable
from .ensembles import EnsembleParameters
from .generators.parameters import NetworkParameters
from .problems.one_bit import DitherParameters
from .problems.parameters import (
    MeasurementParameters,
    NoiseParameters,
    ProblemParameters,
    TargetParameters,
)

if TYPE_CHECKING:
    from .point import Point

# Parameters of every experiment that draws a problem, and of every one that draws a network.
PROBLEM = (*ProblemParameters.model_fields, "samples", "target", "target_codes")
NETWORK = tuple(
    name
    for part in (
        NetworkParameters,
        TargetParameters,
        MeasurementParameters,
        EnsembleParameters,
        NoiseParameters,
        DitherParameters,
    )
    for name in part.model_fields
    if name not in PROBLEM
)


class Trial(Protocol):
    """What was drawn for one trial."""

    def run(self) -> dict[str, Any]:
        """Compute a value for each of the experiment's variables; a second call gives the same."""
        ...


class Experiment(ABC):
    """What a worker runs for every trial of every point; it is pickled to reach the workers.

    A subclass in `experiments/`, a subclass that another package offers as an entry point of the
    group `genprior.experiments`, or a registered subclass is a value of `experiment` in sweep
    files.

    Attributes:
        name: value of `experiment`.
        version: number that changes whenever results may change.
        variables: what a trial gives a value for. If `success` is among them, successes are
            counted; if not, plots show the first one.
        inner: parameters whose values a worker computes one after the other for the same draws.
        table: parameters of this experiment alone: the name of their table in sweep files, and
            its model, a subclass of `Strict` whose fields are declared by `quantity`.
        parameters: the parameters it has, or whole tables of them; None means all.
        packages: distributions that it computes with, in addition to NumPy and SciPy.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    variables: ClassVar[tuple[Variable, ...]]
    inner: ClassVar[tuple[str, ...]] = ()
    table: ClassVar[tuple[str, type[Strict]] | None] = None
    parameters: ClassVar[tuple[str, ...] | None] = None
    packages: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def draw(self, point: Point, draws: Draws) -> Trial:
        """Draw a trial, a pure function of its arguments.

        Args:
            point: all parameters; `check_point` has accepted them.
            draws: opens the random stream of a purpose.
        """

    def sampler(self) -> Callable[[Point, Draws], Trial]:
        """Give what draws the trials of one block, one after the other.

        It may keep what trials share, such as a problem that several of them look at. A worker asks
        for one for each block and drops it at the block's end.
        """
        return self.draw

    def check(self, grid: Grid) -> None:
        """Refuse a sweep with a point that cannot be run, before anything runs.

        Raises:
            SweepError: names the point and what is wrong.
        """
        return

    def check_installed(self) -> None:
        """Refuse to run where a package is missing; planning needs none.

        Raises:
            UserError: says how to install it.
        """
        return

    def check_point(self, point: Point) -> None:
        """Refuse one point before its trials; of very large sweeps, `check` sees some points only.

        Raises:
            ValueError: says what is wrong, in one line.
        """
        return

    def pilot(self, point: Point, draws: Draws, seconds: float) -> float:
        """Estimate the processor time of a trial, in seconds, within about `seconds`."""
        begun = time.thread_time()
        self.draw(point, draws).run()
        return time.thread_time() - begun

    def memory(self, point: Point) -> int:
        """Count the bytes that one trial of the point holds at once."""
        return 0


def run_trial(
    kind: Experiment, point: Point, trial: int, seed: int, paired: Collection[str] = ()
) -> dict[str, Any]:
    """Check a point, draw a trial of it and run it: a pure function of its arguments.

    Args:
        kind: the experiment.
        point: all parameters.
        trial: trial index t ≥ 0.
        seed: root seed of the sweep.
        paired: parameters whose values share their draws.

    Returns:
        A value for each of the experiment's variables.

    Raises:
        ValueError: the point cannot be run.
    """
    kind.check_point(point)
    return kind.draw(point, draws_of(point, trial, seed, paired)).run()
