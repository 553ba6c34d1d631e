"""Where trials are placed, when a group ends, and what that costs in a simulation."""

import json
import math

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.random import default_rng
from numpy.testing import assert_array_equal
from scipy.stats import binom

from genprior.pipeline.cli import main
from genprior.pipeline.cli.bench_recovery import recovery_rows
from genprior.pipeline.executors.synchronous import Synchronous
from genprior.tasks.statistics import placement, placement_simulation
from genprior.tasks.statistics.counts import tried
from genprior.tasks.statistics.outcomes import ABOVE, BELOW, NEVER
from genprior.tasks.statistics.placement import (
    ANCHORS,
    BATCH,
    KNOWN,
    LEAST,
    achieved,
    ending,
    first_round,
    next_round,
    predicted_trials,
    round_size,
    seen,
)
from genprior.tasks.statistics.placement_simulation import (
    PLACED_TRUTHS,
    PlacedTruth,
    measure_cost,
    simulate_group,
    uniform_cost,
    uniform_values,
)
from genprior.tasks.statistics.transitions import fit_with_curves

VALUES = np.arange(20, 181)
HOLES = np.concatenate([np.arange(20, 52), np.arange(58, 64, 2), np.arange(75, 181)])
SCALE = 0.2
POINT = 60.0


def certain(values, direction=1):
    """Outcomes in which about as many trials succeed at each value as the curve says.

    Of four trials at a value, those succeed whose quantile is below the curve.
    """
    at = np.repeat(values, 4)
    quantiles = np.tile([0.125, 0.375, 0.625, 0.875], len(values))
    chance = 1 / (1 + np.exp(-direction * np.log(at / POINT) / SCALE))
    return at, quantiles < chance


@pytest.fixture(scope="module", params=[1, -1])
def known(request):
    """What 160 trials say about a curve whose 50 % point is 60."""
    at, succeeded = certain(np.arange(25, 105, 2), request.param)
    return seen(at, succeeded, direction=request.param, floor=0.0)


@pytest.mark.parametrize(("trials", "size"), [(0, 16), (95, 16), (96, 32), (480, 160), (500, 160)])
def test_a_round_has_a_third_of_the_trials_before_it_in_whole_batches(trials, size):
    assert round_size(trials) == size


def test_the_first_round_covers_the_logarithm_evenly():
    """Each of 16 equal parts of ln 9 has a trial, give or take the rounding to integers."""
    placed = first_round(VALUES, 16, default_rng(1))
    part = np.log(9) / 16
    begins = np.log(20) + part * np.arange(16)
    rounding = np.log(1 + 0.5 / placed)
    assert (np.log(placed) >= begins - rounding).all()
    assert (np.log(placed) <= begins + part + rounding).all()


def test_the_first_round_covers_a_range_with_0_evenly():
    placed = first_round(np.arange(161), 16, default_rng(1))
    begins = 10 * np.arange(16)
    assert ((placed >= begins - 0.5) & (placed <= begins + 10.5)).all()


def test_only_allowed_values_are_placed(known):
    assert np.isin(first_round(HOLES, 64, default_rng(2)), HOLES).all()
    placed = next_round(known, HOLES, 256, default_rng(2))
    assert np.isin(placed, HOLES).all()
    assert {58, 60, 62} <= set(placed.tolist())


def test_a_single_allowed_value_is_placed():
    assert_array_equal(first_round([40], 3, default_rng(0)), [40, 40, 40])


def test_trials_concentrate_half_a_scale_from_the_50_percent_point(known):
    """With s = 0.2, without anchors and noise, trials are at 60·e^±0.1 = 54 and 66."""
    placed = next_round(known, VALUES, 64, default_rng(3))
    off = np.abs(np.log(placed / known.fit.p50)) / SCALE
    anchors = 64 // ANCHORS
    assert np.count_nonzero(off < 2) >= 64 - anchors
    assert np.count_nonzero(off > 2) >= anchors / 2
    near = placed[off < 2]
    assert 0.2 < (near < known.fit.p50).mean() < 0.8


def test_anchors_are_on_the_side_of_success(known):
    """Also where success falls with the value: only there a ceiling shows."""
    placed = next_round(known, VALUES, 64, default_rng(4))
    far = np.log(placed / known.fit.p50)[np.abs(np.log(placed / known.fit.p50)) > 2 * SCALE]
    assert far.size >= 64 // ANCHORS / 2
    assert (np.sign(far) == known.fit.direction).all()


def test_equal_streams_place_equal_values(known):
    for place in (first_round, lambda *given: next_round(known, *given)):
        one, again = (place(VALUES, 32, default_rng(5)) for _ in range(2))
        assert_array_equal(one, again)
        assert (one != place(VALUES, 32, default_rng(6))).any()


def test_the_order_of_the_trials_does_not_matter(known):
    at, succeeded = certain(np.arange(25, 105, 2), known.fit.direction)
    order = default_rng(1).permutation(at.size)
    shuffled = seen(at[order], succeeded[order], direction=known.fit.direction, floor=0.0)
    assert shuffled.fit == known.fit


def test_pooling_hardly_changes_the_interval(known):
    """40 values are pooled; ends move by less than a tenth of the half-width."""
    direction = known.fit.direction
    at, succeeded = certain(np.arange(25, 105, 2), direction)
    counts = tried(at, succeeded, np.ones(at.size))
    pooled = placement._pooled(counts, (direction,)).x
    assert pooled.size < counts.x.size
    assert_array_equal(pooled[[0, -1]], counts.x[[0, -1]])
    whole, _ = fit_with_curves(counts, direction=direction, expected=None, floor=0.0)
    half = (whole.p50_high - whole.p50_low) / 2
    for name in ("p50", "p50_low", "p50_high"):
        assert abs(getattr(known.fit, name) - getattr(whole, name)) < half / 10


def test_few_positions_are_fitted_as_they_are():
    counts = tried(np.arange(1, 21), np.arange(20) > 9, np.ones(20))
    assert placement._pooled(counts, (1,)) is counts


def test_a_group_ends_when_its_precision_is_reached(known):
    half_width = (known.fit.p50_high - known.fit.p50_low) / 2 / known.fit.p50
    assert ending(known, 1.01 * half_width, VALUES) == KNOWN
    assert ending(known, 0.99 * half_width, VALUES) == ""


def test_few_trials_do_not_end_a_group():
    """A steep curve is known after few trials, but their intervals hold the truth too rarely."""
    for trials, end in ((LEAST - 1, ""), (LEAST, KNOWN)):
        at = np.linspace(50, 70, trials).round()
        assert ending(seen(at, at > 60, direction=1, floor=0.0), 0.2, VALUES) == end


@pytest.mark.parametrize(
    ("direction", "fails", "succeeds"), [(1, ABOVE, BELOW), (-1, BELOW, ABOVE)]
)
def test_a_group_ends_where_all_trials_have_one_outcome(direction, fails, succeeds):
    placed = first_round(VALUES, 64, default_rng(7))
    for outcome, end in ((False, fails), (True, succeeds)):
        known = seen(placed, np.full(64, outcome), direction=direction, floor=0.0)
        assert ending(known, 0.05, VALUES) in ((end, NEVER) if not outcome else (end,))
        few = seen(placed[:16], np.full(16, outcome), direction=direction, floor=0.0)
        assert ending(few, 0.05, VALUES) == ""


def test_a_group_ends_where_success_stays_below_one_half():
    """One of ten trials succeeds at each value: the Wilson bounds are below ½."""
    at = np.repeat([20, 40, 80, 160, 180], 40)
    known = seen(at, np.arange(200) % 10 == 0, direction=1, floor=0.0)
    assert ending(known, 0.05, VALUES) == NEVER


def test_predicted_trials_grow_with_the_square_of_scale_over_precision():
    assert predicted_trials(0.01, 0.05) == LEAST
    assert predicted_trials(0.21, 0.05) == 534  # 533.6
    one = predicted_trials(0.5, 0.05)
    assert math.isclose(predicted_trials(1.0, 0.05), 4 * one, rel_tol=0.01)
    assert predicted_trials(0.5, 0.1) < one


@pytest.mark.slow
def test_simulated_intervals_hold_the_truth():
    """Of 20 groups as many as one in a thousand such tests would at least have at .93."""
    runs = 20
    groups = [simulate_group(PlacedTruth(0.1, 0.15), 3, number) for number in range(runs)]
    cost = measure_cost(groups)
    assert {group.ending for group in groups} == {KNOWN}
    assert round(cost.covered * runs) >= binom.ppf(1e-3, runs, 0.93)
    assert cost.half_width <= 0.15
    assert LEAST <= cost.trials < 4 * LEAST
    assert abs(cost.bias) < 0.1


def test_a_simulated_group_repeats():
    one, again, other = (simulate_group(PlacedTruth(0.1, 0.2), 3, n) for n in (1, 1, 2))
    assert one == again
    assert one.point != other.point


@pytest.mark.parametrize(
    ("truth", "end"),
    [
        (PlacedTruth(0.1, 0.05, point=900.0), (ABOVE, NEVER)),
        (PlacedTruth(0.1, 0.05, point=4.0), (BELOW,)),
    ],
)
def test_a_simulated_group_outside_the_values_ends_early(truth, end):
    """Far above, one outcome is all there is: nothing tells "above" from "never"."""
    group = simulate_group(truth, 1, 0)
    assert group.ending in end
    assert group.fit.trials <= 256


def test_the_most_trials_end_a_group():
    """The round after 96 trials would have 32; only one batch of them is left."""
    group = simulate_group(PlacedTruth(0.3, 0.001), 1, 0, most=120)
    assert (group.fit.trials, group.ending) == (120 // BATCH * BATCH, placement.MOST)


def test_the_trials_of_the_uniform_grid_are_between_two_sizes():
    """Half-way in the logarithm between the half-widths of 4 and 8 trials a value, at 20 values."""
    values, truth = uniform_values(), PlacedTruth(0.3, 0.1)
    assert (values[0], values[-1], values.size) == (20, 180, 20)
    wide, narrow = (placement_simulation._half_widths(truth, each, 4, 1).mean() for each in (4, 8))
    assert narrow < wide
    uniform = uniform_cost(truth, math.sqrt(wide * narrow), 4, 1)
    assert uniform.trials == pytest.approx(20 * math.sqrt(4 * 8))
    assert uniform.error > 0


@pytest.mark.slow
def test_the_bench_prints_both_tables(monkeypatch):
    monkeypatch.setattr("genprior.pipeline.cli.bench_adaptive.PLACED_TRUTHS", PLACED_TRUTHS[:1])
    endings = placement_simulation.ENDING_TRUTHS[2:]
    monkeypatch.setattr("genprior.pipeline.cli.bench_adaptive.ENDING_TRUTHS", endings)
    command = ["bench", "adaptive", "--runs", "2"]
    answered = CliRunner().invoke(main, [*command, "--json"])
    assert answered.exit_code == 0, answered.output
    found = json.loads(answered.stdout)
    (cost,), (end,) = found["costs"], found["endings"]
    assert (cost["scale"], cost["precision"], cost["known"]) == (0.05, 0.05, 1.0)
    assert cost["ratio"] == pytest.approx(cost["uniform_trials"] / cost["trials"])
    assert cost["covered_low"] <= cost["covered"] <= cost["covered_high"]
    assert end["p50"] == 6.0
    assert sum(end[name] for name in (NEVER, ABOVE, BELOW, KNOWN, placement.MOST)) == 2
    shown = CliRunner().invoke(main, command).stdout
    assert "uniform trials" in shown
    assert "endings of groups" in shown


@pytest.mark.slow
def test_the_bench_of_recoveries_finds_one_point_in_both_ways(monkeypatch):
    """The grid gets more trials until it is as precise as what is asked, or has all it may have."""
    changes = {"DEPTHS": (2,), "VALUES": 6, "FIRST": 2, "MOST": 4}
    for name, value in changes.items():
        monkeypatch.setattr(f"genprior.pipeline.cli.bench_recovery.{name}", value)
    placed, uniform = recovery_rows(0.5, Synchronous())
    assert (placed["way"], uniform["way"]) == ("placed", "uniform grid")
    assert uniform["trials"] % 6 == 0
    assert uniform["half_width"] <= 0.5 or uniform["trials"] == 6 * 4
    for found in (placed, uniform):
        assert 15 < found["p50_low"] < 39 < found["p50_high"] < 135
        width = found["p50_high"] - found["p50_low"]
        assert found["half_width"] == pytest.approx(width / 2 / found["p50"])
        assert 0 < found["seconds"] < found["elapsed"]


def test_a_group_goes_on_while_another_50_percent_point_is_not_ruled_out():
    """From a run: the true 50 % point is near 33, and by chance 26 fails and 27 succeeds."""
    failed = (
        "6 9 11 14 16 21 28 84 19 22 25 28 33 36 36 22 29 30 43 83 6 21 22 22 22 23 25 27 27 29 "
        "23 25 25 25 26 26 26 26 26 26 26 27 32 37"
    )
    succeeded = (
        "37 46 56 67 99 137 184 201 31 31 31 34 36 36 37 53 240 27 27 27 27 27 32 32 33 34 38 240 "
        "28 31 41 42 45 164 27 28"
    )
    at = np.array([*failed.split(), *succeeded.split()], dtype=float)
    known = seen(at, np.arange(at.size) >= len(failed.split()), direction=1, floor=0.0)
    assert achieved(known.fit) < 0.05
    assert ending(known, 0.05, np.arange(6, 241)) == ""
