"""Which sweeps can place their trials along an axis, and which values of it rules leave."""

import numpy as np
import pytest
from helpers import recovery_sweep, refused

from genprior.sweeps import Grid, Sweep, SweepError
from genprior.sweeps.placing import allowed_values, excluded_groups, over_values


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (["adaptive.along=solver.step", "solver.step=0.5,0.7"], "solver.step"),
        (["adaptive.along=zebra"], "zebra"),
        (["m=7"], "'m'"),
        (["m=2,3000000"], "3,000,000"),
        (['paired=["m"]'], "paired"),
        (["adaptive.precision=0"], "adaptive.precision"),
        (["adaptive.precision=1.2"], "adaptive.precision"),
        (["adaptive.most=20"], "adaptive.most"),
    ],
)
def test_what_cannot_be_placed_is_refused(settings: list[str], named: str) -> None:
    with refused(SweepError, named):
        recovery_sweep("adaptive.precision=0.1").override(settings)


def test_an_axis_that_others_follow_from_cannot_be_placed() -> None:
    table = {"widths": {"by": "m", "table": {"3": [15, 20], "5": [15, 30]}}}
    with refused(SweepError, "widths", "m"):
        recovery_sweep(
            "m=3,5", "adaptive.precision=0.1",
            parameters={"depth": 2}, dependent=table,
        )  # fmt: skip


def ruled(*rules: str, **axes: object) -> Sweep:
    return recovery_sweep(
        axes={"k": [2, 4], "m": [2, 40], **axes},
        exclude=list(rules),
        adaptive={"precision": 0.1},
    )


@pytest.mark.parametrize(
    "rules",
    [
        ["k == 4 and m < 10", "k == 4 and m > 11"],
        ["m < 9", "12 <= m"],
        ["m != 17"],
        ["m <= 3.5 and k == 2", "m > k and k == 2"],
        ["m < k", "m > k and m != 30.0", "k == 2 and m == 30"],
        ["m >= 2 and m <= 40 and k == 2", "m > 6.5"],
    ],
)
def test_a_group_is_excluded_if_no_whole_number_is_left(rules: list[str]) -> None:
    """Also if the rules leave neither end of the axis."""
    sweep = ruled(*rules)
    all_values = Grid(over_values(sweep, range(2, 41), trials=1))
    found = excluded_groups(Grid(sweep))
    np.testing.assert_array_equal(found, all_values.excluded.all(axis=1))
    for group in np.flatnonzero(~found):
        left = np.flatnonzero(~all_values.excluded[group]) + 2
        np.testing.assert_array_equal(allowed_values(sweep, (int(group),)), left)


def test_the_grid_has_the_values_at_which_exclusions_begin_and_end() -> None:
    grid = Grid(ruled("k == 2 and m > 7", "m == 20"))
    assert grid.axes["m"] == [2, 7, 8, 20, 21, 40]
    assert grid.sweep.axes["m"] == [2, 40]
    assert Grid(ruled("k == 4")).axes["m"] == [2, 40]


def test_rules_about_what_follows_from_the_axis_are_refused() -> None:
    """Here k = 2 s, with s along which trials are placed."""
    sweep = recovery_sweep(
        axes={"noise.sigma": [0.0, 0.1], "sparsity": [1, 8]},
        parameters={"generator": "sparse", "m": 9, "n": 12},
        fit={"along": "sparsity"},
        adaptive={"precision": 0.1},
        exclude=["noise.sigma == 0.1 and k > 6"],
    )
    with refused(SweepError, "exclude", "'k'", "'sparsity'"):
        Grid(sweep)


def test_numbers_that_agree_in_12_digits_are_one_edge() -> None:
    sweep = ruled("m <= 19.9999999999999 and k == 2", "m >= 22 and k == 2")
    assert allowed_values(sweep, (0,)).tolist() == [21]
    assert not excluded_groups(Grid(sweep)).any()
