"""What a fit tells where the 50 % point is outside the values run, or nowhere."""

import json
import math
from io import StringIO

import numpy as np
import pytest
import xarray as xr
from helpers import Scripted, recovery_sweep, tiny_sweep
from rich.console import Console
from scipy.special import expit

from genprior.pipeline import run_sweep
from genprior.pipeline.analyses.comparison import comparison_rows
from genprior.pipeline.analyses.transition import transitions_as_json
from genprior.pipeline.show.comparison_tables import comparisons
from genprior.pipeline.show.transition_tables import transitions
from genprior.store import open_analysis
from genprior.sweeps import Sweep, SweepError
from genprior.sweeps.directions import expected_direction, given_direction, least_value
from genprior.tasks.statistics.comparisons import compare_rates, compare_transitions
from genprior.tasks.statistics.fits import fit_transitions
from genprior.tasks.statistics.shifts import one_curve_p
from genprior.tasks.statistics.transitions import fit_transition, known_part

pytestmark = pytest.mark.filterwarnings("error")

M = np.array([4.0, 8, 12, 16, 20, 25, 30, 48])
RISES = [0, 2, 9, 30, 38, 40, 40, 40]
SPARSE = [2, 1, 0, 0, 0, 0, 0, 0]  # descent through a tent: 3 of 320
FLAT = [20, 19, 21, 22, 18, 20, 21, 19]
CEILING_NEAR_HALF = [0, 0, 0, 0, 0, 5, 12, 18]


def told(successes, trials=40, direction=1, floor=0.0, positions=M):
    successes, counts = (np.broadcast_to(each, len(positions)) for each in (successes, trials))
    return known_part(positions, successes, counts, direction=direction, floor=floor)


def outcomes(**curves):
    """Success over (solver, m, 40 trials), from counts along m; None was not run."""
    success = np.full((len(curves), M.size, 40), np.nan)
    for at, counts in enumerate(curves.values()):
        if counts is not None:
            success[at] = np.arange(40) < np.array(counts)[:, None]
    coords = {"solver": list(curves), "m": ("m", M, {"units": "1"})}
    return xr.DataArray(success, coords, ("solver", "m", "trial"))


def compared(success, **options):
    fitted = fit_transitions(success, "m", floor=0.0, **options)
    rates = compare_rates(success, "solver", 0, paired=True)
    shifts = compare_transitions(success, fitted, "solver", 0, paired=True)
    return rates.merge(shifts, combine_attrs="override").assign_attrs(along="m")


def printed(table):
    text = StringIO()
    Console(file=text, width=100).print(table)
    return text.getvalue()


# One curve


@pytest.mark.parametrize(
    ("successes", "trials", "direction", "expected"),
    [
        pytest.param(40, 40, 1, ("below", None, 4.0), id="all succeed, rising"),
        pytest.param(40, 40, -1, ("above", 48.0, None), id="all succeed, falling"),
        pytest.param(0, 3, 1, ("above", 48.0, None), id="all of few fail, rising"),
        pytest.param(0, 3, -1, ("below", None, 4.0), id="all of few fail, falling"),
        pytest.param(0, 4, 1, ("never", None, None), id="all of four fail: 0 to 49 %"),
        pytest.param(SPARSE, 40, 1, ("never", None, None), id="3 of 320"),
        pytest.param(4, 40, 1, ("never", None, None), id="10 % everywhere"),
        pytest.param(0, 0, 1, ("no-trials", None, None), id="nothing was run"),
    ],
)
def test_outside_the_values_run_a_bound_is_told_and_no_point(
    successes, trials, direction, expected
):
    """Wilson's upper bound of 0 in n is z²/(n + z²), below ½ from n = 4 on (z² = 3.84)."""
    fit = told(successes, trials, direction)
    outcome, *bounds = expected
    assert fit.outcome == outcome
    bounds = [math.nan if bound is None else bound for bound in bounds]
    assert [fit.p50_low, fit.p50_high] == pytest.approx(bounds, rel=0.01, nan_ok=True)
    assert math.isnan(fit.p50)
    assert math.isnan(fit.width)
    assert fit.flag == (fit.outcome if fit.outcome in ("never", "no-trials") else "outside-grid")


def test_a_bound_is_no_nearer_than_the_outcomes_allow():
    """15 of 40 succeed at the last value: the median is above it, the interval begins below.

    A bound at the last value itself would say more than 97.5 % allow.
    """
    counts = [0, 0, 0, 1, 2, 4, 9, 15]
    fit, posterior = told(counts), fit_transition(M, counts, [40] * 8, direction=1, floor=0.0)
    assert (fit.outcome, fit.flag.split(", ")[0]) == ("above", "outside-grid")
    assert fit.p50_low == posterior.p50_low < 48 < posterior.p50
    assert fit.width == posterior.width, "successes and failures tell a width"


@pytest.mark.parametrize("successes", [[28, 30, 36, 38, 40, 40, 40, 40], FLAT, [40] * 8])
def test_no_bound_of_a_count_is_negative(successes):
    """Half a span below 4 is −18; a flat curve's interval reaches there without the floor."""
    fit, free = told(successes), told(successes, floor=None)
    assert not fit.p50_low < 0
    assert not fit.p50_high < 0
    assert not free.p50_low <= -17, "an end that only the prior makes is unknown"


def test_an_end_that_only_the_prior_makes_is_unknown():
    """A falling curve that is one half all along may go on: 70, half a span on, is no end of it."""
    flat = told(20, direction=-1)
    assert math.isnan(flat.p50_high)
    steep = told(RISES)
    assert steep.p50_low < steep.p50 < steep.p50_high
    assert (steep.outcome, steep.flag) == ("inside", "")


@pytest.mark.parametrize(
    ("successes", "words"),
    [
        (FLAT, {"leaves-grid", "low-ceiling"}),
        (CEILING_NEAR_HALF, {"leaves-grid", "low-ceiling"}),
        (RISES, set()),
        (RISES[::-1], {"against-direction"}),
    ],
)
def test_flags_look_at_the_interval(successes, words):
    assert set(filter(None, told(successes).flag.split(", "))) == words


@pytest.mark.parametrize(
    ("k", "outcome"), [(0, "never"), (3, "above"), (5, "inside"), (9, "below")]
)
def test_of_a_single_value_the_share_tells_the_side(k, outcome):
    """Whatever the median's rounding: 5 of 10 is neither."""
    fit = told([k], 10, positions=[25.0])
    assert fit.outcome == outcome
    assert math.isnan(fit.width)


# One direction for all curves


def test_the_outcomes_of_all_groups_together_decide_one_direction():
    """A group that never reaches one half does not vote: it speaks for falling, at e^15 : 1."""
    success = outcomes(sparse=SPARSE, weak=[0, 2, 0, 1, 16, 12, 20, 19], all=[40] * 8, none=None)
    assert fit_transition(M, SPARSE, [40] * 8).direction == -1
    fits = fit_transitions(success, "m")
    assert fits["direction"].values.tolist() == [1, 1, 1, 1]
    assert fits["outcome"].values.tolist()[::2] == ["never", "below"]
    falling = fit_transitions(outcomes(falls=RISES[::-1], rises=CEILING_NEAR_HALF), "m")
    assert falling["direction"].values.tolist() == [-1, -1]
    assert falling["flag"].values.tolist() == ["", "against-direction"]


def test_a_direction_that_is_open_is_said_and_gives_no_bound():
    """All succeed: below the values if success rises, above them if it falls."""
    fit = fit_transitions(outcomes(all=[40] * 8, sparse=SPARSE), "m")
    assert fit["flag"].values.tolist() == ["direction-open, outside-grid", "never"]
    assert fit[["p50_low", "p50_high"]].to_dataarray().isnull().all()
    known = fit_transitions(outcomes(all=[40] * 8), "m", direction=-1)
    assert (known["flag"].item(), known["p50_low"].item()) == ("outside-grid", 48)


SWEEP = {
    "axes": {"k": [2, 4], "m_per_k": [1, 2, 3], "gain": [1.0, 2.0], "noise.sigma": [0, 0.1]},
    "parameters": {"depth": 1, "widths": [40]},
    "dependent": {"m": {"of": "k", "times": "m_per_k"}},
}
FIXED = {"axes": {"k": [2, 4], "m": [3, 4], "noise.snr_db": [10, 20]}, "dependent": {}}
QUIETER = {"noise.sigma": {"by": "m_per_k", "table": {"1": 0.1, "2": 0.2, "3": 0.3}}}


@pytest.mark.parametrize(
    ("axis", "changes", "direction"),
    [
        ("m", FIXED, 1),
        ("k", FIXED, -1),
        ("noise.snr_db", FIXED, 1),
        ("noise.sigma", {}, -1),
        ("m_per_k", {}, 1),
        pytest.param("k", {}, None, id="m grows with k"),
        pytest.param("gain", {}, None, id="nothing is known of it"),
        pytest.param(
            "m_per_k",
            {"axes": {"k": [2], "m_per_k": [1, 2, 3]}, "dependent": SWEEP["dependent"] | QUIETER},
            None,
            id="noise grows with m",
        ),
    ],
)
def test_what_is_known_of_the_axis_says_which_direction_is_expected(axis, changes, direction):
    assert expected_direction(Sweep.parse(SWEEP | changes), axis) == direction


@pytest.mark.parametrize(
    ("fit", "direction"),
    [
        ({}, None),
        ({"along": "gain", "direction": "falling"}, -1),
        ({"direction": "rising"}, 1),
        pytest.param({"along": "k", "direction": "falling"}, None, id="given for another axis"),
    ],
)
def test_a_sweep_gives_the_direction_of_its_own_axis(fit, direction):
    assert given_direction(Sweep.parse({**SWEEP, "fit": fit}), "gain") == direction


def test_the_expected_direction_counts_as_twenty_to_one():
    """It decides where outcomes say little, and gives way where they say more."""
    weak = [0, 1, 0, 0, 2, 1, 1, 30]
    assert fit_transition(M, [3, 2, 3, 2, 3, 2, 2, 2], [4] * 8, expected=1).direction == 1
    assert fit_transition(M, [3, 2, 3, 2, 3, 2, 2, 2], [4] * 8, expected=-1).direction == -1
    assert fit_transition(M, weak, [40] * 8, expected=-1).direction == 1
    fits = fit_transitions(outcomes(all=[40] * 8, sparse=SPARSE), "m", expected=1)
    assert fits["flag"].values.tolist() == ["outside-grid", "never"]


def test_a_direction_can_be_set_and_is_about_reading():
    sweep = tiny_sweep()
    given = sweep.override(["fit.direction=falling"])
    assert given.fit.direction == "falling"
    assert given.hash == sweep.hash
    with pytest.raises(SweepError, match=r"'fit\.direction'.*'rising'.*'falling'"):
        sweep.override(["fit.direction=up"])
    assert [least_value(name) for name in ("m", "k", "m_per_k", "noise.snr_db")] == [0, 0, 0, -300]


# Tables, JSON and comparisons


def test_rows_hold_null_and_tables_bounds():
    fits = fit_transitions(
        outcomes(rises=RISES, all=[40] * 8, sparse=SPARSE, none=None), "m", direction=1, floor=0.0
    )
    rows = json.loads(json.dumps(transitions_as_json(fits), allow_nan=False))["transitions"]
    told = [(row["outcome"], row["p50_low"], row["p50_high"]) for row in rows[1:]]
    assert told == [("below", None, 4), ("never", None, None), ("no-trials", None, None)]
    assert rows[0]["outcome"] == "inside"
    assert [row["p50"] for row in rows[1:]] == [None] * 3
    shown = [line.split() for line in printed(transitions(transitions_as_json(fits))).splitlines()]
    assert shown[2][:3] == ["all", "<", "4"]
    assert shown[3][:4] == ["sparse", "never", "–", "–"]
    assert shown[4][:4] == ["none", "–", "–", "–"]
    high = fit_transitions(outcomes(all=[40] * 8), "m", direction=-1)
    assert "> 48" in printed(transitions(transitions_as_json(high)))


def test_no_shift_favours_a_curve_that_never_reaches_one_half():
    """The pairs still tell that it is worse, and every cell does."""
    success = outcomes(lasso=RISES, descent=SPARSE, all=[40] * 8, other=RISES, falls=RISES[::-1])
    found = compared(success, direction=1)
    numbers = [found[name].values for name in ("shift", "shift_low", "detectable_shift")]
    assert [np.isnan(values).tolist() for values in numbers] == [[True, True, False, True]] * 3
    assert found["flag"].values.tolist() == ["never", "outside-grid", "", "against-direction"]
    assert found["p_one_curve"].isnull().item()
    assert (found["p_pooled"].values[:2] < 1e-3).all()
    assert compared(success[[0, 2, 3]], direction=1)["p_one_curve"].item() < 1e-3


def test_one_curve_has_the_slope_of_the_given_sign():
    """Two falling samples far apart are flat where success has to rise, and then alike."""
    falls, later = np.array(RISES[::-1]), np.array([40, 40, 40, 40, 40, 30, 9, 2])
    trials = [np.full(8, 40.0)] * 2
    assert one_curve_p(M, [falls, later], trials, -1) < 1e-6
    assert one_curve_p(M, [falls, falls], trials, 1) == pytest.approx(1)


def test_a_joint_p_value_is_printed_once_and_named_as_joint():
    """Of three ensembles two are alike: the third alone makes the joint p-value small."""
    late = [0, 0, 0, 2, 9, 30, 38, 40]
    rows = comparison_rows(compared(outcomes(one=RISES, same=RISES, late=late), direction=1))
    joint = rows[0]["joint"]
    assert joint == rows[1]["joint"]
    assert joint["values"] == ["one", "same", "late"]
    assert joint["p_one_curve"] < 1e-3
    assert not any("p_one_curve" in row for row in rows)
    shown = printed(comparisons(rows)).splitlines()
    assert sum("one, same, late together: < 0.001" in line for line in shown) == 1
    (same,) = [line for line in shown if line.startswith("same ")]
    assert "< 0.001" not in same


def test_cells_without_trials_have_no_bounds():
    found = compared(outcomes(rises=RISES, none=None), direction=1)
    names = ("rate", "rate_low", "rate_high", "difference_low", "difference_high", "p_holm")
    assert all(found[name].isnull().all() for name in names)
    assert (found["reference_rate_high"] <= 1).all()


# From store to picture


@pytest.mark.slow
def test_a_store_where_nothing_recovers_is_fitted_and_drawn(genprior, store, tmp_path):
    """One step recovers nothing: 0 of 4 at each m."""
    sweep = recovery_sweep("k=2,4", compare={"over": "k"}).override(["solver.max_steps=1"])
    run_sweep(sweep, store)
    found = json.loads(genprior("fit", store, "--json").stdout)
    assert [row["outcome"] for row in found["transitions"]] == ["never", "never"]
    assert found["comparisons"][0]["shift"] is None
    kept = open_analysis(store, "transition")
    assert kept["outcome"].values.tolist() == ["never", "never"]
    assert kept["p50"].isnull().all()
    assert "never" in genprior("fit", store).stdout
    for settings in ((), ("plot.x=k",)):
        run_sweep(sweep.override(settings), store)
        result = genprior("plot", store, "-o", tmp_path / "x.png")
        assert result.exit_code == 0, result.output


@pytest.mark.slow
def test_a_given_direction_is_the_direction_of_the_fit(
    genprior, kind: Scripted, store, monkeypatch
):
    """Success with probability m/12 rises; a sweep that says it falls is told so."""
    run_sweep(tiny_sweep("k=2", "fit.direction=falling", trials=40), store, kind=kind)
    (row,) = json.loads(genprior("fit", store, "--json").stdout)["transitions"]
    assert (row["direction"], row["flag"]) == (-1, "against-direction")
    run_sweep(tiny_sweep("k=2", trials=40), store, kind=kind)
    (row,) = json.loads(genprior("fit", store, "--json").stdout)["transitions"]
    assert (row["direction"], row["flag"]) == (1, "")


def test_half_of_one_position_is_that_position() -> None:
    """Six of twelve at m = 9: the 50 % point lies there, as far as anybody can tell."""
    found = known_part([9.0], [6], [12], direction=1, floor=0.0)
    assert (found.outcome, found.p50) == ("inside", 9.0)
    assert math.isnan(found.width)


def test_no_point_of_a_count_is_negative() -> None:
    """Success along m = 4 … 48 from a linear curve about m = 21 whose 10 % point may be below 0."""
    at = np.arange(4.0, 49, 4)
    counts = 12 * expit((at - 21) / 8)
    known = known_part(at, counts.round(), [12] * at.size, direction=1, floor=0.0)
    posterior = fit_transition(at, counts.round(), [12] * at.size, direction=1, floor=0.0)
    free = fit_transition(at, counts.round(), [12] * at.size, direction=1)
    assert free.p10_low < 0
    assert posterior.p10_low == 0
    assert math.isnan(known.p10_low)
    assert 0 < known.p10 == posterior.p10 < known.p10_high
