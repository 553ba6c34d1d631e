"""When f(−x) need not be computed: one evaluation certifies that it is larger for many steps.

docs/fast-descent.md derives the bound.
"""

from math import inf, sqrt

import numpy as np

from .network import Vector
from .norms import operator_norm_bound
from .problems import CompressedSensing

# After so many evaluations of f(−x) the bounds of the norms, which cost about as much, pay.
PAYS_AFTER = 12
SAFE = 1 - 1e-9  # what rounding may do to a bound is far less


class NegationTest:
    """Whether f(−x) < f(x), computed only where the last evaluation does not tell.

    With r the residual at −c and u = r/‖r‖,

        √(2f(−x)) ≥ ⟨u, A G(−x) − b⟩ ≥ ‖r‖ − ‖Aᵀu‖·‖W_d‖⋯‖W_2‖·‖relu(−W_1 x) − relu(−W_1 c)‖.

    Args:
        problem: f.
    """

    def __init__(self, problem: CompressedSensing):
        self._problem = problem
        self._evaluations = 0
        self._upper = 0.0  # bounds ‖W_d‖⋯‖W_2‖, once that is computed
        self._lowest = 0.0  # bounds ‖W_1‖
        self._centre: Vector | None = None

    def forget(self) -> None:
        """Drop the centre: the code has been negated."""
        self._centre = None

    def lower(self, code: Vector, loss: float, moved: float, first: Vector | None = None) -> bool:
        """Tell whether f(−x) < f(x).

        Args:
            code: x, shape (k,).
            loss: f(x).
            moved: at least the distance from the code of the last call.
            first: W_1 x where it is known.
        """
        if self._centre is not None and self._evaluations >= PAYS_AFTER:
            room = self._room(loss)
            self._change += self._lowest * moved
            if self._change <= room:
                return False
            first = self._problem.first(code) if first is None else first
            self._measure(first)
            if self._change <= room:
                return False
        return self._evaluate(code, first) < loss

    def radius(self, code: Vector, loss: float, wanted: float) -> float:
        """How far from x f(−x) ≥ f(x) is certain as long as f does not grow; negative if nowhere.

        Args:
            code: x, shape (k,), where f(−x) ≥ f(x).
            loss: f(x).
            wanted: a radius that is enough.
        """
        if self._centre is not None:
            room = self._room(loss)
            self._measure(self._problem.first(code))
            certain = (room - self._change) / self._lowest
            if certain >= wanted:
                return certain
        self._evaluate(code, None)
        return self._room(loss) / self._lowest

    def _measure(self, first: Vector) -> None:
        """Compute how far the first activations are from those at −c."""
        change = np.maximum(-first, 0.0)
        change -= self._activation
        self._change = sqrt(change.dot(change))

    def _evaluate(self, code: Vector, first: Vector | None) -> float:
        """Compute f(−x) and take x as the centre c."""
        first = self._problem.first(code) if first is None else first
        there = self._problem.evaluate(-first)
        self._evaluations += 1
        self._centre, self._activation = code, there.activations[0]
        self._residual = there.residual
        self._size = sqrt(2 * there.loss) if there.loss < inf else 0.0
        self._rate, self._change = 0.0, 0.0
        return there.loss

    def _room(self, loss: float) -> float:
        """How far the first activations may move from those at −c."""
        if not self._rate:
            if not self._upper:
                self._bound_norms()
            size = max(self._size, np.finfo(float).tiny)
            back = self._residual.dot(self._problem.sensing)
            self._rate = max(sqrt(back.dot(back)) / size * self._upper, np.finfo(float).tiny)
        return SAFE * (SAFE * self._size - sqrt(2 * loss)) / self._rate

    def _bound_norms(self) -> None:
        first, *others = self._problem.network.weights
        self._lowest = max(operator_norm_bound(first), np.finfo(float).tiny)
        self._upper = np.finfo(float).tiny
        self._upper = max(float(np.prod([operator_norm_bound(w) for w in others])), self._upper)
