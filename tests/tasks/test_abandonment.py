"""Abandoned runs, the audit of them, and what is told of it."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import Result
from one_trial import recover

from genprior.store import open_analysis
from genprior.sweeps import Grid, draws_of, load_sweep
from genprior.tasks import Recovery
from genprior.tasks.experiments.recovery import Abandonment
from genprior.tasks.solvers.descent import NO_END
from genprior.tasks.solvers.subgradient import draw_patience
from genprior.tasks.statistics.audits import audit_abandonment

HARD = ("--set", "k=8", "--set", "m=8,16,60", "--trials", "24")


@pytest.fixture(scope="module")
def abandoned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of a hard sweep, hopeless runs abandoned, half of them audited."""
    from genprior.pipeline import run_sweep

    path = tmp_path_factory.mktemp("abandoned") / "hard.zarr"
    settings = ["k=8", "m=8,16,60", "trials=24", "solver.abandon_after=100", "solver.audit=0.5"]
    run_sweep(load_sweep("quickstart").override(settings), path)
    return path


@pytest.mark.slow
def test_by_default_nothing_is_abandoned(genprior, store: Path) -> None:
    assert genprior("run", "quickstart", store, *HARD, "--trials", 4).exit_code == 0
    results = xr.open_zarr(store).load()
    assert (results.abandonment == Abandonment.NEVER_HOPELESS).all()
    status = json.loads(genprior("status", store, "--json").output)
    assert status["abandonment"] is None
    assert "abandoned" not in genprior("fit", store).output


def test_the_store_tells_abandoned_runs_from_audited_ones(abandoned: Path) -> None:
    results = xr.open_zarr(abandoned).load()
    verdicts = dict(
        zip(results.verdict.flag_meanings.split(), results.verdict.flag_values, strict=True)
    )
    left = results.abandonment == Abandonment.ABANDONED
    assert left.any()
    assert (results.abandonment == Abandonment.AUDITED).any()
    assert (results.success.where(results.abandonment == Abandonment.AUDITED_WRONG, 1) == 1).all()
    assert ((results.verdict == verdicts["abandoned"]) == left).all()
    assert (results.iterations.where(left, 0) % 100 == 0).all()
    assert ((results.success == 1) == (results.latent_error < 1e-3)).all()


def test_both_engines_abandon_and_audit_the_same_runs(abandoned: Path) -> None:
    sweep = load_sweep("quickstart").override(
        ["k=8", "m=8,16", "solver.abandon_after=100", "solver.audit=0.5", "solver.engine=plain"]
    )
    grid, results = Grid(sweep), xr.open_zarr(abandoned).load()
    for i, m in enumerate((8, 16)):
        for trial in range(8):
            values = recover(grid.point((0, i)), trial, sweep.seed)
            stored = results.sel(k=8, m=m, trial=trial)
            for name in ("abandonment", "verdict", "iterations", "negations"):
                assert values[name] == int(stored[name])


@pytest.mark.slow
def test_an_audited_run_ends_as_it_would_have_without_abandonment(
    abandoned: Path, genprior, store: Path
) -> None:
    assert genprior("run", "quickstart", store, *HARD).exit_code == 0
    free, judged = xr.open_zarr(store).load(), xr.open_zarr(abandoned).load()
    went_on = judged.abandonment != Abandonment.ABANDONED
    for name in ("iterations", "verdict", "success"):
        assert (free[name] == judged[name]).where(went_on, True).all()


def test_the_rate_of_wrong_abandonment_is_that_of_audited_successes(
    abandoned: Path, genprior
) -> None:
    results = xr.open_zarr(abandoned).load()
    audited = results.abandonment >= Abandonment.AUDITED
    told = json.loads(genprior("status", abandoned, "--json").output)["abandonment"]
    assert told["abandoned"] == int((results.abandonment == Abandonment.ABANDONED).sum())
    assert told["audited"] == int(audited.sum())
    assert told["audited_wrong"] == int((results.abandonment == Abandonment.AUDITED_WRONG).sum())
    assert told["wrong_rate"] == told["audited_wrong"] / told["audited"]
    assert 0 <= told["wrong_rate_low"] <= told["wrong_rate"] <= told["wrong_rate_high"] <= 1
    shown = genprior("status", abandoned).output
    assert f"{told['abandoned']} abandoned as hopeless; " in " ".join(shown.split())


@pytest.mark.slow
def test_a_fit_tells_it_for_each_group_and_keeps_it(abandoned: Path, genprior) -> None:
    fitted: Result = genprior("fit", abandoned, "--json")
    (row,) = json.loads(fitted.output)["transitions"]
    whole = json.loads(genprior("status", abandoned, "--json").output)["abandonment"]
    assert {name: row[name] for name in whole} == whole
    kept = open_analysis(abandoned, "transition")
    assert int(kept.abandoned.sel(k=8)) == row["abandoned"]
    assert kept.wrong_rate_high.long_name == "rate of wrongly abandoned runs, upper Wilson bound"
    shown = " ".join(genprior("fit", abandoned).output.split())
    assert f"k = 8: {row['abandoned']} abandoned as hopeless; " in shown


def test_a_run_that_has_recovered_before_it_stands_still_is_no_failure() -> None:
    """With noise the best loss stops at its floor, where the code is as good as it gets."""
    settings = ["k=8", "m=60", "noise.sigma=1e-5", "solver.tolerance=1e-14"]
    settings += ["solver.abandon_after=40"]
    for audit, expected in ((0, Abandonment.ABANDONED), (1, Abandonment.AUDITED)):
        sweep = load_sweep("quickstart").override([*settings, f"solver.audit={audit}"])
        values = recover(Grid(sweep).point((0, 0)), 0, sweep.seed)
        assert (values["success"], values["abandonment"]) == (1, expected)


def test_a_run_that_recovers_only_later_was_wrongly_hopeless() -> None:
    """A loss that must fall by 1000 in 5 steps is hopeless at once; the run recovers yet."""
    settings = ["k=4", "m=40", "solver.abandon_after=5", "solver.abandon_factor=1000"]
    for audit, expected in ((0, Abandonment.ABANDONED), (1, Abandonment.AUDITED_WRONG)):
        sweep = load_sweep("quickstart").override([*settings, f"solver.audit={audit}"])
        values = recover(Grid(sweep).point((0, 0)), 0, sweep.seed)
        assert (values["success"], values["abandonment"]) == (audit, expected)


@pytest.mark.slow
def test_rates_of_points_that_are_no_one_sample_are_not_pooled(genprior, store: Path) -> None:
    swept = ("--set", "solver.abandon_after=0,100", "--set", "solver.audit=0.5")
    assert genprior("run", "quickstart", store, *HARD, *swept, "--trials", 8).exit_code == 0
    told = json.loads(genprior("status", store, "--json").output)["abandonment"]
    assert told["abandoned"] > 0
    assert told["wrong_rate"] is told["wrong_rate_low"] is told["wrong_rate_high"] is None
    assert genprior("status", store).exit_code == 0


def test_without_an_audit_the_rate_is_unknown() -> None:
    """Wilson's interval of no runs is all there is."""
    codes = xr.DataArray([[1.0, 1.0], [0.0, np.nan]], dims=("m", "trial"))
    found = audit_abandonment(codes, ["trial"])
    assert found.abandoned.values.tolist() == [2, 0]
    assert found.audited.values.tolist() == [0, 0]
    assert np.isnan(found.wrong_rate).all()
    assert found.wrong_rate_low.values.tolist() == [0, 0]
    assert found.wrong_rate_high.values.tolist() == [1, 1]


def test_the_audit_takes_the_asked_share_of_trials() -> None:
    """2000 draws at ¼: 500 ± 19.4 by the binomial law; we allow five deviations."""
    sweep = load_sweep("quickstart").override(["solver.abandon_after=10", "solver.audit=0.25"])
    point = Grid(sweep).point((0, 0))
    drawn = [draw_patience(point, draws_of(point, t, sweep.seed)) for t in range(2000)]
    assert all(patience.steps == 10 for patience in drawn)
    assert abs(sum(patience.audited for patience in drawn) - 500) < 5 * 19.4
    patient = Grid(load_sweep("quickstart")).point((0, 0))
    assert draw_patience(patient, draws_of(patient, 0, 0)) == NO_END


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("solver.abandon_after=-1", "solver.abandon_after"),
        ("solver.abandon_factor=1", "solver.abandon_factor"),
        ("solver.audit=1.5", "solver.audit"),
        ("solver.audit=yes", "solver.audit"),
    ],
)
def test_impossible_settings_are_refused(genprior, store: Path, setting: str, said: str) -> None:
    ended = genprior("run", "quickstart", store, "--set", setting)
    assert ended.exit_code == 2
    assert said in ended.output
    assert not store.exists()


def test_the_variable_is_always_there() -> None:
    assert "abandonment" in {variable.name for variable in Recovery().variables}
