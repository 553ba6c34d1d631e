"""Placed trials on a grid: each where it was placed, and NaN everywhere else."""

import numpy as np
import pytest
import xarray as xr

from genprior.tasks.statistics import over_values

PLACES = {
    "m": (("probe", "k"), [[4.0, 4], [9, 4], [9, np.nan]]),
    "trial": (("probe", "k"), [[0.0, 0], [0, 1], [1, np.nan]]),
}


@pytest.fixture
def placed() -> xr.Dataset:
    """Two groups of three probes, of which the last one of k = 2 is not asked."""
    return xr.Dataset(
        {
            "success": (("k", "probe"), [[0.0, 1, 0], [1, 0, np.nan]]),
            "iterations": (("probe", "k"), [[5, 6], [7, 8], [9, -1]]),
            "error": (("k", "probe"), np.array([["", "broke", ""], ["", "", ""]])),
            "gain": ("k", [1.0, 2.0]),
        },
        coords={"k": [1, 2], **PLACES},
        attrs={"title": "placed"},
    )


def test_each_trial_is_where_it_was_placed(placed: xr.Dataset) -> None:
    grid = over_values(placed, "m")
    assert grid.success.dims == ("k", "m", "trial")
    assert grid.m.values.tolist() == [4, 9]
    nan = np.nan
    expected = [[[0, nan], [1, 0]], [[1, 0], [nan, nan]]]
    np.testing.assert_array_equal(grid.success, expected)
    expected = [[[5, nan], [7, 9]], [[6, 8], [nan, nan]]]
    np.testing.assert_array_equal(grid.iterations, expected)
    assert grid.error.sel(k=1, m=9, trial=0).item() == "broke"
    assert grid.error.sel(k=2, m=9, trial=1).item() == ""
    assert (grid.gain.dims, grid.attrs) == (("k",), {"title": "placed"})


def test_an_array_and_a_part_of_a_store_are_taken_too(placed: xr.Dataset) -> None:
    one = over_values(placed.success.sel(k=2), "m")
    assert (one.dims, one.m.values.tolist()) == (("m", "trial"), [4])
    assert one.values.tolist() == [[1, 0]]
    xr.testing.assert_identical(over_values(placed.chunk(), "m"), over_values(placed, "m"))


def test_a_trial_whose_number_is_not_written_yet_is_left_out(placed: xr.Dataset) -> None:
    unknown = placed.assign_coords(trial=placed.trial.where(placed.trial != 1))
    grid = over_values(unknown.success, "m")
    np.testing.assert_array_equal(grid, [[[0], [1]], [[1], [np.nan]]])


def test_no_placed_trial_gives_an_empty_grid(placed: xr.Dataset) -> None:
    assert over_values(placed.isel(probe=[]), "m").success.shape == (2, 0, 1)


def test_what_is_no_result_is_refused() -> None:
    with pytest.raises(TypeError, match="results is a list"):
        over_values([1, 2], "m")  # type: ignore[type-var]
