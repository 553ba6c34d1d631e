"""Simulated transitions whose truth is known: how often the intervals of the fits cover it."""

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.random import Generator, default_rng

from .counts import Counts
from .intervals import wilson_interval
from .links import LINKS, Floats
from .mixture import Mixture
from .posterior import Model, posterior
from .transitions import fit_transition

POSITIONS = np.arange(1.0, 21.0)
OFFSET = 0.5  # the 50 % point is anywhere within this distance of the middle of the positions


class Truth(NamedTuple):
    """A transition from which outcomes are drawn.

    Attributes:
        link: name of the link.
        scale: 10–90 % width over 4.394, the scale s of a logistic curve as wide; in units of the
            distance of two positions, or of the logarithm of the position.
        trials: at each of the 20 positions.
        ceiling: level at which success ends.
        is_log: whether the curve has this shape over the logarithm of the position.
        correlation: ρ of the successes of one position; 0 for binomial counts.
        scatter: of the fit.
        shared: whether all positions share their draws: each draw succeeds from one position on.
    """

    link: str
    scale: float
    trials: int = 30
    ceiling: float = 1.0
    is_log: bool = False
    correlation: float = 0.0
    scatter: str = "auto"
    shared: bool = False


# Steep and wide transitions, ceilings, other shapes, logarithmic axes, and overdispersion.
TRUTHS = (
    *(Truth("logit", scale) for scale in (5.0, 2.0, 1.0, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02)),
    *(Truth("logit", 0.5, ceiling=ceiling) for ceiling in (0.95, 0.9, 0.8)),
    *(Truth(link, 2.0, trials) for link in ("cloglog", "loglog") for trials in (30, 300)),
    Truth("logit", 3.0, 300),
    *(Truth(link, 0.3, trials, is_log=True) for link in ("logit", "cloglog", "loglog")
      for trials in (30, 300)),
    Truth("logit", 1.5, correlation=0.1),
    Truth("logit", 1.5, correlation=0.1, scatter="beta-binomial"),
    Truth("logit", 1.5, scatter="beta-binomial"),
    *(Truth("logit", scale, shared=True) for scale in (5.0, 1.0)),
)  # fmt: skip


class Coverage(NamedTuple):
    """How often the 95 % interval of the 50 % point covers the truth.

    Attributes:
        covered: share of the runs.
        alone: the same of one shape alone, logistic on a linear axis.
        low: lower Wilson bound of that share, which shows the Monte-Carlo error.
        high: upper bound.
        bias: mean of the medians less the truth, in units of the positions.
        width: median length of the interval.
        rejected: share of the runs whose χ² test rejects the curve at .01.
        milliseconds: processor time of a fit.
    """

    covered: float
    alone: float
    low: float
    high: float
    bias: float
    width: float
    rejected: float
    milliseconds: float


def draw_outcomes(truth: Truth, generator: Generator) -> tuple[float, Floats, Floats | None]:
    """Draw a 50 % point, and the successes at every position, shape (20,).

    Where draws are shared, also the numbers of draws with 0 … 20 failures.
    """
    link = next(link for link in LINKS if link.name == truth.link)
    middle = float(POSITIONS.mean() + generator.uniform(-OFFSET, OFFSET))
    scale = truth.scale * LINKS[0].width / link.width
    t, point = (
        (np.log(POSITIONS), np.log(middle)) if truth.is_log else (POSITIONS, np.float64(middle))
    )
    at_half = float(link.inverse(np.array(0.5 / truth.ceiling)))
    chance = truth.ceiling * link.parts((t - point) / scale + at_half).value
    if truth.correlation:
        strength = 1 / truth.correlation - 1
        chance = generator.beta(
            np.maximum(chance * strength, 1e-12), np.maximum((1 - chance) * strength, 1e-12)
        )
    if not truth.shared:
        return middle, generator.binomial(truth.trials, chance).astype(float), None
    begins = np.searchsorted(chance, generator.random(truth.trials))
    draws = np.bincount(begins, minlength=POSITIONS.size + 1).astype(float)
    return middle, np.cumsum(draws)[:-1], draws


def measure_coverage(truth: Truth, runs: int, seed: int) -> Coverage:
    """Fit simulated outcomes, and count how often the interval covers the 50 % point.

    Args:
        truth: from which outcomes are drawn.
        runs: number of simulated transitions.
        seed: of the outcomes.
    """
    generator = default_rng(seed)
    trials = np.full(POSITIONS.size, truth.trials)
    begun = time.process_time()
    found = list(_fits(truth, runs, generator, trials))
    spent = time.process_time() - begun
    points, medians, lows, highs, p_values = np.array([numbers for numbers, _ in found]).T
    alone = [
        bool(low <= numbers[0] <= high)
        for numbers, counts in found
        for low, high in [_of_one_shape(counts)]
    ]
    covered = int(((lows <= points) & (points <= highs)).sum())
    low, high = wilson_interval(covered, runs)
    return Coverage(
        covered / runs,
        float(np.mean(alone)),
        float(low),
        float(high),
        float((medians - points).mean()),
        float(np.median(highs - lows)),
        float((p_values < 0.01).mean()),
        1e3 * spent / runs,
    )


def _fits(
    truth: Truth, runs: int, generator: Generator, trials: Floats
) -> Iterator[tuple[tuple[float, ...], Counts]]:
    for _ in range(runs):
        point, successes, draws = draw_outcomes(truth, generator)
        fit = fit_transition(
            POSITIONS,
            successes,
            trials,
            expected=1,
            floor=0.0,
            scatter=truth.scatter,
            draws=draws,
        )
        numbers = (point, fit.p50, fit.p50_low, fit.p50_high, fit.fit_p)
        yield numbers, Counts(POSITIONS, successes, trials, draws)


@np.errstate(under="ignore")
def _of_one_shape(counts: Counts) -> tuple[float, float]:
    """Give the 95 % interval of the 50 % point of a logistic curve on a linear axis."""
    fits = posterior(counts, 1, 0.0, [Model(LINKS[0], is_log=False)])
    low, high = Mixture(fits, 1, counts.x).points(0.5, np.array([0.025, 0.975])).tolist()
    return low, high
