"""The plain functions refuse, in one line, what is no outcome, count, position or law."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from genprior.tasks.statistics import (
    compare_rates,
    compare_transitions,
    fit_laws,
    fit_scaling,
    fit_transition,
    fit_transitions,
    over_values,
    success_rate,
    wilson_interval,
)

pytestmark = pytest.mark.filterwarnings("error")

X, K, N = [10, 20, 30, 40, 50], [0, 2, 10, 18, 20], [20] * 5
OUTCOMES = xr.DataArray(
    np.repeat([[0.0, 0, 1, 1]], 3, axis=0)[..., None] * np.ones(6),
    dims=("k", "m", "trial"),
    coords={"k": [1, 2, 3], "m": [4, 8, 12, 16]},
)
PLACED = xr.DataArray(  # of k = 2 one trial is not asked
    [[0.0, 1, 1], [0, 0, np.nan]],
    dims=("k", "probe"),
    coords={
        "k": [1, 2],
        "m": (("k", "probe"), [[4.0, 9, 9], [4, 4, np.nan]]),
        "trial": (("k", "probe"), [[0.0, 0, 1], [0, 1, np.nan]]),
    },
)
ERRORS = OUTCOMES + 0.1
LOG_K = np.log(OUTCOMES.k)


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (lambda: fit_transition(X, K, N, floor=1000), "floor is 1000; .* position, 10"),
        (lambda: fit_transition(X, K, N, floor=math.nan), "floor is nan"),
        (lambda: fit_transition(X, [0.5, *K[1:]], N), r"successes\[0\] is 0.5; give whole numbers"),
        (lambda: fit_transition(X, K, [1e300] * 5), r"trials\[0\] is 1e\+300"),
        (lambda: fit_transition(np.array(X) * 1e-310, K, N), r"positions\[0\] is .*; choose units"),
        (lambda: fit_transition(np.array(X) * 1e200, K, N), r"positions\[0\] is .*; choose units"),
        (lambda: fit_transition(np.array(X, "M8[s]"), K, N), "dtype datetime64"),
        (lambda: success_rate(-OUTCOMES.astype("int8")), "success holds -1"),
        (lambda: success_rate(OUTCOMES.astype(str)), "success holds '0.0'"),
        (lambda: success_rate(OUTCOMES.rename(k="rate")), "'rate' has the name of a result"),
        (lambda: success_rate(OUTCOMES.isel(trial=0)), "not 'trial'"),
        (lambda: fit_transitions(PLACED, "m"), "are placed: use over_values"),
        (lambda: over_values(PLACED, "n"), "no coordinate 'n' along 'probe'"),
        (lambda: over_values(OUTCOMES, "m"), "no coordinate 'm' along 'probe'"),
        (lambda: fit_transitions(OUTCOMES.rename(k="failures"), "m"), "'failures' has the name"),
        (lambda: fit_transition(X, K, N, floor="0"), "floor is '0'"),
        (lambda: fit_transitions(OUTCOMES, "trial"), "along is 'trial'"),
        (lambda: fit_scaling(OUTCOMES[..., :0], "m", {"k": LOG_K}), "no trials"),
        (lambda: fit_scaling(OUTCOMES, "m", {"constant": LOG_K}), "terms names 'constant'"),
        (lambda: fit_laws(ERRORS, OUTCOMES, {}), "claimed is empty"),
        (lambda: fit_laws(ERRORS, OUTCOMES, {"n": 1.0}), "no positions along 'n'"),
        (lambda: fit_laws(ERRORS, OUTCOMES, {"k": math.inf}), r"claimed\['k'\] is inf"),
        (lambda: fit_laws(ERRORS, OUTCOMES, {"k": 1.0}, shared=["m"]), "shared names 'm'"),
        (lambda: fit_laws(ERRORS.astype(object), OUTCOMES, {"k": 1.0}), "dtype object"),
        (lambda: fit_laws(ERRORS, 2 * OUTCOMES, {"k": 1.0}), "success holds 2"),
        (lambda: fit_laws(ERRORS, OUTCOMES.assign_coords(k=[4, 5, 6]), {"k": 1.0}), "align"),
        (
            lambda: fit_laws(ERRORS.assign_coords(k=[1, 1, 2]), None, {"k": 1.0}),
            "'k' has a value twice",
        ),
        (lambda: wilson_interval(1, 2, 1 - 1e-16), "level"),
    ],
)  # fmt: skip
def test_one_line_names_what_is_wrong(refused: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        refused()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("measure", [success_rate, lambda found: fit_transitions(found, "m")])
def test_a_dataset_is_no_variable(measure: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"success is a Dataset; .*dataset\['success'\]"):
        measure(OUTCOMES.to_dataset(name="success"))


@pytest.mark.parametrize("end", [1e-99, 1e99])
def test_positions_of_any_ordinary_size_give_points_in_proportion(end: float) -> None:
    fit, plain = (fit_transition(np.array(X) * unit, K, N, direction=1) for unit in (end / 50, 1))
    assert_allclose([fit.p50, fit.p50_low], np.array([plain.p50, plain.p50_low]) * end / 50)


def test_a_point_far_below_the_span_of_the_positions_is_that_of_its_neighbours() -> None:
    """Twelve decades: the seven without successes add nothing."""
    x, k, n = 10.0 ** np.arange(-12, 1), np.array([20, 18, 3] + [0] * 10), np.full(13, 20)
    fit = fit_transition(x, k, n, direction=-1, floor=0)
    near = fit_transition(x[:6], k[:6], n[:6], direction=-1, floor=0)
    assert 1e-11 < fit.p50_low < fit.p50 < fit.p50_high < 1e-10
    for end in ("p50", "p50_low", "p50_high"):
        assert getattr(fit, end) == pytest.approx(getattr(near, end), rel=0.1)


def test_positions_that_differ_by_rounding_are_one() -> None:
    x = [*X, np.nextafter(10, 11)]
    fit = fit_transition(x, [*K, 5], [*N, 20], direction=1)
    pooled = fit_transition(X, [5, *K[1:]], [40, *N[1:]], direction=1)
    assert (fit.p50, fit.trials) == (pooled.p50, pooled.trials)


@pytest.mark.parametrize("reference", [-1, 3, "1", True])
def test_the_reference_is_an_index_of_the_axis(reference: Any) -> None:
    fitted = fit_transitions(OUTCOMES, "m")
    for compare in (
        lambda: compare_rates(OUTCOMES, "k", reference, paired=False),
        lambda: compare_transitions(OUTCOMES, fitted, "k", reference, paired=False),
    ):
        with pytest.raises(ValueError, match=r"reference is .*; it is an index along 'k', from 0"):
            compare()


def test_what_is_compared_are_outcomes_and_their_own_fits() -> None:
    with pytest.raises(ValueError, match="success holds 2"):
        compare_rates(2 * OUTCOMES, "k", 0, paired=False)
    other = fit_transitions(OUTCOMES.assign_coords(k=[4, 5, 6]), "m")
    with pytest.raises(ValueError, match="other labels"):
        compare_transitions(OUTCOMES, other, "k", 0, paired=False)
