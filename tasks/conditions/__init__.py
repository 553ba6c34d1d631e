"""Deterministic conditions of the theory; a search bounds their constants from below."""

from ...sweeps.parameters import PARAMETERS
from ..registry import Registry, parameters_of
from .base import Condition
from .of_layers import RangeRestricted, WeightDistribution
from .of_measurements import OneBitProjection, RangeRestrictedIsometry

__all__ = [
    "CONDITIONS",
    "Condition",
    "condition_class",
    "condition_parameters",
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


def condition_parameters() -> tuple[str, ...]:
    """List the parameters that only some conditions have, in the order of `PARAMETERS`."""
    used = {name for condition in CONDITIONS.known() for name in parameters_of(condition)}
    return tuple(name for name in PARAMETERS if name in used)
