"""Two transitions compared, whole datasets, sweep files and whole runs."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from helpers import assert_names, recovery_sweep, tiny_sweep, write_sweep
from numpy.testing import assert_allclose
from scipy.stats import binom

from genprior.pipeline import run_sweep
from genprior.store import open_analysis
from genprior.sweeps import Sweep, SweepError, differences, union
from genprior.tasks.statistics.comparisons import LONG_NAMES, compare_rates, compare_transitions
from genprior.tasks.statistics.fits import fit_transitions
from genprior.tasks.statistics.proportions import (
    fisher_p,
    holm,
    mcnemar_p,
    paired_difference,
    unpaired_difference,
)
from genprior.tasks.statistics.shifts import fit_shift, one_curve_p, slices

POSITIONS = np.arange(20.0)


def curve(centre, scale):
    return 1 / (1 + np.exp(np.clip((centre - POSITIONS) / scale, -500, 500)))


# Transitions


def test_a_shift_of_the_transition_is_recovered_with_its_interval():
    """Fisher: the variance of a centre is s h/n, so the shift's interval is 2 · 1.96 √(2 s h/n)."""
    trials = np.full(20, 400.0)
    cut = [slices(POSITIONS, np.rint(400 * curve(c, 2.0)), trials, 1) for c in (8.5, 9.4)]
    found = fit_shift(cut[1], cut[0])
    assert_allclose(found.shift, 0.9, atol=0.01)
    length = 2 * 1.96 * math.sqrt(2 * 2.0 / 400)
    assert_allclose(found.shift_high - found.shift_low, length, rtol=0.03)
    assert_allclose(found.detectable_shift, (1.96 + 0.8416) * math.sqrt(2 * 2.0 / 400), rtol=0.03)


@pytest.mark.slow
def test_one_point_is_rejected_as_often_as_the_level_says_and_the_detectable_shift_is_found():
    """100 repetitions: at 5 %, at most 13 rejections of one point (probability 10⁻³).

    A shift of the detectable size is found with 80 %: between the 10⁻³ quantiles, 67 and 91.
    """
    rng = np.random.default_rng(2)
    trials = np.full(20, 30.0)
    cut = slices(POSITIONS, np.rint(30 * curve(9.5, 1.0)), trials, 1)
    detectable = fit_shift(cut, cut).detectable_shift
    false, found = 0, 0
    for _ in range(100):
        same = [rng.binomial(30, curve(9.5, 1.0)) for _ in range(3)]
        false += one_curve_p(POSITIONS, same, [trials] * 3) < 0.05
        moved = rng.binomial(30, curve(9.5 + detectable, 1.0))
        found += one_curve_p(POSITIONS, [same[0], moved], [trials] * 2) < 0.05
    assert false <= binom.isf(1e-3, 100, 0.05)
    assert binom.ppf(1e-3, 100, 0.8) <= found <= binom.isf(1e-3, 100, 0.8)


@pytest.mark.parametrize("ceiling", [1.0, 0.85])
def test_the_likelihood_ratio_is_that_of_a_direct_maximisation(ceiling):
    """The same two regressions, slope and lapse in common, by a general optimiser."""
    from scipy.optimize import minimize
    from scipy.stats import chi2

    rng = np.random.default_rng(4)
    counts = [rng.binomial(25, ceiling * curve(c, 1.7)) for c in (9.0, 9.6, 8.8)]

    def loss(theta, offsets):
        total = 0.0
        for v, k in enumerate(counts):
            z = theta[1] * (POSITIONS - 9) + theta[2 + (v if offsets else 0)]
            chance = (1 - theta[0]) / (1 + np.exp(-z))
            total -= float(k @ np.log(chance) + (25 - k) @ np.log1p(-chance))
        return total

    options = {"method": "Nelder-Mead", "bounds": [(0, 0.4)] + [(-5, 5)] * 4}
    options["options"] = {"xatol": 1e-7, "fatol": 1e-9, "maxiter": 20_000, "maxfev": 20_000}
    one = minimize(
        loss, [0.1, 0.5, 0], args=(False,), **options | {"bounds": options["bounds"][:3]}
    )
    free = minimize(loss, [0.1, 0.5, 0, 0, 0], args=(True,), **options)
    found = one_curve_p(POSITIONS, counts, [np.full(20, 25.0)] * 3)
    assert found == pytest.approx(chi2.sf(2 * (one.fun - free.fun), 2), rel=2e-3)


def test_samples_that_level_off_at_different_ceilings_are_not_shifted_for_that():
    """Both cross 50 % at 9: a ceiling of 0.8 with s = 1 has its centre ln(5/3) lower.

    Curves up to 1 would put the two 50 % points 1.8 apart, with an interval of ± 0.2.
    """
    trials = np.full(20, 400.0)
    reference = slices(POSITIONS, np.rint(400 * curve(9, 1.0)), trials, 1)
    lower = np.rint(400 * 0.8 * curve(9 - math.log(5 / 3), 1.0))
    found = fit_shift(slices(POSITIONS, lower, trials, 1), reference)
    assert_allclose(found.shift, 0, atol=0.02)
    assert found.shift_low < 0 < found.shift_high


def test_separated_and_constant_outcomes_have_a_likelihood_too():
    """Steps at the same place are one curve; 8 positions apart they are not; one sample is none."""
    trials = np.full(20, 30.0)
    step, later = 30.0 * (POSITIONS > 6), 30.0 * (POSITIONS > 14)
    assert one_curve_p(POSITIONS, [step, step], [trials] * 2) == pytest.approx(1)
    assert one_curve_p(POSITIONS, [step, later], [trials] * 2) < 1e-9
    assert one_curve_p(POSITIONS, [step, later[::-1]], [trials] * 2) < 1e-9
    assert one_curve_p(POSITIONS, [trials, trials], [trials] * 2) == pytest.approx(1)
    assert one_curve_p(POSITIONS, [trials, 0 * trials], [trials] * 2) < 1e-9
    assert math.isnan(one_curve_p(POSITIONS, [step, 0 * step], [trials, 0 * trials]))
    single = np.array([4.0])
    assert one_curve_p(single, [np.array([9.0]), np.array([1.0])], [np.array([9.0])] * 2) < 0.01


# Whole datasets


def solved(seed=3, shift=1.0):
    """Success over (solver, k, m, trial): the second solver needs more m, on the same draws."""
    rng = np.random.default_rng(seed)
    luck = rng.random((1, 2, 20, 40))
    chance = np.stack([curve(9, 1.5), curve(9 + shift, 1.5)])[:, None, :, None]
    return xr.DataArray(
        (luck < chance).astype(float),
        dims=("solver", "k", "m", "trial"),
        coords={"solver": ["old", "new"], "k": [5, 6], "m": ("m", POSITIONS, {"units": "rows"})},
    )


def test_every_cell_is_counted_trial_by_trial():
    """The new solver never succeeds where the old one fails: it has fewer m, as it were."""
    success = solved()
    success[1, 0, 9, :5] = np.nan
    found = compare_rates(success.transpose("trial", "m", ...), "solver", 0, paired=True)
    assert found["rate"].dims == ("m", "k", "solver")
    assert found["solver"].values.tolist() == ["new"]
    assert (found["gained"] == 0).all()
    lost = ((success[0] == 1) & (success[1] == 0)).sum("trial")
    assert (found["lost"].isel(solver=0).transpose("k", "m") == lost).all()
    cell = found.sel(k=5, m=9, solver="new")
    assert (cell["runs"].item(), cell["reference_runs"].item()) == (35, 40)
    counts = [int(cell[name]) for name in ("both", "gained", "lost", "neither")]
    assert sum(counts) == 35
    assert_allclose(
        [cell[f"difference{end}"] for end in ("", "_low", "_high")], paired_difference(*counts)
    )
    assert cell["p_value"].item() == mcnemar_p(0, counts[2])
    assert_allclose(found["p_holm"].values.ravel(), holm(found["p_value"].values.ravel()))
    assert all(found[name].attrs["long_name"] for name in found.data_vars)


def test_independent_draws_are_compared_as_two_samples():
    found = compare_rates(solved(), "solver", 1, paired=False)
    cell = found.sel(k=6, m=9, solver="old")
    counts = [int(cell[name]) for name in
              ("successes", "runs", "reference_successes", "reference_runs")]  # fmt: skip
    assert cell["difference_high"].item() == unpaired_difference(*counts)[2]
    assert cell["p_value"].item() == fisher_p(*counts)
    assert "gained" not in found
    empty = solved()
    empty[0] = np.nan
    assert compare_rates(empty, "solver", 1, paired=False)["p_holm"].isnull().all()


def test_transitions_are_compared_group_by_group():
    """A shift of 1 on shared draws: pooled pairs find it for certain, the two curves do barely."""
    success = solved()
    fitted = fit_transitions(success, "m")
    found = compare_transitions(success, fitted, "solver", 0, paired=True)
    assert found["shift"].dims == ("k", "solver")
    assert found["p_one_curve"].dims == ("k",)
    assert (found["shift_low"] < 1).all()
    assert (found["shift_high"] > 1).all()
    difference = fitted["p50"].sel(solver="new") - fitted["p50"].sel(solver="old")
    assert_allclose(found["shift"].isel(solver=0), difference, atol=0.03)
    assert (found["p_pooled"] < 1e-6).all()
    assert (found["p_pooled"] < found["p_one_curve"].values[:, None]).all()
    assert found["shift"].attrs["units"] == "rows"
    assert set(found.data_vars) <= set(LONG_NAMES)
    far = solved(shift=30)
    fitted = fit_transitions(far, "m", direction=1)
    found = compare_transitions(far, fitted, "solver", 0, paired=False)
    assert (found["flag"] == "never").all()
    assert all(found[name].isnull().all() for name in ("shift", "p_one_curve"))
    far[1] = np.nan
    fitted = fit_transitions(far, "m", direction=1)
    empty = compare_transitions(far, fitted, "solver", 0, paired=True)
    assert all(empty[name].isnull().all() for name in ("shift", "detectable_shift", "p_pooled"))


# Sweep files


def written(**changes):
    return {
        "axes": {"k": [2, 4, 8], "solver.negation": [True, False], "widths": ["12", "14"]},
        "parameters": {"m": 9, "depth": 1},
        "compare": {"over": "solver.negation"},
        **changes,
    }


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ({"over": "solver.negatoin"}, ["'solver.negatoin'"]),
        ({"reference": True}, ["'compare.over'"]),
        ({"over": "k", "reference": 3}, ["compare.reference", "'k'", "3", "2", "4", "8"]),
        ({"over": "solver.negation", "reference": 1}, ["solver.negation", "1"]),
        ({"over": "k", "reference": True}, ["compare.reference", "'k'", "True"]),
        ({"over": "k", "refrence": 2}, ["refrence", "'reference'"]),
    ],
)
def test_a_comparison_that_cannot_be_made_is_refused_in_one_line(table, named):
    with pytest.raises(SweepError) as caught:
        Sweep.parse(written(compare=table))
    assert_names(caught.value, *named)
    assert "\n" not in str(caught.value)


def test_the_axis_of_the_transition_is_not_compared():
    with pytest.raises(SweepError, match=r"'k'.* fit\.along"):
        Sweep.parse(written(fit={"along": "k"}, compare={"over": "k"}))


def test_a_comparison_is_about_reading_and_can_be_set():
    """An axis of which one value is left may be run: the store may hold the others."""
    sweep = Sweep.parse(written())
    other = sweep.override(["compare.over=widths", "compare.reference=14"])
    assert (other.compare.over, other.compare.reference) == ("widths", 14)
    assert sweep.hash == other.hash == Sweep.parse(written(compare=None)).hash
    assert differences(sweep, other) == []
    assert union(sweep, other).compare == other.compare
    one = sweep.override(["compare.reference=true", "solver.negation=false"])
    assert union(sweep, one).compare.reference is True


# Whole runs


@pytest.fixture(scope="module")
def negation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shrunk quickstart with and without negation; not to be changed but by `fit`."""
    path = tmp_path_factory.mktemp("negation") / "negation.zarr"
    parameters = {"k": 3, "depth": 1, "widths": [40], "solver": {"max_steps": 60, "step": 1.0}}
    axes = {"solver.negation": [True, False], "m": [2, 5, 8, 14]}
    compare = {"over": "solver.negation", "reference": True}
    run_sweep(recovery_sweep(axes=axes, parameters=parameters, compare=compare, trials=8), path)
    return path


@pytest.mark.slow
def test_solvers_are_compared_on_the_same_draws(genprior, negation):
    found = json.loads(genprior("fit", negation, "--json").stdout)
    assert len(found["transitions"]) == 2
    assert (found["groups"], found["positions"]) == (["solver.negation"], [2.0, 14.0])
    (row,) = found["comparisons"]
    assert (row["over"], row["reference"], row["value"]) == ("solver.negation", "True", "False")
    assert row["paired"]
    assert [cell["m"] for cell in row["cells"]] == [2, 5, 8, 14]
    for cell in row["cells"]:
        assert cell["both"] + cell["gained"] + cell["lost"] + cell["neither"] == 8
        assert cell["successes"] == cell["both"] + cell["gained"]
    assert row["shift_low"] <= row["shift"] <= row["shift_high"]
    pairs = [sum(cell[name] for cell in row["cells"]) for name in ("gained", "lost")]
    assert row["p_pooled"] == mcnemar_p(*pairs)
    kept = open_analysis(negation, "comparison")
    assert kept["gained"].values.ravel().tolist() == [cell["gained"] for cell in row["cells"]]
    assert kept["shift"].values.tolist() == [row["shift"]]
    shown = genprior("fit", negation).stdout
    assert "solver.negation compared with True; paired, trial by trial" in shown
    assert "50 % point" in shown


@pytest.mark.slow
def test_plot_puts_the_rates_side_by_side(genprior, negation, tmp_path):
    """Without an axis of a transition; k draws again for every value, so it is not paired."""
    again = tmp_path / "k.zarr"
    changes = {"fit": {}, "compare": {"over": "k", "reference": 4}, "axes": {"k": [2, 4, 6]},
               "parameters": {"m": 8, "depth": 1, "widths": [20]}}  # fmt: skip
    sweep = write_sweep(recovery_sweep(**changes), tmp_path / "k.toml")
    assert genprior("run", sweep, again).exit_code == 0
    for store, pieces in (
        (again, ["independent draws", "differs from 4", "success probability"]),
        (negation, ["solver.negation = False"]),
    ):
        picture = tmp_path / f"{store.stem}.svg"
        assert genprior("plot", store, "-o", picture).exit_code == 0
        assert all(piece in picture.read_text() for piece in pieces)
    shown = genprior("fit", again).stdout
    assert "k compared with 4; independent draws" in shown
    assert "in brackets: 95 % intervals" in shown
    (first, last) = json.loads(genprior("fit", again, "--json").stdout)["comparisons"]
    assert (first["value"], last["value"], first["paired"]) == ("2", "6", False)


@pytest.mark.slow
def test_commands_say_what_a_comparison_lacks(genprior, kind, store):
    run_sweep(tiny_sweep("k=2", compare={"over": "k"}), store, kind=kind)
    result = genprior("fit", store)
    assert result.exit_code == 0, "the transition can be fitted all the same"
    assert_names(result.stdout, "comparison", "'k'", "2")
    run_sweep(tiny_sweep("k=2,4", compare={"over": "k"}), store, kind=kind)
    result = genprior("fit", store, "--along", "k")
    assert result.exit_code == 2
    assert_names(result.stderr, "'k'", "compare.over")
    assert genprior("fit", store).exit_code == 0


def test_a_sweep_that_names_nothing_to_fit_says_so(genprior, kind, store):
    run_sweep(tiny_sweep(fit={}), store, kind=kind)
    result = genprior("fit", store)
    assert result.exit_code == 2
    assert_names(result.stderr, "fit.along")
