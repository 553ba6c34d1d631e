"""Conditions on the weights of every layer: the weight distribution condition, and on ranges."""

from collections.abc import Iterator
from typing import ClassVar

from ...sweeps import Point
from ..network import Network
from ..problems.base import Streams
from .base import Condition
from .forms import LayerForm, RangeForm
from .search import Form


class OfLayers(Condition):
    """A condition of Gaussian ReLU layers."""

    @classmethod
    def check(cls, point: Point) -> None:
        """Layers must be Gaussian, with a ReLU after each."""
        if point.generator != "gaussian" or point.last_layer == "linear":
            raise ValueError(
                f"condition '{cls.name}' speaks of Gaussian ReLU layers; it has no meaning for "
                f"generator '{point.generator}' with a last layer '{point.last_layer}'."
            )


class WeightDistribution(OfLayers):
    """The WDC: directions of all of R^{n_{i−1}}.

    Source: Hand & Voroninski, Definition 2.
    """

    name: ClassVar[str] = "wdc"

    @classmethod
    def forms(cls, point: Point, network: Network, streams: Streams) -> Iterator[tuple[int, Form]]:
        """One form a layer."""
        for layer, weights in enumerate(network.weights, start=1):
            yield layer, LayerForm(weights, point.gain)

    @classmethod
    def entries(cls, point: Point) -> int:
        """Rows that are on, twice, and a matrix of the layer's inputs."""
        below = (point.k, *point.widths[:-1])
        return max(2 * n * below_n for n, below_n in zip(point.widths, below, strict=True))


class RangeRestricted(OfLayers):
    """The R2WDC: directions of the range of the layers below only.

    Source: Cocola 2022, Definition 4.3.
    """

    name: ClassVar[str] = "r2wdc"

    @classmethod
    def forms(cls, point: Point, network: Network, streams: Streams) -> Iterator[tuple[int, Form]]:
        """One form a layer; below the first is all of R^k, where it is the WDC."""
        yield 1, LayerForm(network.weights[0], point.gain)
        for layer in range(2, point.depth + 1):
            yield layer, RangeForm(network, layer, point.gain)
