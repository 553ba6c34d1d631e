"""What a deterministic condition is: forms whose largest violations bound its constant."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from ...sweeps import Point
from ...sweeps.tables import Strict
from ..network import Network
from ..problems.base import Streams
from .search import Form


class Condition(ABC):
    """A deterministic condition of the theory, whose constant is bounded from below.

    A subclass in this folder, one that another package offers as an entry point of the group
    `genprior.conditions`, or one that was registered, is a value of `condition` in sweep files.

    Attributes:
        name: value of `condition`.
        uses: the parameters it has that not all conditions have.
        table: parameters that it alone has: the name of their table in sweep files, and its
            model, a subclass of `Strict` whose fields are declared by `quantity`.
    """

    name: ClassVar[str]
    uses: ClassVar[tuple[str, ...]] = ()
    table: ClassVar[tuple[str, type[Strict]] | None] = None

    @classmethod
    @abstractmethod
    def forms(cls, point: Point, network: Network, streams: Streams) -> Iterator[tuple[int, Form]]:
        """Give what the condition bounds in a network, each with the layer it belongs to.

        Args:
            point: all parameters.
            network: drawn.
            streams: opens the random stream of a purpose.
        """

    @classmethod
    def check(cls, point: Point) -> None:
        """Refuse a point for which the condition has no meaning.

        Raises:
            ValueError: saying what and why, in one line.
        """
        if point.generator == "trained":
            raise ValueError(
                f"condition '{cls.name}' is looked for along directions, which needs a "
                "homogeneous network; generator 'trained' need not be one."
            )

    @classmethod
    def entries(cls, point: Point) -> int:
        """How many numbers are held besides the weights and the maps of regions."""
        return 0
