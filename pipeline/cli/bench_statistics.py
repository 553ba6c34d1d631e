"""How often the intervals of the fits cover a truth that is known, by simulation."""

from collections.abc import Iterator, Sequence
from typing import Any

from ...tasks.numerics.machine import one_blas_thread
from ...tasks.statistics.simulations import TRUTHS, Truth, measure_coverage


def truths() -> Sequence[Truth]:
    """Give the truths that are simulated."""
    return TRUTHS


def coverage_rows(runs: int, seed: int) -> Iterator[dict[str, Any]]:
    """Measure the coverage for every truth, a row for each.

    Args:
        runs: simulated transitions for each truth.
        seed: of the outcomes.
    """
    for truth in TRUTHS:
        with one_blas_thread():
            measured = measure_coverage(truth, runs, seed)
        yield {
            "link": truth.link,
            "axis": "log" if truth.is_log else "linear",
            "scale": truth.scale,
            "ceiling": truth.ceiling,
            "trials": truth.trials,
            "rho": truth.correlation,
            "scatter": truth.scatter,
            "shared": truth.shared,
            "covered": measured.covered,
            "covered_low": measured.low,
            "covered_high": measured.high,
            "bias": measured.bias,
            "width": measured.width,
            "rejected": measured.rejected,
            "ms_a_fit": measured.milliseconds,
        }
