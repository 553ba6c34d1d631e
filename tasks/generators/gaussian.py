"""The Gaussian networks of the papers, and identity networks for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..numerics.network import Network
from .base import Generator

if TYPE_CHECKING:
    from ..point import Point


class Gaussian(Generator):
    """W_i with iid N(0, gain/n_i) entries, no biases; a ReLU after the last layer, or none.

    Source: Cocola 2022, Appendix H.
    """

    name: ClassVar[str] = "gaussian"
    uses: ClassVar[tuple[str, ...]] = ("gain", "last_layer", "width_rule", "width_factor")
    is_dense: ClassVar[bool] = True
    has_gaussian_layers: ClassVar[bool] = True
    has_mirror: ClassVar[bool] = True

    @classmethod
    def draw(cls, random: np.random.Generator, point: Point) -> Network:
        """Draw the weights, layer by layer."""
        return gaussian_network(
            random, point.k, point.widths, point.gain, linear_last=point.last_layer == "linear"
        )

    @classmethod
    def curvature(cls, point: Point) -> float:
        """Give (gain/2)^d, as half the units of wide layers are on; a linear layer gives gain."""
        linear = 2.0 if point.last_layer == "linear" else 1.0
        return float(linear * np.float64(point.gain / 2) ** point.depth)

    @classmethod
    def start_scale(cls, point: Point) -> float:
        """Give ‖y*‖/gain^{d/2}, so that a run is the same at every scale."""
        return float(point.target_norm / np.float64(point.gain) ** (point.depth / 2))


class Identity(Generator):
    """G(x) = relu(x), padded with zeros; x itself for a single layer that is linear."""

    name: ClassVar[str] = "identity"
    uses: ClassVar[tuple[str, ...]] = ("last_layer", "width_rule", "width_factor")
    is_dense: ClassVar[bool] = True

    @classmethod
    def draw(cls, random: np.random.Generator, point: Point) -> Network:
        """Make the network; nothing is drawn."""
        return identity_network(point.k, point.widths, linear_last=point.last_layer == "linear")

    @classmethod
    def curvature(cls, point: Point) -> float:
        """Give 1: Λ is the identity, less the units that are off."""
        return 1.0

    @classmethod
    def start_scale(cls, point: Point) -> float:
        """Give ‖y*‖."""
        return point.target_norm


def identity_network(k: int, widths: Sequence[int], linear_last: bool = False) -> Network:
    """Make G(x) = relu(x), padded with zeros: W_i is an identity of shape (n_i, n_{i−1})."""
    return Network(
        tuple(
            np.eye(rows, columns) for rows, columns in zip(widths, (k, *widths[:-1]), strict=True)
        ),
        linear_last=linear_last,
    )


def gaussian_network(
    random: np.random.Generator,
    k: int,
    widths: Sequence[int],
    gain: float = 1.0,
    *,
    linear_last: bool = False,
) -> Network:
    """Draw a network with iid N(0, gain/n_i) entries in W_i.

    Args:
        random: stream the weights are drawn from, layer by layer.
        k: latent dimension.
        widths: n_1 … n_d.
        gain: 1 halves ‖G(x)‖² with every layer, 2 keeps it.
        linear_last: whether the last layer has no ReLU.

    Source: Cocola 2022, Appendix H.
    """
    weights = []
    for rows, columns in zip(widths, (k, *widths[:-1]), strict=True):
        weight = random.standard_normal((rows, columns))
        weight *= np.sqrt(gain / rows)
        weights.append(weight)
    return Network(tuple(weights), linear_last=linear_last)
