"""Losses and descent vectors of wide Gaussian networks in expectation, and their mirror points.

The network's layers grow without bound, and so does the number of measurements; there is no noise.
For a single layer the expectations over weights are exact at any width. A linear last layer does
not count as a layer and multiplies y by √gain.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..numerics.network import Matrix, Vector
from .angles import angle_between, directions, iterated_angles, lengths, mirror_ratio, rejections


def expected_loss(code: ArrayLike, target: ArrayLike, depth: int, gain: float = 1.0) -> Vector:
    """Expected loss of compressed sensing, inversion and denoising, ½‖G(x) − G(x*)‖².

    f_E(x) = (gain/2)^d (½‖x‖² + ½‖x*‖² − ‖x‖‖x*‖ cos θ̄_d). The loss of one-bit recovery is
    2 f_E − ‖y*‖², if the dither is large enough to cause no bias.

    Args:
        code: x, shape (…, k).
        target: x*, shape (…, k).
        depth: number of ReLU layers d ≥ 0.
        gain: variance of a weight times its layer's width.

    Returns:
        In signal units squared, shape (…).

    Source: the integral of Hand & Voroninski, (31); for one-bit Qiu, Wei & Yang, 4.3.
    """
    pair = _geometry(code, target, depth)
    # ½(‖x‖ − ‖x*‖)² + ‖x‖‖x*‖(1 − cos θ̄_d) has no cancellation near x*.
    aside = pair.radius * pair.target_radius * _versine(pair.angle)
    return np.asarray((gain / 2) ** depth * (0.5 * pair.excess**2 + aside))


def expected_descent(
    code: ArrayLike, target: ArrayLike, depth: int, gain: float = 1.0
) -> NDArray[np.float64]:
    """Expected descent vector h(x, x*), the gradient of `expected_loss`.

    h = (gain/2)^d [x − (Π_{i=0}^{d−1} (π − θ̄_i)/π) x* − S (‖x*‖/‖x‖) x], with
    S = Σ_{i=0}^{d−1} (sin θ̄_i/π) Π_{j=i+1}^{d−1} (π − θ̄_j)/π. As S = cos θ̄_d − Π cos θ̄_0, it is
    (gain/2)^d [(‖x‖ − ‖x*‖ cos θ̄_d) x̂ − Π (x* − ⟨x*, x̂⟩ x̂)]. It is 0 at x* and −ρ_d x*. At
    x = 0 it has no limit; there it is 0, like the descent vector itself: all units are off.

    Args:
        code: x, shape (…, k).
        target: x*, shape (…, k).
        depth: number of ReLU layers d ≥ 0.
        gain: variance of a weight times its layer's width.

    Returns:
        Shape (…, k), in code units times (gain/2)^d. That of one-bit recovery is 2h.

    Source: Hand & Voroninski, (31); for one-bit Qiu, Wei & Yang, 4.3.
    """
    pair = _geometry(code, target, depth)
    radial = pair.excess + pair.target_radius * _versine(pair.angle)
    return (gain / 2) ** depth * _compose(pair, radial, np.ones_like(radial))


def phaseless_expected_loss(
    code: ArrayLike, target: ArrayLike, depth: int, gain: float = 1.0
) -> Vector:
    """Expected loss of phase retrieval, ½‖|A G(x)| − |A G(x*)|‖².

    f_E(x) = (gain/2)^d (½‖x‖² + ½‖x*‖² − ‖x‖‖x*‖ κ(θ̄_d)), κ(θ) = ((π − 2θ) cos θ + 2 sin θ)/π.

    Arguments and units are those of `expected_loss`.

    Source: derived from E|⟨a, y⟩||⟨a, y*⟩| for Gaussian a; the papers do not give it.
    """
    pair = _geometry(code, target, depth)
    aside = pair.radius * pair.target_radius * _phaseless_versine(pair.angle)
    return np.asarray((gain / 2) ** depth * (0.5 * pair.excess**2 + aside))


def phaseless_expected_descent(
    code: ArrayLike, target: ArrayLike, depth: int, gain: float = 1.0
) -> NDArray[np.float64]:
    """Expected descent vector of phase retrieval, the gradient of `phaseless_expected_loss`.

    (gain/2)^d [(‖x‖ − ‖x*‖ κ(θ̄_d)) x̂ − (1 − 2θ̄_d/π) Π (x* − ⟨x*, x̂⟩ x̂)], with Π and the
    convention at x = 0 of `expected_descent`; arguments and units are the same too.

    Source: derived, as κ'(θ) = −(1 − 2θ/π) sin θ.
    """
    pair = _geometry(code, target, depth)
    radial = pair.excess + pair.target_radius * _phaseless_versine(pair.angle)
    return (gain / 2) ** depth * _compose(pair, radial, 1 - 2 * pair.angle / np.pi)


def spiked_expected_loss(
    code: ArrayLike, target: ArrayLike, depth: int, gain: float = 1.0
) -> Vector:
    """Expected loss of the spiked models, ½‖y* y*ᵀ − y yᵀ‖²_F.

    f_E(x) = (gain/2)^{2d} (½‖x‖⁴ + ½‖x*‖⁴ − ‖x‖²‖x*‖² cos² θ̄_d), in signal units to the fourth;
    the Wishart model has ‖x*‖² times ‖u‖²/N, which tends to 1, in place of ‖x*‖².

    Arguments are those of `expected_loss`.

    Source: derived from Cocola 2022, Appendix F.3.
    """
    pair = _geometry(code, target, depth)
    excess = pair.excess * (pair.radius + pair.target_radius)
    aside = (pair.radius * pair.target_radius * np.sin(pair.angle)) ** 2
    return np.asarray((gain / 2) ** (2 * depth) * (0.5 * excess**2 + aside))


def spiked_expected_descent(
    code: ArrayLike, target: ArrayLike, depth: int, gain: float = 1.0
) -> NDArray[np.float64]:
    """Expected descent vector of the spiked models, the gradient of `spiked_expected_loss`.

    2 (gain/2)^{2d} [‖x‖(‖x‖² − ‖x*‖² cos² θ̄_d) x̂ − ‖x‖‖x*‖ cos θ̄_d Π (x* − ⟨x*, x̂⟩ x̂)], with Π
    of `expected_descent`. Here the limit at x = 0 exists and is 0.

    Arguments are those of `expected_loss`.

    Source: derived from Cocola 2022, Appendix F.3.
    """
    pair = _geometry(code, target, depth)
    excess = pair.excess * (pair.radius + pair.target_radius)
    radial = pair.radius * (excess + (pair.target_radius * np.sin(pair.angle)) ** 2)
    aside = pair.radius * pair.target_radius * np.cos(pair.angle)
    return 2 * (gain / 2) ** (2 * depth) * _compose(pair, radial, aside)


def mirror_hessian(target: ArrayLike, depth: int, gain: float = 1.0) -> Matrix:
    """Second derivative of `expected_loss` at the mirror −ρ_d x*, (gain/2)^d x̂* x̂*ᵀ.

    So the loss curves along x* only: for k ≥ 2 the mirror is a degenerate saddle, from which the
    loss falls sideways by `mirror_decrease`; for k = 1 it is a minimum.

    Args:
        target: x*, shape (k,), not 0.
        depth: number of ReLU layers d ≥ 2; with one layer the mirror is at 0, a kink, and with none
            there is no mirror.
        gain: variance of a weight times its layer's width.

    Returns:
        Shape (k, k).

    Raises:
        ValueError: d < 2.

    Source: derived from the expected loss; the papers do not give it.
    """
    _require_mirror(depth)
    along = directions(target)
    return np.asarray((gain / 2) ** depth * np.outer(along, along))


def mirror_decrease(depth: int) -> float:
    """Constant K by which `expected_loss` falls sideways from the mirror.

    For a step s orthogonal to x*, f_E(−ρ_d x* + s) = f_E(−ρ_d x*) − (gain/2)^d K ‖s‖³/‖x*‖ + …,
    K = Π_{i=1}^{d−1} (1 − θ̌_i/π)/(3π ρ_d²): π/6 = 0.524 and 0.131 for two and three layers,
    before the factor (gain/2)^d. The next term is of fourth order.

    Args:
        depth: number of ReLU layers d ≥ 2.

    Raises:
        ValueError: d < 2.

    Source: derived from cos g(π − φ) = φ³/(3π) + …; the papers do not give it.
    """
    _require_mirror(depth)
    shrink = 1 - iterated_angles(np.pi, depth)[1:depth] / np.pi
    return float(np.prod(shrink) / (3 * np.pi * mirror_ratio(depth) ** 2))


class _Geometry(NamedTuple):
    """The quantities that all expectations consist of.

    Attributes:
        radius: ‖x‖.
        target_radius: ‖x*‖.
        excess: ‖x‖ − ‖x*‖, to full precision.
        direction: x̂, 0 at 0.
        tangent: x* − ⟨x*, x̂⟩ x̂, 0 at x = 0.
        angle: θ̄_d.
        shrink: Π_{i=0}^{d−1} (π − θ̄_i)/π.
    """

    radius: Vector
    target_radius: Vector
    excess: Vector
    direction: NDArray[np.float64]
    tangent: NDArray[np.float64]
    angle: Vector
    shrink: Vector


def _geometry(code: ArrayLike, target: ArrayLike, depth: int) -> _Geometry:
    here, there = np.broadcast_arrays(np.asarray(code, float), np.asarray(target, float))
    radius, target_radius, direction = lengths(here), lengths(there), directions(here)
    total, offset = radius + target_radius, here - there
    excess = np.sum(offset * ((here + there) / np.where(total > 0, total, 1.0)[..., None]), axis=-1)
    tangent = np.where(radius[..., None] > 0, rejections(here, there), 0.0)
    angles = iterated_angles(angle_between(here, there), depth)
    shrink = np.prod(1 - angles[:depth] / np.pi, axis=0)
    return _Geometry(radius, target_radius, excess, direction, tangent, angles[-1], shrink)


def _compose(pair: _Geometry, radial: Vector, aside: Vector) -> NDArray[np.float64]:
    """Compute radial·x̂ − aside·Π·(x* − ⟨x*, x̂⟩ x̂)."""
    return radial[..., None] * pair.direction - (aside * pair.shrink)[..., None] * pair.tangent


def _versine(angle: Vector) -> Vector:
    """Compute 1 − cos θ without cancellation."""
    return np.asarray(2 * np.sin(angle / 2) ** 2)


def _phaseless_versine(angle: Vector) -> Vector:
    """Compute 1 − κ(θ), from sin θ − θ cos θ = θ² j_1(θ)."""
    from scipy.special import spherical_jn

    return np.asarray(_versine(angle) - 2 / np.pi * angle**2 * spherical_jn(1, angle))


def _require_mirror(depth: int) -> None:
    if depth < 2:
        raise ValueError(
            f"depth is {depth}; a mirror point apart from 0 needs 2 ReLU layers or more."
        )
