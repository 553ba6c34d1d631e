"""Conditions on the weights of every layer: the WDC, and the R2WDC, its range-restricted form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from ..generators import generator_class
from ..numerics.network import Network
from ..problems.base import Streams
from .base import Condition
from .forms import LayerForm, RangeForm
from .search import Form

if TYPE_CHECKING:
    from ..point import Point


class OfLayers(Condition):
    """A condition on Gaussian ReLU layers."""

    @classmethod
    def check(cls, point: Point) -> None:
        """Refuse a point whose layers are not all Gaussian with a ReLU."""
        generator = generator_class(point.generator)
        if not generator.has_gaussian_layers or point.last_layer == "linear":
            raise ValueError(
                f"condition '{cls.name}' needs Gaussian ReLU layers, and generator "
                f"'{point.generator}' with a last layer '{point.last_layer}' has others; give "
                "generator 'gaussian' with last_layer 'relu'."
            )


class WeightDistribution(OfLayers):
    """The WDC, over all directions of R^{n_{i−1}}.

    Source: Hand & Voroninski, Definition 2.
    """

    name: ClassVar[str] = "wdc"

    @classmethod
    def forms(cls, point: Point, network: Network, streams: Streams) -> Iterator[tuple[int, Form]]:
        """Give one form for each layer."""
        for layer, weights in enumerate(network.weights, start=1):
            yield layer, LayerForm(weights, point.gain)

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count twice the rows that are on, and a matrix of the layer's inputs."""
        below = (point.k, *point.widths[:-1])
        return max(2 * n * below_n for n, below_n in zip(point.widths, below, strict=True))


class RangeRestricted(OfLayers):
    """The R2WDC, over directions in the range of the layers below.

    Source: Cocola 2022, Definition 4.3.
    """

    name: ClassVar[str] = "r2wdc"

    @classmethod
    def forms(cls, point: Point, network: Network, streams: Streams) -> Iterator[tuple[int, Form]]:
        """Give one form for each layer; below the first is all of R^k, where it is the WDC."""
        yield 1, LayerForm(network.weights[0], point.gain)
        for layer in range(2, point.depth + 1):
            yield layer, RangeForm(network, layer, point.gain)
