"""What a deterministic condition is: the largest values of its forms bound its constant."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from ...sweeps.tables import Strict
from ..generators import generator_class
from ..numerics.network import Network
from ..problems.base import Streams
from .search import Form

if TYPE_CHECKING:
    from ..point import Point


class Condition(ABC):
    """A deterministic condition of the theory; a search bounds its constant from below.

    A subclass in this package, a subclass that another package offers as an entry point of the
    group `genprior.conditions`, or a registered subclass is a value of `condition` in sweep files.

    Attributes:
        name: value of `condition`.
        uses: the parameters it has that not all conditions have.
        table: parameters of this condition alone: the name of their table in sweep files, and its
            model, a subclass of `Strict` whose fields are declared by `quantity`.
        packages: distributions that it computes with, in addition to NumPy and SciPy.
    """

    name: ClassVar[str]
    uses: ClassVar[tuple[str, ...]] = ()
    table: ClassVar[tuple[str, type[Strict]] | None] = None
    packages: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def forms(cls, point: Point, network: Network, streams: Streams) -> Iterator[tuple[int, Form]]:
        """Give the quantities that the condition bounds, each with its layer, counted from 1.

        Args:
            point: all parameters.
            network: the drawn network.
            streams: opens the random stream of a purpose.
        """

    @classmethod
    def check(cls, point: Point) -> None:
        """Refuse a point for which the condition has no meaning.

        Raises:
            ValueError: says what is wrong and why, in one line.
        """
        if not generator_class(point.generator).is_homogeneous:
            raise ValueError(
                f"condition '{cls.name}' is searched along directions, which needs a homogeneous "
                f"network, and one of generator '{point.generator}' may have biases; choose "
                "another generator."
            )

    @classmethod
    def check_installed(cls) -> None:
        """Refuse to run where a package is missing; planning needs none.

        Raises:
            UserError: says how to install it.
        """
        return

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count the numbers held in addition to the weights and the maps of regions."""
        return 0
