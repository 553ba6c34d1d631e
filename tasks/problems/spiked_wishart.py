"""The spiked Wishart model: recover y* = G(x*) from the covariance of its noisy multiples."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from ...sweeps import Purpose
from ..numerics.network import Vector
from .base import Streams
from .spiked import Spiked

if TYPE_CHECKING:
    from ..point import Point


class SpikedWishart(Spiked):
    """B = u y*ᵀ + σZ, M = BᵀB/N − σ²1; u ~ N(0, 1_N), Z_ij ~ N(0, 1).

    Without noise the minimiser of L is (‖u‖/√N) y*.

    Source: Cocola 2022, Appendix F.3.
    """

    name: ClassVar[str] = "spiked-wishart"
    uses: ClassVar[tuple[str, ...]] = ("samples", "noise.sigma")

    @classmethod
    def draw(cls, point: Point, signal: Vector, streams: Streams) -> Self:
        """Draw u and Z; M itself is computed where one product with it costs less than two of B."""
        samples, sigma = point.samples, np.float64(point.noise.sigma)
        weights = streams(Purpose.MEASUREMENTS).standard_normal(samples)
        rows = np.outer(weights, signal)
        if sigma > 0:
            rows += sigma * streams(Purpose.NOISE).standard_normal(rows.shape)
        if keeps_rows(point):
            return cls(rows, samples, float(sigma**2))
        return cls(rows.T @ rows / samples - sigma**2 * np.eye(point.n))

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count B and its noise, and M or BBᵀ."""
        rows = 3 * point.samples * point.n
        return rows + (point.samples**2 if keeps_rows(point) else 3 * point.n**2)


def keeps_rows(point: Point) -> bool:
    """Tell whether two products with B are cheaper than one with M."""
    return 2 * point.samples < point.n
