"""The χ² test of a curve, also where positions have one or two trials each."""

import numpy as np
import pytest

from genprior.tasks.statistics.goodness import FEW, residuals_of
from genprior.tasks.statistics.posterior import Counts, posterior
from genprior.tasks.statistics.transitions import fit_transition


def placed(seed: int, trials: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Single trials of a true logistic curve, near its middle and far from it."""
    random = np.random.default_rng(seed)
    x = np.unique(np.rint(60 * np.exp(random.normal(0, 0.35, trials))), return_inverse=True)
    n = np.bincount(x[1]).astype(float)
    k = random.binomial(n.astype(int), 1 / (1 + np.exp(-np.log(x[0] / 60) / 0.2)))
    return x[0], k.astype(float), n


@pytest.mark.slow
def test_sparse_trials_of_a_true_curve_are_no_misfit() -> None:
    """A test at 10 % rejects about a tenth."""
    fits = [fit_transition(*placed(seed), direction=1, floor=0.0) for seed in range(40)]
    assert sum(fit.fit_p < 0.1 for fit in fits) <= 9
    assert sum(fit.dispersion > 2 for fit in fits) <= 2


def test_single_trials_are_tested_too() -> None:
    """Alone none varies enough to enter, so that there would be no test."""
    x = np.arange(20, 120.0)
    n = np.ones(x.size)
    k = np.random.default_rng(5).binomial(1, 1 / (1 + np.exp(-np.log(x / 60) / 0.2)))
    assert np.isfinite(fit_transition(x, k, n, direction=1, floor=0.0).fit_p)


def test_neighbours_with_few_trials_count_together() -> None:
    x, k, n = placed(3)
    counts = Counts(x, k, n)
    (fit, *_) = posterior(counts, 1, 0.0)
    squares, trials = residuals_of(fit, counts, 1)
    assert 3 < squares.size < x.size / 2
    assert (trials >= 1).all()
    assert np.isfinite(squares).all()


@pytest.mark.parametrize("trials", [FEW, 30])
def test_positions_with_enough_trials_count_alone(trials: int) -> None:
    x = np.arange(1, 21.0)
    n = np.full(20, float(trials))
    share = 1 / (1 + np.exp(-(x - 10.5) / 3))
    counts = Counts(x, np.rint(trials * share), n)
    (fit, *_) = posterior(counts, 1, 0.0)
    expected = n * share * (1 - share) > 0.3
    found = residuals_of(fit, counts, 1)
    assert abs(found.squares.size - expected.sum()) <= 2
    np.testing.assert_allclose(found.trials, trials)
