"""What problems with linear measurements share."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...sweeps import Point, Purpose
from ..ensembles import ENSEMBLES, draw_noise
from ..network import Vector
from ..sensing import Sensing
from .base import Problem, Quadratic, Streams


def noise_of_snr(random: np.random.Generator, clean: Vector, snr_db: float) -> Vector:
    """Draw η = t·e, e uniform on the sphere, with 10·log10(‖clean‖/‖η‖) = snr_db.

    This is a ratio of norms with the factor 10, as the source defines it (not 20).

    Args:
        random: stream of the noise.
        clean: the measurements without noise, shape (m,), in signal units.
        snr_db: signal-to-noise ratio, in dB as above.

    Returns:
        Shape (m,), in signal units.

    Source: Cocola 2022, Appendix H.
    """
    direction = random.standard_normal(clean.shape)
    length = np.linalg.norm(clean) * 10 ** (-snr_db / 10)
    return np.asarray(direction * (length / np.linalg.norm(direction)))


def add_noise(clean: Vector, point: Point, streams: Streams) -> Vector:
    """Add the point's noise, by sigma or by SNR."""
    if point.noise.snr_db is not None:
        return clean + noise_of_snr(streams(Purpose.NOISE), clean, point.noise.snr_db)
    if point.noise.sigma > 0:
        return clean + draw_noise(streams(Purpose.NOISE), point, clean.shape)
    return clean


@dataclass(frozen=True)
class Measured(Problem):
    """What compressed sensing and phase retrieval share: b seen through A.

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
        """A and its measurements."""
        return ENSEMBLES[point.ensemble].entries(point)

    @classmethod
    def has_matrix(cls, point: Point) -> bool:
        """Of all ensembles but the fast transform."""
        return ENSEMBLES[point.ensemble].is_matrix

    @classmethod
    def residuals(cls, point: Point) -> int:
        """Length m of the residual."""
        return point.m

    def curvature(self) -> float:
        """1, as AᵀA is near the identity on the range of G, and the signs of A y mostly stay."""
        return 1.0

    def scale(self) -> float:
        """‖b‖, as A keeps norms on average."""
        return float(np.linalg.norm(self.observed))

    def quadratic(self) -> Quadratic:
        """The loss is one already, of A y or of |A y|."""
        return Quadratic(self.sensing, self.observed)
