"""What a generator is: a family of networks, and a distribution of codes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import sqrt
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ...sweeps.tables import Strict
from ..numerics.network import Network, Vector
from .shapes import Shape

if TYPE_CHECKING:
    from ..point import Point


class Generator(ABC):
    """A family of networks G.

    A subclass in this package, a subclass that another package offers as an entry point of the
    group `genprior.generators`, or a registered subclass is a value of `generator` in sweep files.

    Attributes:
        name: value of `generator`.
        uses: the parameters it has that not all generators have.
        table: parameters of this generator alone: the name of their table in sweep files, and its
            model, a subclass of `Strict` whose fields are declared by `quantity`.
        shape: how k, depth and widths follow from other parameters; None where they are given.
        is_dense: whether networks are matrices without biases, which the fast engine needs.
        has_gaussian_layers: whether all weights are independent and normal, of variance gain/n_i.
        is_homogeneous: whether G(c x) = c G(x) for c > 0: no layer has biases.
        packages: distributions that it computes with, in addition to NumPy and SciPy.
        has_mirror: whether the theory of Gaussian networks holds, with its mirror point −ρ_d x*.
        unique_codes: whether different codes have different signals, so that the error of a code
            can decide success.
    """

    name: ClassVar[str]
    uses: ClassVar[tuple[str, ...]] = ()
    table: ClassVar[tuple[str, type[Strict]] | None] = None
    shape: ClassVar[Shape | None] = None
    is_dense: ClassVar[bool] = False
    has_gaussian_layers: ClassVar[bool] = False
    is_homogeneous: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ()
    has_mirror: ClassVar[bool] = False
    unique_codes: ClassVar[bool] = True

    @classmethod
    @abstractmethod
    def draw(cls, random: np.random.Generator, point: Point) -> Network:
        """Draw a network of the point's shape.

        Args:
            random: stream the weights are drawn from.
            point: all parameters.

        Raises:
            ValueError: the point's parameters do not make a network.
        """

    @classmethod
    def check(cls, point: Point) -> None:
        """Refuse a point that has what this generator does not have.

        Raises:
            ValueError: says what is wrong and why, in one line.
        """
        return

    @classmethod
    @abstractmethod
    def curvature(cls, point: Point) -> float:
        """Estimate the size of ΛᵀΛ, which sets steps, tolerances and starts."""

    @classmethod
    def draw_code(cls, random: np.random.Generator, network: Network, point: Point) -> Vector:
        """Draw a code x, shape (k,), whose signal is typical of the generator; standard normal."""
        return random.standard_normal(point.k)

    @classmethod
    def start_scale(cls, point: Point) -> float:
        """Estimate the size of a code's coordinates where ‖G(x)‖ is the point's target norm."""
        return point.target_norm / sqrt(point.k)

    @classmethod
    def check_installed(cls) -> None:
        """Refuse to run where a package is missing; planning needs none.

        Raises:
            UserError: says how to install it.
        """
        return

    @classmethod
    def files(cls, point: Point) -> tuple[str, ...]:
        """List the paths of the files that it reads; a run records them, and workers compare."""
        return ()

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count the numbers of the weights."""
        below = (point.k, *point.widths[:-1])
        return sum(rows * columns for rows, columns in zip(point.widths, below, strict=True))
