"""Intervals of a single success rate, after Wilson."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import binomtest

from genprior.tasks.statistics.intervals import wilson_interval

pytestmark = pytest.mark.filterwarnings("error")


def test_wilson_interval_of_8_in_10_matches_the_hand_computation():
    """With z = 1.959964, z²/2 = 1.92073, z²/4 = 0.960365.

    Centre (8 + 1.92073)/13.84146 = 0.716741, half-width z √(8·2/10 + z²/4)/13.84146 = 0.226578.
    """
    low, high = wilson_interval(8, 10)
    assert_allclose([low, high], [0.716741 - 0.226578, 0.716741 + 0.226578], atol=2e-6)


@pytest.mark.parametrize("level", [0.68, 0.95, 0.999])
@pytest.mark.parametrize(("k", "n"), [(0, 7), (7, 7), (1, 3), (30, 400)])
def test_wilson_interval_agrees_with_scipy(k, n, level):
    theirs = binomtest(k, n).proportion_ci(confidence_level=level, method="wilson")
    assert_allclose(wilson_interval(k, n, level), [theirs.low, theirs.high], atol=1e-12)


def test_wilson_interval_broadcasts_and_knows_nothing_without_trials():
    low, high = wilson_interval([[0], [0]], [0, 5, 1_000_000])
    assert low.shape == high.shape == (2, 3)
    assert (low[0, 0], high[0, 0]) == (0, 1)
    assert (low[1] == 0).all()
    assert (np.diff(high[1]) < 0).all()
