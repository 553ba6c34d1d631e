"""Placements that are lost or wrong: found, and placed again where they were."""

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import zarr
from helpers import Scripted, assert_names, results, tiny_sweep
from placed_sweeps import (
    assert_no_trial_twice,
    assert_same_store,
    in_order,
    placed_sweep,
    statuses,
    trials_of,
)

from genprior.pipeline import run_sweep
from genprior.pipeline.run.placed import PlacedBlocks
from genprior.pipeline.status import store_status
from genprior.pipeline.upkeep.merge import merge_paths
from genprior.pipeline.upkeep.verify import verify_store
from genprior.store import Status, read_info
from genprior.sweeps import Sweep
from genprior.tasks import EXPERIMENTS

PRECISE = ("k=4", "adaptive.precision=0.35")


@pytest.fixture(autouse=True)
def _known(kind: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXPERIMENTS.built_in, "scripted", kind.as_class())


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    return placed_sweep(*PRECISE, axes={"k": [4], "m": [2, 60]})


@pytest.fixture(scope="module")
def placed(sweep: Sweep, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One group of several rounds; not to be changed."""
    folder = tmp_path_factory.mktemp("placed")
    (folder / "calls").mkdir()
    path = folder / "placed.zarr"
    run_sweep(sweep, path, kind=Scripted(str(folder / "calls")))
    assert len(in_order(path, 4)) >= 4 * 16
    return path


@pytest.fixture
def copy(placed: Path, store: Path) -> Path:
    shutil.copytree(placed, store)
    return store


def lose(path: Path, name: str, chunk: int) -> None:
    (path / name / "c" / "0" / str(chunk)).unlink()


def cut(path: Path, name: str, chunk: int) -> None:
    """Leave half of a chunk: enough bytes for a checksum, which is wrong."""
    file = path / name / "c" / "0" / str(chunk)
    content = file.read_bytes()
    file.write_bytes(content[: max(8, len(content) // 2)])


@pytest.mark.parametrize("name", ["m", "trial", "round", "status", "success"])
def test_a_cut_chunk_is_named_by_status_and_computed_again(
    placed: Path, copy: Path, sweep: Sweep, kind: Scripted, name: str
) -> None:
    before = store_status(copy).trials
    cut(copy, name, 2)
    status = store_status(copy)
    assert (status.trials.done, status.groups[0]["trials"]) == (before.done - 16,) * 2
    assert_names(status.damaged, f"{name}/c/0/2", "checksum", "Repeat the run")
    summary = run_sweep(sweep, copy, kind=kind)
    assert summary.computed == 16
    assert_names(summary.mended, f"{name}/c/0/2")
    assert_same_store(copy, placed)


@pytest.mark.parametrize(
    "lost",
    [
        [("m", 2)],
        [("trial", 2)],
        [("round", 2)],
        [("status", 2)],
        [("success", 2)],
        [("m", 0)],
        [("m", 3)],
        [("trial", 1), ("m", 2), ("status", 3)],
        [("m", 0), ("trial", 0), ("round", 0), ("status", 0), ("m", 3)],
    ],
    ids=lambda lost: "+".join(f"{name}{chunk}" for name, chunk in lost),
)
def test_a_lost_chunk_is_placed_and_computed_again(
    placed: Path, copy: Path, sweep: Sweep, kind: Scripted, lost: list[tuple[str, int]]
) -> None:
    for name, chunk in lost:
        lose(copy, name, chunk)
    summary = run_sweep(sweep, copy, kind=kind)
    assert summary.computed == 16 * len({chunk for _, chunk in lost})
    assert_same_store(copy, placed)
    assert run_sweep(sweep, copy, kind=kind).computed == 0


@pytest.mark.parametrize("name", ["m", "trial", "round"])
def test_a_part_places_a_lost_chunk_of_a_store_that_nobody_mended(
    copy: Path, sweep: Sweep, name: str
) -> None:
    """Other parts may write, so that a part does not mend; it asks for the same 16 trials."""
    expected = in_order(copy, 4)
    lose(copy, name, 1)
    blocks = PlacedBlocks(read_info(copy), sweep, None, lambda *task: Task(*task))
    assert not blocks.is_over
    blocks.begin()
    assert in_order(copy, 4) == expected


class Task(NamedTuple):
    """What a run makes a task of."""

    block: tuple[int, ...]
    wanted: np.ndarray
    placed: tuple[tuple[int, int], ...]


def test_status_names_a_lost_placement(copy: Path) -> None:
    before = store_status(copy).trials
    lose(copy, "m", 1)
    status = store_status(copy)
    assert (status.trials.done, status.trials.pending) == (before.done - 16, 16)
    assert_names(status.damaged, "m/c/0/1")


@pytest.mark.parametrize("name", ["m", "trial", "round"])
@pytest.mark.parametrize("state", [Status.DONE, Status.PENDING])
def test_a_trial_without_a_place_is_a_fault(
    placed: Path, copy: Path, sweep: Sweep, kind: Scripted, name: str, state: Status
) -> None:
    group = zarr.open_group(copy, mode="r+", use_consolidated=False)
    group[name][0, 21] = -1
    if state is Status.PENDING:
        for variable in ("success", "latent_error", "iterations", "seconds"):
            group[variable][0, 21] = group[variable].fill_value
        group["status"][0, 21] = Status.PENDING
    check = verify_store(copy, trials=0)
    (finding,) = check.findings
    assert (check.outcome, finding.kind, finding.trials) == ("damaged", "damage", 1)
    assert_names(f"{finding.where} {finding.what}", "k=4, probe=21", f"'{name}'")
    assert_repaired(copy, placed, sweep, kind)


def test_a_trial_that_is_there_twice_is_a_fault(
    placed: Path, copy: Path, sweep: Sweep, kind: Scripted
) -> None:
    """Probe 35, in the third chunk, has the value and number of probe 3, in the first one."""
    group = zarr.open_group(copy, mode="r+", use_consolidated=False)
    for name in ("m", "trial"):
        group[name][0, 35] = group[name][0, 3]
    (finding,) = verify_store(copy, trials=0).findings
    assert (finding.kind, finding.trials) == ("damage", 1)
    assert_names(finding.where, "k=4, probe=35")
    assert_repaired(copy, placed, sweep, kind)


def assert_repaired(path: Path, placed: Path, sweep: Sweep, kind: Scripted) -> None:
    """A repair marks one chunk, and the run places and computes it as it was."""
    assert verify_store(path, trials=0, repair=True).outcome == "repaired"
    check = verify_store(path, trials=3)
    assert (check.outcome, check.trials.done) == ("intact", len(trials_of(placed)) - 16)
    assert run_sweep(sweep, path, kind=kind).computed == 16
    assert_same_store(path, placed)


@pytest.fixture
def given(kind: Scripted, tmp_path: Path) -> Path:
    """Two chunks of a group from a grid: 4 values × 6 trials; the second is half empty."""
    grid, path = tmp_path / "grid.zarr", tmp_path / "given.zarr"
    run_sweep(tiny_sweep("k=4", "trials=6"), grid, kind=kind)
    merge_paths([grid], path, layout="placed")
    return path


def test_given_trials_whose_status_is_lost_are_asked_again(
    given: Path, kind: Scripted, tmp_path: Path, sweep: Sweep
) -> None:
    undamaged = tmp_path / "undamaged.zarr"
    shutil.copytree(given, undamaged)
    lose(given, "status", 1)
    for path in (undamaged, given):
        run_sweep(sweep, path, kind=kind)
    assert_same_store(given, undamaged)


@pytest.mark.parametrize("name", ["m", "round", "trial"])
def test_given_trials_whose_place_is_lost_make_room_for_others(
    given: Path, kind: Scripted, sweep: Sweep, name: str
) -> None:
    lose(given, name, 0)
    run_sweep(sweep, given, kind=kind)
    assert_no_trial_twice(given)
    assert set(statuses(given)) == {"DONE", "NOT_ASKED"}
    assert len(in_order(given, 4)) >= 40
    assert verify_store(given, trials=5).outcome == "intact"
    assert run_sweep(sweep, given, kind=kind).computed == 0


def test_results_at_other_places_are_pending(given: Path, sweep: Sweep) -> None:
    """A part places other trials where it is lost which ones the store was given."""
    lose(given, "m", 0)
    blocks = PlacedBlocks(read_info(given), sweep, None, lambda *task: Task(*task))
    blocks.begin()
    held = results(given).sel(k=4)
    assert (held["status"][:16] == Status.PENDING).all()
    assert (held["m"][:16] >= 2).all()
    assert (held["status"][16:24] == Status.DONE).all()


@pytest.mark.parametrize("name", ["success", "round"])
def test_what_is_lost_does_not_change_what_status_says_of_the_other_trials(
    placed: Path, copy: Path, name: str
) -> None:
    """The last trials of a group have no success, or no round: p50 and its share fit together."""
    (whole,) = store_status(placed).groups
    last = len(in_order(placed, 4)) // 16 - 1
    lose(copy, name, last)
    (group,) = store_status(copy).groups
    assert group["trials"] == whole["trials"] - 16
    half = (group["p50_high"] - group["p50_low"]) / 2
    assert group["reached"] == pytest.approx(half / group["p50"], rel=0.05)
    assert group["p50_low"] < whole["p50"] < group["p50_high"]
