"""The experiment `no-operation`, which does nothing, to measure the pipeline's own cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...sweeps import Draws
from ...sweeps.variables import Flag, Variable
from ..experiment import Experiment

if TYPE_CHECKING:
    from ..point import Point


class Nothing(NamedTuple):
    """A trial that does nothing."""

    def run(self) -> dict[str, int]:
        """Succeed at once."""
        return {"success": 1}


class NoOperation(Experiment):
    """An experiment that does nothing."""

    name: ClassVar[str] = "no-operation"
    version: ClassVar[int] = 1
    variables: ClassVar[tuple[Variable, ...]] = (
        Variable("success", "int8", "always 1", flags=(Flag(0, "failed"), Flag(1, "succeeded"))),
    )

    def draw(self, point: Point, draws: Draws) -> Nothing:
        """Draw nothing."""
        return Nothing()

    def pilot(self, point: Point, draws: Draws, seconds: float) -> float:
        """Give the cost of a call, in seconds."""
        return 1e-6
