"""Whether the fits in a store are still those of its trials and of its sweep."""

import json

import pytest
import xarray as xr
from helpers import assert_names, files, tiny_sweep, write_sweep

from genprior.pipeline import run_sweep
from genprior.store import OutdatedWarning, open_analysis

LAW = {"variable": "latent_error", "exponents": {"k": 0.5}}


def analyses(genprior, store):
    return json.loads(genprior("status", store, "--json").stdout)["analyses"]


def plain(store, name):
    """The attributes that a stranger sees."""
    return xr.open_zarr(store, group=f"analysis/{name}").attrs


def half_done(store, kind, **changes):
    """Run k = 2, and m = 3 for all k: the points in between stay pending, 24 of 48 trials."""
    for settings in (("k=2",), ("k=4,6", "m=3")):
        run_sweep(tiny_sweep(*settings, **changes), store, kind=kind)
    return tiny_sweep(**changes)


@pytest.mark.slow
def test_a_fit_is_out_of_date_once_pending_trials_are_filled(genprior, kind, store):
    """24 of 48 trials are fitted, then the others are run."""
    whole = half_done(store, kind, law=LAW)
    assert genprior("fit", store).exit_code == 0
    assert analyses(genprior, store) == {
        name: {"trials": 24, "outdated": None} for name in ("transition", "law")
    }
    before = files(store / "analysis" / "law")
    marked = []
    run_sweep(whole, store, kind=kind,
              listen=lambda _: marked.append("outdated" in plain(store, "law")))  # fmt: skip
    assert marked
    assert all(marked), "also while no trial is written yet"
    assert all(plain(store, n)["outdated"] for n in ("transition", "law"))
    found = analyses(genprior, store)
    assert all(found[name]["outdated"] for name in ("transition", "law"))
    for name in ("transition", "law"):
        assert_names(genprior("status", store).stdout, found[name]["outdated"], name)
    with pytest.warns(OutdatedWarning, match="'genprior fit'"):
        open_analysis(store, "law")
    # Only its metadata were touched.
    now = files(store / "analysis" / "law")
    assert [name for name in before if now[name] != before[name]] == ["zarr.json"]
    assert genprior("fit", store).exit_code == 0
    assert analyses(genprior, store)["law"] == {"trials": 48, "outdated": None}
    assert "outdated" not in open_analysis(store, "law").attrs


def test_a_run_that_has_nothing_to_write_leaves_fits_as_they_are(genprior, kind, store):
    run_sweep(tiny_sweep(), store, kind=kind)
    genprior("fit", store)
    before = files(store)
    run_sweep(tiny_sweep(), store, kind=kind)
    assert files(store) == before


@pytest.mark.slow
def test_trials_that_changed_under_a_fit_are_seen_without_its_mark(
    genprior, kind, store, monkeypatch
):
    """As where a worker of a killed command, or an earlier version, wrote them."""
    whole = half_done(store, kind)
    genprior("fit", store)
    monkeypatch.setattr("genprior.pipeline.run.runner.mark", lambda info, writes: None)
    monkeypatch.setattr("genprior.pipeline.run.runner.mark_late", lambda info: None)
    run_sweep(whole, store, kind=kind)
    assert "outdated" not in plain(store, "transition")
    assert analyses(genprior, store)["transition"]["outdated"]


@pytest.mark.slow
def test_fits_that_the_sweep_names_no_longer_go_and_what_is_not_ours_stays(genprior, kind, store):
    run_sweep(tiny_sweep(law=LAW), store, kind=kind)
    assert genprior("fit", store).exit_code == 0
    mine = store / "analysis" / "mine"
    open_analysis(store, "law").to_zarr(mine, zarr_format=3, consolidated=False)
    kept = files(mine)
    run_sweep(tiny_sweep(), store, kind=kind)  # the same trials, no law
    assert "no longer asks" in plain(store, "law")["outdated"]
    assert analyses(genprior, store)["transition"]["outdated"] is None
    assert genprior("fit", store).exit_code == 0
    assert set(analyses(genprior, store)) == {"transition"}
    assert not (store / "analysis" / "law").exists()
    assert files(mine) == kept
    # Of other settings.
    run_sweep(tiny_sweep(fit={"along": "k"}), store, kind=kind)
    assert "other settings" in analyses(genprior, store)["transition"]["outdated"]


@pytest.mark.slow
def test_a_transition_that_a_command_asked_for_stays_while_its_trials_do(genprior, kind, store):
    sweep = tiny_sweep(fit={}, law=LAW)
    run_sweep(sweep, store, kind=kind)
    assert genprior("fit", store, "--along", "m").exit_code == 0
    assert genprior("fit", store).exit_code == 0
    assert set(analyses(genprior, store)) == {"transition", "law"}
    run_sweep(sweep.override(["trials=5"]), store, kind=kind)
    assert genprior("fit", store).exit_code == 0
    assert set(analyses(genprior, store)) == {"law"}


def test_a_group_of_the_users_under_our_name_is_not_replaced(genprior, kind, store):
    run_sweep(tiny_sweep(), store, kind=kind)
    mine = store / "analysis" / "transition"
    xr.Dataset({"p50": ("k", [1.0])}).to_zarr(mine, zarr_format=3, consolidated=False)
    before = files(mine)
    refused = genprior("fit", store)
    assert refused.exit_code == 1
    assert_names(refused.stderr, "analysis/transition")
    assert files(mine) == before


def test_a_fit_of_an_earlier_version_is_told_and_made_again(genprior, kind, store):
    """It says nothing of what it was made from."""
    run_sweep(tiny_sweep(), store, kind=kind)
    old = store / "analysis" / "transition"
    made = xr.Dataset({"p50": ("k", [1.0])}, attrs={"along": "m", "level": 0.95})
    made.to_zarr(old, zarr_format=3, consolidated=False)
    assert "an earlier version" in analyses(genprior, store)["transition"]["outdated"]
    assert genprior("fit", store).exit_code == 0
    assert analyses(genprior, store)["transition"] == {"trials": 48, "outdated": None}


def test_other_texts_of_a_sweep_leave_its_fits_up_to_date(genprior, kind, store):
    run_sweep(tiny_sweep(), store, kind=kind)
    genprior("fit", store)
    run_sweep(tiny_sweep(title="another"), store, kind=kind)
    assert analyses(genprior, store)["transition"]["outdated"] is None


@pytest.mark.slow
def test_status_names_the_fits_that_are_not_there(genprior, kind, store):
    """Before `fit`, after an extension, and where a command asked for another axis."""
    run_sweep(tiny_sweep(law=LAW), store, kind=kind)

    def not_made():
        return json.loads(genprior("status", store, "--json").stdout)["not_made"]

    assert not_made() == ["transition", "law"]
    assert "not fitted" in genprior("status", store).stdout
    assert genprior("fit", store).exit_code == 0
    assert not_made() == []
    assert genprior("fit", store, "--along", "k").exit_code == 0
    assert not_made() == ["transition"]
    assert analyses(genprior, store)["transition"]["along"] == "k"
    assert "transition along k, law" in genprior("status", store).stdout
    run_sweep(tiny_sweep("k=2,4,6,8", law=LAW), store, kind=kind)
    assert not_made() == ["transition", "law"]


@pytest.mark.slow
@pytest.mark.parametrize("file", ["zarr.json", "p50/zarr.json", "p50/c/0"])
def test_a_damaged_fit_is_told_and_made_again(genprior, kind, store, file):
    run_sweep(tiny_sweep(), store, kind=kind)
    assert genprior("fit", store).exit_code == 0
    intact = files(store / "analysis" / "transition")
    (store / "analysis" / "transition" / file).write_bytes(b"junk")
    assert "damaged" in analyses(genprior, store)["transition"]["outdated"]
    assert genprior("run", write_sweep(tiny_sweep(), store.parent / "t.toml"), store).exit_code == 0
    assert genprior("fit", store).exit_code == 0
    assert analyses(genprior, store)["transition"] == {"trials": 48, "outdated": None}
    assert files(store / "analysis" / "transition").keys() == intact.keys()
