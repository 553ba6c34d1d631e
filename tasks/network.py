"""ReLU networks G(x) = relu(W_d ⋯ relu(W_1 x))."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Pattern = NDArray[np.bool_]


class ForwardPass(NamedTuple):
    """The signal G(x), shape (n,), and which units were on, one pattern a layer."""

    signal: Vector
    patterns: tuple[Pattern, ...]


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
        return self.forward(self.weights[0] @ code).signal

    def forward(self, first: Vector) -> ForwardPass:
        """Run the network from its first pre-activation on.

        Units with pre-activation exactly 0 are off.

        Args:
            first: W_1 x, shape (n_1,). It is −W_1 x at −x, so both cost one product.
        """
        patterns = [first > 0]
        signal = np.maximum(first, 0.0)
        for weight in self.weights[1:]:
            pre_activation = weight @ signal
            patterns.append(pre_activation > 0)
            signal = np.maximum(pre_activation, 0.0)
        return ForwardPass(signal, tuple(patterns))

    def backward(self, gradient: Vector, patterns: Sequence[Pattern]) -> Vector:
        """Λ_xᵀ g = W_1ᵀ(p_1 ∘ ⋯ W_dᵀ(p_d ∘ g)), without forming Λ_x.

        Args:
            gradient: g, the derivative of the loss with respect to the signal, shape (n,).
            patterns: p_1 … p_d from `forward`.

        Returns:
            The descent vector, shape (k,).
        """
        for weight, pattern in zip(reversed(self.weights), reversed(patterns), strict=True):
            gradient = weight.T @ (gradient * pattern)
        return gradient


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
