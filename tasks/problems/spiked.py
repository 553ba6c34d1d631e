"""What the spiked matrix models share: M, a noisy y* y*ᵀ, and the loss ½‖M − y yᵀ‖²."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..numerics.lanczos import extreme_eigenvalue
from ..numerics.network import Matrix, Vector
from .base import Misfit, Problem, network_curvature

if TYPE_CHECKING:
    from ..point import Point

SMALLEST = np.finfo(float).tiny


@dataclass(frozen=True)
class Spiked(Problem):
    """L(y) = ½‖M − y yᵀ‖²_F = ½‖M‖²_F − yᵀM y + ½‖y‖⁴, g = 2(‖y‖² y − M y).

    M is stored as a matrix, or as B with M y = Bᵀ(B y)/N − σ²y, whichever is smaller.

    Args:
        matrix: M, shape (n, n), or B, shape (N, n).
        samples: N; 0 if the matrix is M.
        shift: σ² of M = BᵀB/N − σ²1.

    Source: Cocola 2022, Appendix F.3.
    """

    sign_blind: ClassVar[bool] = True

    matrix: Matrix
    samples: int = 0
    shift: float = 0.0

    def product(self, signal: Vector) -> Vector:
        """Compute M y, shape (n,)."""
        if not self.samples:
            return self.matrix @ signal
        back = (self.matrix @ signal) @ self.matrix
        return np.asarray(back / self.samples - self.shift * signal)

    @cached_property
    def _half_square(self) -> float:
        """Compute ½‖M‖²_F, from BBᵀ where B is stored."""
        if not self.samples:
            return 0.5 * float(np.vdot(self.matrix, self.matrix))
        gram = self.matrix @ self.matrix.T
        squares = float(np.vdot(gram, gram)) / self.samples**2
        trace = float(np.trace(gram)) / self.samples
        shift = self.shift**2 * self.matrix.shape[1] - 2 * self.shift * trace
        return float(0.5 * (squares + shift))

    @cached_property
    def _top(self) -> float:
        """Compute the largest eigenvalue of M, in signal units squared."""
        n = self.matrix.shape[1]
        if n < 3:
            dense = np.stack([self.product(unit) for unit in np.eye(n)])
            return float(np.linalg.eigvalsh(dense)[-1])
        # A fixed start: a trial must be the same in every run.
        start = np.random.Generator(np.random.SFC64(n)).standard_normal((n,))
        seen = float(np.linalg.norm(self.product(start)))
        if not 0 < seen < np.inf:
            return seen
        return extreme_eigenvalue(self.product, start, "largest", 1e-3)

    def misfit(self, signal: Vector) -> Misfit:
        """Compute ½‖M − y yᵀ‖²_F, in signal units to the fourth."""
        # NumPy's floats overflow to ∞, where Python's would raise.
        measured, square = self.product(signal), signal @ signal
        loss = self._half_square - signal @ measured + 0.5 * square**2
        return Misfit(max(float(loss), 0.0), square * signal - measured, measured)

    def gradient(self, misfit: Misfit) -> Vector:
        """Compute 2(‖y‖² y − M y), shape (n,)."""
        return 2 * misfit.residual

    def scale(self) -> float:
        """Give √ of the largest eigenvalue of M: about ‖y*‖ where the spike exceeds the noise.

        Where it does not, this is the noise's own largest eigenvalue, as it should be: it bounds
        the curvature.
        """
        return sqrt(max(self._top, SMALLEST))

    def curvature(self) -> float:
        """Give 6‖y*‖²: without noise, L'' = 2‖y‖²1 + 4yyᵀ − 2M is at most 6‖y*‖² for ‖y‖ ≤ ‖y*‖."""
        return float(6 * np.float64(self.scale()) ** 2)

    def start_scale(self, point: Point) -> float:
        """Give the factor for which ‖G(x_0)‖² is ‖y*‖² on average; a quartic loss has a scale.

        A larger start would need a smaller step; from near 0, a saddle, descent takes longer.
        """
        return float(self.scale() / np.sqrt(network_curvature(point) * point.k))
