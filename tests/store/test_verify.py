"""A check of a store finds every damage; after a repair, a run gives the same dataset."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from helpers import (
    Scripted,
    assert_same_results,
    files,
    flip_bit,
    refused,
    results,
    tiny_sweep,
)

from genprior.pipeline import run_sweep
from genprior.pipeline.fit.fitting import fit_store
from genprior.pipeline.upkeep.verify import Finding, StoreCheck, verify_store
from genprior.store import Status, StoreError, read_info, verify
from genprior.store.documents import consolidate, read_document, write_document
from genprior.store.exchange import MADE_BY, MARKER
from genprior.store.holders import held_for_run
from genprior.store.verify import damaged_fits
from genprior.tasks import EXPERIMENTS

CRASH = (4, 7, 2)
AT_CRASH = (1, 2, 2)
RESULTS = ("success", "latent_error", "iterations", "seconds", "error", "status")
UNFINISHED = f".zarr.json.{'a1' * 16}.partial"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny sweep, one trial crashed, with its fit; not to be changed."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "calls").mkdir()
    kind = Scripted(str(folder / "calls"), crash_at=CRASH)
    run_sweep(tiny_sweep(exclude=("k > m",)), folder / "tiny.zarr", kind=kind)
    fit_store(folder / "tiny.zarr")
    return folder / "tiny.zarr"


@pytest.fixture
def copy(whole: Path, store: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the store, its task known to commands."""
    monkeypatch.setitem(EXPERIMENTS.built_in, "scripted", kind.as_class())
    shutil.copytree(whole, store)
    return store


def damages(checked: StoreCheck) -> list[Finding]:
    return [finding for finding in checked.findings if finding.kind == "damage"]


def writable(path: Path) -> zarr.Group:
    return zarr.open_group(path, mode="r+", use_consolidated=False)


def test_a_whole_store_is_intact_and_is_not_changed(copy: Path) -> None:
    """48 trials, of which 4 × 1 are excluded (k = 4 and 6 at m = 3, k = 6 at m = 5: 12 trials)."""
    before = files(copy)
    checked = verify_store(copy)
    assert (checked.outcome, checked.findings, checked.exit_status) == ("intact", [], 0)
    assert (checked.trials.done, checked.trials.crashed, checked.trials.excluded) == (35, 1, 12)
    assert (checked.rerun.trials, checked.rerun.different) == (20, [])
    assert files(copy) == before
    assert os.listdir(copy.parent) == [copy.name]


def last_chunk(array: Path) -> Path:
    """The last chunk of an array, which may be the only one."""
    chunk = array / "c"
    while chunk.is_dir():
        chunk = sorted(chunk.iterdir())[-1]
    return chunk


def test_a_wrong_bit_in_any_chunk_is_found_and_named(copy: Path) -> None:
    chunks = [last_chunk(copy / name) for name in read_info(copy).arrays]
    assert len(chunks) > 25
    for chunk in chunks:
        flip_bit(chunk)
    found = {finding.where: finding.what for finding in damages(verify_store(copy, trials=0))}
    assert set(found) == {str(chunk.relative_to(copy)) for chunk in chunks}
    assert set(found.values()) == {"is damaged (its checksum is wrong)"}


def test_a_wrong_digit_in_any_document_is_found_and_named(copy: Path) -> None:
    """One digit in the document of each array becomes another one."""
    names = read_info(copy).arrays
    for name in names:
        document = copy / name / "zarr.json"
        document.write_bytes(document.read_bytes().replace(b"3", b"4", 1))
    found = {finding.where for finding in damages(verify_store(copy, trials=0))}
    assert found == {f"{name}/zarr.json" for name in names}


@pytest.mark.slow
def test_a_wrong_bit_in_any_file_of_a_fit_is_found(copy: Path) -> None:
    fit = copy / "analysis" / "transition"
    arrays = [entry for entry in fit.iterdir() if entry.is_dir()]
    assert len(arrays) > 25
    for array in arrays:
        for file in (last_chunk(array), array / "zarr.json"):
            before = file.read_bytes()
            if file.name == "zarr.json":
                file.write_bytes(before.replace(b"3", b"4", 1))
            else:
                flip_bit(file)
            assert list(damaged_fits(copy, wait=0)) == ["transition"], file
            file.write_bytes(before)
    assert damaged_fits(copy, wait=0) == {}


@pytest.mark.parametrize("name", [*RESULTS, "k", "trial", "depth"])
@pytest.mark.parametrize("how", ["cut", "empty", "removed"])
def test_a_cut_or_lost_chunk_is_found(copy: Path, name: str, how: str) -> None:
    """A block without a status counts as not run: what is left of it is no damage."""
    chunk = last_chunk(copy / name)
    if name == "error":
        assert len([f for f in (copy / name / "c").rglob("*") if f.is_file()]) == 1
    if how == "removed":
        chunk.unlink()
    else:
        os.truncate(chunk, chunk.stat().st_size // 2 if how == "cut" else 0)
    checked = verify_store(copy, trials=0)
    if (name, how) == ("status", "removed"):
        assert checked.outcome == "intact"
        assert [finding.kind for finding in checked.findings] == ["leftover"]
    else:
        assert checked.outcome == "damaged"
        assert damages(checked)[0].where == str(chunk.relative_to(copy))


Change = tuple[str, tuple[int, int, int], Any]
WRONG: dict[str, tuple[list[Change], str]] = {
    "done without a value": ([("latent_error", (0, 1, 3), np.nan)], "latent_error"),
    "done without a code": ([("success", (0, 1, 3), -1)], "success"),
    "a code that has no meaning": ([("success", (0, 1, 3), 7)], "success"),
    "a negative count": ([("iterations", (0, 1, 3), -5)], "iterations"),
    "a negative time": ([("seconds", (0, 1, 3), -1.0)], "seconds"),
    "done with an error": ([("error", (0, 1, 3), "what?")], "error text"),
    "a status that does not exist": ([("status", (0, 1, 3), 9)], "status"),
    "excluded by no rule": ([("status", (0, 1, 3), Status.EXCLUDED)], "no rule"),
    "not excluded": ([("status", (2, 0, 3), Status.PENDING)], "a rule excludes"),
    "crashed without a text": ([("error", AT_CRASH, "")], "without an error text"),
    "crashed with a value": ([("latent_error", AT_CRASH, 0.5)], "latent_error"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", WRONG)
def test_a_status_that_contradicts_values_is_found_and_repaired(
    copy: Path, whole: Path, kind: Scripted, case: str
) -> None:
    """Checksums are right: a program wrote it."""
    changes, named = WRONG[case]
    for name, place, value in changes:
        writable(copy)[name].with_config({"write_empty_chunks": True})[place] = value
    before = files(copy)
    checked = verify_store(copy, trials=0)
    (found,) = damages(checked)
    assert named in found.what
    assert found.trials == 1
    assert files(copy) == before
    assert verify_store(copy, trials=0, repair=True).outcome == "repaired"
    assert verify_store(copy, trials=0).findings == []
    complete(copy, whole, kind)


def complete(path: Path, whole: Path, kind: Scripted) -> None:
    """A run makes the store what it was, the crashed trial done."""
    run_sweep(tiny_sweep(exclude=("k > m",)), path, kind=kind)
    direct = path.with_name("direct.zarr")
    run_sweep(tiny_sweep(exclude=("k > m",)), direct, kind=kind)
    held = results(path)
    assert (held["status"] != Status.CRASHED).all()
    shutil.rmtree(path / "analysis", ignore_errors=True)
    consolidate(path)
    assert_same_results(path, direct)


def damaged_everywhere(path: Path) -> None:
    """Damage of all kinds, most of it in different blocks."""
    flip_bit(path / "success/c/0/0/0")
    (path / "iterations/c/0/1/0").unlink()
    os.truncate(path / "seconds/c/1/1/0", 2)
    flip_bit(path / "status/c/2/1/0")
    (path / "latent_error/zarr.json").write_text("{")
    shutil.rmtree(path / "k")
    (path / "success" / UNFINISHED).write_text("left")
    (path / "notes.txt").write_text("mine")


def test_a_store_with_all_kinds_of_damage_is_repaired(
    copy: Path, whole: Path, kind: Scripted
) -> None:
    damaged_everywhere(copy)
    checked = verify_store(copy, trials=0)
    where = {finding.where for finding in damages(checked)}
    assert {
        "success/c/0/0/0", "iterations/c/0/1/0", "seconds/c/1/1/0", "status/c/2/1/0",
        "latent_error/zarr.json", "k",
    } <= where  # fmt: skip
    assert "latent_error" in checked.not_checked
    mended = verify_store(copy, repair=True)
    assert mended.outcome == "repaired"
    assert all(f.repaired for f in mended.findings if f.kind != "foreign")
    assert verify_store(copy).outcome == "intact"
    assert (copy / "notes.txt").read_text() == "mine"
    assert not (copy / "success" / UNFINISHED).exists()
    complete(copy, whole, kind)


def test_files_that_do_not_belong_are_listed_and_are_no_damage(copy: Path) -> None:
    area = copy.with_name(f".{copy.name}.work-0123")
    inner = copy / "analysis" / ".law.work-4567"
    for folder, name in ((area, copy.name), (inner, "law")):
        folder.mkdir()
        (folder / MARKER).write_text(json.dumps({"made_by": MADE_BY, "store": name}))
    left = [UNFINISHED, f"success/{UNFINISHED}", f"success/c/0/0/0.{'b2' * 16}.partial"]
    mine = ["notes.txt", "success/mine.txt", "success/c/mine", f"mine/{UNFINISHED}"]
    (copy / "mine").mkdir()
    for name in (*left, *mine):
        (copy / name).write_text("x")
    shutil.copytree(copy / "success/c/0", copy / "success/c/7")
    checked = verify_store(copy, trials=0)
    assert (checked.outcome, checked.exit_status) == ("intact", 0)
    by_kind = {
        kind: {finding.where for finding in checked.findings if finding.kind == kind}
        for kind in ("leftover", "foreign")
    }
    assert by_kind["leftover"] == {*left, area.name, inner.name}
    assert by_kind["foreign"] == {"notes.txt", "success/mine.txt", "success/c/mine", "mine",
                                  "success/c/7"}  # fmt: skip
    assert verify_store(copy, trials=0, repair=True).outcome == "repaired"
    assert not any(path.exists() for path in (area, inner, *(copy / name for name in left)))
    assert all((copy / name).exists() for name in mine)


def test_what_a_killed_writer_left_is_cleared(copy: Path) -> None:
    """Values without a status: they were written first."""
    os.unlink(copy / "status/c/0/1/0")
    checked = verify_store(copy, trials=0)
    (found,) = checked.findings
    assert (found.kind, found.trials, checked.outcome) == ("leftover", 8, "intact")
    verify_store(copy, trials=0, repair=True)
    assert verify_store(copy, trials=0).findings == []
    assert int(results(copy)["success"].isel(k=0, m=slice(2, 4)).notnull().sum()) == 0


def test_missing_trials_are_no_damage(
    store: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """K = 2 and 6 were asked for, k = 4 lies between: nothing of it is there."""
    monkeypatch.setitem(EXPERIMENTS.built_in, "scripted", kind.as_class())
    run_sweep(tiny_sweep("k=2"), store, kind=kind)
    run_sweep(tiny_sweep("k=6", "m=5,8"), store, kind=kind)
    checked = verify_store(store)
    assert (checked.outcome, checked.findings) == ("intact", [])
    assert checked.trials.pending > 0


def test_a_coordinate_with_other_values_is_found_and_written_again(
    copy: Path, whole: Path, kind: Scripted
) -> None:
    writable(copy)["m"][1] = 6
    checked = verify_store(copy, trials=0)
    (found,) = damages(checked)
    assert found.where == "m/c/0"
    assert "6" in found.what
    assert verify_store(copy, trials=0, repair=True).outcome == "repaired"
    complete(copy, whole, kind)


@pytest.mark.slow
def test_a_damaged_fit_is_removed_by_a_repair(copy: Path) -> None:
    shutil.rmtree(copy / "analysis/transition/p50/c")
    checked = verify_store(copy, trials=0)
    assert [finding.where for finding in damages(checked)] == ["analysis/transition"]
    assert verify_store(copy, trials=0, repair=True).outcome == "repaired"
    assert not (copy / "analysis/transition").exists()
    fit_store(copy)
    assert verify_store(copy, trials=0).outcome == "intact"


def test_a_store_that_is_being_written_is_checked_and_not_repaired(copy: Path) -> None:
    (copy / "success/c/0/0/0").unlink()
    before = files(copy)
    with held_for_run(copy):
        assert verify_store(copy, trials=0).outcome == "damaged"
        with refused(StoreError, copy, f"process {os.getpid()}"):
            verify_store(copy, trials=0, repair=True)
    assert files(copy) == before


def test_blocks_that_a_run_writes_meanwhile_are_no_damage(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the reading of a status and that of the values, the block becomes another one."""
    chunk, hidden = copy / "success/c/0/1/0", copy / "hidden"
    chunk.rename(hidden)
    is_intact: Callable[[Path], bool] = verify.is_intact

    def arriving(path: Path) -> bool:
        if path.parts[-5:-4] == ("error",) and hidden.exists():
            hidden.rename(chunk)
        return is_intact(path)

    monkeypatch.setattr(verify, "is_intact", arriving)
    assert verify_store(copy, trials=0).findings == []
    assert not hidden.exists()


def extending(path: Path, kind: Scripted, trials: list[int]) -> Callable[[Path], bool]:
    """A comparison of checksums in whose first block a run gives the store more trials."""
    is_intact = verify.is_intact

    def extended(chunk: Path) -> bool:
        if trials and chunk.parts[-5:] == ("iterations", "c", "0", "0", "0"):
            run_sweep(tiny_sweep(f"trials={trials.pop()}", exclude=("k > m",)), path, kind=kind)
        return is_intact(chunk)

    return extended


def test_a_store_that_a_run_extends_meanwhile_is_checked_again(
    copy: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "is_intact", extending(copy, kind, [6]))
    checked = verify_store(copy)
    assert (checked.outcome, damages(checked), checked.trials.total) == ("intact", [], 54)


@pytest.mark.slow
def test_a_store_that_is_extended_all_the_time_is_refused(
    copy: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "is_intact", extending(copy, kind, [9, 8, 7, 6, 5]))
    with refused(StoreError, copy, "was extended", "try again"):
        verify_store(copy)


def test_a_store_with_a_damaged_root_cannot_be_checked(copy: Path) -> None:
    document = read_document(copy)
    (copy / "zarr.json").write_text(json.dumps(document)[:-5])
    with refused(StoreError, copy / "zarr.json"):
        verify_store(copy)
    write_document(copy, document)
    assert verify_store(copy, trials=0).outcome == "intact"
