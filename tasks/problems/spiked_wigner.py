"""The spiked Wigner model: recover y* = G(x*) from y* y*ᵀ plus a symmetric noise matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from ...sweeps import Purpose
from ..numerics.network import Matrix, Vector
from .base import Streams
from .spiked import Spiked

if TYPE_CHECKING:
    from ..point import Point


class SpikedWigner(Spiked):
    """M = y* y*ᵀ + σH, H from the Gaussian orthogonal ensemble.

    Source: Cocola 2022, Appendix F.3.
    """

    name: ClassVar[str] = "spiked-wigner"
    uses: ClassVar[tuple[str, ...]] = ("noise.sigma",)

    @classmethod
    def draw(cls, point: Point, signal: Vector, streams: Streams) -> Self:
        """Draw H."""
        matrix = np.outer(signal, signal)
        if point.noise.sigma > 0:
            matrix += point.noise.sigma * orthogonal_ensemble(streams(Purpose.NOISE), point.n)
        return cls(matrix)

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count M, H and the draws that make H."""
        return 3 * point.n**2 + 20 * point.n


def orthogonal_ensemble(random: np.random.Generator, n: int) -> Matrix:
    """Draw H, symmetric, shape (n, n): H_ij ~ N(0, 1/n) off the diagonal, N(0, 2/n) on it."""
    draws = random.standard_normal((n, n))
    return np.asarray((draws + draws.T) / np.sqrt(2 * n))
