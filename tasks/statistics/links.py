"""Shapes of a success curve: three distribution functions, each shifted so that it is ½ at 0."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEEPEST = 500.0  # |u| beyond which a curve has reached its ends; e^500 is finite
LN2 = math.log(2)


class Parts(NamedTuple):
    """A distribution function F and the logarithms of F and of 1 − F."""

    value: Floats
    log: Floats
    log_rest: Floats


class Link(NamedTuple):
    """A shape of success curves.

    Attributes:
        name: its name as the link of a generalised linear model.
        width: length from 10 to 90 %.
        parts: F and its logarithms at arguments of any shape.
        inverse: F⁻¹ of probabilities of any shape.
        density: the derivative of F, from its parts.
    """

    name: str
    width: float
    parts: Callable[[Floats], Parts]
    inverse: Callable[[Floats], Floats]
    density: Callable[[Parts], Floats]


def _logit(u: Floats) -> Parts:
    u = np.clip(u, -STEEPEST, STEEPEST)
    falling = np.exp(-u)
    log = -np.log1p(falling)
    return Parts(1 / (1 + falling), log, log - u)


def _cloglog(u: Floats) -> Parts:
    """F = 1 − exp(−ln 2 · e^u): slow to begin, fast to end."""
    hazard = LN2 * np.exp(np.clip(u, -STEEPEST, STEEPEST / 2))
    value = -np.expm1(-hazard)
    return Parts(value, np.log(value), -hazard)


def _loglog(u: Floats) -> Parts:
    """F = exp(−ln 2 · e^(−u)): fast to begin, slow to end."""
    rest, log_rest, log = _cloglog(-u)
    return Parts(1 - rest, log, log_rest)


LINKS = (
    Link(
        "logit",
        2 * math.log(9),
        _logit,
        lambda q: np.log(q / (1 - q)),
        lambda parts: parts.value * (1 - parts.value),
    ),
    Link(
        "cloglog",
        math.log(math.log(10) / -math.log(0.9)),
        _cloglog,
        lambda q: np.log(-np.log1p(-q) / LN2),
        lambda parts: -parts.log_rest * (1 - parts.value),
    ),
    Link(
        "loglog",
        math.log(math.log(10) / -math.log(0.9)),
        _loglog,
        lambda q: -np.log(-np.log(q) / LN2),
        lambda parts: -parts.log * parts.value,
    ),
)
