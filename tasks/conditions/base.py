"""What a deterministic condition is: the largest values of its forms bound its constant."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from ...sweeps.tables import Strict
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
    """

    name: ClassVar[str]
    uses: ClassVar[tuple[str, ...]] = ()
    table: ClassVar[tuple[str, type[Strict]] | None] = None

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
        if point.generator == "trained":
            raise ValueError(
                f"condition '{cls.name}' is searched along directions, which needs a homogeneous "
                "network, and one of generator 'trained' may have biases; choose another generator."
            )

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count the numbers held in addition to the weights and the maps of regions."""
        return 0
