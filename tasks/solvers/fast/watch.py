"""Find the units that can flip near a code: a few are watched, the others are certain.

docs/fast-descent.md derives the bounds.
"""

from math import inf, sqrt

import numpy as np

from ...numerics.network import Matrix, Vector
from ...numerics.operators import Units
from .reduced import ReducedNetwork, row_lengths

WATCHED = 128
SAFE = 1 - 1e-9
MOST_GROWTH = 2.0


class Watch:
    """Units near their kinks, tested in each step, and the distance at which the others may flip.

    For every unit |z_i(x) − z_i(c)| ≤ r_i ‖x − c‖ with r_i = ‖p_i‖ + Σ_j ‖row i of T_ij‖ λ_j, where
    λ_j is a Lipschitz constant of the deviations of layer j; so it cannot flip within |z_i(c)|/r_i.
    A watched unit s that flips becomes a candidate; it moves the units above by |T_is| r_s, and
    through the candidates in between.

    Args:
        network: `resolve` was called last at the code.
        code: the centre c, shape (k,).
    """

    def __init__(self, network: ReducedNetwork, code: Vector):
        self._network, self._centre, self._path = network, code, 0.0
        self._reach, self._lipschitz = _rates(network)
        slacks = [
            np.where(candidate, inf, np.abs(z) / reach)
            for candidate, z, reach in zip(
                network.candidate, network.preactivations, self._reach, strict=True
            )
        ]
        every = np.concatenate(slacks)
        self.radius = inf
        if every.size > WATCHED:
            self.radius = float(np.partition(every, WATCHED)[WATCHED]) * SAFE
        self._units = [np.flatnonzero((slack <= self.radius) & (slack < inf)) for slack in slacks]
        self._ends = np.cumsum([units.size for units in self._units])
        self._maps, self._transfer, self._threshold = network.oriented(self._units)
        self._growth = 1.0
        self._first_candidates = [units.size for units in network.units]

    def covers(self, code: Vector, moved: float) -> bool:
        """Tell whether all units but the watched and the candidates are certain at a code.

        Args:
            code: x, shape (k,).
            moved: an upper bound of the distance from the code of the last call.
        """
        self._path += moved
        if self._path > self.radius:
            away = code - self._centre
            self._path = sqrt(away.dot(away))
        return self._path <= self.radius

    def admit(self, code: Vector) -> int | None:
        """Make candidates of the watched units that have left the base.

        Args:
            code: x, at which the network's loss was computed last; it is computed again if needed.

        Returns:
            The number of new candidates, or None if the watch no longer covers the code.
        """
        network, added = self._network, 0
        while True:
            values = self._maps.dot(code)
            if network.candidates:
                values += self._transfer.dot(network.deviations)
            exceeds = values > self._threshold
            if not np.count_nonzero(exceeds):
                return added
            left = np.flatnonzero(exceeds)
            self._threshold[left] = inf
            layers = np.searchsorted(self._ends, left, side="right")
            for layer in np.unique(layers):
                own = left[layers == layer]
                begin = self._ends[layer] - self._units[layer].size
                if not network.has_room(layer, own.size):
                    return None
                self._add(int(layer), self._units[layer][own - begin])
            added += left.size
            if self._path > self.radius or self._growth > MOST_GROWTH:
                return None
            network.loss(code)

    def _add(self, layer: int, units: Units) -> None:
        network, known = self._network, self._network.units[layer].size
        place = network.place(layer).stop
        network.add(layer, units)
        columns = np.zeros((self._threshold.size, units.size))
        # Growth of r_i and λ_i of the layers above, relative to themselves and per r_s.
        growth, carried = np.zeros(units.size), np.zeros(units.size)
        for above in range(layer + 1, len(self._units)):
            transfer = network.transfers[above, layer][:, known : known + units.size]
            watched, end = self._units[above], self._ends[above]
            sign = network.orientation[above][watched, None]
            columns[end - watched.size : end] = sign * transfer[watched]
            direct = (np.abs(transfer).T / self._reach[above]).max(axis=1)
            growth = np.maximum(growth, direct + carried)
            if first := self._first_candidates[above]:
                rows = transfer[network.units[above][:first]]
                carried = carried + row_lengths(rows.T) / self._lipschitz[above]
        before = self._transfer
        self._transfer = np.concatenate([before[:, :place], columns, before[:, place:]], axis=1)
        factor = float(np.prod(1 + growth * self._reach[layer][units]))
        self._growth *= factor
        self.radius /= factor


def _rates(network: ReducedNetwork) -> tuple[list[Vector], list[float]]:
    """Bound how fast pre-activations (r_i) and deviations (λ_j) change with the code."""
    reaches: list[Vector] = []
    lipschitz: list[float] = []
    for i, lengths in enumerate(network.lengths):
        reach, own = lengths.copy(), _operator_norm(network.candidate_rows(i))
        for j in range(i):
            if network.units[j].size:
                reach += np.sqrt(network.coupled_squares[i, j]) * lipschitz[j]
                own += float(np.linalg.norm(network.coupling(i, j))) * lipschitz[j]
        # A larger bound than needed for a unit that hardly moves: else the first candidate would
        # end the watch.
        reaches.append(np.maximum(reach, max(reach.mean() / 2, np.finfo(float).tiny)))
        lipschitz.append(max(own, np.finfo(float).tiny))
    return reaches, lipschitz


def _operator_norm(rows: Matrix) -> float:
    if not rows.size:
        return 0.0
    gram = rows @ rows.T if rows.shape[0] < rows.shape[1] else rows.T @ rows
    return sqrt(max(float(np.linalg.eigvalsh(gram)[-1]), 0.0)) / SAFE
