"""Denoising: recover y* = G(x*) from its sum with noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from ..numerics.network import Vector
from ..numerics.operators import Scaling
from .base import Misfit, Problem, Quadratic, Streams
from .linear import add_noise

if TYPE_CHECKING:
    from ..point import Point


@dataclass(frozen=True)
class Denoising(Problem):
    """b = y* + η, L(y) = ½‖y − b‖², g = y − b; with σ, the entries of η have that deviation.

    Args:
        observed: b, shape (n,), in signal units.

    Source: Cocola 2022, Appendix F.2.
    """

    name: ClassVar[str] = "denoising"
    uses: ClassVar[tuple[str, ...]] = ("noise.sigma", "noise.snr_db", "noise.law", "student_df")

    observed: Vector

    @classmethod
    def draw(cls, point: Point, signal: Vector, streams: Streams) -> Self:
        """Draw η."""
        return cls(add_noise(signal, point, streams))

    def misfit(self, signal: Vector) -> Misfit:
        """Compute ½‖y − b‖², in signal units squared."""
        residual = signal - self.observed
        return Misfit(0.5 * float(residual @ residual), residual, signal)

    def gradient(self, misfit: Misfit) -> Vector:
        """Give the residual y − b, shape (n,)."""
        return misfit.residual

    def curvature(self) -> float:
        """Give 1: the second derivative of L is the identity."""
        return 1.0

    def scale(self) -> float:
        """Give ‖b‖; with much noise it exceeds ‖y*‖, which only loosens the tolerance."""
        return float(np.linalg.norm(self.observed))

    def quadratic(self) -> Quadratic:
        """Give L with the identity as A."""
        return Quadratic(Scaling(self.observed.size), self.observed)
