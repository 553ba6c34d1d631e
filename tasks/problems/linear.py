"""What problems with linear measurements share."""

import numpy as np

from ...sweeps import Point, Purpose
from ..ensembles import draw_noise
from ..network import Vector
from .base import Streams

MEASURED = ("m", "ensemble", "student_df", "noise.sigma", "noise.snr_db", "noise.law")


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


def sensing_entries(point: Point) -> int:
    """How many numbers A and its measurements take, with a byte an entry for drawing signs."""
    if point.ensemble == "subsampled-dct":
        # Columns come from transforms of 128 unit vectors at a time.
        return 400 * point.n
    entries = point.m * point.n
    return entries + entries // 4 + 4 * point.m
