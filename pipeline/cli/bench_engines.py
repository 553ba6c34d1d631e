"""Comparison of the fast engine with the plain one: the same runs, timed in turn."""

import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ...sweeps import Grid, load_sweep
from ...tasks.instance import draw_instance
from ...tasks.point import Point
from ...tasks.solvers.descent import Descent, Verdict
from ...tasks.solvers.subgradient import ENGINES

PRESET = "cocola-fig1"
LONG_TAIL = (3, 40)  # depth and k of the runs with the longest tails that still converge
ROUNDS = 9  # timings of each trial, because runs of a small shape last milliseconds
SHAPES = (
    # k, widths, m
    (1, (1,), 1),
    (1, (12, 8), 3),
    (2, (4, 6), 4),
    (2, (10, 20), 8),
    (3, (30, 30, 30), 20),
    (5, (20,), 12),
    (5, (40, 60), 25),
    (5, (60, 60, 60, 60, 60, 60), 60),
    (10, (50, 100), 40),
    (10, (250, 250), 60),
    (12, (300, 300, 300), 80),
    (20, (100, 80), 300),
    (40, (200, 150), 90),
    (50, (500, 1000, 1500), 300),
    (100, (200, 200), 150),
    (200, (250, 220), 500),
    (200, (700, 650), 300),
)
# Other losses that the fast engine supports, each with this network.
NETWORK: dict[str, Any] = {"k": 20, "depth": 2, "widths": (500, 600)}
LOSSES: tuple[dict[str, Any], ...] = (
    {"problem": "inversion"},
    {"problem": "denoising", "noise": {"sigma": 0.01}},
    {"problem": "phase-retrieval", "m": 300},
    {"problem": "one-bit", "m": 20_000, "dither": {"amplitude": 3.0}},
    {"problem": "compressed-sensing", "m": 150, "ensemble": "subsampled-dct"},
)


class Comparison(NamedTuple):
    """One run by both engines; times in seconds."""

    plain_seconds: float
    fast_seconds: float
    draw_seconds: float
    verdict: Verdict
    same: bool
    difference: float

    @property
    def ratio(self) -> float:
        """The plain engine's time divided by the fast one's, descent only."""
        return self.plain_seconds / self.fast_seconds

    @property
    def trial_ratio(self) -> float:
        """The plain engine's time divided by the fast one's, for the trial with its draws."""
        return (self.plain_seconds + self.draw_seconds) / (self.fast_seconds + self.draw_seconds)


def compare_point(point: Point, trials: Iterable[int], seed: int) -> Iterator[Comparison]:
    """Run trials of a point by both engines; which one runs first alternates."""
    solver = point.solver
    for trial in trials:
        begun = time.perf_counter()
        instance = draw_instance(point, trial, seed)
        drawn = time.perf_counter() - begun
        runs: dict[str, Descent] = {}
        seconds: dict[str, float] = {}
        for engine in ("plain", "fast") if trial % 2 == 0 else ("fast", "plain"):
            begun = time.perf_counter()
            runs[engine] = ENGINES[engine](
                instance.objective, instance.method, instance.start, max_steps=solver.max_steps
            )
            seconds[engine] = time.perf_counter() - begun
        yield Comparison(
            seconds["plain"], seconds["fast"], drawn, runs["plain"].verdict, *agreement(**runs)
        )


def agreement(plain: Descent, fast: Descent) -> tuple[bool, float]:
    """Compare two runs.

    Returns:
        Whether steps, negations and verdict are equal; and the distance of the codes, relative to
        the norm of the plain engine's.
    """
    outcomes = [(run.steps, run.verdict, run.state.negations) for run in (plain, fast)]
    with np.errstate(invalid="ignore", over="ignore"):
        size = max(float(np.linalg.norm(plain.state.code)), np.finfo(float).tiny)
        difference = float(np.linalg.norm(fast.state.code - plain.state.code)) / size
    return outcomes[0] == outcomes[1], difference


def preset_points() -> int:
    """Count the points of `cocola-fig1`."""
    return int((~Grid(load_sweep(PRESET)).excluded).sum())


def compare_preset(trials: int) -> Iterator[tuple[dict[str, Any], list[Comparison]]]:
    """Compare the engines on the first trials of every point of `cocola-fig1`."""
    grid = Grid(load_sweep(PRESET))
    for index in np.ndindex(grid.shape):
        if not grid.excluded[index]:
            point = grid.point(index)
            comparisons = list(compare_point(point, range(trials), grid.sweep.seed))
            yield point_row(point, comparisons), comparisons


def point_row(point: Point, comparisons: list[Comparison]) -> dict[str, Any]:
    """Summarise the comparisons at a point as a row of the table."""
    converged = [run.ratio for run in comparisons if run.verdict is Verdict.CONVERGED]
    others = [run.ratio for run in comparisons if run.verdict is not Verdict.CONVERGED]
    return {
        "depth": point.depth,
        "k": point.k,
        "trials": len(comparisons),
        "same": sum(run.same for run in comparisons),
        "code_difference": max(run.difference for run in comparisons),
        "converged": len(converged),
        "ratio_converged": float(np.median(converged)) if converged else None,
        "ratio_budget": float(np.median(others)) if others else None,
        "ratio_trial": float(np.median([run.trial_ratio for run in comparisons])),
    }


def summary_rows(points: list[tuple[dict[str, Any], list[Comparison]]]) -> list[dict[str, Any]]:
    """Give medians over all runs of each kind, next to the ratio that is required."""
    runs = [(row, run) for row, comparisons in points for run in comparisons]
    converged = [(row, run) for row, run in runs if run.verdict is Verdict.CONVERGED]
    kinds = {
        "runs that converge": ([run.ratio for _, run in converged], 5.0),
        "long tails (3 layers, k = 40)": (
            [run.ratio for row, run in converged if (row["depth"], row["k"]) == LONG_TAIL],
            7.0,
        ),
        "runs that spend the budget": (
            [run.ratio for _, run in runs if run.verdict is not Verdict.CONVERGED],
            2.5,
        ),
        "whole trials, draws included": ([run.trial_ratio for _, run in runs], None),
    }
    return [_ratio_row(name, ratios, asked) for name, (ratios, asked) in kinds.items() if ratios]


def _ratio_row(name: str, ratios: list[float], asked: float | None) -> dict[str, Any]:
    return {
        "runs": name,
        "count": len(ratios),
        "ratio": float(np.median(ratios)),
        "ratio_low": float(np.quantile(ratios, 0.1)),
        "ratio_high": float(np.quantile(ratios, 0.9)),
        "asked": asked,
    }


def other_points() -> list[Point]:
    """Give points of small, narrow, flat and large shapes, and points with other losses."""
    shapes: list[dict[str, Any]] = [
        {"k": k, "depth": len(widths), "widths": widths, "m": m} for k, widths, m in SHAPES
    ]
    solver = {"max_steps": 1000}
    return [
        Point.model_validate({**parameters, "solver": solver})
        for parameters in (*shapes, *({**NETWORK, **loss} for loss in LOSSES))
    ]


def compare_others(points: Iterable[Point]) -> Iterator[dict[str, Any]]:
    """Time both engines on three trials of each point; medians over rounds."""
    for point in points:
        ratios, same, total = [], 0, 0
        for trial in range(3):
            rounds = [next(compare_point(point, [trial], seed=1)) for _ in range(ROUNDS)]
            ratios.append(float(np.median([comparison.ratio for comparison in rounds])))
            same, total = same + rounds[0].same, total + 1
        yield {
            "problem": point.problem,
            "ensemble": point.ensemble,
            "k": point.k,
            "widths": "-".join(map(str, point.widths)),
            "m": point.m or None,
            "trials": total,
            "same": same,
            "ratio": float(np.median(ratios)),
            "ratio_low": min(ratios),
        }
