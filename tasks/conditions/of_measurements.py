"""Conditions on measurements of the range: near isometries, and one-bit back-projections."""

from collections.abc import Iterator
from typing import ClassVar

from ...sweeps import Point, Purpose
from ..ensembles import draw_sensing
from ..instance import draw_target
from ..network import Network
from ..problems import CompressedSensing, OneBit
from ..problems.base import Streams
from .base import Condition
from .forms import IsometryForm, ProjectionForm
from .search import Form


class RangeRestrictedIsometry(Condition):
    """The RRIC: AᵀA is near the identity on differences of the range.

    Source: Hand & Voroninski, Definition 3.
    """

    name: ClassVar[str] = "rric"
    uses: ClassVar[tuple[str, ...]] = ("m", "ensemble", "student_df")

    @classmethod
    def forms(cls, point: Point, network: Network, streams: Streams) -> Iterator[tuple[int, Form]]:
        """One form, of the whole network."""
        sensing = draw_sensing(streams(Purpose.MEASUREMENTS), point)
        yield point.depth, IsometryForm(network, sensing)

    @classmethod
    def check(cls, point: Point) -> None:
        """The measurements must be those of compressed sensing."""
        super().check(point)
        CompressedSensing.check(point)

    @classmethod
    def entries(cls, point: Point) -> int:
        """A and its measurements."""
        return CompressedSensing.entries(point)


class OneBitProjection(Condition):
    """The back-projection of one-bit measurements is near y* on differences of the range.

    Source: Qiu, Wei & Yang, (9).
    """

    name: ClassVar[str] = "one-bit"
    uses: ClassVar[tuple[str, ...]] = (*OneBit.uses, "target_norm")

    @classmethod
    def forms(cls, point: Point, network: Network, streams: Streams) -> Iterator[tuple[int, Form]]:
        """One form, of the whole network."""
        _, signal = draw_target(streams(Purpose.TARGET), network, point)
        problem = OneBit.draw(point, signal, streams)
        yield point.depth, ProjectionForm(network, problem.back_projection - signal)

    @classmethod
    def check(cls, point: Point) -> None:
        """The measurements must be those of one-bit recovery."""
        super().check(point)
        OneBit.check(point)

    @classmethod
    def entries(cls, point: Point) -> int:
        """Blocks of rows."""
        return OneBit.entries(point)
