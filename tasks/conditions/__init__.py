"""Deterministic conditions of the theory; a search bounds their constants from below."""

from ..registry import Registry
from .base import Condition
from .of_layers import RangeRestricted, WeightDistribution
from .of_measurements import OneBitProjection, RangeRestrictedIsometry

__all__ = [
    "CONDITIONS",
    "Condition",
    "condition_class",
]

CONDITIONS: Registry[Condition] = Registry(
    "condition",
    Condition,  # type: ignore[type-abstract]
    (WeightDistribution, RangeRestricted, RangeRestrictedIsometry, OneBitProjection),
)


def condition_class(name: str) -> type[Condition]:
    """Find a condition by name.

    Raises:
        SweepError: no condition has that name, it cannot be loaded, or it is not complete.
    """
    return CONDITIONS.find(name)
