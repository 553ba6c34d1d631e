"""ReLU networks G(x) = W_d relu(⋯ relu(W_1 x + b_1) ⋯) + b_d, with or without a ReLU at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Vector: TypeAlias = NDArray[np.float64]
Matrix: TypeAlias = NDArray[np.float64]
# Layers of structured networks have few entries that are not 0.
Weight: TypeAlias = Union[Matrix, "csr_array"]
Symmetry = Literal["none", "even", "odd"]


@dataclass(frozen=True)
class Network:
    """Weights W_1 … W_d; W_i has shape (n_i, n_{i−1}), n_0 = k, n_d = n.

    Args:
        weights: arrays, or sparse arrays by rows.
        biases: b_1 … b_d, b_i of shape (n_i,), in units of that layer's activations; empty if the
            network has no biases.
        linear_last: whether the last layer has no ReLU.
        symmetry: "even" where G(−x) = G(x), "odd" where G(−x) = −G(x).

    Raises:
        ValueError: layers do not chain, or biases do not fit the layers.
    """

    weights: tuple[Weight, ...]
    biases: tuple[Vector, ...] = ()
    linear_last: bool = False
    symmetry: Symmetry = "none"

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
        if self.biases and len(self.biases) != len(self.weights):
            raise ValueError(
                f"there are {len(self.weights)} weights and {len(self.biases)} biases; give each "
                "layer its own, or none at all."
            )
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=False)):
            if bias.shape != (weight.shape[0],):
                raise ValueError(
                    f"biases[{i}] has shape {bias.shape} but weights[{i}] has {weight.shape[0]} "
                    "rows; each row has one bias."
                )

    @property
    def depth(self) -> int:
        """Number of layers d."""
        return len(self.weights)

    @cached_property
    def is_homogeneous(self) -> bool:
        """Whether G(cx) = c G(x) for c ≥ 0: no bias differs from 0."""
        return not any(bias.any() for bias in self.biases)

    @cached_property
    def is_plain(self) -> bool:
        """Whether it is relu(W_d ⋯ relu(W_1 x)) with dense weights, as in the papers."""
        dense = all(isinstance(weight, np.ndarray) for weight in self.weights)
        return dense and not self.biases and not self.linear_last

    def __call__(self, code: Vector) -> Vector:
        """Compute G(x), shape (n,), for a code x of shape (k,)."""
        return self.forward(self.weights[0] @ code)[-1]

    def forward(self, first: Vector) -> tuple[Vector, ...]:
        """Run the network from W_1 x on.

        Args:
            first: W_1 x, shape (n_1,). At −x it is −W_1 x, so that both need one product.

        Returns:
            The activations of all layers; the last is G(x).
        """
        if self.biases or self.linear_last:
            return self._forward_affine(first)
        activations = [np.maximum(first, 0.0)]
        for weight in self.weights[1:]:
            activations.append(np.maximum(weight @ activations[-1], 0.0))
        return tuple(activations)

    def _forward_affine(self, first: Vector) -> tuple[Vector, ...]:
        activations: list[Vector] = []
        for layer, weight in enumerate(self.weights):
            signal = weight @ activations[-1] if layer else first
            if self.biases:
                signal = signal + self.biases[layer]
            is_linear = self.linear_last and layer == self.depth - 1
            activations.append(signal if is_linear else np.maximum(signal, 0.0))
        return tuple(activations)

    def backward(self, gradient: Vector, activations: Sequence[Vector]) -> Vector:
        """Compute Λ_xᵀ g = W_1ᵀ(p_1 ∘ ⋯ W_dᵀ(p_d ∘ g)), without forming Λ_x.

        The pattern p_i is 1 where a unit is on; units with pre-activation exactly 0 are off. A
        linear last layer has p_d = 1.

        Args:
            gradient: g, the derivative of the loss with respect to the signal, shape (n,).
            activations: from `forward`.

        Returns:
            The descent vector, shape (k,).
        """
        is_masked = not self.linear_last
        for weight, activation in zip(reversed(self.weights), reversed(activations), strict=True):
            gradient = weight.T @ (gradient * (activation > 0) if is_masked else gradient)
            is_masked = True
        return gradient

    def forward_along(self, direction: Vector, code: Vector) -> Vector:
        """Compute Λ_x z, shape (n,), for a direction z of codes, without forming Λ_x."""
        activations = self.forward(self.weights[0] @ code)
        for layer, (weight, activation) in enumerate(zip(self.weights, activations, strict=True)):
            direction = weight @ direction
            if not (self.linear_last and layer == self.depth - 1):
                direction = direction * (activation > 0)
        return direction

    def jacobian(self, code: Vector) -> Matrix:
        """Compute Λ_x, the linear map of the network's region at a code, shape (n, k)."""
        return self.jacobians(code)[-1]

    def jacobians(self, code: Vector, layers: int | None = None) -> list[Matrix]:
        """Compute the linear maps of the first 0, 1, … layers at a code; the first is the identity.

        Args:
            code: x, shape (k,).
            layers: number of layers; all if None.
        """
        activations = self.forward(self.weights[0] @ code)
        maps = [np.eye(code.size)]
        for layer, weight in enumerate(self.weights[:layers]):
            linear = np.asarray(weight @ maps[-1])
            is_linear = self.linear_last and layer == self.depth - 1
            maps.append(linear if is_linear else linear * (activations[layer] > 0)[:, None])
        return maps
