"""The loss on latent codes that descent minimises."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..problems import Misfit, Problem
from .network import Network, Vector


class Evaluation(NamedTuple):
    """f(x), and what its descent vector needs: the misfit and the activations."""

    loss: float
    misfit: Misfit
    activations: tuple[Vector, ...]


@dataclass(frozen=True)
class LatentLoss:
    """f(x) = L(G(x)) and v(x) = Λ_xᵀ g, where Λ_x is G's linear map at x and g the gradient of L.

    Args:
        network: G.
        problem: L.

    Source: Cocola 2022, Algorithm 2, for compressed sensing.
    """

    network: Network
    problem: Problem

    def first(self, code: Vector) -> Vector:
        """Compute W_1 x, shape (n_1,); its negative is that of −x."""
        return self.network.weights[0] @ code

    def evaluate(self, first: Vector) -> Evaluation:
        """Compute f(x) from W_1 x."""
        activations = self.network.forward(first)
        misfit = self.problem.misfit(activations[-1])
        return Evaluation(misfit.loss, misfit, activations)

    def is_flat(self, code: Vector) -> bool:
        """Tell whether f is constant around a code: Λ_x = 0, or A Λ_x = 0 where L depends on A y.

        One random direction decides: it is in the kernel of a map with probability 0, unless the
        map is 0.
        """
        direction = np.random.Generator(np.random.SFC64(code.size)).standard_normal(code.size)
        moved = self.network.forward_along(direction, code)
        if (form := self.problem.quadratic()) is not None:
            moved = form.sensing @ moved
        return not moved.any()

    def descent_vector(self, evaluation: Evaluation) -> Vector:
        """Compute v, shape (k,), at the code of the evaluation."""
        gradient = self.problem.gradient(evaluation.misfit)
        return self.network.backward(gradient, evaluation.activations)
