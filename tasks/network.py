"""ReLU networks G(x) = relu(W_d ⋯ relu(W_1 x))."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..sweeps import Point

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Network:
    """Weights W_1 … W_d; W_i has shape (n_i, n_{i−1}), n_0 = k, n_d = n."""

    weights: tuple[Matrix, ...]

    def __post_init__(self) -> None:
        """Refuse layers that do not chain."""
        for i, (below, above) in enumerate(
            zip(self.weights[:-1], self.weights[1:], strict=True), start=1
        ):
            if above.shape[1] != below.shape[0]:
                raise ValueError(
                    f"weights[{i}] has {above.shape[1]} columns but weights[{i - 1}] has "
                    f"{below.shape[0]} rows; each layer's input must match the previous layer's "
                    "output."
                )

    @property
    def depth(self) -> int:
        """Number of layers d."""
        return len(self.weights)

    def __call__(self, code: Vector) -> Vector:
        """G(x), shape (n,), for a code x of shape (k,)."""
        return self.forward(self.weights[0] @ code)[-1]

    def forward(self, first: Vector) -> tuple[Vector, ...]:
        """Run the network from its first pre-activation on.

        Args:
            first: W_1 x, shape (n_1,). It is −W_1 x at −x, so both cost one product.

        Returns:
            The activations of all layers, the last of which is G(x).
        """
        activations = [np.maximum(first, 0.0)]
        for weight in self.weights[1:]:
            activations.append(np.maximum(weight @ activations[-1], 0.0))
        return tuple(activations)

    def backward(self, gradient: Vector, activations: Sequence[Vector]) -> Vector:
        """Λ_xᵀ g = W_1ᵀ(p_1 ∘ ⋯ W_dᵀ(p_d ∘ g)), without forming Λ_x.

        The pattern p_i is 1 where a unit is on; units with pre-activation exactly 0 are off.

        Args:
            gradient: g, the derivative of the loss with respect to the signal, shape (n,).
            activations: from `forward`.

        Returns:
            The descent vector, shape (k,).
        """
        for weight, activation in zip(reversed(self.weights), reversed(activations), strict=True):
            gradient = weight.T @ (gradient * (activation > 0))
        return gradient


def draw_network(random: np.random.Generator, point: Point) -> Network:
    """Draw the network of a point: Gaussian weights, or fixed ones that draw nothing."""
    if point.generator == "identity":
        return identity_network(point.k, point.widths)
    return gaussian_network(random, point.k, point.widths, point.gain)


def identity_network(k: int, widths: Sequence[int]) -> Network:
    """G(x) = relu(x), padded with zeros: W_i are the identity's, of shape (n_i, n_{i−1})."""
    return Network(
        tuple(
            np.eye(rows, columns) for rows, columns in zip(widths, (k, *widths[:-1]), strict=True)
        )
    )


def gaussian_network(
    random: np.random.Generator, k: int, widths: Sequence[int], gain: float = 1.0
) -> Network:
    """Draw a network with iid N(0, gain/n_i) entries in W_i.

    Args:
        random: stream the weights are drawn from, layer by layer.
        k: latent dimension.
        widths: n_1 … n_d.
        gain: 1 halves ‖G(x)‖² with every layer, 2 keeps it.

    Source: Cocola 2022, Appendix H.
    """
    weights = []
    for rows, columns in zip(widths, (k, *widths[:-1]), strict=True):
        weight = random.standard_normal((rows, columns))
        weight *= np.sqrt(gain / rows)
        weights.append(weight)
    return Network(tuple(weights))
