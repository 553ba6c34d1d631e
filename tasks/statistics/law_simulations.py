"""Simulated scaling laws whose exponents are known: how often their intervals cover them."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from numpy.random import Generator, default_rng

from .counts import Counts
from .group_laws import descent_scale, fit_law_of_groups
from .intervals import wilson_interval
from .links import LINKS, Floats, Link

# A star: (k, depth, n) of each group.
STAR = np.array(
    [(6, 2, 1200), (12, 2, 1200), (24, 2, 1200), (48, 2, 1200),
     (12, 1, 300), (12, 2, 300), (12, 3, 300), (12, 4, 300)], dtype=float
)  # fmt: skip
NAMES = ("constant", "k", "depth", "log n")
EXPONENTS = np.array([0.6, 0.9, 0.38, -0.39])  # of ln m at 50 % success
POSITIONS, REACH = 12, 4.5  # of each group, over so many scales on each side
DEPTHS = 4
SCATTERS = (0.0, 0.05, 0.1)


class LawCoverage(NamedTuple):
    """How often the 95 % intervals of the exponents cover them.

    Attributes:
        covered: share of the fits, for each coefficient, shape (4,).
        low: lower Wilson bounds, which show the Monte-Carlo error.
        high: upper bounds.
        half_width: medians of half the length of the intervals.
        tau: mean of the estimated scatter.
        milliseconds: processor time of a fit.
        bias: means of the estimates less the exponents, shape (4,).
        bias_error: standard errors of `bias`.
        fitted: share of the runs with a fit; in the others too few groups enter.
        groups: mean number of groups that enter.
    """

    covered: Floats
    low: Floats
    high: Floats
    half_width: Floats
    tau: float
    milliseconds: float
    bias: Floats
    bias_error: Floats
    fitted: float
    groups: float


def measure_law_coverage(
    tau: float,
    trials: int,
    runs: int,
    seed: int,
    ceiling: float | Sequence[float] = 1.0,
    *,
    link: str = "logit",
    is_log: bool = True,
    ends: Mapping[int, float] | None = None,
) -> LawCoverage:
    """Fit simulated stars, and count how often the intervals cover the exponents.

    Args:
        tau: scatter of the thresholds about the law.
        trials: at each of the 12 positions of a group.
        runs: number of simulated stars.
        seed: of the outcomes.
        ceiling: level at which success ends; a number, or one for each depth 1 … 4.
        link: name of the link of all curves.
        is_log: whether the curves are functions of the logarithm of the position.
        ends: by number of a group, where its positions end, in scales above the law's threshold;
            the others reach 4.5 scales to either side.

    Raises:
        ValueError: no run has a fit.
    """
    generator = default_rng(seed)
    k, depth, n = STAR.T
    columns = {"k": np.log(k), "depth": depth, "log n": np.log(np.log(n))}
    law = np.column_stack([np.ones(k.size), *columns.values()]) @ EXPONENTS
    ceilings = np.broadcast_to(np.asarray(ceiling, dtype=float), DEPTHS)[depth.astype(int) - 1]
    curves = _Curves(LINKS[[known.name for known in LINKS].index(link)], is_log, ceilings)
    stars = [curves.star(law, tau, trials, ends or {}, generator) for _ in range(runs)]
    begun, laws = time.process_time(), []
    for star in stars:
        with suppress(ValueError):
            laws.append(fit_law_of_groups(star, columns, ("k", "depth")))
    spent = time.process_time() - begun
    if not laws:
        raise ValueError("in no run enough groups enter the law.")
    fits = [law.regression for law in laws]
    best = np.array([fit.coefficients for fit in fits])
    low, high = (np.array([getattr(fit, end) for fit in fits]) for end in ("low", "high"))
    covered = ((low <= EXPONENTS) & (high >= EXPONENTS)).sum(axis=0)
    bounds = wilson_interval(covered, np.full(covered.shape, len(fits)))
    return LawCoverage(
        covered / len(fits),
        *bounds,
        np.median((high - low) / 2, axis=0),
        float(np.mean([fit.tau for fit in fits])),
        1e3 * spent / runs,
        best.mean(axis=0) - EXPONENTS,
        best.std(axis=0) / np.sqrt(len(fits)),
        len(fits) / runs,
        float(np.mean([len(law.used) for law in laws])),
    )


class _Curves(NamedTuple):
    """The success curves of the groups of a star, as wide as the transitions of descent."""

    link: Link
    is_log: bool
    ceilings: Floats

    def star(
        self,
        law: Floats,
        tau: float,
        trials: int,
        ends: Mapping[int, float],
        generator: Generator,
    ) -> list[Counts]:
        """Draw the outcomes of all groups."""
        k, depth, _ = STAR.T
        scales, found = descent_scale(k, depth), []
        shifts = self.link.inverse(0.5 / self.ceilings)
        for number, (middle, scale) in enumerate(zip(law, scales, strict=True)):
            threshold = middle + tau * generator.normal()
            reach = np.linspace(-REACH, ends.get(number, REACH), POSITIONS)
            positions = np.unique(np.round(np.exp(middle + scale * reach)))
            away = np.log(positions) - threshold
            steepness = self.link.width / (LINKS[0].width * scale)
            u = steepness * (away if self.is_log else np.expm1(away))
            chance = self.ceilings[number] * self.link.parts(u + shifts[number]).value
            wins = generator.binomial(trials, chance).astype(float)
            found.append(Counts(positions, wins, np.full(positions.size, float(trials))))
        return found
