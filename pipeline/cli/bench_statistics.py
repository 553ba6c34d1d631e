"""How often the intervals of the fits cover a truth that is known, by simulation."""

from collections.abc import Iterator, Sequence
from typing import Any

from ...tasks.numerics.machine import one_blas_thread
from ...tasks.statistics.law_simulations import NAMES, SCATTERS, measure_law_coverage
from ...tasks.statistics.simulations import TRUTHS, Truth, measure_coverage

LAW_TRIALS = 16
BY_DEPTH = (1.0, 0.97, 0.9, 0.8)  # ceilings of 1, 2, 3 and 4 layers
# Laws that scatter, with equal and other ceilings; other curves; and two groups of eight of which
# only a part of the curve is seen.
LAWS: tuple[dict[str, Any], ...] = (
    *({"tau": tau, "ceiling": top} for top in (1.0, 0.9, BY_DEPTH) for tau in SCATTERS),
    {"tau": 0.05, "link": "cloglog", "is_log": False},
    {"tau": 0.05, "link": "loglog"},
    {"tau": 0.05, "ends": {3: 0.0, 7: -1.0}},
)


def truths() -> Sequence[Truth]:
    """Give the truths that are simulated."""
    return TRUTHS


def laws() -> int:
    """Count the laws that are simulated."""
    return len(LAWS)


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
    """Measure the coverage of a law's exponents, the rows of each law together.

    Args:
        runs: simulated laws of each kind.
        seed: of the outcomes.
    """
    for law in LAWS:
        with one_blas_thread():
            measured = measure_law_coverage(trials=LAW_TRIALS, runs=runs, seed=seed, **law)
        ceiling = law.get("ceiling", 1.0)
        yield [
            {
                "tau": law["tau"],
                "ceiling": "by depth" if ceiling == BY_DEPTH else ceiling,
                "link": law.get("link", "logit"),
                "axis": "log" if law.get("is_log", True) else "linear",
                "partly_seen": len(law.get("ends", ())),
                "coefficient": name,
                "covered": float(measured.covered[number]),
                "covered_low": float(measured.low[number]),
                "covered_high": float(measured.high[number]),
                "bias": float(measured.bias[number]),
                "half_width": float(measured.half_width[number]),
                "mean_tau": measured.tau,
                "groups": measured.groups,
                "ms_a_fit": measured.milliseconds,
            }
            for number, name in enumerate(NAMES)
        ]
