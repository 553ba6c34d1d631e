"""Conditions on measurements of the range: the RRIC, and its form for one-bit recovery."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from ...sweeps import Purpose
from ..ensembles import draw_sensing
from ..instance import draw_target
from ..numerics.network import Network
from ..problems import CompressedSensing, OneBit
from ..problems.base import Streams
from .base import Condition
from .forms import IsometryForm, ProjectionForm
from .search import Form

if TYPE_CHECKING:
    from ..point import Point


class RangeRestrictedIsometry(Condition):
    """The RRIC: AᵀA is near the identity on differences of signals.

    Source: Hand & Voroninski, Definition 3.
    """

    name: ClassVar[str] = "rric"
    uses: ClassVar[tuple[str, ...]] = ("m", "ensemble", "student_df")

    @classmethod
    def forms(cls, point: Point, network: Network, streams: Streams) -> Iterator[tuple[int, Form]]:
        """Give one form, of the whole network."""
        sensing = draw_sensing(streams(Purpose.MEASUREMENTS), point)
        yield point.depth, IsometryForm(network, sensing)

    @classmethod
    def check(cls, point: Point) -> None:
        """Refuse measurements that compressed sensing cannot have."""
        super().check(point)
        CompressedSensing.check(point)

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count A and its measurements."""
        return CompressedSensing.entries(point)


class OneBitProjection(Condition):
    """The back-projection of one-bit measurements is near y* along differences of signals.

    Source: Qiu, Wei & Yang, (9).
    """

    name: ClassVar[str] = "one-bit"
    uses: ClassVar[tuple[str, ...]] = (*OneBit.uses, "target_norm")

    @classmethod
    def forms(cls, point: Point, network: Network, streams: Streams) -> Iterator[tuple[int, Form]]:
        """Give one form, of the whole network."""
        _, signal = draw_target(streams(Purpose.TARGET), network, point)
        problem = OneBit.draw(point, signal, streams)
        yield point.depth, ProjectionForm(network, problem.back_projection - signal)

    @classmethod
    def check(cls, point: Point) -> None:
        """Refuse measurements that one-bit recovery cannot have."""
        super().check(point)
        OneBit.check(point)

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count blocks of rows."""
        return OneBit.entries(point)
