"""Angles under random ReLU layers, and the mirror points they create."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..numerics.network import Vector


def lengths(vectors: ArrayLike) -> Vector:
    """Euclidean norms ‖x‖ of vectors of shape (…, k), shape (…); squares do not overflow."""
    return np.asarray(np.hypot.reduce(np.asarray(vectors, dtype=float), axis=-1))


def directions(vectors: ArrayLike) -> NDArray[np.float64]:
    """Unit vectors x̂ = x/‖x‖ of vectors of shape (…, k); the vector 0 stays 0."""
    array, length = np.asarray(vectors, dtype=float), lengths(vectors)
    return np.asarray(array / np.where(length > 0, length, 1.0)[..., None])


def rejections(one: ArrayLike, other: ArrayLike) -> NDArray[np.float64]:
    """Parts of vectors z orthogonal to vectors x, z − ⟨z, x̂⟩ x̂; z itself for x = 0.

    Args:
        one: x, shape (…, k).
        other: z, shape (…, k).

    Returns:
        Shape (…, k), to full relative precision even where z is near x or −x.
    """
    here, there = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    direction = directions(here)
    radius, other_radius = lengths(here), lengths(there)
    side = np.sign(_products(there, direction))
    # The difference of nearly equal vectors is exact, and it has the same rejection.
    is_near = (radius < 2 * other_radius) & (other_radius < 2 * radius)
    rest = there - np.where(is_near, side, 0.0)[..., None] * here
    return np.asarray(rest - _products(rest, direction)[..., None] * direction)


def angle_between(one: ArrayLike, other: ArrayLike) -> Vector:
    """Angle ∠(x, z) between vectors, from arctan ‖z − ⟨z, x̂⟩ x̂‖/⟨z, x̂⟩.

    An arccos of ⟨x̂, ẑ⟩ would lose half of the digits near 0 and π. The angle with the vector 0 is
    π/2, by convention.

    Args:
        one: x, shape (…, k).
        other: z, shape (…, k).

    Returns:
        In radians, 0 ≤ θ ≤ π, shape (…).
    """
    along = _products(other, directions(one))
    angle = np.arctan2(lengths(rejections(one, other)), along)
    return np.where((lengths(one) > 0) & (lengths(other) > 0), angle, np.pi / 2)


def angle_map(angle: ArrayLike) -> NDArray[np.float64]:
    """Expected angle between two vectors after one wide Gaussian ReLU layer.

    g(θ) = arccos(((π − θ) cos θ + sin θ)/π); g(0) = 0, g(π) = π/2. For small θ it is
    θ − θ²/(3π) up to third order.

    Args:
        angle: θ before the layer, in radians, 0 ≤ θ ≤ π, any shape.

    Returns:
        The angle after the layer, in radians.

    Source: Hand & Voroninski, (4).
    """
    theta = np.asarray(angle, dtype=float)
    # With sin²(g/2) = (1 − cos g)/2 and the spherical Bessel function
    # θ² j_1(θ) = sin θ − θ cos θ nothing cancels, down to the smallest angles.
    # Imported here, as SciPy's special functions are slow to import.
    from scipy.special import spherical_jn

    slack = 2 * spherical_jn(1, theta) / (np.pi * np.sinc(theta / (2 * np.pi)) ** 2)
    return np.asarray(2 * np.arcsin(np.sin(theta / 2) * np.sqrt(1 - slack)))


def iterated_angles(angle: ArrayLike, depth: int) -> NDArray[np.float64]:
    """Angles θ̄_0 … θ̄_d after 0 … d layers, θ̄_i = g(θ̄_{i−1}).

    Args:
        angle: θ̄_0, in radians, any shape.
        depth: number of layers d ≥ 0.

    Returns:
        Shape (d + 1, …), in radians: the first axis counts layers.

    Raises:
        ValueError: d < 0.

    Source: Hand & Voroninski, (4).
    """
    if depth < 0:
        raise ValueError(f"depth is {depth}; a network has 0 ReLU layers or more.")
    angles = [np.asarray(angle, dtype=float)]
    for _ in range(depth):
        angles.append(angle_map(angles[-1]))
    return np.array(angles)


def mirror_ratio(depth: int) -> float:
    """Length ρ_d of the mirror point −ρ_d x*, the other zero of the expected descent vector.

    ρ_d = Σ_{i=0}^{d−1} (sin θ̌_i/π) Π_{j=i+1}^{d−1} (π − θ̌_j)/π, θ̌_0 = π, θ̌_i = g(θ̌_{i−1}).
    ρ_1 = 0, ρ_2 = 1/π, and ρ_d → 1; it is cos θ̌_d for d ≥ 1. Without a ReLU layer G is linear
    and there is no mirror: ρ_0 = 0, the empty sum.

    Args:
        depth: number of ReLU layers d ≥ 0.

    Source: Hand & Voroninski, Lemma 10.
    """
    # The term i = 0 is sin π = 0.
    angles = iterated_angles(np.pi, depth)[1:depth]
    ratio = 0.0
    for angle in angles:
        ratio = ratio * (1 - angle / np.pi) + np.sin(angle) / np.pi
    return float(ratio)


def phaseless_mirror_ratio(depth: int) -> float:
    """Length of phase retrieval's mirror point −ρ x*, a zero of the expected descent vector.

    ρ = ((π − 2θ̌_d) cos θ̌_d + 2 sin θ̌_d)/π, with θ̌_d as in `mirror_ratio`: 0.669 and 0.716 for
    two and three layers; where signs are known it is 0.318 and 0.494. Without a ReLU layer G is
    linear and the mirror −x* has the data of x*: ρ = 1.

    Args:
        depth: number of ReLU layers d ≥ 0.

    Source: derived from E|⟨a, y⟩||⟨a, y*⟩| for Gaussian a; the papers do not give it.
    """
    angle = iterated_angles(np.pi, depth)[-1]
    # The sine of π − θ is exactly 0 at θ = π.
    sine = np.sin(np.pi - angle)
    return float(((np.pi - 2 * angle) * np.cos(angle) + 2 * sine) / np.pi)


def pair_matrix(one: ArrayLike, other: ArrayLike, gain: float = 1.0) -> NDArray[np.float64]:
    """Q(x, z) = E[W_{+,x}ᵀ W_{+,z}] of one Gaussian layer.

    Q = gain·(((π − θ)/2π) 1 + (sin θ/2π) M), θ = ∠(x, z), where M swaps x̂ and ẑ and is 0 on what
    is orthogonal to both. So Q(x, x) = gain/2 and Q(x, −x) = 0. Units with pre-activation exactly
    0 are off: Q is 0 where x or z is 0.

    Args:
        one: x, shape (…, k).
        other: z, shape (…, k).
        gain: variance of a weight times its layer's width.

    Returns:
        Shape (…, k, k), symmetric.

    Source: Hand & Voroninski, Definition 2.
    """
    here, there = directions(one), directions(other)
    theta = angle_between(here, there)[..., None, None]
    # M keeps x̂ + ẑ and negates x̂ − ẑ; at θ = 0 and π one of them is 0 and contributes nothing.
    kept, turned = directions(here + there), directions(here - there)
    swap = _square(kept) - _square(turned)
    matrix = ((np.pi - theta) * np.eye(here.shape[-1]) + np.sin(theta) * swap) / (2 * np.pi)
    is_seen = (lengths(here) > 0) & (lengths(there) > 0)
    return np.where(is_seen[..., None, None], gain * matrix, 0.0)


def _products(one: ArrayLike, other: ArrayLike) -> Vector:
    """⟨x, z⟩, shape (…)."""
    return np.asarray(np.sum(np.asarray(one) * np.asarray(other), axis=-1))


def _square(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return vectors[..., :, None] * vectors[..., None, :]
