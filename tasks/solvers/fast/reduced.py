"""A ReLU network near one latent code: its linear part, and the units that flip.

docs/fast-descent.md derives these facts.
"""

from typing import NamedTuple

import numpy as np

from ...numerics.network import Matrix, Vector
from ...numerics.operators import Units
from .maps import Pattern, PatternMaps

CAPACITY = 128  # candidates of a layer
# A unit that is on in the base has left it when −z > this: where z is exactly 0 it is off.
BELOW_ZERO = -np.finfo(float).smallest_subnormal


class Coupling(NamedTuple):
    """A layer's candidates and what they act on: views into the buffers of the network."""

    raised: Vector
    threshold: Vector
    left: Pattern
    deviation: Vector
    before: Vector
    matrix: Matrix


class ReducedNetwork:
    """Residual and descent vector of ½‖A G(x) − b‖², exact while no other unit leaves the base.

    The *base* is a pattern D with its maps. A *candidate* is a unit that has left it at some step;
    its *deviation* e is its activation less its activation in the base: relu(z) for a unit that is
    off in the base, relu(z) − z = relu(−z) for one that is on. With T_ij from the activations of
    layer j to the pre-activations of layer i, B = A D_d P_d and K_j = A D_d T_dj,

        z_i = P_i x + Σ_{j<i} T_ij e_j,    A G(x) − b = B x − b + Σ_j K_j e_j

    at every x where all units but the candidates have their base pattern; `resolve` ensures that.

    The buffer holds the residual, then the candidates of layer d, …, of layer 1: what a layer acts
    on is before it. Layers are counted from 0 here.

    Args:
        base: pattern and maps; they must not change while this object is used.
        observed: b, shape (m,).
        jacobian: B, if it is known.
    """

    def __init__(self, base: PatternMaps, observed: Vector, jacobian: Matrix | None = None):
        self.base, self._observed = base, observed
        self._m, layers = observed.size, range(base.depth)
        k, rows = base.maps[0].shape[1], self._m + CAPACITY * base.depth
        self._buffer, self._deviation = np.zeros(rows), np.zeros(rows)
        self._left, self._threshold = np.zeros(rows, dtype=bool), np.zeros(rows)
        self._rows = np.empty((rows, k))
        self._rows[: self._m] = base.jacobian() if jacobian is None else jacobian
        self._coupled = [np.empty((rows, CAPACITY), order="F") for _ in layers]
        self.transfers = {
            (i, j): np.empty((base.weights[i].shape[0], CAPACITY), order="F")
            for i in layers
            for j in range(i)
        }
        # Squared lengths of the rows of T_ij, over all candidates of layer j.
        self.coupled_squares = {
            (i, j): np.zeros(base.weights[i].shape[0]) for i in layers for j in range(i)
        }
        self.units: list[Units] = [np.zeros(0, dtype=np.intp) for _ in layers]
        self.orientation = [np.where(pattern, -1.0, 1.0) for pattern in base.patterns]
        self.candidate = [np.zeros(pattern.size, dtype=bool) for pattern in base.patterns]
        self._lengths: list[Vector] | None = None
        self._lay_out()

    @property
    def jacobian(self) -> Matrix:
        """B of the base, shape (m, k)."""
        return self._rows[: self._m]

    @property
    def candidates(self) -> int:
        """Number of units that have left the base at some step."""
        return self._end - self._m

    def _lay_out(self) -> None:
        """Compute where the layers are in the buffers."""
        depth = self.base.depth
        self._starts, end = [0] * depth, self._m
        for j in reversed(range(depth)):
            self._starts[j] = end
            end += self.units[j].size
        self._end = end
        self._couplings = []
        for j in range(depth):
            if count := self.units[j].size:
                start = self._starts[j]
                block = slice(start, start + count)
                self._couplings.append(
                    Coupling(
                        self._buffer[block],
                        self._threshold[block],
                        self._left[block],
                        self._deviation[block],
                        self._buffer[:start],
                        self._coupled[j][:start, :count],
                    )
                )
        self._all_rows, self._active = self._rows[:end], self._buffer[:end]
        self._residual = self._buffer[: self._m]
        self._has_left = self._left[self._m : end]

    def block(self, j: int) -> slice:
        """Give where the candidates of a layer are in the buffers."""
        return slice(self._starts[j], self._starts[j] + self.units[j].size)

    def loss(self, code: Vector) -> float:
        """Compute f(x); the residual and the candidates' pattern are kept for `vector`."""
        np.dot(self._all_rows, code, out=self._active)
        self._residual -= self._observed
        for raised, threshold, left, deviation, before, matrix in self._couplings:
            np.greater(raised, threshold, out=left)
            before += matrix @ np.maximum(raised, 0.0, out=deviation)
        return self.last_loss()

    def last_loss(self) -> float:
        """Give the loss computed last; `vector` must not have been called since."""
        return 0.5 * float(self._residual.dot(self._residual))

    def vector(self) -> Vector:
        """Compute v(x) at the code whose loss was computed last, shape (k,)."""
        for raised, _, left, _, before, matrix in reversed(self._couplings):
            np.multiply(before @ matrix, left, out=raised)
        return np.asarray(self._active.dot(self._all_rows))

    def left(self) -> bytes:
        """Give which candidates have left the base, as bytes that can be compared."""
        return self._has_left.tobytes()

    def candidate_rows(self, layer: int) -> Matrix:
        """Give the base's maps of a layer's candidates, oriented."""
        return self._rows[self.block(layer)]

    def coupling(self, layer: int, below: int) -> Matrix:
        """Give T_ij between candidates, with oriented rows."""
        return self._coupled[below][self.block(layer), : self.units[below].size]

    @property
    def deviations(self) -> Vector:
        """The candidates' deviations at the last evaluation, in the order of the buffers."""
        return self._deviation[self._m : self._end]

    def place(self, layer: int) -> slice:
        """Give where a layer's candidates are among the deviations."""
        block = self.block(layer)
        return slice(block.start - self._m, block.stop - self._m)

    @property
    def lengths(self) -> list[Vector]:
        """‖p_i‖ of every unit's map, by layer."""
        if self._lengths is None:
            self._lengths = [row_lengths(rows) for rows in self.base.maps]
        return self._lengths

    def departed(self, layer: int) -> Units:
        """Give the units of a layer that had left the base at the last evaluation."""
        return np.asarray(self.units[layer][self._left[self.block(layer)]])

    def present_jacobian(self) -> Matrix:
        """Compute B for the pattern of the last evaluation, shape (m, k)."""
        changed = self.jacobian.copy()
        rows: list[Matrix] = []
        for i in range(self.base.depth):
            left = self._left[self.block(i)]
            row = self.candidate_rows(i)[left]
            for j, below in enumerate(rows):
                if len(below):
                    row = row + self.coupling(i, j)[left][:, self._left[self.block(j)]] @ below
            rows.append(row)
            if len(row):
                changed += self._coupled[i][: self._m, np.flatnonzero(left)] @ row
        return changed

    def resolve(self, code: Vector) -> int | None:
        """Make candidates of all units that have left the base at a code.

        Returns:
            The number of new candidates, or None if there are too many.
        """
        added = 0
        self.preactivations: list[Vector] = []
        deviations: list[Vector] = []
        for i, pattern in enumerate(self.base.patterns):
            z = self.base.maps[i].dot(code)
            for j in range(i):
                if count := self.units[j].size:
                    z += self.transfers[i, j][:, :count] @ deviations[j]
            strays = np.flatnonzero((z > 0) != pattern)
            strays = strays[~self.candidate[i][strays]]
            if strays.size:
                if not self.has_room(i, strays.size):
                    return None
                self.add(i, strays)
                added += strays.size
            units = self.units[i]
            deviations.append(np.maximum(self.orientation[i][units] * z[units], 0.0))
            self.preactivations.append(z)
        return added

    def has_room(self, layer: int, count: int) -> bool:
        """Tell whether a layer can have `count` more candidates."""
        return self.units[layer].size + count <= CAPACITY

    def add(self, j: int, units: Units) -> None:
        """Append candidates to a layer's block; the blocks after it move."""
        base, known = self.base, self.units[j].size
        place, new = self._starts[j] + known, slice(known, known + units.size)
        sign = self.orientation[j][units, None]
        _insert(self._rows, place, self._end, sign * base.maps[j][units])
        _insert(self._threshold, place, self._end, self._thresholds(j, units))
        for below in range(j):
            if count := self.units[below].size:
                row = sign * self.transfers[j, below][units, :count]
                _insert(self._coupled[below][:, :count], place, self._starts[below], row)
        self.units[j] = np.concatenate([self.units[j], units])
        self.candidate[j][units] = True
        coupled, column = self._coupled[j], None
        for i in range(j + 1, base.depth):
            if column is None:
                column = base.weights[i][:, units]
            else:
                column = base.weights[i] @ (column * base.patterns[i - 1][:, None])
            self.transfers[i, j][:, new] = column
            self.coupled_squares[i, j] += np.einsum("ij,ij->i", column, column)
            if (above := self.units[i]).size:
                coupled[self.block(i), new] = self.orientation[i][above, None] * column[above]
        if column is None:
            coupled[: self._m, new] = base.sensing.columns(units)
        else:
            coupled[: self._m, new] = base.sensing @ (column * base.patterns[-1][:, None])
        self._lay_out()

    def _thresholds(self, layer: int, units: Units) -> Vector:
        """Give the value that an oriented pre-activation exceeds when its unit leaves the base."""
        return np.where(self.base.patterns[layer][units], BELOW_ZERO, 0.0)

    def oriented(self, near: list[Units]) -> tuple[Matrix, Matrix, Vector]:
        """Give rows, transfer and thresholds of some units, all layers together."""
        sizes = [units.size for units in near]
        transfer = np.zeros((sum(sizes), self.candidates))
        maps, thresholds, begin = [], [], 0
        for i, units in enumerate(near):
            sign = self.orientation[i][units, None]
            maps.append(sign * self.base.maps[i][units])
            for j in range(i):
                if count := self.units[j].size:
                    rows = sign * self.transfers[i, j][units, :count]
                    transfer[begin : begin + units.size, self.place(j)] = rows
            thresholds.append(self._thresholds(i, units))
            begin += units.size
        return np.concatenate(maps), transfer, np.concatenate(thresholds)

    def near(self, reach: float) -> tuple[Matrix, Vector, Vector]:
        """Find the units that could flip within a distance of the code of the last `resolve`.

        There must be no candidates.

        Returns:
            Their maps, values and thresholds, oriented.
        """
        near = [
            np.flatnonzero(np.abs(z) <= lengths * reach)
            for z, lengths in zip(self.preactivations, self.lengths, strict=True)
        ]
        maps, _, threshold = self.oriented(near)
        values = [
            self.orientation[i][units] * self.preactivations[i][units]
            for i, units in enumerate(near)
        ]
        return maps, np.concatenate(values), threshold


def _insert(rows: Matrix | Vector, place: int, end: int, new: Matrix | Vector) -> None:
    """Insert rows at an index; the rows up to the end move."""
    if end > place:
        rows[place + len(new) : end + len(new)] = rows[place:end].copy()
    rows[place : place + len(new)] = new


def row_lengths(rows: Matrix) -> Vector:
    """Compute the Euclidean norms of the rows."""
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", rows, rows)))
