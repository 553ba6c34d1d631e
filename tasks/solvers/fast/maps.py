"""The linear maps of a network for one activation pattern, updated as units flip."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dgemm

from ...numerics.network import Matrix, Vector
from ...numerics.operators import Sensing, Units

Pattern = NDArray[np.bool_]

MEMORY = 64  # steps after which a unit that flips again counts again


class PatternMaps:
    """P_i = W_i D_{i−1} W_{i−1} ⋯ D_1 W_1 for a pattern D.

    A flip of q units changes the maps above them by a matrix of rank q. Layers are counted from 0.

    Args:
        weights: W_1 … W_d; W_i has shape (n_i, n_{i−1}), n_0 = k.
        sensing: A: R^{n_d} → R^m.
        patterns: D_1 … D_d, True where a unit is on.
    """

    def __init__(self, weights: Sequence[Matrix], sensing: Sensing, patterns: Sequence[Pattern]):
        self.weights, self.sensing = tuple(weights), sensing
        self.patterns = [pattern.copy() for pattern in patterns]
        # Each update adds a rounding error of about one unit in the last place.
        self.updates = 0
        self.maps = [self.weights[0]]
        for weight, pattern in zip(self.weights[1:], patterns, strict=False):
            on = np.flatnonzero(pattern)
            self.maps.append(weight[:, on] @ self.maps[-1][on])

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.weights)

    def flip(self, layer: int, units: Units) -> None:
        """Turn units of a layer on or off, and update the maps above."""
        rows = self.maps[layer][units]
        rows[self.patterns[layer][units]] *= -1
        self.patterns[layer][units] ^= True
        self.updates += 1
        if layer + 1 == self.depth:
            return
        column = self.weights[layer + 1][:, units]
        for above in range(layer + 1, self.depth):
            # P += column · rows without a copy: BLAS sees the transposed arrays.
            dgemm(1.0, rows.T, column.T, 1.0, self.maps[above].T, overwrite_c=1)
            if above + 1 < self.depth:
                column = self.weights[above + 1] @ (column * self.patterns[above][:, None])

    def jacobian(self) -> Matrix:
        """Compute B = A D_d P_d, shape (m, k)."""
        on = np.flatnonzero(self.patterns[-1])
        return self.sensing.combine(on, self.maps[-1][on])


class Departures:
    """Counts units that leave their pattern for good: a unit counts at most once in 64 steps."""

    def __init__(self, patterns: Sequence[Pattern]):
        self._last = [np.full(pattern.size, -MEMORY) for pattern in patterns]
        self._time = 0

    def count(self, flips: Sequence[Units]) -> int:
        """Count the departures among the flips of a step, listed by layer."""
        self._time += 1
        departures = 0
        for last, units in zip(self._last, flips, strict=False):
            if units.size:
                departures += int(np.count_nonzero(last[units] <= self._time - MEMORY))
                last[units] = self._time
        return departures


class FoldedNetwork:
    """Residual and descent vector with all layers below the last as one linear map.

    The maps follow the pattern at each step, so that only the last layer and A are as large as in
    the network itself: for phases in which many units flip for good.

    Args:
        maps: for any pattern; they are changed.
        observed: b, shape (m,).
    """

    def __init__(self, maps: PatternMaps, observed: Vector):
        self.maps, self._observed = maps, observed
        self._departures = Departures(maps.patterns)

    def loss(self, code: Vector) -> tuple[float, Vector, int]:
        """Compute f(x), W_1 x, and how many units below the last left their pattern for good."""
        maps, flips = self.maps, []
        signal = first = maps.maps[0].dot(code)
        for layer in range(maps.depth - 1):
            changed = np.flatnonzero((signal > 0) != maps.patterns[layer])
            if changed.size:
                maps.flip(layer, changed)
            flips.append(changed)
            signal = maps.maps[layer + 1].dot(code)
        maps.patterns[-1] = signal > 0
        self._residual = maps.sensing @ np.maximum(signal, 0.0)
        self._residual -= self._observed
        return 0.5 * float(self._residual.dot(self._residual)), first, self._departures.count(flips)

    def vector(self) -> Vector:
        """Compute v(x) at the code whose loss was computed last, shape (k,)."""
        gradient = self.maps.sensing.adjoint(self._residual) * self.maps.patterns[-1]
        return np.asarray(gradient.dot(self.maps.maps[-1]))
