"""The deterministic conditions of the theory, their constants bounded from below by search."""

from .condition import Condition, bound_constant

__all__ = ["Condition", "bound_constant"]
