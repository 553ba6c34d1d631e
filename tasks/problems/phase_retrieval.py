"""Phase retrieval: y* = G(x*) from the magnitudes of linear measurements."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ...sweeps import Point, Purpose
from ..ensembles import draw_sensing
from ..network import Vector
from ..sensing import Sensing
from ..theory import phaseless_mirror_ratio
from .base import Misfit, Problem, Quadratic, Streams
from .linear import MEASURED, add_noise, sensing_entries


@dataclass(frozen=True)
class PhaseRetrieval(Problem):
    """b = |A y*| + η, L(y) = ½‖|A y| − b‖², g = Aᵀ((|A y| − b) ∘ sign(A y)); sign(0) = 0.

    Args:
        sensing: A: R^n → R^m, entries of variance 1/m.
        observed: b, shape (m,), in signal units; noise may make it negative.

    Source: Cocola 2022, Appendix F.1.
    """

    name: ClassVar[str] = "phase-retrieval"
    uses: ClassVar[tuple[str, ...]] = MEASURED
    phaseless: ClassVar[bool] = True

    sensing: Sensing
    observed: Vector

    @classmethod
    def draw(cls, point: Point, signal: Vector, streams: Streams) -> Self:
        """Draw A and η; a signal-to-noise ratio is that of |A y*| to η."""
        sensing = draw_sensing(streams(Purpose.MEASUREMENTS), point)
        return cls(sensing, add_noise(np.abs(sensing @ signal), point, streams))

    @classmethod
    def entries(cls, point: Point) -> int:
        """A, and for the fast engine A and −A, and a few measurements."""
        return 3 * sensing_entries(point)

    @classmethod
    def mirror_ratio(cls, depth: int) -> float:
        """Length of the mirror point, another one than with signs."""
        return phaseless_mirror_ratio(depth)

    @classmethod
    def has_matrix(cls, point: Point) -> bool:
        """Of all ensembles but the fast transform."""
        return point.ensemble != "subsampled-dct"

    @classmethod
    def residuals(cls, point: Point) -> int:
        """Length m of the residual."""
        return point.m

    def misfit(self, signal: Vector) -> Misfit:
        """½‖|A y| − b‖², in signal units squared."""
        measured = self.sensing @ signal
        residual = np.abs(measured)
        residual -= self.observed
        return Misfit(0.5 * float(residual @ residual), residual, measured)

    def gradient(self, misfit: Misfit) -> Vector:
        """Aᵀ((|A y| − b) ∘ sign(A y))."""
        return self.sensing.adjoint(misfit.residual * np.sign(misfit.measured))

    def curvature(self) -> float:
        """1, as where the signs stay the loss is that of compressed sensing."""
        return 1.0

    def scale(self) -> float:
        """‖b‖, as A keeps norms on average."""
        return float(np.linalg.norm(self.observed))

    def quadratic(self) -> Quadratic:
        """Of |A y| instead of A y."""
        return Quadratic(self.sensing, self.observed)
