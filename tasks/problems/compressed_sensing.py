"""Compressed sensing: recover y* = G(x*) from a few linear measurements of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from ...sweeps import Purpose
from ..ensembles import draw_sensing
from ..numerics.network import Vector
from .base import Misfit, Streams
from .linear import Measured, add_noise

if TYPE_CHECKING:
    from ..point import Point


class CompressedSensing(Measured):
    """b = A y* + η, L(y) = ½‖A y − b‖², g = Aᵀ(A y − b).

    Source: Hand & Voroninski, (1); Cocola 2022, (1) and Algorithm 2.
    """

    name: ClassVar[str] = "compressed-sensing"
    measures_linearly: ClassVar[bool] = True

    @classmethod
    def draw(cls, point: Point, signal: Vector, streams: Streams) -> Self:
        """Draw A and η."""
        sensing = draw_sensing(streams(Purpose.MEASUREMENTS), point)
        return cls(sensing, add_noise(sensing @ signal, point, streams))

    def misfit(self, signal: Vector) -> Misfit:
        """Compute ½‖A y − b‖², in signal units squared."""
        measured = self.sensing @ signal
        residual = measured - self.observed
        return Misfit(0.5 * float(residual @ residual), residual, measured)

    def gradient(self, misfit: Misfit) -> Vector:
        """Compute Aᵀ(A y − b), shape (n,)."""
        return self.sensing.adjoint(misfit.residual)
