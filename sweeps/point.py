"""The base class of points: a registered subclass declares the parameters.

It also says how parameters follow from each other and which must fit together. So a grid is checked
without making all of its points.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar, NamedTuple

from .tables import Strict


class NotDerivedError(ValueError):
    """Values do not fit because one was not derived; making the point raises what is missing."""


class Given(NamedTuple):
    """What a sweep says about its parameters before a point is made.

    Attributes:
        names: the parameters and axes that it gives.
        has: says whether its experiment has a parameter.
        values: lists the values of a parameter over the whole sweep.
    """

    names: Collection[str]
    has: Callable[[str], bool]
    values: Callable[[str], Collection[Any]]


class Derivation(NamedTuple):
    """How a parameter follows from others.

    Attributes:
        compute: computes its value from the values of the others by name; None if it does not
            follow from them. It raises ValueError if they do not fit together.
        needs: the parameters that it follows from.
        takes: further parameters that it follows from if the sweep gives them.
    """

    compute: Callable[[Mapping[str, Any]], Any]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


class PointBase(Strict):
    """All parameters of a trial, checked. A subclass declares them.

    Attributes:
        fitting: the parameters that `check_fit` gets; a list is given as its label.
    """

    fitting: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def missing(cls, given: Given) -> str | None:
        """Name a parameter that a sweep must give and does not; None if there is none."""
        required = (name for name, field in cls.model_fields.items() if field.is_required())
        return next((name for name in required if name not in given.names), None)

    @classmethod
    def derivation(cls, name: str, given: Given) -> Derivation | None:
        """Say how a parameter that is not given follows from others; None if it does not."""
        return None

    @classmethod
    def completion(cls, name: str) -> Derivation | None:
        """Say how a point completes a value that is given; None if the point does not change it."""
        return None

    @classmethod
    def check_fit(cls, values: Mapping[str, Any], given: Collection[str]) -> None:
        """Refuse values of the parameters in `fitting` that do not fit together.

        Args:
            values: values of these parameters by name; None for a value that is not known.
            given: the parameters and axes that the sweep gives.

        Raises:
            NotDerivedError: a value was not derived.
            ValueError: the values do not fit together.
        """
        return

    def __reduce__(self) -> Any:
        """Pickle the values: each process makes its own class with the added tables."""
        from .parameters import carried, make_point

        return make_point, (carried(self),)
