"""`fit --below`: success is judged again from the stored errors."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import xarray as xr
from click.testing import Result
from helpers import assert_names

import genprior as gp
from genprior.pipeline.fit.trials import Trials
from genprior.store import open_analysis, read_info

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of recovery, whose trials succeed below a latent error of 10⁻³."""
    store = tmp_path_factory.mktemp("made") / "made.zarr"
    sweep = gp.load_sweep("quickstart").override(["k=4,8", "m=6,10,14,24", "trials=8"])
    gp.run(sweep, store, scheduler="synchronous", progress=False)
    return store


@pytest.mark.slow
def test_a_trial_succeeds_if_its_error_is_below_the_number(genprior: Command, made: Path) -> None:
    trials = xr.open_zarr(made)
    for below in (1e-6, 0.5):
        answered = genprior("fit", made, "--below", below, "--json")
        assert answered.exit_code == 0, answered.output
        found = json.loads(answered.stdout)
        assert found["success_below"] == below
        kept = open_analysis(made, "transition")
        expected = (trials["latent_error"] < below).sum("trial")
        assert (kept["successes"].transpose(*expected.dims) == expected).all()
        assert kept.attrs["success_below"] == below


@pytest.mark.slow
def test_the_runs_own_judgement_comes_back(genprior: Command, made: Path) -> None:
    gp.fit(made, below=0.5)
    judged = genprior("status", made).stdout
    assert "transition of errors below 0.5" in judged
    assert "not fitted  transition" in judged
    assert "again: an error below 0.5" in genprior("fit", made, "--below=.5").stdout
    gp.fit(made)
    assert "success_below" not in open_analysis(made, "transition").attrs
    assert "errors below" not in genprior("status", made).stdout
    assert "judged again" not in genprior("fit", made).stdout


@pytest.mark.slow
def test_a_threshold_that_is_the_runs_own_changes_nothing(made: Path) -> None:
    own = gp.fit(made)["transition"]
    again = gp.fit(made, below=1e-3)["transition"]
    xr.testing.assert_equal(again, own)


def test_the_new_threshold_is_the_one_that_may_cut_errors(made: Path) -> None:
    info = read_info(made)
    own, other = (Trials(info, below).load(["success"])["success.below"] for below in (None, 0.5))
    assert (own == 1e-3).all()
    assert (other == 0.5).all()
    assert other.dims == own.dims


@pytest.mark.parametrize("below", ["0", "-1", "nan", "x"])
def test_what_is_no_threshold_is_refused(genprior: Command, made: Path, below: str) -> None:
    refused = genprior("fit", made, f"--below={below}")
    assert refused.exit_code == 2
    assert "--below" in refused.stderr
    with pytest.raises(gp.UserError, match="below"):
        gp.fit(made, below=-1)


def test_trials_without_errors_are_refused(genprior: Command, undisturbed: Path) -> None:
    refused = genprior("fit", undisturbed, "--below=0.1")
    assert refused.exit_code == 2
    assert_names(refused.stderr, str(undisturbed), "--below", "stored error")


def test_success_by_the_nearest_target_has_no_threshold(
    genprior: Command, tmp_path: Path, made: Path
) -> None:
    sweep = gp.load_sweep("quickstart").override(
        [
            "k=2",
            "m=8",
            'target_codes="1 0; 1 0.5"',
            "target=0,1",
            "success.metric=nearest_target",
            "trials=2",
        ]
    )
    gp.run(sweep, tmp_path / "near.zarr", scheduler="synchronous", progress=False)
    refused = genprior("fit", tmp_path / "near.zarr", "--below=0.1")
    assert_names(refused.stderr, "nearest target")
