"""A mistake or a damage ends in one line that says what to do, and doing so works."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import zarr
from click.testing import Result
from helpers import (
    STARTING,
    Scripted,
    assert_same_results,
    done,
    files,
    fill,
    neighbours,
    results,
    small_disk,
    tiny_sweep,
    write_sweep,
)

from genprior.pipeline import run_sweep
from genprior.store import Status, record, survey_store

Command = Callable[..., Result]


def said(result: Result, exit_status: int = 2) -> str:
    """The one line a command ended with; anything more would fail."""
    assert result.exit_code == exit_status, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    begins = (STARTING, "connecting to ", *"0123456789")
    lines = [line for line in result.stderr.splitlines() if not line.startswith(begins)]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("genprior: ")
    return lines[0]


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    return write_sweep(tiny_sweep(), tmp_path / "tiny.toml")


@pytest.fixture
def copy(undisturbed: Path, store: Path) -> Path:
    """A store of its own to damage, complete."""
    shutil.copytree(undisturbed, store)
    return store


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["--set", "stepp=1"], "there is no parameter or setting 'stepp'"),
        (["--set", "solver.stepp=1"], "Did you mean 'solver.step'?"),
        (["--set", "k=many"], "got 'many'"),
        (["--set", "k="], "'k' is empty; give it at least one value"),
        (["--set", "k=5:1:1"], "axis 'k' is empty"),
        (["--set", "k=1:x:2"], "no range; write start:stop:step"),
        (["--set", "k"], "no setting; write KEY=VALUE"),
        (["--set", "k=13"], "k = 13 exceeds the width 12"),
        (["--set", "m=0"], "'m': Input should be greater than or equal to 1, got 0"),
        (["--trials", "0"], "'trials': Input should be greater than or equal to 1, got 0"),
        (["--trials", "1000000000000"], "less than or equal to 100000000"),
        (["--set", "m=1:10000:1", "--trials", "1000000"], "30,000 points × 1,000,000 trials"),
        (["--seed", "-1"], "'seed': Input should be greater than or equal to 0"),
        (["--set", "solver.step=nan"], "'solver.step': Input should be a finite number"),
    ],
)
def test_a_sweep_that_cannot_run_is_refused_before_anything_is_made(
    genprior: Command,
    sweep_file: Path,
    store: Path,
    command: str,
    settings: list[str],
    expected: str,
) -> None:
    where = [store] if command == "run" else []
    assert expected in said(genprior(command, sweep_file, *where, *settings))
    assert not store.exists()
    assert neighbours(store) == []


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("quickstrat", "No sweep named 'quickstrat'. Did you mean 'quickstart'?"),
        ("./nowhere.toml", "there is no such file"),
        (".", "is a folder"),
    ],
)
def test_an_unknown_sweep_is_named(genprior: Command, named: str, expected: str) -> None:
    assert expected in said(genprior("plan", named))


def test_10_to_the_12_points_are_refused_at_once(genprior: Command, store: Path) -> None:
    """10⁴ values on each of three axes; neither the grid nor the store is ever expanded."""
    values = {"m": "1:10000:1", "solver.step": "0.0001:1:0.0001", "gain": "0.0001:1:0.0001"}
    settings = [part for key, value in values.items() for part in ("--set", f"{key}={value}")]
    line = said(genprior("run", "quickstart", store, "--set", "k=2", *settings))
    assert "1,000,000,000,000 points" in line
    assert "at most 10,000,000 points" in line
    assert not store.exists()


def test_a_trial_that_cannot_fit_in_memory_is_refused(genprior: Command, store: Path) -> None:
    """10⁶ × 10⁶ weights of 8 bytes are 8000 GB, which the fast engine may copy; 1/20 is added."""
    sizes = ["--set", "widths=1000000-1000000"]
    for command in (["plan", "quickstart"], ["run", "quickstart", store]):
        assert "a trial needs 15.28 TiB" in said(genprior(*command, *sizes))
        line = said(genprior(*command, *sizes, "--set", "solver.engine=plain"))
        assert "a trial needs 7.64 TiB" in line
        assert "GiB are free for each" in line
    assert not store.exists()


@pytest.mark.parametrize(
    ("setting", "difference"),
    [
        ("solver.max_steps=5", "'solver.max_steps' is 10000 there and 5 here"),
        ("seed=8", "'seed' is 7 there and 8 here"),
        ("widths=13", "'widths' is '12' there and '13' here"),
        ("gain=1,2", "'gain' is no axis there and one here"),
    ],
)
def test_another_experiment_is_refused_and_the_difference_named(
    genprior: Command, sweep_file: Path, copy: Path, setting: str, difference: str
) -> None:
    before = files(copy.parent)
    line = said(genprior("run", sweep_file, copy, "--set", setting))
    assert difference in line
    assert files(copy.parent) == before


def test_what_is_no_store_is_left_alone(
    genprior: Command, sweep_file: Path, tmp_path: Path
) -> None:
    a_file, a_folder = tmp_path / "file.zarr", tmp_path / "folder.zarr"
    a_file.write_text("mine")
    a_folder.mkdir()
    (a_folder / "thesis.tex").write_text("mine")
    zarr.create_group(tmp_path / "other.zarr", attributes={"title": "mine"})
    for path in (a_file, a_folder, tmp_path / "other.zarr"):
        before = files(tmp_path)
        for command in (["status"], ["fit"], ["plot"], ["run", sweep_file]):
            line = said(genprior(command[0], *command[1:], path))
            assert str(path) in line
            assert "is a file" in line or "is not a genprior store" in line
        assert files(tmp_path) == before


def test_an_empty_folder_may_become_a_store(
    genprior: Command, sweep_file: Path, store: Path
) -> None:
    store.mkdir()
    assert genprior("run", sweep_file, store).exit_code == 0


def test_a_store_that_is_not_there_is_said_to_be_missing(genprior: Command, store: Path) -> None:
    for command in ("status", "fit", "plot"):
        assert "there is no such store; 'genprior run' makes one" in said(genprior(command, store))


def test_a_parent_folder_that_cannot_be_made_is_named(
    genprior: Command, sweep_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    line = said(genprior("run", sweep_file, tmp_path / "file" / "deep" / "x.zarr"), 1)
    assert "Not a directory" in line
    line = said(genprior("run", sweep_file, "/proc/none/x.zarr"), 1)
    assert "No such file or directory" in line


def test_the_working_directory_cannot_be_the_store(
    genprior: Command, sweep_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for path in (".", "../here"):
        assert "working directory" in said(genprior("run", sweep_file, path))
    assert "/ is not a genprior store" in said(genprior("run", sweep_file, "/"))


@pytest.mark.mounts
def test_a_read_only_disk_can_be_read_and_not_written(
    genprior: Command, sweep_file: Path, undisturbed: Path, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        store = disk / "tiny.zarr"
        shutil.copytree(undisturbed, store)
        subprocess.run(["mount", "-o", "remount,bind,ro", disk], check=True, timeout=20)
        assert genprior("status", store).exit_code == 0
        assert genprior("plot", store, "-o", tmp_path / "x.png").exit_code == 0
        new = disk / "new.zarr"
        for command in (["fit", store], ["run", sweep_file, store], ["run", sweep_file, new]):
            assert "Read-only file system" in said(genprior(*command), 1)
        assert "Read-only file system while writing the picture" in said(
            genprior("plot", store, "-o", disk / "x.png"), 1
        )


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


@pytest.mark.parametrize("damage", [Path.unlink, empty])
def test_a_lost_status_chunk_does_not_run_excluded_points(
    genprior: Command, kind: Scripted, store: Path, tmp_path: Path,
    damage: Callable[[Path], None],
) -> None:  # fmt: skip
    """The rule m < k leaves out (4, 3), (6, 3) and (6, 5); k = 6 begins with a block of both."""
    sweep = tiny_sweep(exclude=("m < k",))
    run_sweep(sweep, store, kind=kind)
    whole, before = results(store), kind.calls()
    damage(store / "status/c/2/0/0")
    assert int((survey_store(store)[1].status == Status.PENDING).sum()) == 0
    sweep_file = write_sweep(sweep, tmp_path / "excluding.toml")
    assert genprior("run", sweep_file, store).exit_code == 0
    assert kind.calls() == before
    assert results(store)["status"].equals(whole["status"])


@pytest.mark.parametrize("damage", [truncate, empty])
def test_damaged_metadata_at_the_root_never_ends_in_a_traceback(
    genprior: Command, sweep_file: Path, copy: Path, damage: Callable[[Path], None]
) -> None:
    """Everything else is known from there; nothing is overwritten in its stead."""
    damage(copy / "zarr.json")
    before = files(copy)
    for command in (["status", copy], ["fit", copy], ["plot", copy], ["run", sweep_file, copy]):
        line = said(genprior(*command), 1)
        assert f"{copy / 'zarr.json'} is damaged" in line
        assert "restore it from a copy" in line
    assert files(copy) == before


@pytest.mark.mounts
def test_a_full_disk_keeps_what_was_finished_and_the_same_command_completes(
    genprior: Command, kind: Scripted, sweep_file: Path, undisturbed: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A first block has crashed a trial; then 44 kB are left, and a block takes some 6 × 4 kB."""
    with small_disk(tmp_path / "disk", 4) as disk:
        store = disk / "tiny.zarr"
        run_sweep(tiny_sweep(), store, kind=replace(kind, crash_at=(2, 9, 3)), fail_fast=True)
        kept = done(store)
        ballast = fill(disk, leaving=44_096)
        line = said(genprior("run", sweep_file, store), 1)
        assert "No space left on device while writing results" in line
        assert "make room and repeat the same command" in line
        ballast.unlink()
        assert kept < done(store) < 48
        assert genprior("run", sweep_file, store).exit_code == 0
        assert neighbours(store) == []
        assert_same_results(store, undisturbed)


@pytest.mark.mounts
def test_a_store_that_cannot_fit_is_refused_before_it_is_made(
    genprior: Command, sweep_file: Path, tmp_path: Path
) -> None:
    """5 variables × (48 chunks + 16 folders) × a disk block of 4096 bytes, and 1.3 MB."""
    with small_disk(tmp_path / "disk", 0.5) as disk:
        line = said(genprior("run", sweep_file, disk / "x.zarr", "--set", "blocks.trials=1"), 1)
        assert "would take up to 2.49 MiB and 508.00 kiB are free" in line
        assert list(disk.iterdir()) == []


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ("nonsense", "one of processes, threads, synchronous, or an address"),
        ("tcp://127.0.0.1:1", "no Dask scheduler answers there"),
        ("127.0.0.1:1", "no Dask scheduler answers there"),
        ("foo://127.0.0.1:1", "no Dask scheduler answers there"),
        ("tcp://:::", "no Dask scheduler answers there"),
    ],
)
def test_a_scheduler_that_is_not_there_is_named(
    genprior: Command, sweep_file: Path, store: Path, monkeypatch: pytest.MonkeyPatch,
    scheduler: str, expected: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("genprior.pipeline.executors.CONNECT_TIMEOUT", 0.5)
    refused = genprior("run", sweep_file, store, "--scheduler", scheduler)
    line = said(refused, 1 if scheduler in ("tcp://127.0.0.1:1", "127.0.0.1:1") else 2)
    assert f"--scheduler {scheduler}" in line
    assert expected in line
    assert neighbours(store) == []


def test_a_picture_that_cannot_be_drawn_or_written_is_explained(
    genprior: Command, kind: Scripted, copy: Path, tmp_path: Path
) -> None:
    line = said(genprior("plot", copy, "-o", tmp_path / "x.doc"))
    assert "the ending must be one of .png, .pdf, .svg" in line
    line = said(genprior("plot", copy, "-o", tmp_path / "no" / "x.png"), 1)
    assert "No such file or directory while writing the picture" in line
    (tmp_path / "folder.png").mkdir()
    assert "Is a directory" in said(genprior("plot", copy, "-o", tmp_path / "folder.png"), 1)
    new = copy.with_name("new.zarr")
    run_sweep(tiny_sweep(), new, kind=replace(kind, crash_at=(2, 3, 0)), fail_fast=True)
    shutil.rmtree(new / "status/c")
    shutil.rmtree(new / "success/c")
    assert "no trial is done yet" in said(genprior("plot", new), 1)


def test_a_fit_needs_an_axis_of_the_sweep(genprior: Command, kind: Scripted, store: Path) -> None:
    run_sweep(tiny_sweep(fit={}), store, kind=kind)
    assert "give --along one of k, m" in said(genprior("fit", store))
    assert "'mm' is no axis. Did you mean 'm'?" in said(genprior("fit", store, "--along", "mm"))
    assert genprior("fit", store, "--along", "k").exit_code == 0


@pytest.mark.parametrize(
    ("attribute", "value", "expected"),
    [
        ("kernel_version", 0, "its kernel version is '0' and here it is '1'"),
        ("machine", "abacus", "its machine is 'abacus' and here it"),
        ("numpy_version", "1.0.0", "its numpy version is '1.0.0' and here it"),
        ("scipy_version", "1.0.0", "its scipy version is '1.0.0' and here it"),
        ("python_version", "2.7.18", "its python version is '2.7.18' and here it"),
        ("vector_instructions", "SSE", "its vector instructions is 'SSE' and here it"),
        ("c_library", "glibc 1.0", "its c library is 'glibc 1.0' and here it"),
    ],
)
def test_results_that_may_round_otherwise_are_mixed_only_on_request(
    genprior: Command, sweep_file: Path, copy: Path, attribute: str, value: object, expected: str
) -> None:
    record(copy, {attribute: value})
    before = files(copy)
    line = said(genprior("run", sweep_file, copy, "--trials", "5"), 1)
    assert expected in line
    assert "--allow-mixed" in line
    assert files(copy) == before
    for trials in (5, 5, 6):
        assert genprior("run", sweep_file, copy, "--trials", trials, "--allow-mixed").exit_code == 0
    mixed = json.loads(results(copy).attrs["mixed"])
    assert [list(entry) for entry in mixed] == [[attribute]]


def test_a_format_of_the_future_is_not_read(
    genprior: Command, sweep_file: Path, copy: Path
) -> None:
    attributes = zarr.open_group(copy, use_consolidated=False).attrs
    attributes.update({"genprior_format": 3, "genprior_version": "9.0"})
    for command in (["status", copy], ["fit", copy], ["plot", copy], ["run", sweep_file, copy]):
        line = said(genprior(*command), 1)
        assert "has format 3, this genprior reads formats 1 to 2" in line
        assert "use the version that wrote it (9.0)" in line


def test_debug_shows_where_a_mistake_was_found(genprior: Command, store: Path) -> None:
    result = genprior("--debug", "status", store)
    assert "no such store" in str(result.exception)
    assert result.exc_info[2] is not None
