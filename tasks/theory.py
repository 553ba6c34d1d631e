"""Angles under a random ReLU layer, and the mirror point they create."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def angle_map(angle: ArrayLike) -> NDArray[np.float64]:
    """Expected angle between two vectors after one wide Gaussian ReLU layer.

    g(θ) = arccos(((π − θ) cos θ + sin θ)/π); g(0) = 0, g(π) = π/2.

    Args:
        angle: θ before the layer, in radians, 0 ≤ θ ≤ π, any shape.

    Returns:
        The angle behind the layer, in radians.

    Source: Hand & Voroninski, (4).
    """
    theta = np.asarray(angle, dtype=float)
    cosine = ((np.pi - theta) * np.cos(theta) + np.sin(theta)) / np.pi
    # Rounding can leave [−1, 1] by an ulp at θ = 0.
    return np.asarray(np.arccos(np.clip(cosine, -1.0, 1.0)))


def iterated_angles(angle: float, depth: int) -> NDArray[np.float64]:
    """Angles θ̄_0 … θ̄_d behind 0 … d layers, θ̄_i = g(θ̄_{i−1}).

    Args:
        angle: θ̄_0, in radians.
        depth: number of layers d ≥ 0.

    Returns:
        Shape (d + 1,), in radians.

    Source: Hand & Voroninski, (4).
    """
    angles = [np.float64(angle)]
    for _ in range(depth):
        angles.append(np.float64(angle_map(angles[-1])))
    return np.array(angles)


def mirror_ratio(depth: int) -> float:
    """Length ρ_d of the mirror point −ρ_d x*, the other zero of the expected descent vector.

    ρ_d = Σ_{i=0}^{d−1} (sin θ̌_i/π) Π_{j=i+1}^{d−1} (π − θ̌_j)/π, θ̌_0 = π, θ̌_i = g(θ̌_{i−1}).
    ρ_1 = 0, ρ_2 = 1/π, and ρ_d → 1.

    Args:
        depth: number of layers d ≥ 1.

    Source: Hand & Voroninski, Lemma 10.
    """
    angles = iterated_angles(np.pi, depth - 1)
    shrink = (np.pi - angles) / np.pi
    return float(
        sum(np.sin(angle) / np.pi * np.prod(shrink[i + 1 :]) for i, angle in enumerate(angles))
    )


def phaseless_mirror_ratio(depth: int) -> float:
    """Length of phase retrieval's mirror point −ρ x*, as the expected descent vector has it.

    ρ = ((π − 2θ̌_d) cos θ̌_d + 2 sin θ̌_d)/π, with θ̌_d as in `mirror_ratio`: 0.669 and 0.716 for
    two and three layers, where signs are known 0.318 and 0.494.

    Args:
        depth: number of layers d ≥ 1.

    Source: derived from E|⟨a, y⟩||⟨a, y*⟩| for Gaussian a; the papers do not give it.
    """
    angle = iterated_angles(np.pi, depth)[-1]
    return float(((np.pi - 2 * angle) * np.cos(angle) + 2 * np.sin(angle)) / np.pi)
