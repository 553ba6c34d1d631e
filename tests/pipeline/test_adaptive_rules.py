"""What decides which groups get trials, and when they have ended: rules, ends, parts, `most`."""

from pathlib import Path

import numpy as np
import zarr
from helpers import Scripted, refused, results
from placed_sweeps import in_order
from placed_sweeps import placed_sweep as placed

import genprior as gp
from genprior.pipeline import run_sweep
from genprior.pipeline.status import store_status
from genprior.store import Status
from genprior.sweeps import SweepError
from genprior.sweeps.part import Part

ONE = {"k": [4], "m": [2, 60]}


def test_excluded_groups_and_values_get_no_trial(store: Path, kind: Scripted) -> None:
    rules = ["k == 4", "m > 9 and m < 20"]
    run_sweep(placed("k=2,4", exclude=rules), store, kind=kind)
    stored = results(store)
    assert (stored["status"].sel(k=4) == Status.NOT_ASKED).all()
    m = stored["m"].sel(k=2).values
    assert not ((m > 9) & (m < 20)).any()
    assert (m == 20).any() or (m > 20).any()


def test_a_group_may_have_values_only_between_the_ends_of_the_axis(
    store: Path, kind: Scripted
) -> None:
    rules = ["k == 4 and m < 6", "k == 4 and m > 20"]
    run_sweep(placed("k=2,4", exclude=rules), store, kind=kind)
    m = results(store)["m"].sel(k=4).values
    assert (np.nanmin(m), np.nanmax(m)) == (6, 20)


def test_other_ends_open_and_close_groups(store: Path, kind: Scripted) -> None:
    """Under rules, the ends decide which groups have values."""
    rules = ["k == 2 and m < 30"]
    axes = {"k": [2, 4], "m": [2, 20]}
    assert run_sweep(placed(axes=axes, exclude=rules), store, kind=kind).groups == 1
    wider = placed(axes={**axes, "m": [2, 60]}, exclude=rules)
    summary = run_sweep(wider, store, kind=kind)
    assert (summary.groups, summary.groups_ended) == (2, 2)
    assert np.nanmin(results(store)["m"].sel(k=2)) >= 30
    again = run_sweep(placed(axes=axes, exclude=rules), store, kind=kind)
    assert (again.groups, again.groups_ended) == (1, 1)


def test_a_store_without_trials_is_fitted_whatever_the_rules(store: Path, kind: Scripted) -> None:
    run_sweep(placed(exclude=["m < 5"]), store, kind=kind, budget=1e-9)
    assert (gp.fit(store)["transition"].outcome == "no-trials").all()


def test_a_group_without_trials_is_not_excluded_because_of_the_values_of_others(
    store: Path, kind: Scripted
) -> None:
    """The second part has not run; no value of the first one is allowed there."""
    rules = ["k == 2 and m > 9", "k == 4 and m < 30"]
    run_sweep(placed(exclude=rules), store, kind=kind, part=Part(1, 2))
    outcomes = gp.fit(store)["transition"].outcome.values.tolist()
    assert outcomes.count("no-trials") == 1
    assert "excluded" not in outcomes


def test_axes_in_another_order_name_the_same_groups(store: Path, kind: Scripted) -> None:
    axes = {"k": [2, 4], "gain": [1.0, 2.0, 3.0], "m": [2, 60]}
    run_sweep(placed(axes=axes), store, kind=kind)
    part = placed(axes={"gain": [3.0], "m": [2, 60], "k": [2, 4]})
    again = run_sweep(part, store, kind=kind)
    assert (again.groups, again.groups_ended, again.computed) == (2, 2, 0)
    assert again.done == (results(store)["status"].sel(gain=3.0) == Status.DONE).sum()


def test_targets_do_not_place_their_own_trials(store: Path, kind: Scripted) -> None:
    """The worst of them counts, in trials that all of them have."""
    with refused(SweepError, "adaptive", "'target'", "one value"):
        run_sweep(placed(axes={"k": [4], "target": [0, 1], "m": [2, 60]}), store, kind=kind)
    assert not store.exists()


def test_a_group_that_is_known_with_its_last_trial_is_known(store: Path, kind: Scripted) -> None:
    precise = ("adaptive.precision=0.35",)
    run_sweep(placed(*precise, axes=ONE), store, kind=kind)
    trials = len(in_order(store, 4))
    assert 64 <= trials < 128
    exact = store.with_name("exact.zarr")
    run_sweep(placed(*precise, f"adaptive.most={trials}", axes=ONE), exact, kind=kind)
    (group,) = store_status(exact).groups
    assert (group["trials"], group["ended"]) == (trials, "known")


def test_trials_beyond_a_smaller_limit_are_run_too(store: Path, kind: Scripted) -> None:
    """They are pending, as after a kill; the smaller limit places none of them."""
    precise = ("adaptive.precision=0.001",)
    run_sweep(placed(*precise, axes=ONE), store, kind=kind)
    assert len(in_order(store, 4)) == 128
    group = zarr.open_group(store, mode="r+", use_consolidated=False)
    group["status"][0, 96:112] = Status.PENDING
    summary = run_sweep(placed(*precise, "adaptive.most=64", axes=ONE), store, kind=kind)
    assert (summary.computed, summary.pending, summary.exit_status) == (16, 0, 0)
    assert (store_status(store).groups_left, len(in_order(store, 4))) == (0, 128)
