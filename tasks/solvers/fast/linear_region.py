"""Descent within one linear region of the network, in closed form.

While the pattern stays, v is affine in x: v(x − αv) = (I − αH) v with H = BᵀB and B = A Λ. In the
eigenbasis of H each coordinate of v shrinks by its own factor, so that any number of steps costs
as much as one step. docs/fast-descent.md derives these facts.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...numerics.network import Matrix, Vector

SCAN = 64  # steps in the first scan for a flip; doubled from scan to scan
LONGEST_SCAN = 1024
SMALL = 0.5  # below it 1 − (1 − a)^t is computed without cancellation


class LinearRegion:
    """The steps x_t, v_t from a code on, while the pattern stays.

    Args:
        jacobian: B = A Λ, shape (m, k).
        step_size: α.
    """

    def __init__(self, jacobian: Matrix, step_size: float):
        curvature, self._basis = np.linalg.eigh(jacobian.T @ jacobian)
        # Coordinates that no active unit depends on: the loop must not change them at all.
        self._fixed = np.flatnonzero(~jacobian.any(axis=0))
        self._step_size = step_size
        self._shrunk = step_size * np.maximum(curvature, 0.0)
        self._factor = 1 - self._shrunk
        self._gentle = self._shrunk < SMALL

    @property
    def contracts(self) -> bool:
        """Whether no coordinate of v grows; then neither ‖v‖ nor the loss ever grows."""
        return bool(self._factor[-1] >= -1)

    def enter(self, code: Vector, vector: Vector) -> None:
        """Set the code and its descent vector as t = 0."""
        self._code, self._coordinates = code, self._basis.T @ vector

    def code(self, t: int) -> Vector:
        """Compute x_t, shape (k,)."""
        moved = self._basis @ (self._sums(np.array([t]))[:, 0] * self._coordinates)
        moved[self._fixed] = 0.0
        return np.asarray(self._code - self._step_size * moved)

    def vector_norm(self, t: int) -> float:
        """Compute ‖v_t‖."""
        return float(np.linalg.norm(self._factor**t * self._coordinates))

    def reach(self, t: int) -> float:
        """Bound ‖x_s − x_0‖ for all s ≤ t.

        A coordinate moves monotonically if its factor is positive; if it alternates, it never moves
        farther than in its first step.
        """
        sums = np.where(self._factor >= 0, self._sums(np.array([t]))[:, 0], 1.0)
        return self._step_size * float(np.linalg.norm(sums * self._coordinates))

    def first_below(self, tolerance: float, at_most: int) -> int:
        """Find the first t ≥ 1 with ‖v_t‖ < tolerance, at most `at_most`."""
        return _first(lambda t: self.vector_norm(t) < tolerance, at_most)

    def last_within(self, radius: float, at_most: int) -> int:
        """Find the last t ≤ `at_most` for which all x_s, s ≤ t, are within a radius of x_0."""
        if self.reach(at_most) <= radius:
            return at_most
        return _first(lambda t: self.reach(t) > radius, at_most) - 1

    def first_flip(self, maps: Matrix, values: Vector, threshold: Vector, at_most: int) -> int:
        """Find the first t in 1 … `at_most` at which a unit exceeds its threshold.

        Args:
            maps: the units' pre-activations as linear maps of x, shape (units, k).
            values: their values at x_0, shape (units,).
            threshold: what each must not exceed, shape (units,).
            at_most: last step of the search.

        Returns:
            The step, or at_most + 1 if no unit exceeds its threshold.
        """
        if not len(maps):
            return at_most + 1
        if self._fixed.size:
            maps = maps.copy()
            maps[:, self._fixed] = 0.0
        rates = self._step_size * (maps @ self._basis) * self._coordinates
        begin, size = 1, SCAN
        while begin <= at_most:
            times = np.arange(begin, min(begin + size, at_most + 1))
            out = (values[:, None] - rates @ self._sums(times) > threshold[:, None]).any(axis=0)
            if out.any():
                return int(times[out.argmax()])
            begin, size = begin + size, min(2 * size, LONGEST_SCAN)
        return at_most + 1

    def _sums(self, times: NDArray[np.int64]) -> Matrix:
        """Compute Σ_{s<t} (1 − a)^s = (1 − (1 − a)^t)/a, shape (coordinates, times)."""
        small, large = self._shrunk[self._gentle], self._shrunk[~self._gentle]
        sums = np.empty((self._shrunk.size, times.size))
        tiny = np.maximum(small, np.finfo(float).tiny)[:, None]
        sums[self._gentle] = -np.expm1(times * np.log1p(-tiny)) / tiny
        sums[~self._gentle] = (1 - self._factor[~self._gentle, None] ** times) / large[:, None]
        return sums


def _first(holds: Callable[[int], bool], at_most: int) -> int:
    """Find the first t in 1 … at_most at which a monotone condition holds, or `at_most`."""
    low, high = 0, at_most
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high
