"""Inversion: recover the code of a known signal."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from ..numerics.network import Vector
from .base import Streams
from .denoising import Denoising

if TYPE_CHECKING:
    from ..point import Point


class Inversion(Denoising):
    """b = y*, L(y) = ½‖y − b‖²: denoising without noise.

    Source: Hand & Voroninski, Corollary 5.
    """

    name: ClassVar[str] = "inversion"
    uses: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def draw(cls, point: Point, signal: Vector, streams: Streams) -> Self:
        """Draw nothing; in a sweep over problems, noise.sigma belongs to other problems."""
        return cls(signal)

    @classmethod
    def has_noise(cls, point: Point) -> bool:
        """Give False: there is no noise."""
        return False
