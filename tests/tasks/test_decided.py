"""What outcomes decide: the direction of a transition, and what shared draws can tell."""

import math

import numpy as np
import pytest
import xarray as xr

from genprior.tasks.statistics import fit_transition, fit_transitions
from genprior.tasks.statistics.transitions import decided_direction

pytestmark = pytest.mark.filterwarnings("error")

LN20 = math.log(20)


def labelled(outcomes: np.ndarray) -> xr.DataArray:
    """Outcomes of shape (values, trials) along m."""
    m = 4.0 * np.arange(1, len(outcomes) + 1)
    return xr.DataArray(outcomes.astype(float), dims=("m", "trial"), coords={"m": m})


@pytest.mark.parametrize(
    ("evidence", "expected", "direction", "is_open"),
    [
        (0.0, None, 1, True),
        (-2.9, None, -1, True),
        (-3.1, None, -1, False),
        (LN20, None, 1, False),
        (-2.9, 1, 1, False),
        (-3.1, 1, 1, True),
        (-2 * LN20 + 0.1, 1, 1, True),
        (-2 * LN20, 1, -1, False),
        (2.9, -1, -1, False),
        (6.1, -1, 1, False),
    ],
)
def test_an_expected_direction_stands_until_outcomes_outweigh_its_odds(
    evidence: float, expected: int | None, direction: int, is_open: bool
) -> None:
    assert decided_direction(evidence, expected) == (direction, is_open)


@pytest.mark.parametrize("failed", [4, 9])
def test_one_failure_does_not_open_the_expected_direction(failed: int) -> None:
    """The 50 % point is below the values, wherever the one failure of 100 trials is."""
    outcomes = np.ones((10, 10))
    outcomes[failed, 0] = 0
    fit = fit_transitions(labelled(outcomes), "m", expected=1, floor=0.0)
    assert (fit["direction"].item(), fit["outcome"].item()) == (1, "below")
    if failed == 4:
        assert "direction-open" not in fit["flag"].item()
        assert 4 <= fit["p50_high"].item() < 12


def test_what_is_decided_does_not_depend_on_the_level_that_is_reported() -> None:
    k, n = np.array([0, 1, 2, 1]), np.full(4, 8)
    fits = [fit_transition([4, 8, 12, 16], k, n, direction=1, level=level) for level in (0.5, 0.95)]
    assert fits[0].outcome == fits[1].outcome
    assert fits[0].p50_high < fits[1].p50_high


def test_draws_that_turn_back_tell_the_point_and_not_the_width() -> None:
    """Thresholds of 40 draws are spread over the values; then some fail again further on."""
    begins = np.repeat(np.arange(1, 9), 5)
    outcomes = np.arange(10)[:, None] >= begins
    nested = fit_transitions(labelled(outcomes), "m", expected=1, clustered=True)
    assert "not-nested" not in nested["flag"].item()
    assert math.isfinite(nested["width"].item())
    turned = outcomes.copy()
    turned[9, begins == 4] = False
    fit = fit_transitions(labelled(turned), "m", expected=1, clustered=True)
    assert fit["flag"].item().startswith("not-nested")
    assert np.isnan([fit[name].item() for name in ("width", "width_high", "p10", "p90")]).all()
    assert fit["p50_low"] < nested["p50"] < fit["p50_high"]


def test_draws_that_fall_are_nested_the_other_way_round() -> None:
    outcomes = np.arange(10)[:, None] < np.repeat(np.arange(1, 9), 5)
    fit = fit_transitions(labelled(outcomes), "m", expected=-1, clustered=True)
    assert (fit["direction"].item(), fit["flag"].item()) == (-1, "")


def test_a_shared_draw_speaks_once_for_a_direction() -> None:
    """Five draws at twenty values are not a hundred trials."""
    outcomes = np.arange(20)[:, None] >= np.array([8, 9, 10, 11, 12])
    shared, apart = (
        fit_transitions(labelled(outcomes), "m", clustered=clustered)["evidence"].item()
        for clustered in (True, False)
    )
    assert 0 < shared < apart / 2
