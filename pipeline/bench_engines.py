"""The fast engine beside the plain one: the same runs, timed in turn."""

import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..sweeps import Grid, load_sweep
from ..tasks.instance import draw_instance
from ..tasks.point import Point
from ..tasks.solvers.descent import Descent, Verdict
from ..tasks.solvers.subgradient import ENGINES

PRESET = "cocola-fig1"
LONG_TAIL = (3, 40)  # depth and k of the runs with the longest tails that still converge
ROUNDS = 9  # of a small shape, whose runs last milliseconds
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
# Other losses that the fast engine serves, each with this network.
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
        """How many times faster the descent is."""
        return self.plain_seconds / self.fast_seconds

    @property
    def trial_ratio(self) -> float:
        """How many times faster the trial is, its draws included."""
        return (self.plain_seconds + self.draw_seconds) / (self.fast_seconds + self.draw_seconds)


def compare_point(point: Point, trials: Iterable[int], seed: int) -> Iterator[Comparison]:
    """Run trials of a point by both engines, the first one in turn."""
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
    """Whether two runs took the same steps and negations to the same verdict; how codes differ."""
    outcomes = [(run.steps, run.verdict, run.state.negations) for run in (plain, fast)]
    with np.errstate(invalid="ignore", over="ignore"):
        size = max(float(np.linalg.norm(plain.state.code)), np.finfo(float).tiny)
        difference = float(np.linalg.norm(fast.state.code - plain.state.code)) / size
    return outcomes[0] == outcomes[1], difference


def preset_points() -> int:
    """How many points `cocola-fig1` has."""
    return int((~Grid(load_sweep(PRESET)).excluded).sum())


def compare_preset(trials: int) -> Iterator[tuple[dict[str, Any], list[Comparison]]]:
    """Compare the engines on the first trials of every point of `cocola-fig1`."""
    grid = Grid(load_sweep(PRESET))
    for index in np.ndindex(grid.shape):
        if not grid.excluded[index]:
            point = grid.point(index)
            found = list(compare_point(point, range(trials), grid.sweep.seed))
            yield point_row(point, found), found


def point_row(point: Point, found: list[Comparison]) -> dict[str, Any]:
    """What is told of a point."""
    converged = [one.ratio for one in found if one.verdict is Verdict.CONVERGED]
    others = [one.ratio for one in found if one.verdict is not Verdict.CONVERGED]
    return {
        "depth": point.depth,
        "k": point.k,
        "trials": len(found),
        "same": sum(one.same for one in found),
        "code_difference": max(one.difference for one in found),
        "converged": len(converged),
        "ratio_converged": float(np.median(converged)) if converged else None,
        "ratio_budget": float(np.median(others)) if others else None,
        "ratio_trial": float(np.median([one.trial_ratio for one in found])),
    }


def summary_rows(found: list[tuple[dict[str, Any], list[Comparison]]]) -> list[dict[str, Any]]:
    """Medians over the mix of runs, beside what is asked of them."""
    runs = [(row, one) for row, comparisons in found for one in comparisons]
    converged = [(row, one) for row, one in runs if one.verdict is Verdict.CONVERGED]
    kinds = {
        "runs that converge": ([one.ratio for _, one in converged], 5.0),
        "long tails (3 layers, k = 40)": (
            [one.ratio for row, one in converged if (row["depth"], row["k"]) == LONG_TAIL],
            7.0,
        ),
        "runs that spend the budget": (
            [one.ratio for _, one in runs if one.verdict is not Verdict.CONVERGED],
            2.5,
        ),
        "whole trials, draws included": ([one.trial_ratio for _, one in runs], None),
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
    """Small, narrow, flat and large shapes of compressed sensing, and other losses."""
    shapes: list[dict[str, Any]] = [
        {"k": k, "depth": len(widths), "widths": widths, "m": m} for k, widths, m in SHAPES
    ]
    solver = {"max_steps": 1000}
    return [
        Point.model_validate({**written, "solver": solver})
        for written in (*shapes, *({**NETWORK, **loss} for loss in LOSSES))
    ]


def compare_others(points: Iterable[Point]) -> Iterator[dict[str, Any]]:
    """Time both engines on three trials of each point; medians over rounds."""
    for point in points:
        ratios, same, total = [], 0, 0
        for trial in range(3):
            rounds = [next(compare_point(point, [trial], seed=1)) for _ in range(ROUNDS)]
            ratios.append(float(np.median([one.ratio for one in rounds])))
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
