"""Stores of one experiment become one store: completely, or not at all."""

import json
import shutil
from collections.abc import Callable
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
import zarr
from helpers import (
    Scripted,
    assert_names,
    chunk_stamps,
    comparable,
    neighbours,
    refused,
    results,
    tiny_sweep,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from genprior.pipeline import run_sweep
from genprior.pipeline.upkeep.merge import merge_paths
from genprior.store import Status, StoreError, record

CRASH = (4, 7, 2)
K, M = (2, 4, 6), (3, 5, 7, 9)
FEW = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=(Phase.explicit, Phase.generate),
)  # fmt: skip
Run = Callable[..., Path]


def assert_merged(path: Path, direct: Path) -> None:
    """The store holds what one run gives, and says where it comes from."""
    merged, expected = comparable(path), comparable(direct)
    assert merged.attrs.pop("merged_from")
    assert merged.identical(expected)


def statuses(path: Path) -> dict[str, int]:
    """The number of trials by status; those without trials are left out."""
    status = results(path)["status"].values
    return {state.name: int((status == state).sum()) for state in Status if (status == state).any()}


def test_parts_of_one_grid_become_what_one_run_gives(run: Run, out: Path) -> None:
    """As `--part` on machines without a common disk, here by the values of k and m."""
    parts = [run("a", "k=2"), run("b", "k=4,6", "m=3,5"), run("c", "k=4,6", "m=7,9")]
    merged = merge_paths(parts, out)
    assert (merged.trials.done, merged.trials.total, merged.identical) == (48, 48, 0)
    assert list(merged.taken.values()) == [16, 16, 16]
    assert_merged(out, run("direct"))
    assert neighbours(out) == []


@pytest.mark.slow
def test_cells_of_no_store_are_not_asked_until_a_run_asks(
    run: Run, kind: Scripted, out: Path
) -> None:
    """K = 2 with m = 3, 5 and k = 4 with m = 9: 3 of 6 points, 2 trials more at one of them."""
    merge_paths([run("a", "k=2", "m=3,5", "trials=2"), run("b", "k=4", "m=9")], out)
    assert statuses(out) == {"DONE": 2 * 2 + 4, "NOT_ASKED": 6 * 4 - 8}
    assert results(out)["success"].notnull().sum() == 8
    before = kind.calls()
    summary = run_sweep(tiny_sweep("k=2", "m=3", "trials=2"), out, kind=kind)
    assert (summary.total, summary.computed, summary.unasked) == (2, 0, 0)
    assert kind.calls() == before
    summary = run_sweep(tiny_sweep("k=4", "m=3,5"), out, kind=kind)
    assert (summary.computed, summary.unasked) == (8, 0)
    assert statuses(out) == {"DONE": 16, "NOT_ASKED": 8}
    run_sweep(tiny_sweep("k=2,4", "m=3,5,9"), out, kind=kind)
    assert_merged(out, run("direct", "k=2,4", "m=3,5,9"))


def test_not_asked_trials_stay_so_when_the_store_grows_or_is_mended(
    run: Run, kind: Scripted, out: Path
) -> None:
    """A block of k = 2 has m = 3, asked for, and m = 5, not: one of its chunks is lost."""
    merge_paths([run("a", "k=2", "m=3,7"), run("b", "k=4", "m=5,9")], out)
    (out / "latent_error" / "c" / "0" / "0" / "0").unlink()
    summary = run_sweep(tiny_sweep("k=2", "m=3"), out, kind=kind)
    assert "latent_error" in summary.mended
    assert statuses(out) == {"DONE": 16, "NOT_ASKED": 16}
    run_sweep(tiny_sweep("k=2,6", "m=3"), out, kind=kind)
    assert statuses(out) == {"PENDING": 12, "DONE": 20, "NOT_ASKED": 16}


def test_a_trial_in_several_stores_is_taken_once_if_it_is_the_same(run: Run, out: Path) -> None:
    """K = 4 in both, 16 trials; times differ, and the first store's are kept."""
    first, second = run("a", "k=2,4"), run("b", "k=4,6")
    merged = merge_paths([first, second], out)
    assert (list(merged.taken.values()), merged.identical) == ([32, 16], 16)
    assert_merged(out, run("direct"))
    assert results(out)["seconds"].sel(k=4).equals(results(first)["seconds"].sel(k=4))


@pytest.mark.slow
def test_done_wins_over_crashed_and_crashed_over_pending(
    run: Run, out: Path, tmp_path: Path
) -> None:
    """The first store has a crashed trial, the second none of its block, the third has it done."""
    crashed, other, done = run("a", crash=True), run("b", "k=2", "m=3"), run("c", "k=4", "m=7")
    merge_paths([crashed, other], out)
    at = results(out).sel(k=4, m=7, trial=2)
    assert (int(at.status), at.error.item()) == (2, f"ArithmeticError: {CRASH} was told to crash")
    merged = merge_paths([crashed, other, done], tmp_path / "merged" / "three.zarr")
    assert (merged.trials.crashed, list(merged.taken.values())) == (0, [47, 0, 1])
    assert_merged(tmp_path / "merged" / "three.zarr", run("direct"))


def test_whole_blocks_are_shared_and_not_copied(run: Run, kind: Scripted, out: Path) -> None:
    """Blocks of two points: k = 2 is in the first store, k = 6 in the second one."""
    first, second = run("a", "k=2"), run("b", "k=6")
    merge_paths([first, second], out)
    inodes = {inode for inode, _ in chunk_stamps(out, "latent_error").values()}
    assert inodes == {
        inode
        for path in (first, second)
        for inode, _ in chunk_stamps(path, "latent_error").values()
    }
    before = results(first)
    run_sweep(tiny_sweep("k=2,6", "trials=5"), out, kind=kind)
    assert results(first).identical(before)


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [1, 3, 8, 100])
def test_stores_of_other_blocks_are_merged_by_values(run: Run, out: Path, blocks: int) -> None:
    first = run("a", "k=2,4", "m=3,7")
    second = run("b", "k=2,6", "m=5,7,9", f"blocks.trials={blocks}")
    third = run("c", f"blocks.trials={blocks}", "k=4,6")
    merge_paths([first, second, third], out)
    held = results(out)
    assert held.sizes == {"k": 3, "m": 4, "trial": 4}
    assert_same_values(out, run("direct"))
    assert statuses(out) == {"DONE": 48}


def assert_same_values(path: Path, direct: Path) -> None:
    """Where a trial is done, its values are those of the other store."""
    held, expected = results(path).drop_vars("seconds"), results(direct).drop_vars("seconds")
    done = held["status"] == Status.DONE
    for name in ("success", "latent_error", "iterations"):
        assert held[name].where(done).equals(expected[name].where(done))


def test_excluded_points_stay_excluded(run: Run, out: Path) -> None:
    rule = {"exclude": ("m < k",)}
    merge_paths([run("a", "k=2,4", **rule), run("b", "k=6", **rule)], out)
    assert statuses(out) == {"DONE": 48 - 12, "EXCLUDED": 12}
    assert_merged(out, run("direct", **rule))


def test_history_weights_and_mixtures_are_joined(run: Run, out: Path) -> None:
    """Runs that differ only in their time share an entry."""
    first, second = run("a", "k=2"), run("b", "k=4")
    record(first, {"weights_sha256": json.dumps({"w": "1"}), "mine": "kept"})
    record(second, {"weights_sha256": json.dumps({"w": "1", "v": "2"}), "theirs": "too"})
    merge_paths([first, second], out)
    attributes = results(out).attrs
    assert [entry["runs"] for entry in json.loads(attributes["history"])] == [2]
    assert json.loads(attributes["weights_sha256"]) == {"w": "1", "v": "2"}
    assert (attributes["mine"], attributes["theirs"]) == ("kept", "too")
    assert [o["store"] for o in json.loads(attributes["merged_from"])] == [str(first), str(second)]
    assert "mixed" not in attributes


@pytest.mark.parametrize(
    ("attributes", "named"),
    [
        ({"numpy_version": "9.9"}, "numpy version"),
        ({"kernel_version": 77}, "kernel version"),
        ({"weights_sha256": json.dumps({"w_1.npz": "2"})}, "SHA-256 of w_1.npz"),
    ],
)
def test_other_environments_are_merged_on_request_only(
    run: Run, out: Path, attributes: dict[str, object], named: str
) -> None:
    first, second = run("a", "k=2"), run("b", "k=4")
    record(first, {"weights_sha256": json.dumps({"w_1.npz": "1"})})
    record(second, attributes)
    with refused(StoreError, named, "--allow-mixed", second):
        merge_paths([first, second], out)
    assert not out.exists()
    merged = merge_paths([first, second], out, allow_mixed=True)
    assert_names(merged.mixed[0], named)
    (mixed,) = json.loads(results(out).attrs["mixed"])
    assert len(mixed) == 1


def test_what_the_user_put_there_is_copied(run: Run, out: Path) -> None:
    first, second = run("a", "k=2"), run("b", "k=4")
    for path, text in ((first, "one"), (second, "two")):
        zarr.open_group(path, mode="r+", use_consolidated=False).create_group(text)
        (path / "both.txt").write_text("same")
    (first / "notes.txt").write_text("mine")
    array = zarr.open_group(second, mode="r+", use_consolidated=False)["success"]
    array.attrs["remark"] = "kept"
    merge_paths([first, second], out)
    assert zarr.open_group(out, mode="r")["one"] is not None
    assert (out / "two" / "zarr.json").is_file()
    assert results(out)["success"].attrs["remark"] == "kept"
    with (out / "notes.txt").open("a") as notes:
        notes.write(" and more")
    assert (first / "notes.txt").read_text() == "mine"


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The tiny sweep with a crashed trial, in blocks of 3 trials, 8 trials, and all."""
    folder = tmp_path_factory.mktemp("direct")
    (folder / "calls").mkdir()
    kind = Scripted(str(folder / "calls"), crash_at=CRASH)
    paths = []
    for blocks in (3, 8, 100):
        paths.append(folder / f"{blocks}.zarr")
        run_sweep(tiny_sweep(f"blocks.trials={blocks}"), paths[-1], kind=kind)
    return paths


def keep(path: Path, kept: np.ndarray) -> None:
    """Leave only some trials in a store; the others are as if they had not been run."""
    group = zarr.open_group(path, mode="r+", use_consolidated=False)
    for name in ("success", "latent_error", "iterations", "seconds", "error", "status"):
        values = group[name][...]
        values[~kept] = group[name].fill_value
        group[name][...] = values


@pytest.mark.slow
@pytest.mark.usefixtures("run")
@FEW
@given(data=st.data(), count=st.integers(2, 4))
def test_any_partition_of_the_trials_is_merged_to_the_same_dataset(
    direct: list[Path], kind: Scripted, tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject, count: int,
) -> None:  # fmt: skip
    """Each trial belongs to one of the parts, or to several; each part has blocks of its own."""
    folder = tmp_path_factory.mktemp("parts")
    seed = data.draw(st.integers(0, 2**32 - 1), label="seed")
    owner = np.random.default_rng(seed).integers(0, count, size=(3, 4, 4))
    shared = np.random.default_rng(seed + 1).random((3, 4, 4)) < data.draw(st.floats(0, 0.3))
    paths = []
    for number in range(count):
        paths.append(folder / f"{number}.zarr")
        shutil.copytree(direct[data.draw(st.integers(0, 2))], paths[-1])
        keep(paths[-1], (owner == number) | shared)
    merge_paths(paths, folder / "all.zarr")
    assert_merged(folder / "all.zarr", direct[1])
    assert_same_times(folder / "all.zarr", paths)


def assert_same_times(path: Path, parts: list[Path]) -> None:
    """Every trial has the time that it has in the first part that holds it."""
    first = reduce(
        lambda known, part: known.fillna(part), (results(part)["seconds"] for part in parts)
    )
    assert results(path)["seconds"].equals(first)


SOME_K = st.sets(st.sampled_from(K), min_size=1)
SOME_M = st.sets(st.sampled_from(M), min_size=1)
PART = st.tuples(SOME_K, SOME_M, st.integers(1, 4), st.sampled_from([1, 3, 8, 100]))


@pytest.mark.slow
@pytest.mark.usefixtures("run")
@FEW
@given(parts=st.lists(PART, min_size=2, max_size=3))
def test_grids_of_any_extent_are_joined(
    direct: list[Path], kind: Scripted, tmp_path_factory: pytest.TempPathFactory,
    parts: list[tuple[set[int], set[int], int, int]],
) -> None:  # fmt: skip
    """A trial is done if one of the grids has it, else it is not asked."""
    folder, paths = tmp_path_factory.mktemp("grids"), []
    for number, (ks, ms, trials, blocks) in enumerate(parts):
        axes = {"k": sorted(ks), "m": sorted(ms)}
        paths.append(folder / f"{number}.zarr")
        sweep = tiny_sweep(f"trials={trials}", f"blocks.trials={blocks}", axes=axes)
        run_sweep(sweep, paths[-1], kind=kind)
    merge_paths(paths, folder / "all.zarr")
    held = results(folder / "all.zarr")
    asked = {
        (k, m, trial) for ks, ms, trials, _ in parts for k in ks for m in ms
        for trial in range(trials)
    }  # fmt: skip
    done = held["status"] == Status.DONE
    found = held["status"].where(done).to_series().dropna().index
    assert set(found) == asked
    assert set(np.unique(held["status"])) <= {Status.DONE, Status.NOT_ASKED}
    expected = results(direct[1]).sel(k=held.k, m=held.m, trial=held.trial)
    same = expected["status"] == Status.DONE  # all but the trial that crashed there
    for name in ("success", "latent_error", "iterations"):
        assert held[name].where(done & same).equals(expected[name].where(done & same))
        assert bool(held[name].where(~done).isnull().all())
