"""What trials cost that place themselves, next to a uniform grid, by simulation."""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ...tasks.numerics.machine import one_blas_thread
from ...tasks.statistics.outcomes import ABOVE, BELOW, NEVER
from ...tasks.statistics.placement import KNOWN, MOST
from ...tasks.statistics.placement_simulation import (
    ENDING_TRUTHS,
    PLACED_TRUTHS,
    PlacedTruth,
    measure_cost,
    simulate_group,
    uniform_cost,
)

ENDINGS = (NEVER, ABOVE, BELOW, KNOWN, MOST)


def truths() -> int:
    """Count the curves that are simulated."""
    return len(PLACED_TRUTHS)


def truths_outside() -> int:
    """Count the curves without a 50 % point among the values."""
    return len(ENDING_TRUTHS)


def cost_rows(runs: int, seed: int) -> Iterator[dict[str, Any]]:
    """Measure the trials of groups and of the uniform grid, a row for each truth.

    Args:
        runs: simulated groups, and grids of each size, for each truth.
        seed: of the outcomes.
    """
    for truth in PLACED_TRUTHS:
        with one_blas_thread():
            cost = measure_cost([simulate_group(truth, seed, number) for number in range(runs)])
            uniform = uniform_cost(truth, cost.half_width, runs, seed)
        ratio = uniform.trials / cost.trials
        error = math.hypot(cost.trials_error / cost.trials, uniform.error / uniform.trials)
        yield {
            **_named(truth),
            "trials": cost.trials,
            "rounds": cost.rounds,
            "half_width": cost.half_width,
            "covered": cost.covered,
            "covered_low": cost.covered_low,
            "covered_high": cost.covered_high,
            "bias": cost.bias,
            "bias_error": cost.bias_error,
            "known": cost.known,
            "uniform_trials": uniform.trials,
            "ratio": ratio,
            "ratio_error": ratio * error,
            "constant": math.sqrt(cost.trials) * truth.precision / truth.scale,
        }


def ending_rows(runs: int, seed: int) -> Iterator[dict[str, Any]]:
    """Count how groups end that have no 50 % point among their values, a row for each truth.

    Args:
        runs: simulated groups for each truth.
        seed: of the outcomes.
    """
    for truth in ENDING_TRUTHS:
        with one_blas_thread():
            groups = [simulate_group(truth, seed, number) for number in range(runs)]
        ends = Counter(group.ending for group in groups)
        yield {
            **_named(truth),
            "p50": truth.point if truth.ceiling > 0.5 else None,
            "trials": sum(group.fit.trials for group in groups) / runs,
            "most_trials": max(group.fit.trials for group in groups),
            **{end: ends[end] for end in ENDINGS},
        }


def _named(truth: PlacedTruth) -> dict[str, Any]:
    return {
        "link": truth.link,
        "scale": truth.scale,
        "ceiling": truth.ceiling,
        "precision": truth.precision,
    }
