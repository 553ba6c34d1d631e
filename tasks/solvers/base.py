"""The base class of solvers: a solver estimates the code or the signal of a drawn problem."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...sweeps.parameter import setting
from ...sweeps.tables import Strict
from ..numerics.network import Vector
from ..problems.base import Streams
from .descent import Verdict

if TYPE_CHECKING:
    from ..instance import Instance
    from ..point import Point


class Solution(NamedTuple):
    """The result of a solver.

    Attributes:
        code: x̂, shape (k,); None if the solver estimates only a signal.
        signal: ŷ, shape (n,), if there is no code; else None.
        loss: loss of the problem at the end, as its source defines it.
        gradient_norm: norm of the descent vector, or of the shortest subgradient, at the end.
        steps: number of iterations.
        verdict: why it stopped.
        negations: how often x was replaced by −x.
        hopeless_code: the code at which the run was first judged hopeless; None if it never was.
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
    """The table `solver` with the name of the solver only; no random draw depends on it.

    Each solver has a subclass with its own settings; `SolverTable` has the settings of all.
    """

    method: str = setting(
        "descent",
        "descent on the generator's codes, or scikit-learn's Lasso on the signal, without any; it "
        "has the parameters penalty and max_rounds, and no codes: their errors are infinite",
        memory=True,
    )

    @classmethod
    def own(cls) -> tuple[str, ...]:
        """List the parameters that a subclass adds, by their names in sweep files."""
        return tuple(f"solver.{name}" for name in cls.model_fields if name != "method")


class Solver(ABC):
    """A method to solve a recovery problem.

    A subclass in this package, a subclass that another package offers as an entry point of the
    group `genprior.solvers`, or a registered subclass is a value of `solver.method` in sweep files.

    Attributes:
        name: value of `solver.method`.
        uses: its parameters of the table `solver`, by their names in sweep files.
        table: the table of parameters that only this solver has: its name in sweep files, and its
            model, a subclass of `Strict` whose fields are declared by `quantity`. None without one.
        packages: distributions that it needs, in addition to NumPy and SciPy.
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
            instance: network, data and start. A solver must not use its target, which serves to
                judge the result.
            streams: opens the random stream of a purpose.

        Returns:
            The estimate. A run that does not converge has a verdict and raises nothing.
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
        """Refuse to run if a package is missing; a plan needs none of them.

        Raises:
            UserError: says how to install it.
        """
        return

    @classmethod
    def timed(
        cls, point: Point, instance: Instance, streams: Streams, seconds: float
    ) -> tuple[Solution, float]:
        """Solve for about `seconds` of processor time.

        Returns:
            The result so far, and the processor time in seconds that the rest would take.
        """
        return cls.solve(point, instance, streams), 0.0

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count the numbers held at once, in addition to the network, the data and some vectors."""
        return 0
