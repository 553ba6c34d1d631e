"""A mistake or a damage ends in one line that says what to do, and doing so works."""

import errno
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
    assert_names,
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
from genprior.store import Status, StoreError, record, survey_store

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
    ("settings", "named"),
    [
        (["--set", "stepp=1"], ["'stepp'"]),
        (["--set", "solver.stepp=1"], ["'solver.stepp'", "'solver.step'"]),
        (["--set", "k=many"], ["'k'", "'many'"]),
        (["--set", "k="], ["'k'"]),
        (["--set", "k=5:1:1"], ["'k'"]),
        (["--set", "k=1:x:2"], ["k", "1:x:2"]),
        (["--set", "k"], ["'k'", "KEY=VALUE"]),
        (["--set", "k=13"], ["13", "12"]),
        (["--set", "m=0"], ["'m'", "1", "0"]),
        (["--trials", "0"], ["'trials'", "1", "0"]),
        (["--trials", "1000000000000"], ["'trials'", "100000000", "1000000000000"]),
        (["--set", "m=1:10000:1", "--trials", "1000000"], ["30,000", "1,000,000"]),
        (["--seed", "-1"], ["'seed'", "0", "-1"]),
        (["--set", "solver.step=nan"], ["'solver.step'", "nan"]),
    ],
)
def test_a_sweep_that_cannot_run_is_refused_before_anything_is_made(
    genprior: Command,
    sweep_file: Path,
    store: Path,
    command: str,
    settings: list[str],
    named: list[str],
) -> None:
    where = [store] if command == "run" else []
    assert_names(said(genprior(command, sweep_file, *where, *settings)), *named)
    assert not store.exists()
    assert neighbours(store) == []


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("quickstrat", ["'quickstrat'", "'quickstart'"]),
        ("./nowhere.toml", ["nowhere.toml"]),
        (".", []),
    ],
)
def test_an_unknown_sweep_is_named(genprior: Command, given: str, named: list[str]) -> None:
    assert_names(said(genprior("plan", given)), *named)


def test_10_to_the_12_points_are_refused_at_once(genprior: Command, store: Path) -> None:
    """10⁴ values on each of three axes; neither the grid nor the store is ever expanded."""
    values = {"m": "1:10000:1", "solver.step": "0.0001:1:0.0001", "gain": "0.0001:1:0.0001"}
    settings = [part for key, value in values.items() for part in ("--set", f"{key}={value}")]
    line = said(genprior("run", "quickstart", store, "--set", "k=2", *settings))
    assert_names(line, "1,000,000,000,000", "10,000,000 ")
    assert not store.exists()


def test_a_trial_that_cannot_fit_in_memory_is_refused(genprior: Command, store: Path) -> None:
    """10⁶ × 10⁶ weights of 8 bytes are 8000 GB, which the fast engine may copy; 1/20 is added."""
    sizes = ["--set", "widths=1000000-1000000"]
    for command in (["plan", "quickstart"], ["run", "quickstart", store]):
        assert_names(said(genprior(*command, *sizes)), "k=4", "15.28 TiB")
        line = said(genprior(*command, *sizes, "--set", "solver.engine=plain"))
        assert_names(line, "k=4", "7.64 TiB")
    assert not store.exists()


@pytest.mark.parametrize(
    ("setting", "difference"),
    [
        ("solver.max_steps=5", ["'solver.max_steps'", "10000", "5"]),
        ("seed=8", ["'seed'", "7", "8"]),
        ("widths=13", ["'widths'", "'12'", "'13'"]),
        ("gain=1,2", ["'gain'"]),
    ],
)
def test_another_experiment_is_refused_and_the_difference_named(
    genprior: Command, sweep_file: Path, copy: Path, setting: str, difference: list[str]
) -> None:
    before = files(copy.parent)
    line = said(genprior("run", sweep_file, copy, "--set", setting))
    assert_names(line, copy, *difference)
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
            assert_names(said(genprior(command[0], *command[1:], path)), path)
        assert files(tmp_path) == before


def test_an_empty_folder_may_become_a_store(
    genprior: Command, sweep_file: Path, store: Path
) -> None:
    store.mkdir()
    assert genprior("run", sweep_file, store).exit_code == 0


def test_a_store_that_is_not_there_is_said_to_be_missing(genprior: Command, store: Path) -> None:
    for command in ("status", "fit", "plot"):
        assert_names(said(genprior(command, store)), store, "'genprior run'")


def test_a_parent_folder_that_cannot_be_made_is_named(
    genprior: Command, sweep_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    for path, number in (
        (tmp_path / "file/deep/x.zarr", errno.ENOTDIR),
        ("/proc/none/x.zarr", errno.ENOENT),
    ):
        assert_names(said(genprior("run", sweep_file, path), 1), path, os.strerror(number))


def test_the_working_directory_cannot_be_the_store(
    genprior: Command, sweep_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for path in (".", "../here", tmp_path / "here", "/"):
        assert said(genprior("run", sweep_file, path))
        assert list(Path().iterdir()) == []


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
            assert_names(said(genprior(*command), 1), command[-1], os.strerror(errno.EROFS))
        line = said(genprior("plot", store, "-o", disk / "x.png"), 1)
        assert_names(line, disk / "x.png", os.strerror(errno.EROFS))


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
        assert_names(said(genprior(*command), 1), copy / "zarr.json")
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
        assert_names(line, store, os.strerror(errno.ENOSPC))
        ballast.unlink()
        assert kept < done(store) < 48
        assert genprior("run", sweep_file, store).exit_code == 0
        assert neighbours(store) == []
        assert_same_results(store, undisturbed)


@pytest.mark.mounts
def test_a_store_that_cannot_fit_is_refused_before_it_is_made(
    genprior: Command, sweep_file: Path, tmp_path: Path
) -> None:
    """5 variables × (48 chunks + 16 folders) × a disk block of 4096 bytes, and 1.5 MB."""
    with small_disk(tmp_path / "disk", 0.5) as disk:
        line = said(genprior("run", sweep_file, disk / "x.zarr", "--set", "blocks.trials=1"), 1)
        assert_names(line, disk / "x.zarr", "2.68 MiB", "508.00 kiB")
        assert list(disk.iterdir()) == []


@pytest.mark.parametrize(
    ("scheduler", "exit_status"),
    [
        ("nonsense", 2),
        ("tcp://127.0.0.1:1", 1),
        ("127.0.0.1:1", 1),
        ("foo://127.0.0.1:1", 2),
        ("tcp://:::", 2),
    ],
)
def test_a_scheduler_that_is_not_there_is_named(
    genprior: Command, sweep_file: Path, store: Path, monkeypatch: pytest.MonkeyPatch,
    scheduler: str, exit_status: int,
) -> None:  # fmt: skip
    monkeypatch.setattr("genprior.pipeline.executors.connecting.CONNECT_TIMEOUT", 0.5)
    ended = genprior("run", sweep_file, store, "--scheduler", scheduler)
    assert_names(said(ended, exit_status), f"--scheduler {scheduler}")
    assert neighbours(store) == []


def test_a_picture_that_cannot_be_drawn_or_written_is_explained(
    genprior: Command, kind: Scripted, copy: Path, tmp_path: Path
) -> None:
    line = said(genprior("plot", copy, "-o", tmp_path / "x.doc"))
    assert_names(line, tmp_path / "x.doc", ".png", ".pdf", ".svg")
    (tmp_path / "folder.png").mkdir()
    for path, number in (("no/x.png", errno.ENOENT), ("folder.png", errno.EISDIR)):
        line = said(genprior("plot", copy, "-o", tmp_path / path), 1)
        assert_names(line, tmp_path / path, os.strerror(number))
    new = copy.with_name("new.zarr")
    run_sweep(tiny_sweep(), new, kind=replace(kind, crash_at=(2, 3, 0)), fail_fast=True)
    shutil.rmtree(new / "status/c")
    shutil.rmtree(new / "success/c")
    assert_names(said(genprior("plot", new), 1), new)


def test_a_fit_needs_an_axis_of_the_sweep(genprior: Command, kind: Scripted, store: Path) -> None:
    run_sweep(tiny_sweep(fit={}), store, kind=kind)
    assert_names(said(genprior("fit", store)), "--along", "k, m")
    assert_names(said(genprior("fit", store, "--along", "mm")), "'mm'", "'m'")
    assert genprior("fit", store, "--along", "k").exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("kernel_version", 0),
        ("machine", "abacus"),
        ("numpy_version", "1.0.0"),
        ("scipy_version", "1.0.0"),
        ("python_version", "2.7.18"),
        ("vector_instructions", "SSE"),
        ("c_library", "glibc 1.0"),
    ],
)
def test_results_that_may_round_otherwise_are_mixed_only_on_request(
    genprior: Command, sweep_file: Path, copy: Path, attribute: str, value: object
) -> None:
    record(copy, {attribute: value})
    before = files(copy)
    line = said(genprior("run", sweep_file, copy, "--trials", "5"), 1)
    assert_names(line, copy, attribute.replace("_", " "), f"'{value}'", "--allow-mixed")
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
        assert_names(said(genprior(*command), 1), copy, "format 3", "1 to 2", "9.0")


def test_debug_shows_where_a_mistake_was_found(genprior: Command, store: Path) -> None:
    result = genprior("--debug", "status", store)
    assert isinstance(result.exception, StoreError)
    assert_names(result.exception, store)
    assert result.exc_info[2] is not None
