"""Compressed sensing: y* = G(x*) from a few linear measurements of it."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ...sweeps import Point, Purpose
from ..ensembles import draw_sensing
from ..network import Vector
from ..sensing import Sensing
from .base import Misfit, Problem, Quadratic, Streams
from .linear import MEASURED, add_noise, sensing_entries


@dataclass(frozen=True)
class CompressedSensing(Problem):
    """b = A y* + η, L(y) = ½‖A y − b‖², g = Aᵀ(A y − b).

    Args:
        sensing: A: R^n → R^m, entries of variance 1/m.
        observed: b, shape (m,), in signal units.

    Source: Hand & Voroninski, (1); Cocola 2022, (1) and Algorithm 2.
    """

    name: ClassVar[str] = "compressed-sensing"
    uses: ClassVar[tuple[str, ...]] = MEASURED

    sensing: Sensing
    observed: Vector

    @classmethod
    def draw(cls, point: Point, signal: Vector, streams: Streams) -> Self:
        """Draw A and η."""
        sensing = draw_sensing(streams(Purpose.MEASUREMENTS), point)
        return cls(sensing, add_noise(sensing @ signal, point, streams))

    @classmethod
    def entries(cls, point: Point) -> int:
        """A and a few measurements."""
        return sensing_entries(point)

    @classmethod
    def has_matrix(cls, point: Point) -> bool:
        """Of all ensembles but the fast transform."""
        return point.ensemble != "subsampled-dct"

    @classmethod
    def residuals(cls, point: Point) -> int:
        """Length m of the residual."""
        return point.m

    def misfit(self, signal: Vector) -> Misfit:
        """½‖A y − b‖², in signal units squared."""
        measured = self.sensing @ signal
        residual = measured - self.observed
        return Misfit(0.5 * float(residual @ residual), residual, measured)

    def gradient(self, misfit: Misfit) -> Vector:
        """Aᵀ(A y − b)."""
        return self.sensing.adjoint(misfit.residual)

    def curvature(self) -> float:
        """1, as AᵀA is near the identity on the range of G."""
        return 1.0

    def scale(self) -> float:
        """‖b‖, as A keeps norms on average."""
        return float(np.linalg.norm(self.observed))

    def quadratic(self) -> Quadratic:
        """The loss is one already."""
        return Quadratic(self.sensing, self.observed)
