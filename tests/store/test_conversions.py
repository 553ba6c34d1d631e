"""Stores with placed trials and stores over values become each other, trial by trial."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr
from helpers import Scripted, refused, results, tiny_sweep
from placed_sweeps import (
    assert_no_trial_twice,
    assert_same_store,
    in_order,
    placed_sweep,
    statuses,
    trials_of,
)

from genprior.pipeline import run_sweep
from genprior.pipeline.upkeep.merge import MergeError, merge_paths
from genprior.pipeline.upkeep.verify import verify_store
from genprior.store import Status, StoreError, WrongStoreError, merge_trials, read_info
from genprior.sweeps import SweepError

Run = Callable[..., Path]
pytestmark = pytest.mark.usefixtures("run")


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two groups whose trials were placed; not to be changed."""
    folder = tmp_path_factory.mktemp("placed")
    (folder / "calls").mkdir()
    run_sweep(placed_sweep(), folder / "placed.zarr", kind=Scripted(str(folder / "calls")))
    return folder / "placed.zarr"


def open_group(path: Path) -> zarr.Group:
    return zarr.open_group(path, mode="r+", use_consolidated=False)


def make_pending(path: Path, index: tuple[int | slice, ...]) -> None:
    """Make trials of a store ones that have not run."""
    group = open_group(path)
    for name in ("success", "latent_error", "iterations", "seconds"):
        group[name][index] = group[name].fill_value
    group["status"][index] = Status.PENDING


def test_placed_trials_lie_on_the_grid_of_their_values(placed: Path, out: Path) -> None:
    merged = merge_paths([placed], out, layout="grid")
    held, before = results(out), trials_of(placed)
    assert trials_of(out) == before
    assert (merged.trials.done, list(merged.taken.values())) == (len(before), [len(before)])
    assert held["m"].values.tolist() == sorted({m for _, m, _ in before})
    assert held.sizes["trial"] == max(number for _, _, number in before) + 1
    assert statuses(out) == {"DONE": len(before), "NOT_ASKED": held["status"].size - len(before)}
    sweep = read_info(out).sweep
    assert (sweep.adaptive, sweep.fit.along) == (None, "m")
    assert verify_store(out, trials=5).outcome == "intact"


def test_a_run_fills_the_grid_as_if_it_had_run_alone(
    placed: Path, out: Path, kind: Scripted, tmp_path: Path
) -> None:
    """Two values and 20 trials of the grid are asked for: 80 trials, of which few are done."""
    merge_paths([placed], out, layout="grid")
    values, known = results(out)["m"].values.tolist()[3:5], trials_of(out)
    asked = tiny_sweep("trials=20", axes={"k": [2, 4], "m": values})
    summary = run_sweep(asked, out, kind=kind)
    direct = tmp_path / "direct.zarr"
    run_sweep(asked, direct, kind=kind)
    expected = trials_of(direct)
    assert summary.computed == len(set(expected) - set(known)) > 0
    assert trials_of(out) == known | expected


@pytest.mark.slow
def test_a_grid_and_back_is_the_same_grid(run: Run, out: Path, tmp_path: Path) -> None:
    """A crashed trial stays crashed; the trials lie by value and number, 16 of 24 in a chunk."""
    grid = run("grid", "trials=6", "blocks.trials=99", crash=True)
    back = tmp_path / "back.zarr"
    merge_paths([grid], out, layout="placed")
    asked = [(m, trial, 0) for m in (3, 5, 7, 9) for trial in range(6)]
    assert [in_order(out, k) for k in (2, 4, 6)] == [asked] * 3
    assert read_info(out).sweep.as_dict()["adaptive"]["along"] == "m"
    assert verify_store(out, trials=5).outcome == "intact"
    merge_paths([out], back, layout="grid")
    assert_same_store(back, grid)
    assert statuses(back) == {"DONE": 71, "CRASHED": 1}


@pytest.mark.slow
def test_placed_trials_and_back_are_given_by_value_and_number(
    placed: Path, out: Path, tmp_path: Path
) -> None:
    merge_paths([placed], tmp_path / "grid.zarr", layout="grid")
    merge_paths([tmp_path / "grid.zarr"], out, layout="placed")
    assert trials_of(out) == trials_of(placed)
    for k in (2, 4):
        expected = sorted((m, number, 0) for m, number, _ in in_order(placed, k))
        assert in_order(out, k) == expected


def test_a_store_alone_keeps_its_order_and_rounds(placed: Path, out: Path) -> None:
    for layout in ("placed", None):
        shutil.rmtree(out, ignore_errors=True)
        if layout is None:
            other = out.with_name("other.zarr")
            shutil.copytree(placed, other)
            merged = merge_paths([placed, other], out)
            assert merged.identical == merged.trials.done
        else:
            merge_paths([placed], out, layout="placed")
        assert_same_store(out, placed)


@pytest.mark.slow
def test_crashed_and_pending_trials_keep_their_status(
    placed: Path, out: Path, kind: Scripted, tmp_path: Path
) -> None:
    m, number, _ = in_order(placed, 4)[20]
    path, back = tmp_path / "crash.zarr", tmp_path / "back.zarr"
    run_sweep(placed_sweep(), path, kind=Scripted(kind.folder, crash_at=(4, m, number)))
    make_pending(path, (0, 3))
    pending = (2, *in_order(path, 2)[3][:2])
    merge_paths([path], out, layout="grid")
    held = trials_of(out, (Status.PENDING, *Status))
    assert "was told to crash" in held[4, m, number][-1]
    assert (held[4, m, number][0], held[pending][0]) == (Status.CRASHED, Status.PENDING)
    merge_paths([path], back, layout="placed")
    assert_same_store(back, path)
    assert statuses(back)["PENDING"] == 1
    merge_paths([out], tmp_path / "dropped.zarr", layout="placed")
    assert "PENDING" not in statuses(tmp_path / "dropped.zarr")


@pytest.mark.slow
def test_different_groups_go_on_as_one_run_of_both(
    placed: Path, out: Path, kind: Scripted, tmp_path: Path
) -> None:
    paths = [tmp_path / "2.zarr", tmp_path / "4.zarr"]
    for k, path in zip((2, 4), paths, strict=True):
        run_sweep(placed_sweep(axes={"k": [k], "m": [2, 60]}), path, kind=kind)
    merge_paths(paths, out)
    assert_same_store(out, placed)
    direct, precise = tmp_path / "direct.zarr", placed_sweep("adaptive.precision=0.3")
    run_sweep(precise, direct, kind=kind)
    assert run_sweep(precise, out, kind=kind).computed > 0
    assert_same_store(out, direct)


@pytest.mark.slow
def test_of_a_group_and_its_begin_the_longer_one_is_kept(
    placed: Path, out: Path, kind: Scripted
) -> None:
    longer = out.with_name("longer.zarr")
    shutil.copytree(placed, longer)
    run_sweep(placed_sweep("adaptive.precision=0.3", "k=4"), longer, kind=kind)
    begin, whole = len(in_order(placed, 4)), len(in_order(longer, 4))
    assert whole > begin
    for pending in (False, True):
        if pending:  # as after a kill
            make_pending(longer, (1, slice(begin, whole)))
        shutil.rmtree(out, ignore_errors=True)
        merge_paths([placed, longer], out)
        assert [in_order(out, k) for k in (2, 4)] == [in_order(longer, k) for k in (2, 4)]
    assert statuses(out)["PENDING"] == whole - begin


@pytest.mark.slow
def test_trials_of_other_stores_are_given_first_and_the_run_goes_on(
    placed: Path, run: Run, out: Path, kind: Scripted, tmp_path: Path
) -> None:
    """K = 2 gets up to 40 trials of a grid, k = 4 none: one is sorted, the other one kept."""
    grid = run("grid", "k=2", "m=5,55", "trials=20")
    merged = merge_paths([placed, grid], out, layout="placed")
    union = trials_of(placed) | trials_of(grid)
    assert trials_of(out) == union
    assert merged.trials.done == len(union)
    assert in_order(out, 4) == in_order(placed, 4)
    given = in_order(out, 2)
    assert given == sorted((m, t, 0) for k, m, t in union if k == 2)
    precise, again = placed_sweep("k=2", "adaptive.precision=0.02"), tmp_path / "again.zarr"
    shutil.copytree(out, again)
    run_sweep(precise, out, kind=kind)
    group = results(out).sel(k=2)
    first = int(np.argmax(group["round"].values == 1))
    assert first == -(-len(given) // 16) * 16  # a chunk of its own
    assert in_order(out, 2)[: len(given)] == given
    assert {number for _, _, number in in_order(out, 2)} >= {0, 1}
    assert_no_trial_twice(out)
    assert verify_store(out, trials=5).outcome == "intact"
    assert run_sweep(precise, out, kind=kind).computed == 0
    run_sweep(precise, again, kind=kind)
    assert_same_store(again, out)


@pytest.mark.slow
def test_a_converted_grid_goes_on_with_trials_of_the_same_grid(
    run: Run, out: Path, kind: Scripted, tmp_path: Path
) -> None:
    """A merge of all with a grid refuses any trial whose bits differ, and compares some here."""
    grid = run("grid", "k=2,4", "trials=3", "blocks.trials=99")
    merge_paths([grid], out, layout="placed")
    assert run_sweep(placed_sweep("m=3,9"), out, kind=kind).computed > 0
    larger = run("larger", "k=2,4", "m=3,4,5,6,7,8,9", "trials=20", "blocks.trials=999")
    merged = merge_paths([out, larger], tmp_path / "all.zarr", layout="grid")
    assert merged.identical == len(trials_of(out)) > 24
    assert trials_of(tmp_path / "all.zarr") == trials_of(larger)


def test_excluded_points_are_excluded_in_both_layouts(run: Run, out: Path, tmp_path: Path) -> None:
    rule = {"exclude": ("m < k",)}
    grid, back = run("grid", "blocks.trials=99", **rule), tmp_path / "back.zarr"
    merge_paths([grid], out, layout="placed")
    assert statuses(out)["DONE"] == 48 - 12
    merge_paths([out, grid], back, layout="grid")
    assert_same_store(back, grid)
    assert statuses(back) == {"DONE": 36, "EXCLUDED": 12}


def test_a_trial_with_two_results_is_refused(placed: Path, out: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.zarr"
    shutil.copytree(placed, other)
    m, number, _ = in_order(placed, 4)[7]
    open_group(other)["iterations"][1, 7] += 1
    for layout in ("placed", "grid"):
        trial = f"k=4, m={m}, trial={number}"
        with refused(WrongStoreError, "'iterations'", trial, placed, other):
            merge_paths([placed, other], out, layout=layout)
    assert list(out.parent.iterdir()) == []


def test_both_layouts_together_need_the_option(placed: Path, run: Run, out: Path) -> None:
    grid = run("grid", "k=2")
    with refused(MergeError, "--as placed", "--as grid", placed, grid):
        merge_paths([grid, placed], out)
    assert MergeError.exit_status == 2
    with refused(MergeError, "--as"):
        merge_paths([grid], out)
    assert not out.exists()


@pytest.mark.slow
def test_an_axis_that_cannot_be_placed_is_refused(
    placed: Path, run: Run, out: Path, kind: Scripted, tmp_path: Path
) -> None:
    with refused(SweepError, "fit.along"):
        merge_paths([run("none", fit={})], out, layout="placed")
    with refused(SweepError, "'m'", "one value"):
        merge_paths([run("one", "m=7")], out, layout="placed")
    other = tmp_path / "other.zarr"
    table = {"along": "k", "precision": 0.9, "most": 64}
    run_sweep(placed_sweep(adaptive=table, axes={"k": [2, 4], "m": [1]}), other, kind=kind)
    with refused(SweepError, "'m'", "'k'", "--as grid"):
        merge_paths([placed, other], out)
    merged = merge_paths([placed, other], out, layout="grid")
    assert trials_of(out) == trials_of(placed) | trials_of(other)
    assert merged.trials.done == len(trials_of(out))


def test_what_would_not_fit_into_memory_is_refused(
    placed: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge_trials, "MOST_CELLS", 200)
    with refused(StoreError, "cells", "200"):
        merge_paths([placed], out, layout="grid")


def test_what_the_user_put_there_is_carried_or_refused(run: Run, out: Path) -> None:
    grid = run("grid", "k=2", "m=5,7")
    (grid / "notes.txt").write_text("mine")
    open_group(grid)["success"].attrs["remark"] = "kept"
    merge_paths([grid], out, layout="placed")
    assert (out / "notes.txt").read_text() == "mine"
    assert results(out)["success"].attrs["remark"] == "kept"
    shutil.rmtree(out)
    for name, dims in (("mine", ("m",)), ("round", ("k",))):
        size = results(grid).sizes[dims[0]]
        open_group(grid).create_array(name, shape=(size,), dtype="f8", dimension_names=dims)
        with refused(StoreError, grid / name):
            merge_paths([grid], out, layout="placed")
        shutil.rmtree(grid / name)
    assert list(out.parent.iterdir()) == []


def test_damaged_placements_are_refused(placed: Path, out: Path, tmp_path: Path) -> None:
    for name, value in (("m", -1), ("trial", None)):
        path = tmp_path / f"{name}.zarr"
        shutil.copytree(placed, path)
        if value is None:  # the place of the fifth trial, again
            for column in ("m", "trial"):
                array = open_group(path)[column]
                array[0, 9] = array[0, 4]
        else:
            open_group(path)[name][0, 9] = value
        with refused(StoreError, path, "k=2, probe=9", "verify"):
            merge_paths([path], out, layout="grid")
