"""Real recoveries that place themselves, next to a uniform grid of the same precision."""

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...store import load_results, read_info
from ...sweeps import load_sweep
from ...sweeps.placing import adapted
from ..analyses import Request
from ..analyses.transition import Transition
from ..executors.base import Executor
from ..fit.fitting import compute
from ..run.runner import run_sweep

ENDS = (15, 135)  # of m
VALUES = 20  # of the grid, evenly spaced in the logarithm
FIRST = 16  # trials of a value
STEP = 1.25  # the number grows by no more at a time, so that it ends little above what is needed
MOST = 400
DEPTHS = (2, 3)


def ways() -> int:
    """Count the runs that are compared."""
    return 2 * len(DEPTHS)


def recovery_rows(precision: float, executor: Executor) -> Iterator[dict[str, Any]]:
    """Find m at 50 % success for the networks of Cocola's Fig. 1 at k = 20, in both ways.

    Args:
        precision: half-width of the 95 % interval over the 50 % point at which both end, if the
            grid does not need more than `MOST` trials of a value.
        executor: where trials run.
    """
    grid = sorted({round(m) for m in np.geomspace(*ENDS, VALUES)})
    for depth in DEPTHS:
        # Independent trials, as placed groups count theirs.
        one = {"depth": depth, "k": 20, "m": grid, "fit.along": "m", "fit.scatter": "binomial"}
        base = load_sweep("cocola-fig1").override(one)
        with tempfile.TemporaryDirectory() as folder:
            placed, uniform = Path(folder, "placed.zarr"), Path(folder, "grid.zarr")
            sweep = adapted(base.override({"m": list(ENDS)}), True, precision)
            elapsed = run_sweep(sweep, placed, executor).wall_seconds
            yield {"depth": depth, "way": "placed", **_found(placed, elapsed)}
            trials, elapsed = FIRST, 0.0
            while True:
                sweep = base.override({"trials": trials})
                elapsed += run_sweep(sweep, uniform, executor).wall_seconds
                found = _found(uniform, elapsed)
                reached = found["half_width"]
                if reached <= precision or trials >= MOST:
                    break
                more = STEP if math.isnan(reached) else min(STEP, (reached / precision) ** 2)
                trials = min(MOST, max(trials + 1, math.ceil(trials * more)))
            yield {"depth": depth, "way": "uniform grid", **found}


def _found(store: Path, elapsed: float) -> dict[str, Any]:
    """Give trials, their seconds and those of the runs, and a store's only 50 % point."""
    request = Request(read_info(store))
    fit = compute(Transition(), request).squeeze()
    seconds = load_results(store, ["seconds"])["seconds"]
    low, point, high = (float(fit[name]) for name in ("p50_low", "p50", "p50_high"))
    return {
        "trials": int(fit["trials"]),
        "seconds": float(seconds.sum()),
        "elapsed": elapsed,
        "p50": point,
        "p50_low": low,
        "p50_high": high,
        "half_width": (high - low) / 2 / point,
    }
