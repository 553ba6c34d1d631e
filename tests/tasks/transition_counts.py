"""Counts of successes along an axis whose success curve is known."""

import math

import numpy as np

GRID = np.arange(20.0)
UNEVEN = np.array([*range(5, 61, 5), 70, 80, 100, 150], dtype=float)
LN9 = math.log(9)


def probability(positions, centre, scale, direction=1, ceiling=1.0):
    return ceiling / (1 + np.exp(np.clip(-direction * (positions - centre) / scale, -700, 700)))


def step(positions, centre, trials):
    """Perfectly separated counts: all fail below the centre, all succeed above."""
    return trials * (positions > centre), np.full(positions.shape, trials)


def crossing(centre, scale, ceiling, direction=1):
    """Where success is 50 %: C σ(z) = ½ at z = ln(½/(C − ½))."""
    return centre + direction * scale * math.log(0.5 / (ceiling - 0.5))


def expected_counts(positions, centre, scale, trials, direction=1, ceiling=1.0):
    """Counts without noise, as near to n·p as whole numbers come."""
    successes = np.rint(trials * probability(positions, centre, scale, direction, ceiling))
    return successes, np.full(positions.shape, trials)
