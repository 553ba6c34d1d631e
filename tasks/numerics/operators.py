"""Linear operators from signals to measurements: a matrix, or a faster equivalent."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .network import Matrix, Vector

Units = NDArray[np.intp]


class Sensing(Protocol):
    """A linear operator A: R^n → R^m."""

    @property
    def cost(self) -> int:
        """Approximate number of multiplications of A y."""
        ...

    def __matmul__(self, signals: Vector) -> Vector:
        """Compute A y for a signal of shape (n,), or for each column of shape (n, q)."""
        ...

    def adjoint(self, values: Vector) -> Vector:
        """Compute Aᵀ r, shape (n,), for r of shape (m,)."""
        ...

    def columns(self, units: Units) -> Matrix:
        """Give some columns of A, shape (m, q)."""
        ...

    def combine(self, units: Units, rows: Matrix) -> Matrix:
        """Multiply some columns of A by as many rows: shape (m, k) for rows of shape (q, k)."""
        ...


@dataclass(frozen=True)
class DenseSensing:
    """A as a matrix, shape (m, n)."""

    matrix: Matrix

    @property
    def cost(self) -> int:
        """m·n multiplications."""
        return self.matrix.size

    def __matmul__(self, signals: Vector) -> Vector:
        """Compute A y."""
        return self.matrix @ signals

    def adjoint(self, values: Vector) -> Vector:
        """Compute Aᵀ r."""
        return self.matrix.T @ values

    def columns(self, units: Units) -> Matrix:
        """Give some columns of A."""
        return self.matrix[:, units]

    def combine(self, units: Units, rows: Matrix) -> Matrix:
        """Multiply some columns of A by as many rows."""
        return self.matrix[:, units] @ rows


@dataclass(frozen=True)
class Scaling:
    """A = c·1: a multiple of the signal itself is measured.

    Args:
        n: signal dimension.
        factor: c.
    """

    n: int
    factor: float = 1.0

    @property
    def cost(self) -> int:
        """About n multiplications."""
        return self.n

    def __matmul__(self, signals: Vector) -> Vector:
        """Compute A y."""
        return self.factor * signals

    def adjoint(self, values: Vector) -> Vector:
        """Compute Aᵀ r."""
        return self.factor * values

    def columns(self, units: Units) -> Matrix:
        """Give some columns of A."""
        columns = np.zeros((self.n, units.size))
        columns[units, np.arange(units.size)] = self.factor
        return columns

    def combine(self, units: Units, rows: Matrix) -> Matrix:
        """Multiply some columns of A by as many rows."""
        combined = np.zeros((self.n, rows.shape[1]))
        combined[units] = self.factor * rows
        return combined


@dataclass(frozen=True)
class SubsampledDCT:
    """A = c P C D: random signs D, orthonormal DCT-II C, and m of its n rows P.

    No matrix is stored; a product costs about n log n.

    Args:
        signs: diagonal of D, shape (n,).
        rows: which rows of C are kept, shape (m,), without repetition.
        factor: c; √n gives entries of mean square 1.
    """

    signs: Vector
    rows: Units
    factor: float

    @property
    def cost(self) -> int:
        """About 5 n log₂ n, plus the overhead of a call."""
        n = self.signs.size
        return int(5 * n * np.log2(n + 1)) + 20_000

    def __matmul__(self, signals: Vector) -> Vector:
        """Compute A y."""
        signs = self.signs if signals.ndim == 1 else self.signs[:, None]
        from scipy.fft import dct

        transformed = dct(signs * signals, axis=0, norm="ortho")
        return np.asarray(self.factor * transformed[self.rows])

    def adjoint(self, values: Vector) -> Vector:
        """Compute Aᵀ r."""
        spread = np.zeros(self.signs.size)
        spread[self.rows] = values
        from scipy.fft import idct

        return np.asarray(self.factor * self.signs * idct(spread, norm="ortho"))

    def columns(self, units: Units) -> Matrix:
        """Give some columns of A."""
        return self.combine(units, np.eye(units.size))

    def combine(self, units: Units, rows: Matrix) -> Matrix:
        """Multiply some columns of A by as many rows."""
        signals = np.zeros((self.signs.size, rows.shape[1]))
        signals[units] = rows
        return self @ signals


@dataclass(frozen=True)
class PairSum:
    """A = [1 1]: adds the two halves of a signal, so that relu(z) and relu(−z) give |z|.

    Args:
        m: number of sums.
    """

    m: int

    @property
    def cost(self) -> int:
        """About m additions."""
        return self.m

    def __matmul__(self, signals: Vector) -> Vector:
        """Compute A y."""
        return signals[: self.m] + signals[self.m :]

    def adjoint(self, values: Vector) -> Vector:
        """Compute Aᵀ r."""
        return np.concatenate([values, values])

    def columns(self, units: Units) -> Matrix:
        """Give some columns of A."""
        columns = np.zeros((self.m, units.size))
        columns[units % self.m, np.arange(units.size)] = 1.0
        return columns

    def combine(self, units: Units, rows: Matrix) -> Matrix:
        """Multiply some columns of A by as many rows."""
        combined = np.zeros((self.m, rows.shape[1]))
        np.add.at(combined, units % self.m, rows)
        return combined
