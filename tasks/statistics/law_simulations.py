"""Simulated scaling laws whose exponents are known: how often their intervals cover them."""

import time
from typing import NamedTuple

import numpy as np
from numpy.random import Generator, default_rng

from .counts import Counts
from .intervals import wilson_interval
from .links import Floats
from .scaling import descent_scale, fit_law_of_groups

# A star: (k, depth, n) of each group.
STAR = np.array(
    [(6, 2, 1200), (12, 2, 1200), (24, 2, 1200), (48, 2, 1200),
     (12, 1, 300), (12, 2, 300), (12, 3, 300), (12, 4, 300)], dtype=float
)  # fmt: skip
NAMES = ("constant", "k", "depth", "log n")
EXPONENTS = np.array([0.6, 0.9, 0.38, -0.39])  # of ln m at 50 % success
POSITIONS, REACH = 12, 4.5  # of each group, over so many scales on each side
SCATTERS = (0.0, 0.05, 0.1)


class LawCoverage(NamedTuple):
    """How often the 95 % intervals of the exponents cover them.

    Attributes:
        covered: share of the runs, for each coefficient, shape (4,).
        low: lower Wilson bounds, which show the Monte-Carlo error.
        high: upper bounds.
        half_width: medians of half the length of the intervals.
        tau: mean of the estimated scatter.
        milliseconds: processor time of a fit.
    """

    covered: Floats
    low: Floats
    high: Floats
    half_width: Floats
    tau: float
    milliseconds: float


def measure_law_coverage(
    tau: float, trials: int, runs: int, seed: int, ceiling: float = 1.0
) -> LawCoverage:
    """Fit simulated stars, and count how often the intervals cover the exponents.

    Args:
        tau: scatter of the thresholds about the law.
        trials: at each of the 12 positions of a group.
        runs: number of simulated stars.
        seed: of the outcomes.
        ceiling: level at which success ends.
    """
    generator = default_rng(seed)
    k, depth, n = STAR.T
    columns = {"k": np.log(k), "depth": depth, "log n": np.log(np.log(n))}
    design = np.column_stack([np.ones(k.size), *columns.values()])
    stars = [_star(design @ EXPONENTS, tau, trials, ceiling, generator) for _ in range(runs)]
    begun = time.process_time()
    fits = [fit_law_of_groups(star, columns, ("k", "depth")).regression for star in stars]
    spent = time.process_time() - begun
    low, high = (np.array([getattr(fit, end) for fit in fits]) for end in ("low", "high"))
    covered = ((low <= EXPONENTS) & (high >= EXPONENTS)).sum(axis=0)
    bounds = wilson_interval(covered, np.full(covered.shape, runs))
    return LawCoverage(
        covered / runs,
        *bounds,
        np.median((high - low) / 2, axis=0),
        float(np.mean([fit.tau for fit in fits])),
        1e3 * spent / runs,
    )


def _star(
    law: Floats, tau: float, trials: int, ceiling: float, generator: Generator
) -> list[Counts]:
    """Draw the outcomes of all groups, whose transitions are as wide as those of descent."""
    k, depth, _ = STAR.T
    found = []
    for middle, scale in zip(law, descent_scale(k, depth), strict=True):
        threshold = middle + tau * generator.normal()
        positions = np.unique(
            np.round(np.exp(middle + scale * np.linspace(-REACH, REACH, POSITIONS)))
        )
        u = (np.log(positions) - threshold) / scale - np.log(2 * ceiling - 1)
        wins = generator.binomial(trials, ceiling / (1 + np.exp(-u))).astype(float)
        found.append(Counts(positions, wins, np.full(positions.size, float(trials))))
    return found
