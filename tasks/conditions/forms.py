"""The quantities that the deterministic conditions bound, for given directions.

On a linear region of G, the differences of signals have all directions of the range of Λ. Where a
condition speaks of differences of points of a range, the largest value over the differences within
two regions is therefore the norm of a small matrix, and only the regions have to be searched.
Differences of points of different regions are not searched: a second reason why the result is a
lower bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..numerics.lanczos import extreme_eigenvalue
from ..numerics.network import Matrix, Network, Vector, Weight
from ..numerics.operators import Sensing
from ..theory.angles import rejections

# Largest matrix whose norm is computed from all eigenvalues; for larger ones Lanczos gives a lower
# bound.
LARGEST_DENSE = 96
RANK = 1e-10  # relative size of singular values that count as 0
LANCZOS = 1e-4  # relative accuracy


class Seen(NamedTuple):
    """What a layer sees of the signal below it: its direction, and the units that are on."""

    direction: Vector
    active: NDArray[np.bool_]


def orthonormal_basis(linear: Matrix) -> Matrix:
    """Compute an orthonormal basis of the range of a matrix, shape (n, rank); rank 0 for 0."""
    left, sizes, _ = np.linalg.svd(linear, full_matrices=False)
    kept: Matrix = left[:, sizes > RANK * max(sizes[0], np.finfo(float).tiny)]
    return kept


def spectral_norm(matrix: Matrix) -> float:
    """Compute the largest singular value; 0 for an empty matrix."""
    return float(np.linalg.norm(matrix, 2)) if matrix.size else 0.0


@dataclass(frozen=True)
class LayerForm:
    """What the WDC bounds, ‖W_{+,r}ᵀ W_{+,s}/gain − Q(r, s)‖, as a function of r and s.

    Args:
        weight: W, shape (n_i, n_{i−1}).
        gain: n_i times the variance of the entries of W.

    Source: Hand & Voroninski, Definition 2.
    """

    directions: ClassVar[int] = 2

    weight: Weight
    gain: float

    @property
    def dimension(self) -> int:
        """n_{i−1}, the width of the layer below."""
        return int(self.weight.shape[1])

    def look(self, direction: Vector) -> Seen:
        """Compute which units a direction turns on."""
        return see(self.weight, direction)

    def value(self, looks: Sequence[Seen]) -> float:
        """Compute the spectral norm; both matrices are symmetric."""
        from scipy.linalg import eigh  # imported here: only this experiment needs it

        first, second = looks
        on = np.flatnonzero(first.active & second.active)
        rows = self.weight[on]
        plane = PairPlane.of(first.direction, second.direction)
        size = self.dimension
        if size <= LARGEST_DENSE:
            matrix = rows.T @ rows / self.gain - plane.apply(np.eye(size))
            return float(np.abs(eigh(matrix, eigvals_only=True)[[0, -1]]).max())

        def product(vector: Vector) -> Vector:
            return np.asarray(rows.T @ (rows @ vector) / self.gain - plane.apply(vector))

        # A fixed start: the value must be the same in every run.
        start = np.random.Generator(np.random.SFC64(size)).standard_normal(size)
        try:
            return abs(extreme_eigenvalue(product, start, "largest in size", LANCZOS))
        except ArithmeticError:
            # Lanczos failed: 0 is a lower bound too.
            return 0.0


def see(weight: Weight, direction: Vector) -> Seen:
    """Compute which units of a layer a signal turns on; a pre-activation of exactly 0 is off."""
    return Seen(direction, np.asarray(weight @ direction > 0))


@dataclass(frozen=True)
class PairPlane:
    """Q(r, s) as an operator: a multiple of the identity, plus a matrix on the plane of r and s.

    Args:
        scale: (π − θ)/2π.
        basis: orthonormal basis of the plane, shape (n, 2); its first column is r/‖r‖.
        swap: (sin θ/2π) [[cos θ, sin θ], [sin θ, −cos θ]].

    Source: Hand & Voroninski, (10).
    """

    scale: float
    basis: Matrix
    swap: Matrix

    @classmethod
    def of(cls, first: Vector, second: Vector) -> "PairPlane":
        """Make Q of two directions r and s; neither may be 0."""
        unit, rest = first / np.linalg.norm(first), rejections(first, second)
        size = float(np.linalg.norm(rest))
        across = rest / size if size > 0 else rest
        angle = float(np.arctan2(size, second @ unit))
        sine, cosine = np.sin(angle), np.cos(angle)
        swap = sine / (2 * np.pi) * np.array([[cosine, sine], [sine, -cosine]])
        return cls((np.pi - angle) / (2 * np.pi), np.column_stack([unit, across]), swap)

    def apply(self, vectors: Matrix) -> Matrix:
        """Compute Q v, for a vector of shape (n,) or each column of shape (n, q)."""
        return np.asarray(
            self.scale * vectors + self.basis @ (self.swap @ (self.basis.T @ vectors))
        )


class Region(NamedTuple):
    """The linear region of a code, as a layer sees it.

    `seen` is the signal below the layer; `basis` spans the range of Λ, shape (n_{i−1}, rank);
    `image` is W times `basis`, shape (n_i, rank).
    """

    seen: Seen
    basis: Matrix
    image: Matrix


@dataclass(frozen=True)
class OfCodes:
    """What the forms share whose directions are codes.

    Args:
        network: G.
    """

    network: Network

    @property
    def dimension(self) -> int:
        """Latent dimension k."""
        return int(self.network.weights[0].shape[1])


@dataclass(frozen=True)
class RangeForm(OfCodes):
    """What the R2WDC bounds at layer i ≥ 2: ⟨u, (W_{+,r}ᵀ W_{+,s}/gain − Q(r, s)) v⟩/(‖u‖‖v‖).

    r and s are signals of the first i − 1 layers, u and v differences of such signals. Of four
    codes, the first two give r and s; u and v are the best ones within the regions of the others.

    Args:
        network: all layers.
        layer: i, counted from 1.
        gain: variance of a weight times its layer's width.

    Source: Cocola 2022, Definition 4.3.
    """

    directions: ClassVar[int] = 4

    layer: int
    gain: float

    def look(self, direction: Vector) -> Region:
        """Compute the region of a code, as layer i sees it."""
        weight = self.network.weights[self.layer - 1]
        linear = self.network.jacobians(direction, self.layer - 1)[-1]
        basis = orthonormal_basis(linear)
        return Region(see(weight, linear @ direction), basis, np.asarray(weight @ basis))

    def value(self, looks: Sequence[Region]) -> float:
        """Compute the spectral norm of a matrix, shape (rank, rank); 0 where r or s is 0."""
        first, second, left, right = looks
        r, s = first.seen, second.seen
        if not r.direction.any() or not s.direction.any():
            return 0.0
        on = np.flatnonzero(r.active & s.active)
        seen = left.image[on].T @ right.image[on] / self.gain
        plane = PairPlane.of(r.direction, s.direction)
        return spectral_norm(seen - left.basis.T @ plane.apply(right.basis))


class Measurement(NamedTuple):
    """A basis of the differences within a region, shape (n, rank), and A times it."""

    basis: Matrix
    image: Matrix


@dataclass(frozen=True)
class IsometryForm(OfCodes):
    """What the RRIC bounds: (⟨A u, A v⟩ − ⟨u, v⟩)/(‖u‖‖v‖) for differences u, v of signals.

    Two codes give two regions; u and v are the best differences within them.

    Args:
        network: G.
        sensing: A.

    Source: Hand & Voroninski, Definition 3.
    """

    directions: ClassVar[int] = 2

    sensing: Sensing

    def look(self, direction: Vector) -> Measurement:
        """Compute the differences within the region of a code, and their measurements."""
        basis = orthonormal_basis(self.network.jacobian(direction))
        return Measurement(basis, self.sensing @ basis)

    def value(self, looks: Sequence[Measurement]) -> float:
        """Compute the spectral norm of a matrix, shape (rank, rank)."""
        left, right = looks
        return spectral_norm(left.image.T @ right.image - left.basis.T @ right.basis)


@dataclass(frozen=True)
class ProjectionForm(OfCodes):
    """What replaces the RRIC in one-bit recovery: ⟨v − y*, Λ_x z⟩/‖Λ_x z‖.

    For a code x and the best z it is the norm of the projection of v − y* on the range of Λ_x.

    Args:
        network: G.
        error: v − y*, shape (n,), in signal units.

    Source: Qiu, Wei & Yang, (9).
    """

    directions: ClassVar[int] = 1

    error: Vector

    def look(self, direction: Vector) -> float:
        """Compute the norm of the projection of v − y* on the range of Λ_x."""
        basis = orthonormal_basis(self.network.jacobian(direction))
        return float(np.linalg.norm(basis.T @ self.error))

    def value(self, looks: Sequence[float]) -> float:
        """Give that norm, in signal units."""
        return looks[0]
