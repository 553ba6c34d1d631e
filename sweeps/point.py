"""What a point of a sweep is: its parameters are declared by a class that is told to this package.

The class says how its parameters follow from each other and what must fit together, so that a grid
is checked without making all of its points.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar, NamedTuple

from .tables import Strict


class NotDerivedError(ValueError):
    """Values do not fit because one could not be derived; the point itself says what that lacks."""


class Given(NamedTuple):
    """What a sweep says of its parameters before any point is made.

    Attributes:
        names: the parameters and axes that it gives.
        has: tells whether its experiment has a parameter.
        values: lists the values of a parameter over the whole sweep.
    """

    names: Collection[str]
    has: Callable[[str], bool]
    values: Callable[[str], Collection[Any]]


class Derivation(NamedTuple):
    """How a parameter follows from others.

    Attributes:
        compute: gives its value, or None where it does not follow, from the values of the others
            by name. It raises ValueError where they do not fit.
        needs: the parameters that it follows from.
        takes: further ones that it follows from where the sweep gives them.
    """

    compute: Callable[[Mapping[str, Any]], Any]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


class PointBase(Strict):
    """Every parameter of one trial, checked. A subclass declares them.

    Attributes:
        fitting: the parameters that `check_fit` sees; values of lists are written as their labels.
    """

    fitting: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def missing(cls, given: Given) -> str | None:
        """Name a parameter that a sweep has to give and does not; None if there is none."""
        required = (name for name, field in cls.model_fields.items() if field.is_required())
        return next((name for name in required if name not in given.names), None)

    @classmethod
    def derivation(cls, name: str, given: Given) -> Derivation | None:
        """Say how a parameter follows that a sweep does not give; None where it does not."""
        return None

    @classmethod
    def completion(cls, name: str) -> Derivation | None:
        """Say how a point completes a value that it is given; None where it leaves it as it is."""
        return None

    @classmethod
    def check_fit(cls, values: Mapping[str, Any], given: Collection[str]) -> None:
        """Refuse values of the parameters in `fitting` that do not fit together.

        Args:
            values: of these parameters; None where they are not known.
            given: the parameters and axes that the sweep gives.

        Raises:
            NotDerivedError: one of them could not be derived.
            ValueError: they do not fit.
        """
        return

    def __reduce__(self) -> Any:
        """Pickle values: a class with tables that were added is made again by each process."""
        from .parameters import carried, make_point

        return make_point, (carried(self),)
