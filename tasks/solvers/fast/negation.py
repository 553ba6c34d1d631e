"""Avoid computing f(−x): one evaluation certifies that it is larger for many steps.

docs/fast-descent.md derives the bound.
"""

from math import inf, sqrt

import numpy as np

from ...numerics.latent_loss import LatentLoss
from ...numerics.network import Vector
from .least_squares import LeastSquares
from .norms import operator_norm_bound

# After this many evaluations of f(−x) the bounds of the norms, which cost about as much, pay.
PAYS_AFTER = 8
# A bound that holds for less than two steps, this often in a row, is not used for a while.
USELESS = 4
SHORTEST_PAUSE, LONGEST_PAUSE = 16, 256
SAFE = 1 - 1e-9  # rounding changes a bound by far less
# f(x) may come from maps, which round differently: relative to √f, and to ‖b‖.
CLOSE, ROUNDING = 1e-9, 1e-12
MOVES = 3  # of the centre with one direction
TINY = float(np.finfo(float).tiny)


class NegationTest:
    """Tests f(−x) < f(x), and computes f(−x) only where a lower bound does not decide.

    For any unit vector u, √(2f(−x)) ≥ ⟨u, A G(−x) − b⟩, an equality where u is the direction of the
    residual. From a *centre* c to x this changes by at most
    ‖Aᵀu‖·‖W_d‖⋯‖W_2‖·‖relu(−W_1 x) − relu(−W_1 c)‖; with |A G(−x)| in place of A G(−x), ‖A‖
    replaces ‖Aᵀu‖.

    Args:
        objective: f.
        form: f in the form that the maps need.

    Attributes:
        evaluations: how often f(−x) was computed.
    """

    def __init__(self, objective: LatentLoss, form: LeastSquares):
        self._objective, self._form = objective, form
        self.evaluations = 0
        self._held, self._failures, self._pause, self._left_out = 0, 0, 0, 0
        self._rounding = ROUNDING * float(np.linalg.norm(form.observed))
        self._norms: tuple[float, float] | None = None
        # At the centre: relu(−W_1 c), the residual, the bound of √(2f(−c)), moves since u was new.
        self._activation, self._residual = np.zeros(0), np.zeros(0)
        self._floor, self._moves = 0.0, 0
        # How far the first activations are from the centre's, and how fast that lowers the bound.
        self._change, self._rate, self._first_norm = 0.0, 0.0, 0.0
        self._back, self._offset = np.zeros(0), 0.0
        self._has_centre = self._is_aimed = False

    def forget(self) -> None:
        """Drop the centre, as the code has been negated."""
        self._has_centre = False

    def lower(self, code: Vector, loss: float, moved: float, first: Vector | None = None) -> bool:
        """Tell whether f(−x) < f(x).

        Args:
            code: x, shape (k,).
            loss: f(x).
            moved: an upper bound of the distance from the code of the last call.
            first: W_1 x if it is known.
        """
        if not self._has_centre or self.evaluations < PAYS_AFTER or self._left_out > 0:
            self._left_out = max(self._left_out - 1, 0)
            return self._is_lower(code, loss, first)
        self._aim()
        room = (self._floor - sqrt(2 * loss)) / self._rate
        self._change += self._first_norm * moved
        self._held += 1
        if self._change <= room:
            return False
        first = self._objective.first(code) if first is None else first
        self._change = self._distance(first)
        if self._change <= room:
            return False
        self._learn()
        if self._moves < MOVES and self._recentre(first) >= sqrt(2 * loss):
            return False
        return self._is_lower(code, loss, first)

    def _learn(self) -> None:
        """Adapt the pause to the number of steps for which the bound held."""
        self._failures = self._failures + 1 if self._held <= 2 else 0
        if self._failures == 0:
            self._pause = 0
        elif self._failures >= USELESS:
            self._pause = min(max(2 * self._pause, SHORTEST_PAUSE), LONGEST_PAUSE)
            self._failures, self._left_out = 0, self._pause
        self._held = 0

    def radius(self, code: Vector, loss: float, wanted: float) -> float:
        """Give a radius around x in which f(−x) ≥ f(x) as long as f does not grow.

        Args:
            code: x, shape (k,), where f(−x) ≥ f(x).
            loss: f(x).
            wanted: a radius that is enough.

        Returns:
            The radius; negative if nothing is certain.
        """
        least, first = sqrt(2 * loss), self._objective.first(code)
        if self._has_centre:
            self._aim()
            self._change = self._distance(first)
            certain = ((self._floor - least) / self._rate - self._change) / self._first_norm
            if certain >= wanted:
                return certain
        self._evaluate(code, first)
        self._aim()
        return (self._floor - least) / self._rate / self._first_norm

    def _is_lower(self, code: Vector, loss: float, first: Vector | None) -> bool:
        """Compute f(−x) and compare; if both are close, compute f(x) by the network too."""
        first = self._objective.first(code) if first is None else first
        there = self._evaluate(code, first)
        apart = abs(sqrt(there) - sqrt(loss)) if there < inf else inf
        if apart <= CLOSE * sqrt(loss) + self._rounding:
            loss = self._objective.evaluate(first).loss
        return there < loss

    def _evaluate(self, code: Vector, first: Vector | None) -> float:
        """Compute f(−x); set x as the centre, and the residual's direction as u."""
        first = self._objective.first(code) if first is None else first
        there = self._objective.evaluate(-first)
        self.evaluations += 1
        self._residual, self._has_centre, self._is_aimed = there.misfit.residual, True, False
        self._moves = 0
        self._activation, self._change = there.activations[0], 0.0
        self._floor = SAFE * sqrt(2 * there.loss) if there.loss < inf else 0.0
        return there.loss

    def _aim(self) -> None:
        """Compute Aᵀu and ⟨u, b⟩ for the direction u, once; u replaces Aᵀu for |A y|."""
        if self._is_aimed:
            return
        form, size = self._form, max(sqrt(self._residual.dot(self._residual)), TINY)
        if self._norms is None:
            lowest, *others = map(operator_norm_bound, self._objective.network.weights)
            if form.phaseless:
                others.append(operator_norm_bound(form.magnitudes))
            self._norms = max(lowest, TINY), float(np.prod(others))
        self._first_norm, upper = self._norms
        direction = self._residual / size
        self._offset = float(direction.dot(form.observed))
        self._back = direction if form.phaseless else form.sensing.adjoint(direction)
        length = 1.0 if form.phaseless else sqrt(self._back.dot(self._back))
        self._rate = max(length * upper / SAFE, TINY)
        self._is_aimed = True

    def _distance(self, first: Vector) -> float:
        """Compute ‖relu(−W_1 x) − relu(−W_1 c)‖ from W_1 x."""
        change = np.maximum(-first, 0.0)
        change -= self._activation
        return sqrt(change.dot(change))

    def _recentre(self, first: Vector) -> float:
        """Set x as the centre and keep u; give the bound of √(2f(−x)) there."""
        activations = self._objective.network.forward(-first)
        self._activation, self._change = activations[0], 0.0
        self._moves += 1
        seen = activations[-1]
        if self._form.phaseless:
            seen = np.abs(self._form.magnitudes @ seen)
        inner = float(seen.dot(self._back))
        self._floor = inner - self._offset - (1 - SAFE) * (abs(inner) + abs(self._offset))
        return self._floor
