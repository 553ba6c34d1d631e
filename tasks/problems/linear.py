"""What problems with linear measurements share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ...sweeps import Purpose
from ..ensembles import ENSEMBLES, draw_noise
from ..numerics.network import Vector
from ..numerics.operators import Sensing
from .base import Problem, Quadratic, Streams

if TYPE_CHECKING:
    from ..point import Point


def noise_of_snr(random: np.random.Generator, clean: Vector, snr_db: float) -> Vector:
    """Draw η = t·e, e uniform on the sphere, with 10·log10(‖clean‖/‖η‖) = snr_db.

    This is a ratio of norms with the factor 10, as the source defines it (not 20).

    Args:
        random: stream of the noise.
        clean: the measurements without noise, shape (m,), in signal units.
        snr_db: signal-to-noise ratio, in dB as above.

    Returns:
        η, shape (m,), in signal units.

    Source: Cocola 2022, Appendix H.
    """
    direction = random.standard_normal(clean.shape)
    length = np.linalg.norm(clean) * 10 ** (-snr_db / 10)
    return np.asarray(direction * (length / np.linalg.norm(direction)))


def add_noise(clean: Vector, point: Point, streams: Streams) -> Vector:
    """Add the point's noise, of a given sigma or signal-to-noise ratio, if it has any."""
    if point.noise.snr_db is not None:
        return clean + noise_of_snr(streams(Purpose.NOISE), clean, point.noise.snr_db)
    if point.noise.sigma > 0:
        return clean + draw_noise(streams(Purpose.NOISE), point, clean.shape)
    return clean


@dataclass(frozen=True)
class Measured(Problem):
    """What compressed sensing and phase retrieval share: A, and measurements b.

    Args:
        sensing: A: R^n → R^m, entries of variance 1/m.
        observed: b, shape (m,), in signal units.
    """

    uses: ClassVar[tuple[str, ...]] = (
        "m",
        "ensemble",
        "student_df",
        "noise.sigma",
        "noise.snr_db",
        "noise.law",
    )

    sensing: Sensing
    observed: Vector

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count A and its measurements."""
        return ENSEMBLES[point.ensemble].entries(point)

    @classmethod
    def has_matrix(cls, point: Point) -> bool:
        """Tell whether A is a matrix; the subsampled DCT is none."""
        return ENSEMBLES[point.ensemble].is_matrix

    @classmethod
    def residuals(cls, point: Point) -> int:
        """Give the length m of the residual."""
        return point.m

    def curvature(self) -> float:
        """Give 1: AᵀA is near the identity on the range of G, and the signs of A y mostly stay."""
        return 1.0

    def scale(self) -> float:
        """Give ‖b‖, as A keeps norms on average."""
        return float(np.linalg.norm(self.observed))

    def quadratic(self) -> Quadratic:
        """Give A and b: the loss is a sum of squares, of A y − b or of |A y| − b."""
        return Quadratic(self.sensing, self.observed)
