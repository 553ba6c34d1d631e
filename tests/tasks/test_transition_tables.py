"""Fitted transitions drawn, gathered in datasets and printed; data that are refused."""

from dataclasses import fields
from io import StringIO

import numpy as np
import pytest
import xarray as xr
from helpers import refused
from numpy.testing import assert_allclose
from rich.console import Console
from transition_counts import GRID, expected_counts, probability

from genprior.pipeline.analyses.transition import transitions_as_json
from genprior.pipeline.show.transition_tables import transitions
from genprior.tasks.statistics.fits import TEXT, fit_transitions
from genprior.tasks.statistics.intervals import wilson_interval
from genprior.tasks.statistics.transitions import Transition, curve_band, fit_transition

pytestmark = pytest.mark.filterwarnings("error")


# Drawing


@pytest.mark.parametrize("direction", [1, -1])
def test_the_curve_passes_10_50_and_90_percent_where_the_fit_says(direction):
    """Medians of positions and of success at a position are of one posterior."""
    counts = expected_counts(GRID, 9.3, 1.5, 30, direction)
    fit = fit_transition(GRID, *counts)
    drawn, _, _ = curve_band([fit.p10, fit.p50, fit.p90], GRID, *counts, direction=direction)
    assert_allclose(drawn, [0.1, 0.5, 0.9], atol=0.01)


def test_the_band_holds_the_curve_and_crosses_one_half_at_the_bounds_of_the_threshold():
    """The value p(x) exceeds ½ exactly where the 50 % point is before x.

    So the upper bound reaches ½ at p50_low, and the lower bound at p50_high, to the length of a
    cell (0.05 here) times the slope there, 1/(4s).
    """
    k, n = expected_counts(GRID, 9.3, 1.5, 30)
    fit = fit_transition(GRID, k, n)
    middle, low, high = curve_band(GRID, GRID, k, n, direction=1)
    assert ((low < middle) & (middle < high)).all()
    _, low, high = curve_band([fit.p50_low, fit.p50_high], GRID, k, n, direction=1)
    assert_allclose([high[0], low[1]], 0.5, atol=0.01)


def test_the_band_without_trials_allows_everything():
    _, low, high = curve_band([3.0, 4.0], GRID, np.zeros(20), np.zeros(20), direction=1)
    assert (low < 0.01).all()
    assert (high > 0.98).all()


# Whole datasets


def recovery(seed=5):
    """Success over (depth, k, m, trial); the threshold is 3k, one cell was never run."""
    rng = np.random.default_rng(seed)
    m, k, depth = np.arange(5.0, 65, 5), np.array([5, 10, 15]), np.array([2, 4])
    chance = probability(m, 3.0 * k[:, None], 3.0)[None, :, :, None]
    success = (rng.random((2, 3, m.size, 12)) < chance).astype(float)
    success[rng.random(success.shape) < 0.1] = np.nan
    success[0, 1, 4] = np.nan
    return xr.DataArray(
        success,
        dims=("depth", "k", "m", "trial"),
        coords={
            "depth": ("depth", depth, {"units": "layers"}),
            "k": k,
            "m": ("m", m, {"units": "measurements", "long_name": "m"}),
            "label": ("depth", np.array(["two", "four"], dtype=np.dtypes.StringDType())),
            "tag": ("k", np.array(["a", "b", "c"], dtype=object)),
            "size": (("depth", "k"), depth[:, None] * k),
            "seed": 7,
            "clock": ("trial", np.arange(12)),
        },
    )


def test_a_dataset_of_fits_equals_the_fits_of_its_groups():
    """NaN trials count neither as successes nor as runs."""
    success = recovery()
    fits = fit_transitions(success, "m", level=0.9)
    assert fits["p50"].dims == ("depth", "k")
    for at in ({"depth": 2, "k": 10}, {"depth": 4, "k": 15}):
        values = success.sel(at).values
        runs = (~np.isnan(values)).sum(axis=1)
        wins = np.nansum(values, axis=1)
        alone = fit_transition(success["m"].values, wins, runs, level=0.9)
        for field in fields(Transition):
            kept = fits[field.name].sel(at).item()
            np.testing.assert_equal(kept, getattr(alone, field.name), field.name)
        low, high = wilson_interval(wins, runs, 0.9)
        assert_allclose(fits["success_low"].sel(at), low)
        assert_allclose(fits["success_high"].sel(at), high)
        assert (fits["successes"].sel(at).values == wins).all()
        assert (fits["runs"].sel(at).values == runs).all()
    assert fits["runs"].sel(depth=2, k=10, m=25).item() == 0
    assert fits["success_high"].sel(depth=2, k=10, m=25).item() == 1


def test_the_order_of_the_dimensions_does_not_matter():
    success = recovery()
    turned = success.transpose("trial", "k", "m", "depth")
    fits, same = fit_transitions(success, "m"), fit_transitions(turned, "m")
    xr.testing.assert_identical(fits, same.transpose("depth", "k", "m"))


def test_fits_keep_the_coordinates_and_say_what_they_are():
    fits = fit_transitions(recovery(), "m")
    assert set(fits.coords) == {"depth", "k", "m", "label", "tag", "size", "seed"}
    assert fits["label"].values.tolist() == ["two", "four"]
    assert fits["depth"].attrs == {"units": "layers"}
    assert (fits.attrs["along"], fits.attrs["level"]) == ("m", 0.95)
    assert fits.attrs["method"].startswith("grid posterior")
    for name in fits.data_vars:
        lengths = str(name).startswith(("p10", "p50", "p90", "width"))
        expected = None if name in TEXT else "measurements" if lengths else "1"
        assert fits[name].attrs.get("units") == expected
        assert fits[name].attrs["long_name"]


def test_units_are_not_invented():
    success = recovery()
    del success["m"].attrs["units"]
    assert "units" not in fit_transitions(success, "m")["p50"].attrs


def test_a_single_group_gives_scalars():
    fits = fit_transitions(recovery().isel(depth=0, k=2), "m")
    assert fits["p50"].dims == ()
    assert fits["flag"].dims == ()
    assert fits["runs"].dims == ("m",)
    assert fits["k"].item() == 15


def test_groups_that_were_never_run_and_grids_without_groups_are_no_errors():
    success = recovery()
    success[0] = np.nan
    assert (fit_transitions(success, "m")["flag"].sel(depth=2) == "no-trials").all()
    assert fit_transitions(success[:0], "m")["p50"].shape == (0, 3)


# The printed table


def printed(fits):
    text = StringIO()
    Console(file=text, width=80).print(transitions(transitions_as_json(fits)))
    return text.getvalue()


def test_the_table_tells_ceilings_where_they_are_below_one_and_keeps_to_80_columns():
    """80 trials a position, which all level off at 0.8: 640 on the plateau tell that from 1."""
    m = np.arange(10.0, 120, 10)
    chance = np.stack([probability(m, 34.0, 4.0, ceiling=c) for c in (0.8, 0.8)])
    success = (np.arange(80) + 0.5 < 80 * chance[:, :, None]).astype(float)
    success = xr.DataArray(success, dims=("k", "m", "trial"), coords={"k": [5, 10], "m": m})
    fits = fit_transitions(success, "m")
    row = transitions_as_json(fits)["transitions"][0]
    assert [row[f"ceiling{end}"] for end in ("", "_low", "_high")] == [
        fits[f"ceiling{end}"].values[0] for end in ("", "_low", "_high")
    ]
    shown = printed(fits)
    assert "ceiling, %" in shown
    low, high = (f"{100 * fits[f'ceiling_{end}'].values[0]:.3g}" for end in ("low", "high"))
    assert f"{low} – {high}" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "ceiling: " in shown
    success[:, 3:] = 1
    assert "ceiling" not in printed(fit_transitions(success, "m"))


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (([1, 2], [-1, 0], [3, 3]), ["-1", "3", "(0,)"]),
        (([1, 2], [0, 4], [3, 3]), ["4", "3", "(1,)"]),
        (([1, 2], [0, np.nan], [3, 3]), ["nan", "3"]),
        (([1, 2], [0, 0], [3, np.inf]), ["0", "inf"]),
        (([1, np.inf], [0, 1], [3, 3]), ["1", "inf"]),
        (([1, np.nan], [0, 0], [3, 0]), ["1", "nan"]),
        (([1, 2, 3], [0, 1], [3, 3]), ["(3,)", "(2,)"]),
        (([1, 2], [0, 1, 2], [3, 3]), ["(3,)", "(2,)"]),
        (([1, 2], 1, [3, 3]), ["(2,)"]),
        (([[1, 2]], [[0, 1]], [[3, 3]]), ["(1, 2)"]),
        (([], [], []), ["positions"]),
    ],
)
def test_impossible_counts_and_positions_are_refused_in_one_line(arguments, named):
    with refused(ValueError, *named):
        fit_transition(*arguments)


@pytest.mark.parametrize(
    ("options", "named"), [({"level": 95}, ["level", "95"]), ({"direction": 0}, ["direction", "0"])]
)
def test_impossible_options_are_refused(options, named):
    with refused(ValueError, *named):
        fit_transition([1, 2], [0, 1], [3, 3], **options)


def test_datasets_that_cannot_be_fitted_are_refused():
    success = recovery()
    worded = success.assign_coords(depth=["two", "four"])
    for array, along, named in [
        (success, "n", ["'n'"]),
        (success.isel(trial=0), "m", ["'trial'"]),
        (worded, "depth", ["'depth'"]),
        (success.drop_vars("m"), "m", ["'m'"]),
        (success.fillna(-1), "m", ["success", "-1"]),
        (success.rename(depth="width"), "m", ["'width'"]),
    ]:
        with refused(ValueError, *named):
            fit_transitions(array, along)


def test_both_passes_over_the_groups_say_what_they_count():
    said = []

    def call(function, groups, what):
        said.append((what, len(groups)))
        return [function(group) for group in groups]

    success = xr.DataArray(np.ones((2, 3, 4)), dims=("k", "m", "trial"), coords={"m": [1, 2, 3]})
    fit_transitions(success, "m", call_each=call)
    assert said == [("groups asked for the direction", 2), ("groups fitted", 2)]
    fit_transitions(success, "m", direction=1, call_each=call)
    assert said[2:] == [("groups fitted", 2)]


def test_groups_without_trials_are_fitted_once_for_all():
    called = []

    def call(function, groups, what):
        called.append(len(groups))
        return [function(group) for group in groups]

    success = recovery()
    ran = success.where(success.k == 10)  # four groups of six are empty
    for options in ({}, {"direction": 1}):
        together = fit_transitions(ran, "m", call_each=call, **options)
        empty = together.sel(k=[5, 15])
        assert (empty["outcome"] == "no-trials").all()
        assert empty["p50"].isnull().all()
        alone = fit_transitions(ran.sel(k=[10]), "m", **options)
        xr.testing.assert_identical(together.sel(k=[10]), alone)
    assert called == [2, 2, 2]
    none = fit_transitions(success.where(False), "m", call_each=call)
    assert (none["outcome"] == "no-trials").all()
    assert len(called) == 3
