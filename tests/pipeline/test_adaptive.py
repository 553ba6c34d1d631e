"""Trials that place themselves: one store, however it is computed, and groups that end."""

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import Result
from helpers import (
    Scripted,
    assert_same_results,
    done,
    ended,
    recovery_sweep,
    refused,
    results,
    scripted_command,
    tiny_sweep,
    wait_until,
    write_sweep,
)

import genprior as gp
from genprior.pipeline import run_sweep
from genprior.pipeline.executors.base import Executor
from genprior.pipeline.run.summary import RunSummary
from genprior.pipeline.status import store_status
from genprior.store import WrongStoreError
from genprior.sweeps import Sweep, SweepError
from genprior.sweeps.part import Part

Command = Callable[..., Result]
PENDING, DONE, CRASHED, EXCLUDED, NOT_ASKED = range(5)


def placed(*settings: str, **changes: object) -> Sweep:
    """Groups of the scripted task, whose trials succeed with probability m/12."""
    given = {
        "axes": {"k": [2, 4], "m": [2, 24]},
        "adaptive": {"precision": 0.25, "most": 256},
        **changes,
    }
    return tiny_sweep(*settings, **given)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of one worker that was not disturbed."""
    folder = tmp_path_factory.mktemp("placed")
    (folder / "calls").mkdir()
    store = folder / "placed.zarr"
    summary = run_sweep(placed(), store, kind=Scripted(str(folder / "calls")))
    assert (summary.exit_status, summary.groups, summary.groups_ended) == (0, 2, 2)
    return store


def test_a_store_of_placed_trials_is_labelled_by_group_and_probe(reference: Path) -> None:
    stored = xr.open_zarr(reference).load()
    assert stored["success"].dims == ("k", "probe")
    assert {"m", "trial", "round", "k", "probe"} <= set(stored.coords)
    asked = stored["status"].values == DONE
    assert asked.sum() == (stored["status"].values != NOT_ASKED).sum() > 0
    for name in ("m", "trial", "round", "success"):
        assert (stored[name].notnull().values == asked).all()
    assert stored["m"].attrs["long_name"]
    assert stored["m"].min() >= 2
    assert stored["m"].max() <= 24
    for k in (2, 4):
        group = stored.sel(k=k).isel(probe=asked[int(k == 4)])
        rounds = group["round"].values
        assert rounds[0] == 1
        assert (np.diff(rounds) >= 0).all()
        assert rounds[-1] > 2
        sizes = np.bincount(rounds.astype(int))[1:]
        before = np.cumsum(sizes) - sizes
        np.testing.assert_array_equal(sizes, 16 * np.maximum(1, before // 48))
        for m in np.unique(group["m"]):
            numbers = group["trial"].values[group["m"].values == m]
            np.testing.assert_array_equal(numbers, np.arange(numbers.size))


def test_a_placed_trial_has_the_bits_of_the_same_trial_on_a_grid(
    reference: Path, tmp_path: Path, kind: Scripted
) -> None:
    run_sweep(tiny_sweep("m=2:24:1", "k=2,4", "trials=6"), tmp_path / "grid.zarr", kind=kind)
    grid, stored = results(tmp_path / "grid.zarr"), results(reference)
    compared = 0
    for k in (2, 4):
        group = stored.sel(k=k)
        for probe in np.flatnonzero(group["trial"].values < 6):
            trial = group.isel(probe=probe)
            same = grid.sel(k=k, m=int(trial["m"]), trial=int(trial["trial"]))
            assert float(trial["latent_error"]) == float(same["latent_error"])
            compared += 1
    assert compared > 60


@pytest.mark.cluster
def test_several_workers_give_the_store_of_one(
    reference: Path, store: Path, kind: Scripted, processes: Executor
) -> None:
    run_sweep(placed(), store, processes, kind=kind)
    assert_same_results(store, reference)


@pytest.mark.slow
def test_a_group_depends_on_nothing_but_itself(
    reference: Path, store: Path, kind: Scripted
) -> None:
    run_sweep(placed("k=4"), store, kind=kind)
    before = kind.calls()
    run_sweep(placed("k=2,4"), store, kind=kind)
    assert_same_results(store, reference)
    assert all(kind.calls()[place] == 1 for place in before)


@pytest.mark.slow
def test_a_finer_precision_goes_on_where_a_coarser_one_ended(
    reference: Path, store: Path, kind: Scripted
) -> None:
    first = run_sweep(placed("adaptive.precision=0.6"), store, kind=kind)
    second = run_sweep(placed(), store, kind=kind)
    assert (first.exit_status, second.exit_status) == (0, 0)
    assert 0 < first.computed < second.done == done(reference)
    assert second.computed == second.done - first.computed
    assert_same_results(store, reference)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_store(
    reference: Path, tmp_path: Path, store: Path, kind: Scripted
) -> None:
    sweep = write_sweep(placed(), tmp_path / "placed.toml")
    options = ("run", sweep, store, "--scheduler", "synchronous", "--json")
    for trials in (20, 70):
        with ended(scripted_command(replace(kind, pause=0.02), *options)) as run:
            wait_until(lambda: len(kind.calls()) >= trials)  # noqa: B023 - called at once
            os.killpg(run.pid, signal.SIGKILL)
    assert 0 < done(store) < done(reference)
    with ended(scripted_command(kind, *options)) as run:
        printed, _ = run.communicate(timeout=120)
    assert json.loads(printed)["groups_ended"] == 2
    assert_same_results(store, reference)


def test_a_complete_store_runs_nothing(reference: Path, kind: Scripted) -> None:
    summary = run_sweep(placed(), reference, kind=kind)
    assert (summary.computed, summary.exit_status) == (0, 0)
    assert not kind.calls()


@pytest.mark.slow
def test_parts_share_the_groups(reference: Path, store: Path, kind: Scripted) -> None:
    for index in (2, 1):
        summary = run_sweep(placed(), store, kind=kind, part=Part(index, 2))
        assert (summary.groups, summary.groups_ended) == (1, 1)
    assert_same_results(store, reference)


@pytest.mark.parametrize(
    ("ends", "ending", "most"),
    [("m=1,4", ("above", "never"), 96), ("m=11,60", ("below",), 48), ("m=2,24", ("known",), 256)],
)
def test_a_group_whose_50_percent_point_is_outside_ends_early(
    store: Path, kind: Scripted, ends: str, ending: tuple[str, ...], most: int
) -> None:
    summary = run_sweep(placed(ends, "k=2"), store, kind=kind)
    (group,) = store_status(store).groups
    assert group["ended"] in ending
    assert summary.exit_status == 0
    assert group["trials"] == summary.done <= most
    assert (group["p50"] is None) == ("known" not in ending)


@pytest.mark.slow
def test_a_group_ends_after_its_most_trials(store: Path, kind: Scripted) -> None:
    summary = run_sweep(placed("adaptive.precision=0.01", "adaptive.most=64"), store, kind=kind)
    assert (summary.done, summary.exit_status) == (128, 0)
    assert [group["ended"] for group in store_status(store).groups] == ["most", "most"]
    more = run_sweep(placed("adaptive.precision=0.01", "adaptive.most=96"), store, kind=kind)
    assert more.done == 192
    assert max(kind.calls().values()) == 1


@pytest.mark.slow
def test_a_crashed_trial_is_no_outcome_and_runs_again(store: Path, kind: Scripted) -> None:
    stored = None
    for _ in range(2):  # find a trial of the first round
        summary = run_sweep(placed("k=2"), store, kind=replace(kind, crash_at=stored))
        if stored is None:
            first = results(store).sel(k=2).isel(probe=3)
            stored = (2, int(first["m"]), int(first["trial"]))
            store = store.with_name("again.zarr")
    assert (summary.crashed, summary.exit_status) == (1, 3)
    assert store_status(store).trials.crashed == 1
    again = run_sweep(placed("k=2"), store, kind=kind)
    assert (again.computed, again.crashed, again.exit_status) == (1, 0, 0)


def test_status_tells_not_asked_from_pending_and_shows_the_groups(
    reference: Path, genprior: Command
) -> None:
    status = store_status(reference)
    assert status.trials.pending == status.trials.crashed == 0
    assert status.trials.total == status.trials.done == done(reference)
    assert status.trials.not_asked == 2 * 256 - status.trials.done
    assert [group["k"] for group in status.groups] == [2, 4]
    for group in status.groups:
        assert group["p50_low"] < group["p50"] < group["p50_high"]
        reached = (group["p50_high"] - group["p50_low"]) / 2 / group["p50"]
        assert group["reached"] == pytest.approx(reached)
        assert reached <= 0.25
    assert status.axes == {"k": 2, "m": 23}


@pytest.mark.slow
def test_a_budget_stops_the_run_and_the_same_command_goes_on(
    reference: Path, store: Path, kind: Scripted
) -> None:
    slow = replace(kind, pause=0.02)
    summary = run_sweep(placed(), store, kind=slow, budget=0.5)
    assert summary.out_of_time
    assert not summary.interrupted
    assert (summary.exit_status, summary.groups_ended) == (3, 0)
    assert 0 < summary.computed < done(reference)
    run_sweep(placed(), store, kind=kind)
    assert max(kind.calls().values()) == 1
    assert_same_results(store, reference)


def test_a_budget_that_is_spent_at_once_stops_the_run_without_an_error(
    store: Path, kind: Scripted
) -> None:
    """Blocks of this process are held from then on, and refuse to begin."""
    summary = run_sweep(placed(), store, kind=kind, budget=1e-9)
    assert summary.out_of_time
    assert (summary.done, summary.exit_status) == (0, 3)
    assert store_status(store).groups_left == 2
    assert (gp.fit(store)["transition"].outcome == "no-trials").all()


@pytest.mark.slow
def test_a_budget_that_ends_after_the_last_group_is_no_news(store: Path, kind: Scripted) -> None:
    end = time.monotonic() + 4

    def wait(summary: RunSummary) -> None:
        if summary.is_over:
            time.sleep(max(0.0, end - time.monotonic()))

    summary = run_sweep(placed("k=2"), store, kind=kind, budget=3.5, listen=wait)
    assert (summary.out_of_time, summary.exit_status) == (False, 0)


def test_a_budget_stops_a_grid_too(store: Path, kind: Scripted) -> None:
    summary = run_sweep(tiny_sweep(), store, kind=replace(kind, pause=0.05), budget=0.3)
    assert summary.out_of_time
    assert 0 < summary.computed < 48


@pytest.mark.slow
def test_more_groups_extend_the_store(reference: Path, store: Path, kind: Scripted) -> None:
    run_sweep(placed("k=4"), store, kind=kind)
    run_sweep(placed("k=2,3,4"), store, kind=kind)
    own, other = results(store), results(reference)
    for k in (2, 4):
        for name in ("m", "trial", "round", "latent_error", "status"):
            np.testing.assert_array_equal(own[name].sel(k=k), other[name].sel(k=k))


def test_what_follows_from_the_placed_axis_is_no_coordinate_of_groups(store: Path) -> None:
    """The widths follow from k, along which trials are placed."""
    parameters = {"depth": 2, "m": 30, "width_rule": "polylogarithmic", "width_factor": 4.0}
    sweep = Sweep.parse(
        {
            "parameters": {**parameters, "solver.max_steps": 20},
            "axes": {"k": [2, 6], "gain": [1.0, 2.0]},
            "fit": {"along": "k"},
            "adaptive": {"precision": 0.9, "most": 64},
        }
    )
    run_sweep(sweep, store)
    assert results(store).sizes.keys() == {"gain", "probe"}
    assert gp.verify(store, trials=4).outcome == "intact"


def test_draws_that_all_values_share_cannot_be_placed(store: Path) -> None:
    sweep = recovery_sweep(
        "m=9", "solver.max_steps=10,40", "fit.along=solver.max_steps", "adaptive.precision=0.1"
    )
    with refused(SweepError, "solver.max_steps", "share"):
        run_sweep(sweep, store)
    assert not store.exists()


def test_trials_without_success_cannot_be_placed(store: Path) -> None:
    sweep = gp.load_sweep("wdc-width")
    axis = next(name for name in sweep.axes if isinstance(sweep.axes[name][0], int))
    with refused(SweepError, "adaptive"):
        run_sweep(sweep.override([f"adaptive.along={axis}"]), store)


def test_a_grid_is_not_continued_adaptively_nor_the_other_way_round(
    reference: Path, store: Path, kind: Scripted
) -> None:
    run_sweep(tiny_sweep(), store, kind=kind)
    with refused(WrongStoreError, store, "--as placed"):
        run_sweep(placed(), store, kind=kind)
    with refused(WrongStoreError, reference, "--as grid"):
        run_sweep(tiny_sweep(), reference, kind=kind)


@pytest.mark.parametrize(
    "options",
    [
        ("--precision", "5%"),
        ("--adaptive", "--precision", "0"),
        ("--adaptive", "--precision", "101%"),
        ("--adaptive", "--precision", "5"),
        ("--adaptive", "--precision", "much"),
        ("--adaptive", "--budget", "0"),
        ("--adaptive", "--budget", "soon"),
        ("--adaptive", "--budget", ""),
        ("--adaptive", "--budget", "1e400s"),
        ("--adaptive", "--set", "exclude=m != 8"),
        ("--adaptive", "--set", "m=8"),
        ("--adaptive", "--trials", "50"),
    ],
)
def test_the_command_refuses_with_status_2(
    genprior: Command, tmp_path: Path, options: tuple[str, ...]
) -> None:
    sweep = write_sweep(recovery_sweep(), tmp_path / "tiny.toml")
    result = genprior("run", str(sweep), str(tmp_path / "x.zarr"), *options)
    assert result.exit_code == 2
    assert not (tmp_path / "x.zarr").exists()


def test_from_the_command_line_to_a_fit(genprior: Command, tmp_path: Path) -> None:
    """Real recoveries, placed, shown, fitted, drawn and checked."""
    sweep_of_two = recovery_sweep("k=2,3", "m=2,60", "solver.max_steps=400", "adaptive.most=64")
    sweep = write_sweep(sweep_of_two, tmp_path / "tiny.toml")
    store = tmp_path / "placed.zarr"
    run = ("run", str(sweep), str(store), "--adaptive", "--precision", "60%")
    result = genprior(*run, "--scheduler", "synchronous", "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["groups"] == summary["groups_ended"] == 2
    assert genprior("status", str(store)).exit_code == 0
    fitted = json.loads(genprior("fit", str(store), "--json").stdout)["transitions"]
    shown = store_status(store).groups
    for row, group in zip(fitted, shown, strict=True):
        assert row["k"] == group["k"]
        assert row["trials"] == group["trials"]
        assert group["p50_low"] < row["p50"] < group["p50_high"]
    assert not store_status(store).not_made
    assert gp.fit(store)["transition"].p50.notnull().all()
    picture = tmp_path / "placed.png"
    assert genprior("plot", str(store), "-o", str(picture)).exit_code == 0
    assert picture.stat().st_size > 10_000
    checked = json.loads(genprior("verify", str(store), "--json").stdout)
    assert checked["outcome"] == "intact"


def test_in_python_the_arguments_are_those_of_the_command(tmp_path: Path) -> None:
    store = tmp_path / "placed.zarr"
    sweep = recovery_sweep("k=2", "m=2,40")
    summary = gp.run(
        sweep, store, adaptive=True, precision=0.4, scheduler="synchronous", progress=False
    )
    assert (summary.groups, summary.groups_ended) == (1, 1)
    with refused(gp.UserError, "precision"):
        gp.run(sweep, store, adaptive=True, precision=2, progress=False)
    with refused(gp.UserError, "budget"):
        gp.run(sweep, store, adaptive=True, budget=-1, progress=False)


def test_the_plan_predicts_each_group(genprior: Command, tmp_path: Path) -> None:
    sweep = write_sweep(recovery_sweep("k=2,4", "m=2,40"), tmp_path / "tiny.toml")
    plan = json.loads(
        genprior("plan", str(sweep), "--adaptive", "--precision", "20%", "--json").stdout
    )
    assert [group["k"] for group in plan["groups"]] == [2, 4]
    assert plan["trials"] == sum(group["trials"] for group in plan["groups"])
    assert plan["groups"][0]["trials"] > plan["groups"][1]["trials"] >= 48
    assert plan["cpu_seconds"] == pytest.approx(sum(g["seconds"] for g in plan["groups"]))
