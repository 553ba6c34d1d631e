"""Simulated groups whose trials place themselves: what they cost, and whether intervals hold."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from ...sweeps.placing import BATCH, MOST
from .intervals import wilson_interval
from .links import LINKS, Floats
from .placement import KNOWN, achieved, ending, first_round, next_round, round_size, seen
from .placement import MOST as ALL_USED
from .transitions import Transition

VALUES = np.arange(20, 181)  # that may be placed: a factor of 9
MIDDLE, AROUND = 60.0, 0.5  # the 50 % point is anywhere within this of ln 60, in the logarithm
GRID = 20  # values of the uniform grid
FEWEST = 2  # trials of each of them, to begin with; doubled until the interval is short enough
MOST_EACH = 4096

Chance = Callable[[Floats], Floats]


class PlacedTruth(NamedTuple):
    """A curve over the logarithm of a value, along which trials place themselves.

    Attributes:
        scale: 10–90 % width over 4.394, in the logarithm of the value.
        precision: half-width of the interval over the 50 % point, at which a group ends.
        ceiling: level at which success ends.
        link: name of the link.
        point: the 50 % point, or the middle of the curve where the ceiling is below ½; None if it
            is anywhere within a factor of 1.65 of the middle of the values.
    """

    scale: float
    precision: float
    ceiling: float = 1.0
    link: str = "logit"
    point: float | None = None


# Steep and wide curves, ceilings, another shape.
PLACED_TRUTHS = (
    *(PlacedTruth(scale, 0.05) for scale in (0.05, 0.08, 0.12, 0.2)),
    *(PlacedTruth(scale, 0.1) for scale in (0.2, 0.3)),
    *(PlacedTruth(0.2, 0.1, ceiling) for ceiling in (0.9, 0.8)),
    PlacedTruth(0.2, 0.1, link="cloglog"),
)
# Success that never reaches one half, or does so above or below all values.
ENDING_TRUTHS = (
    PlacedTruth(0.2, 0.05, ceiling=0.3, point=MIDDLE),
    PlacedTruth(0.2, 0.05, point=600.0),
    PlacedTruth(0.2, 0.05, point=6.0),
)


class Group(NamedTuple):
    """A simulated group at its end.

    Attributes:
        point: its true 50 % point.
        fit: of its trials.
        rounds: number of rounds.
        ending: why it ended.
    """

    point: float
    fit: Transition
    rounds: int
    ending: str


class Cost(NamedTuple):
    """What groups of one truth cost, and whether their intervals hold.

    Attributes:
        trials: mean number of trials.
        trials_error: its standard error.
        rounds: mean number of rounds.
        covered: share of the 95 % intervals that hold the 50 % point.
        covered_low: lower Wilson bound of that share.
        covered_high: upper bound.
        half_width: mean half-width of the interval, over the 50 % point.
        bias: mean of the logarithm of the fitted over the true 50 % point.
        bias_error: its standard error.
        known: share of the groups that ended with their precision.
    """

    trials: float
    trials_error: float
    rounds: float
    covered: float
    covered_low: float
    covered_high: float
    half_width: float
    bias: float
    bias_error: float
    known: float


class Uniform(NamedTuple):
    """The trials with which a uniform grid has a half-width, and their standard error."""

    trials: float
    error: float


def simulate_group(truth: PlacedTruth, seed: int, number: int, most: int = MOST) -> Group:
    """Place trials in rounds until the group ends, as a run does.

    Args:
        truth: from which outcomes are drawn.
        seed: of the simulation.
        number: of the group; equal numbers have equal streams.
        most: number of trials after which the group ends in any case, here in whole batches that
            are not more.
    """
    point, chance, outcomes = _drawn(truth, seed, number)
    values, successes = np.empty(0, np.int64), np.empty(0, bool)
    rounds, known = 0, None
    while True:
        size = min(round_size(values.size), most // BATCH * BATCH - values.size)
        stream = default_rng([seed, number, rounds + 1])
        if known is None:
            placed = first_round(VALUES, size, stream)
        else:
            placed = next_round(known, VALUES, size, stream)
        rounds += 1
        values = np.append(values, placed)
        successes = np.append(successes, outcomes.random(size) < chance(placed.astype(float)))
        known = seen(values, successes, direction=1, floor=0.0)
        why = ending(known, truth.precision, VALUES)
        if why or values.size + BATCH > most:
            return Group(point, known.fit, rounds, why or ALL_USED)


def measure_cost(groups: list[Group]) -> Cost:
    """Summarise groups of one truth."""
    points = np.array([group.point for group in groups])
    found = np.array([(g.fit.p50, g.fit.p50_low, g.fit.p50_high, g.fit.trials) for g in groups])
    median, low, high, trials = found.T
    covered = int(((low <= points) & (points <= high)).sum())
    bounds = wilson_interval(covered, points.size)
    off = np.log(median / points)
    return Cost(
        float(trials.mean()),
        _error(trials),
        float(np.mean([group.rounds for group in groups])),
        covered / points.size,
        float(bounds[0]),
        float(bounds[1]),
        float(np.mean([achieved(group.fit) for group in groups])),
        float(off.mean()),
        _error(off),
        float(np.mean([group.ending == KNOWN for group in groups])),
    )


def uniform_cost(truth: PlacedTruth, half_width: float, runs: int, seed: int) -> Uniform:
    """Find the trials with which a uniform grid has this mean half-width over the 50 % point.

    The grid has 20 values, evenly spaced in the logarithm, with equal trials. Their number is
    doubled until the half-width is reached, and interpolated between the last two numbers, in the
    logarithms of both.
    """
    each, shorter = FEWEST, _half_widths(truth, FEWEST, runs, seed)
    longer = shorter
    while not shorter.mean() <= half_width and each < MOST_EACH:
        longer, each = shorter, 2 * each
        shorter = _half_widths(truth, each, runs, seed)
    if longer is shorter or not shorter.mean() <= half_width:
        return Uniform(math.nan, math.nan)
    means = np.log([longer.mean(), shorter.mean()])
    errors = np.array([_error(longer), _error(shorter)]) / np.exp(means)
    slope = math.log(2) / (means[0] - means[1])
    share = (means[0] - math.log(half_width)) / (means[0] - means[1])
    trials = float(GRID * each / 2 * 2**share)
    error = float(slope) * math.hypot((1 - share) * errors[0], share * errors[1])
    return Uniform(trials, trials * error)


def uniform_values() -> NDArray[np.int64]:
    """Give the values of the uniform grid."""
    shares = np.linspace(0, 1, GRID)
    values = np.round(VALUES[0] * (VALUES[-1] / VALUES[0]) ** shares)
    return np.asarray(values, dtype=np.int64)


def _half_widths(truth: PlacedTruth, each: int, runs: int, seed: int) -> Floats:
    """Fit uniform grids of so many trials a value; give their half-widths, shape (runs,)."""
    values = np.repeat(uniform_values(), each)
    widths = []
    for number in range(runs):
        _, chance, outcomes = _drawn(truth, seed, number)
        successes = outcomes.random(values.size) < chance(values.astype(float))
        fit = seen(values, successes, direction=1, floor=0.0).fit
        widths.append((fit.p50_high - fit.p50_low) / 2 / fit.p50)
    return np.array(widths)


def _drawn(truth: PlacedTruth, seed: int, number: int) -> tuple[float, Chance, Generator]:
    """Give the 50 % point of a group, its curve, and the stream of its outcomes."""
    outcomes = default_rng([seed, number, 0])
    point = MIDDLE * math.exp(outcomes.uniform(-AROUND, AROUND))
    if truth.point is not None:
        point = truth.point
    link = next(link for link in LINKS if link.name == truth.link)
    scale = truth.scale * LINKS[0].width / link.width
    reaches = truth.ceiling > 0.5
    at_half = float(link.inverse(np.array(0.5 / truth.ceiling))) if reaches else 0.0

    def chance(values: Floats) -> Floats:
        u = np.log(values / point) / scale + at_half
        return np.asarray(truth.ceiling * link.parts(u).value)

    return point if reaches else math.inf, chance, outcomes


def _error(numbers: Floats) -> float:
    """Give the standard error of a mean; NaN of one number."""
    if numbers.size < 2:
        return math.nan
    return float(numbers.std(ddof=1)) / math.sqrt(numbers.size)
