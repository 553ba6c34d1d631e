"""What a solver is: it estimates the code, or the signal, of a drawn problem."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...sweeps.parameter import setting
from ...sweeps.tables import Strict
from ..network import Vector
from ..problems.base import Streams
from .descent import Verdict

if TYPE_CHECKING:
    from ..instance import Instance
    from ..point import Point


class Solution(NamedTuple):
    """Where a solver ended.

    Attributes:
        code: x̂, shape (k,); None where the solver estimates only a signal.
        signal: ŷ, shape (n,), where there is no code.
        loss: the source's loss at the end.
        gradient_norm: norm of the descent vector, or of the shortest subgradient.
        steps: number of iterations.
        verdict: why it stopped.
        negations: how often x was replaced by −x.
        hopeless_code: the code where the run first was hopeless; None if it never was.
    """

    code: Vector | None
    signal: Vector | None
    loss: float
    gradient_norm: float
    steps: int
    verdict: Verdict
    negations: int = 0
    hopeless_code: Vector | None = None


class MethodTable(Strict):
    """Which solver runs; no random draw depends on it.

    Each solver derives its own settings from this table; `SolverTable` has those of all.
    """

    method: str = setting(
        "descent",
        "descent on the generator's codes, or scikit-learn's Lasso on the signal, without any; it "
        "has the parameters penalty and max_rounds, and no codes: their errors are infinite",
        memory=True,
    )

    @classmethod
    def own(cls) -> tuple[str, ...]:
        """List what a solver adds, by the names that sweep files give."""
        return tuple(f"solver.{name}" for name in cls.model_fields if name != "method")


class Solver(ABC):
    """A method to solve a recovery problem.

    A subclass in this package, a subclass that another package offers as an entry point of the
    group `genprior.solvers`, or a registered subclass is a value of `solver.method` in sweep files.

    Attributes:
        name: value of `solver.method`.
        uses: the parameters of the table `solver` that it has.
        table: parameters of this solver alone: the name of their table in sweep files, and its
            model, a subclass of `Strict` whose fields are declared by `quantity`.
        packages: distributions that it computes with, in addition to NumPy and SciPy.
    """

    name: ClassVar[str]
    uses: ClassVar[tuple[str, ...]] = ()
    table: ClassVar[tuple[str, type[Strict]] | None] = None
    packages: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def solve(cls, point: Point, instance: Instance, streams: Streams) -> Solution:
        """Solve a drawn problem.

        Args:
            point: all parameters.
            instance: network, data and start; its target serves only to judge the result.
            streams: opens the random stream of a purpose.
        """

    @classmethod
    def check(cls, point: Point) -> None:
        """Refuse a point that this solver cannot solve.

        Raises:
            ValueError: says what is wrong and why, in one line.
        """
        return

    @classmethod
    def check_installed(cls) -> None:
        """Refuse to run where a package is missing; planning needs none.

        Raises:
            UserError: says how to install it.
        """
        return

    @classmethod
    def timed(
        cls, point: Point, instance: Instance, streams: Streams, seconds: float
    ) -> tuple[Solution, float]:
        """Solve within about `seconds`.

        Returns:
            Where it ended, and the processor time in seconds that the rest would take.
        """
        return cls.solve(point, instance, streams), 0.0

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count the numbers held at once, in addition to network, data and some vectors."""
        return 0
