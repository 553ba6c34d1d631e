"""How measurements, errors and widths scale in the papers' theorems, with constants of 1.

Use them to fit a constant, and to draw a rate next to measured transitions: the theorems' own
constants are unknown or far too large. Numbers may be arrays, which broadcast; widths are those of
one network.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..generators.shapes import contractive_widths, expansive_widths, polylogarithmic_widths

__all__ = [
    "contractive_widths",
    "expansive_measurements",
    "expansive_widths",
    "linear_noise_error",
    "lipschitz_lower_bound",
    "noise_error",
    "one_bit_lower_bound",
    "one_bit_measurements",
    "pattern_measurements",
    "polylogarithmic_widths",
]

Numbers = NDArray[np.float64]


def expansive_measurements(k: ArrayLike, widths: Sequence[int]) -> Numbers:
    """Measurements m = k d log Π n_i that suffice for expansive networks, up to a constant.

    Args:
        k: latent dimension.
        widths: n_1 … n_d.

    Source: Hand & Voroninski, Theorem 1.
    """
    return np.asarray(np.asarray(k) * len(widths) * np.log(np.asarray(widths, float)).sum())


def pattern_measurements(k: ArrayLike, widths: Sequence[int]) -> Numbers:
    """Measurements m = k log Π (e n_i/k) that suffice, up to a constant.

    (Π e n_i/k)^k bounds the number of linear regions of G.

    Args:
        k: latent dimension, at most the smallest width.
        widths: n_1 … n_d.

    Source: Cocola 2022, (11).
    """
    return np.asarray(k) * _log_patterns(k, widths)


def one_bit_measurements(k: ArrayLike, depth: int, n: ArrayLike, error: ArrayLike) -> Numbers:
    """Measurements m = k d log n/ε² that suffice for one-bit recovery within ε.

    Up to a constant and powers of log 1/ε; uniformly over all signals of a bounded norm.

    Args:
        k: latent dimension.
        depth: number of layers d.
        n: signal dimension.
        error: ε, the signal error in signal units where ‖y*‖ is about 1.

    Source: Qiu, Wei & Yang, Theorem 3.2 and Remark 3.3.
    """
    return np.asarray(k) * depth * np.log(n) / np.square(error)


def one_bit_lower_bound(k: ArrayLike, n: ArrayLike, error: ArrayLike) -> Numbers:
    """Measurements m = k log(n/k)/ε² that one-bit recovery within ε needs, up to a constant.

    For a group-sparse generator of latent dimension k + 1, k ≤ n/4, and noise of variance 1.

    Args:
        k: number of groups.
        n: signal dimension.
        error: ε, the expected signal error of the worst signal of norm 1 or less.

    Source: Qiu, Wei & Yang, Corollary 3.5 and Remark 3.6.
    """
    return np.asarray(k) * np.log(np.asarray(n) / k) / np.square(error)


def lipschitz_lower_bound(
    k: ArrayLike, n: ArrayLike, lipschitz: ArrayLike, radius: ArrayLike, error: ArrayLike
) -> Numbers:
    """Measurements m = min(k + k log(Lr/δ), n) that some generator needs, up to a constant.

    This holds for δ ≤ Lr. A larger δ needs no measurements: all signals are within Lr of G(0).

    Args:
        k: latent dimension.
        n: signal dimension.
        lipschitz: L, Lipschitz constant of the generator.
        radius: r, largest norm of a code.
        error: δ, the signal error allowed on top of a multiple of the best possible error.

    Source: Kamath, Karmalkar & Price, Theorem 1.1.
    """
    relative = np.asarray(lipschitz) * np.asarray(radius) / error
    needed = np.asarray(k) * (1 + np.log(np.maximum(relative, 1.0)))
    return np.asarray(np.minimum(np.where(relative >= 1, needed, 0.0), n))


def noise_error(k: ArrayLike, m: ArrayLike, widths: Sequence[int], noise: ArrayLike) -> Numbers:
    """Signal error √((k/m) log(5 Π e n_i/k)) ‖η‖ of noisy measurements, up to a constant.

    Args:
        k: latent dimension, at most the smallest width.
        m: number of measurements.
        widths: n_1 … n_d.
        noise: ‖η‖, in signal units.

    Source: Cocola 2022, Theorem 5.4 and (13), whose factor 2^{−d/2} belongs to the codes' scale.
    """
    patterns = np.log(5) + _log_patterns(k, widths)
    return np.asarray(np.sqrt(np.asarray(k) / m * patterns) * np.asarray(noise, float))


def linear_noise_error(k: ArrayLike, m: ArrayLike, noise: ArrayLike) -> Numbers:
    """Root mean square signal error ‖η‖ √(k/(m − k − 1)) of least squares in one linear region.

    Exact for k-dimensional signals, Gaussian measurements and noise that is independent of them.

    Args:
        k: latent dimension.
        m: number of measurements, more than k + 1; for fewer the error is infinite.
        noise: ‖η‖, in signal units.

    Source: the mean of an inverse Wishart matrix.
    """
    spare = np.asarray(m, float) - k - 1
    share = np.where(spare > 0, np.asarray(k) / np.where(spare > 0, spare, 1.0), np.inf)
    return np.asarray(np.sqrt(share) * np.asarray(noise, float))


def _log_patterns(k: ArrayLike, widths: Sequence[int]) -> Numbers:
    """Compute log Π (e n_i/k) = d + Σ log(n_i/k)."""
    size = np.asarray(k, float)
    return np.asarray(len(widths) * (1 - np.log(size)) + np.log(np.asarray(widths, float)).sum())
