"""The form of a loss that the fast engine needs: ½‖A h − b‖² of a ReLU network's output h."""

from dataclasses import dataclass
from typing import cast

import numpy as np

from ...numerics.latent_loss import Evaluation, LatentLoss
from ...numerics.network import Matrix, Vector
from ...numerics.operators import DenseSensing, PairSum, Sensing
from .maps import Pattern


@dataclass(frozen=True)
class LeastSquares:
    """f(x) = ½‖A h_d(x) − b‖² with h_d = relu(W_d ⋯ relu(W_1 x)).

    A phaseless loss ½‖|A y| − b‖² has this form, since |z| = relu(z) + relu(−z): the last layer is
    then [A; −A], and its halves are added.

    Args:
        weights: W_1 … W_d, with that last layer where the loss is phaseless.
        sensing: A, or the sum of the halves.
        observed: b, shape (m,).
        phaseless: whether the last layer is [A; −A].
    """

    weights: tuple[Matrix, ...]
    sensing: Sensing
    observed: Vector
    phaseless: bool = False

    def patterns(self, evaluation: Evaluation) -> list[Pattern]:
        """Compute which units of each layer are on at the code of an evaluation."""
        patterns = [activation > 0 for activation in evaluation.activations]
        if self.phaseless:
            measured = evaluation.misfit.measured
            patterns.append(np.concatenate([measured > 0, measured < 0]))
        return patterns

    @property
    def evaluation_cost(self) -> int:
        """Multiplications of f above the first layer; one half of [A; −A] gives both halves."""
        layers = sum(weight.size for weight in self.weights[1:])
        twice = self.weights[-1].size // 2 if self.phaseless else 0
        return layers - twice + self.sensing.cost

    @property
    def magnitudes(self) -> Matrix:
        """A of a phaseless loss, shape (m, n)."""
        return self.weights[-1][: self.observed.size]


def least_squares(objective: LatentLoss) -> LeastSquares | None:
    """Bring a loss into this form, or give None; its network must have plain ReLU layers only."""
    form = objective.problem.quadratic()
    if form is None or not objective.network.is_plain:
        return None
    weights = cast("tuple[Matrix, ...]", objective.network.weights)
    if not objective.problem.phaseless:
        return LeastSquares(weights, *form)
    if not isinstance(form.sensing, DenseSensing):
        return None
    matrix = form.sensing.matrix
    signs = np.concatenate([matrix, -matrix])
    return LeastSquares((*weights, signs), PairSum(len(matrix)), form.observed, phaseless=True)
