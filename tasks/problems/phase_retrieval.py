"""Phase retrieval: recover y* = G(x*) from the magnitudes of linear measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from ...sweeps import Purpose
from ..ensembles import draw_sensing
from ..numerics.network import Vector
from ..theory import phaseless_mirror_ratio
from .base import Misfit, Streams
from .linear import Measured, add_noise

if TYPE_CHECKING:
    from ..point import Point


class PhaseRetrieval(Measured):
    """b = |A y*| + η, L(y) = ½‖|A y| − b‖², g = Aᵀ((|A y| − b) ∘ sign(A y)); sign(0) = 0.

    Noise may make entries of b negative.

    Source: Cocola 2022, Appendix F.1.
    """

    name: ClassVar[str] = "phase-retrieval"
    phaseless: ClassVar[bool] = True
    sign_blind: ClassVar[bool] = True

    @classmethod
    def draw(cls, point: Point, signal: Vector, streams: Streams) -> Self:
        """Draw A and η; a signal-to-noise ratio is that of |A y*| to η."""
        sensing = draw_sensing(streams(Purpose.MEASUREMENTS), point)
        return cls(sensing, add_noise(np.abs(sensing @ signal), point, streams))

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count A, and for the fast engine A and −A, and a few measurements."""
        return 3 * super().entries(point)

    @classmethod
    def mirror_ratio(cls, depth: int) -> float:
        """Give the length of the mirror point; it differs from that of known signs."""
        return phaseless_mirror_ratio(depth)

    def misfit(self, signal: Vector) -> Misfit:
        """Compute ½‖|A y| − b‖², in signal units squared."""
        measured = self.sensing @ signal
        residual = np.abs(measured)
        residual -= self.observed
        return Misfit(0.5 * float(residual @ residual), residual, measured)

    def gradient(self, misfit: Misfit) -> Vector:
        """Compute Aᵀ((|A y| − b) ∘ sign(A y)), shape (n,)."""
        return self.sensing.adjoint(misfit.residual * np.sign(misfit.measured))
