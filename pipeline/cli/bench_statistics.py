"""How often the intervals of the fits cover a truth that is known, by simulation."""

from collections.abc import Iterator, Sequence
from typing import Any

from ...tasks.numerics.machine import one_blas_thread
from ...tasks.statistics.law_simulations import NAMES, SCATTERS, measure_law_coverage
from ...tasks.statistics.simulations import TRUTHS, Truth, measure_coverage

LAW_TRIALS = 16
LAW_CEILINGS = (1.0, 0.9)


def truths() -> Sequence[Truth]:
    """Give the truths that are simulated."""
    return TRUTHS


def laws() -> int:
    """Count the laws that are simulated."""
    return len(LAW_CEILINGS) * len(SCATTERS)


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
            "covered_alone": measured.alone,
            "bias": measured.bias,
            "width": measured.width,
            "rejected": measured.rejected,
            "ms_a_fit": measured.milliseconds,
        }


def law_rows(runs: int, seed: int) -> Iterator[list[dict[str, Any]]]:
    """Measure the coverage of a law's exponents, the rows of each scatter and ceiling together.

    Args:
        runs: simulated laws for each of them.
        seed: of the outcomes.
    """
    for ceiling in LAW_CEILINGS:
        for tau in SCATTERS:
            with one_blas_thread():
                measured = measure_law_coverage(tau, LAW_TRIALS, runs, seed, ceiling)
            yield [
                {
                    "tau": tau,
                    "ceiling": ceiling,
                    "coefficient": name,
                    "covered": float(measured.covered[number]),
                    "covered_low": float(measured.low[number]),
                    "covered_high": float(measured.high[number]),
                    "half_width": float(measured.half_width[number]),
                    "mean_tau": measured.tau,
                    "ms_a_fit": measured.milliseconds,
                }
                for number, name in enumerate(NAMES)
            ]
