"""Trained networks: weights, biases and typical codes from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...sweeps.parameters import PARAMETERS
from ..numerics.network import Matrix, Network, Vector
from .base import Generator
from .shapes import Shape
from .trained_weights import TrainedWeights
from .weights_files import KEPT_FILES, Stamp, read_weights, stamp, weights_shape

if TYPE_CHECKING:
    from ..point import Point

SAMPLED_CODES = 64


@dataclass(frozen=True)
class TrainedNetwork:
    """A network from a file, and quantities that are measured once.

    Attributes:
        network: the network itself.
        codes: rows are codes typical of its training data; None if the file has no codes.
    """

    network: Network
    codes: Matrix | None

    @cached_property
    def typical_codes(self) -> Matrix:
        """Give 64 codes: evenly spread over those of the file, or normal draws of a fixed seed."""
        if self.codes is None:
            k = self.network.weights[0].shape[1]
            return np.random.Generator(np.random.SFC64(k)).standard_normal((SAMPLED_CODES, k))
        rows = np.linspace(0, len(self.codes) - 1, SAMPLED_CODES).astype(int)
        codes: Matrix = self.codes[rows]
        return codes

    @cached_property
    def curvature(self) -> float:
        """Give a quarter of the median, over typical codes, of the largest eigenvalue of Λ_xᵀΛ_x.

        The default step 0.175/curvature is then 0.7 over that eigenvalue; descent becomes unstable
        at 2 over it.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return _rounded(
                np.median([_largest(self.network, code) for code in self.typical_codes]) / 4
            )

    @cached_property
    def code_size(self) -> float:
        """Give the root mean square of a typical code's coordinates; 1 if the file has no codes."""
        return 1.0 if self.codes is None else _rounded(np.sqrt(np.mean(self.codes**2)))

    @cached_property
    def signal_norm(self) -> float:
        """Give the mean of ‖G(x)‖ over typical codes, in signal units."""
        norms = [np.linalg.norm(self.network(code)) for code in self.typical_codes]
        return _rounded(np.mean(norms))


def _largest(network: Network, code: Vector) -> float:
    """Compute the largest eigenvalue of Λ_xᵀΛ_x; infinite where its entries overflow."""
    linear = network.jacobian(code)
    gram = linear.T @ linear
    return float(np.linalg.eigvalsh(gram)[-1]) if np.isfinite(gram).all() else np.inf


def _rounded(value: np.floating) -> float:
    """Keep three digits: the last bits depend on the machine and must not change results."""
    return float(f"{value:.3g}")


@lru_cache(maxsize=2 * KEPT_FILES)
def _assembled(path: str, stamped: Stamp, linear_last: bool) -> TrainedNetwork:
    trained = read_weights(path)
    return TrainedNetwork(Network(trained.weights, trained.biases, linear_last), trained.codes)


def trained_network(point: Point) -> TrainedNetwork:
    """Give the network of a point's file; it is read once, however many trials use it.

    Raises:
        WeightsError: the file cannot be read, or holds no network.
    """
    return _assembled(point.weights, stamp(point.weights), point.last_layer == "linear")


def _shape_in_file(given: Mapping[str, Any]) -> tuple[int, tuple[int, ...]]:
    return weights_shape(str(given["weights"]))


class Trained(Generator):
    """The weights of a file, the same in every trial; only codes and data are drawn.

    The papers' theory covers neither biases nor trained weights.
    """

    name: ClassVar[str] = "trained"
    uses: ClassVar[tuple[str, ...]] = ("weights", "last_layer")
    shape: ClassVar[Shape | None] = Shape(("weights",), _shape_in_file, in_file=True)
    is_dense: ClassVar[bool] = True
    is_homogeneous: ClassVar[bool] = False

    @classmethod
    def draw(cls, random: np.random.Generator, point: Point) -> Network:
        """Give the network; nothing is drawn."""
        return trained_network(point).network

    @classmethod
    def check(cls, point: Point) -> None:
        """Refuse a file without a network, or one whose shape differs from the point's."""
        if not point.weights:
            raise ValueError(
                f"generator 'trained' needs 'weights', the {PARAMETERS['weights'].description}."
            )
        _check_shape(point, read_weights(point.weights))
        trained = trained_network(point)
        if not 0 < trained.curvature < np.inf or not 0 < trained.signal_norm < np.inf:
            raise ValueError(
                f"weights {point.weights!r}: G is constant, or overflows, around most of "
                f"{SAMPLED_CODES} typical codes; its codes cannot be recovered."
            )
        default = PARAMETERS["target_norm"].default
        if not trained.network.is_homogeneous and point.target_norm != default:
            raise ValueError(
                f"'target_norm' is {point.target_norm:g}, but weights {point.weights!r} come with "
                "biases: their signals keep their norms. Leave it out."
            )

    @classmethod
    def curvature(cls, point: Point) -> float:
        """Give a quarter of the largest eigenvalue of ΛᵀΛ, as measured."""
        return trained_network(point).curvature

    @classmethod
    def draw_code(cls, random: np.random.Generator, network: Network, point: Point) -> Vector:
        """Draw one of the file's codes; a standard normal code if it has none."""
        codes = trained_network(point).codes
        if codes is None:
            return random.standard_normal(point.k)
        code: Vector = codes[random.integers(len(codes))]
        return code

    @classmethod
    def start_scale(cls, point: Point) -> float:
        """Give the size of the file's codes, or 1; without biases, the size for the target norm."""
        trained = trained_network(point)
        if not trained.network.is_homogeneous:
            return trained.code_size
        return trained.code_size * point.target_norm / trained.signal_norm

    @classmethod
    def files(cls, point: Point) -> tuple[str, ...]:
        """Give the file of the weights."""
        return (point.weights,) if point.weights else ()

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count the numbers of weights and codes."""
        codes = trained_network(point).codes
        return super().entries(point) + (0 if codes is None else codes.size)


def _check_shape(point: Point, found: TrainedWeights) -> None:
    if (point.k, point.widths) == (found.k, found.widths):
        return
    raise ValueError(
        f"weights {point.weights!r} and the sweep have different shapes: the file k = {found.k}, "
        f"widths = {list(found.widths)}, the sweep k = {point.k}, widths = {list(point.widths)}. "
        "Leave k, depth and widths out: the file has them."
    )
