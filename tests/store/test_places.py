"""What is not ours stays: next to a store, in it, and where a store cannot be."""

import fcntl
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from click.testing import Result
from helpers import Scripted, done, files, neighbours, refused, results, tiny_sweep, write_sweep

from genprior.pipeline import run_sweep
from genprior.pipeline.fit import fitting as analysis
from genprior.pipeline.run.request import check_request
from genprior.store import StoreError, WrongStoreError, exchange, exclusive, extend_store, read_info
from genprior.store.lock import held
from genprior.store.places import mount_points
from genprior.sweeps import Grid, Sweep, SweepError, union
from genprior.sweeps.paths import check_local
from genprior.tasks import EXPERIMENTS
from genprior.tasks.generators.weights_files import read_weights, weights_digest

SMALL = ("k=2,6", "m=3,9", "trials=2")


def small_sweep(*settings: str) -> Sweep:
    return tiny_sweep(*SMALL, *settings)


def grown(store: Path, kind: Scripted, *settings: str) -> None:
    """Lay a store out for more trials, without running them."""
    info = read_info(store)
    extend_store(
        info, Grid(union(info.sweep, small_sweep(*(settings or ("trials=3",))))), kind.variables
    )


@pytest.fixture
def made(store: Path, kind: Scripted) -> Path:
    run_sweep(small_sweep(), store, kind=kind)
    return store


def test_folders_next_to_a_store_stay_whatever_their_names(made: Path, kind: Scripted) -> None:
    """Also those that look like work areas of genprior, and those with somebody's work in them."""
    names = (".tiny.zarr.old", ".tiny.zarr.new", ".tiny.zarr.work-1234abcd")
    for name in names:
        (made.parent / name / "new").mkdir(parents=True)
        (made.parent / name / "thesis.tex").write_text("mine")
    (made.parent / ".tiny.zarr.work").mkdir()
    before = files(made.parent)
    run_sweep(small_sweep(), made, kind=kind)
    grown(made, kind)
    analysis.fit_store(made)
    after = files(made.parent)
    theses = [name for name in before if "thesis" in name]
    assert len(theses) == len(names)
    assert all(after[name] == before[name] for name in theses)
    assert neighbours(made) == sorted([*names, ".tiny.zarr.work"])


def test_a_reader_renames_nothing_of_a_stranger_into_a_stores_place(store: Path) -> None:
    """Of work areas, only those with our mark, and for this very store, are completed."""
    for name, owner in ((".tiny.zarr.work-1", None), (".tiny.zarr.work-2", "other.zarr")):
        for part in ("new", "old"):
            (store.parent / name / part).mkdir(parents=True)
        if owner:
            marker = {"made_by": exchange.MADE_BY, "store": owner}
            (store.parent / name / exchange.MARKER).write_text(json.dumps(marker))
    (store.parent / ".tiny.zarr.old").mkdir()
    with refused(WrongStoreError, store):
        read_info(store)
    with exclusive(store):
        pass
    assert len(neighbours(store)) == 3


def test_a_work_area_with_the_only_copy_is_not_cleared(made: Path) -> None:
    """Killed between the renames, then something else was put in the place by hand."""
    with exchange.work_area(made) as area:
        kept = made.parent / ".tiny.zarr.work-kept"
        area.rename(kept)
        made.rename(kept / "old")
        made.mkdir()
        with exclusive(made):
            pass
        assert (kept / "old" / "zarr.json").exists()


def test_a_lock_is_not_taken_of_a_file_that_is_none(made: Path, kind: Scripted) -> None:
    mine = made.parent / ".tiny.zarr.lock"
    mine.write_text("the combination of my bicycle")
    with refused(WrongStoreError, mine):
        run_sweep(small_sweep(), made, kind=kind)
    assert mine.read_text() == "the combination of my bicycle"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")
def test_what_the_user_put_into_a_store_outlives_its_extension(made: Path, kind: Scripted) -> None:
    """Groups, arrays, files, links, read-only folders, notes in attributes, and another store."""
    analysis.fit_store(made)
    xr.Dataset({"y": ("t", [1.0, 2.0])}).to_zarr(made, group="mine", mode="w", zarr_format=3)
    xr.Dataset({"y": ("t", [3.0])}).to_zarr(made, group="analysis/mine", mode="w", zarr_format=3)
    group = zarr.open_group(made, mode="r+", use_consolidated=False)
    group.create_array("extra", data=np.arange(5), dimension_names=["t"])
    group.attrs["note"] = "mine"
    group["success"].attrs["note"] = "mine too"
    (made / "notes.txt").write_text("mine")
    (made / "success" / "notes.txt").write_text("mine")
    (made / "success" / "c" / "0" / "notes.txt").write_text("mine")
    (made / "link").symlink_to("notes.txt")
    (made / "dangling").symlink_to("nowhere")
    (made / "kept").mkdir()
    (made / "kept" / "inner.txt").write_text("mine")
    (made / "kept").chmod(0o555)
    run_sweep(small_sweep(), made / "inner.zarr", kind=kind)
    made.chmod(0o750)
    before = files(made)
    grown(made, kind)
    after = files(made)
    foreign_files = {
        name: content
        for name, content in before.items()
        if name.startswith(("mine/", "analysis/mine/", "extra/", "kept/", "inner.zarr/"))
        or name.endswith(".txt")
    }
    assert len(foreign_files) > 40
    assert foreign_files.items() <= after.items()
    assert (made / "link").readlink() == Path("notes.txt")
    assert (made / "dangling").readlink() == Path("nowhere")
    assert stat.S_IMODE((made / "kept").stat().st_mode) == 0o555
    assert stat.S_IMODE(made.stat().st_mode) == 0o750
    assert results(made).attrs["note"] == "mine"
    assert results(made)["success"].attrs["note"] == "mine too"
    assert results(made)["extra"].values.tolist() == [0, 1, 2, 3, 4]
    assert xr.open_zarr(made, group="mine")["y"].values.tolist() == [1, 2]
    assert xr.open_zarr(made, group="analysis/mine")["y"].values.tolist() == [3]
    assert not (made / "analysis" / "transition").exists()
    consolidated = zarr.open_consolidated(made)
    assert {"mine", "extra", "inner.zarr", "analysis"} <= set(consolidated)
    assert "mine" in consolidated["analysis"]
    assert done(made / "inner.zarr") == done(made) == 8
    assert neighbours(made) == []


def test_where_files_cannot_have_two_names_they_are_copied(
    made: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def refuse(source: Path, target: Path, **options: object) -> None:
        if source.suffix != ".partial":  # zarr makes its files so
            raise PermissionError
        link(source, target, **options)

    (made / "notes.txt").write_text("mine")
    (made / "notes.txt").chmod(0o640)
    monkeypatch.setattr("os.link", refuse)
    grown(made, kind)
    assert (made / "notes.txt").read_text() == "mine"
    assert stat.S_IMODE((made / "notes.txt").stat().st_mode) == 0o640


def test_an_array_that_would_no_longer_fit_stops_an_extension_by_name(
    made: Path, kind: Scripted
) -> None:
    """With k of two sizes in one group, xarray could not open the store."""
    group = zarr.open_group(made, mode="r+", use_consolidated=False)
    group.create_array("weight", data=np.ones(2), dimension_names=["k"])
    before = files(made)
    with refused(StoreError, made / "weight", "along k", "from 2 to 3"):
        grown(made, kind, "k=2,4,6")
    assert files(made) == before
    assert neighbours(made) == []
    grown(made, kind, "trials=3")
    assert results(made)["weight"].sizes == {"k": 2}


def test_metadata_that_zarr_cannot_read_is_carried_over_too(made: Path, kind: Scripted) -> None:
    """It is no part of the store to zarr, and stays what it is."""
    for name, file, text in (("old", ".zgroup", '{"zarr_format": 2}'), ("bad", "zarr.json", "{")):
        (made / name).mkdir()
        (made / name / file).write_text(text)
    grown(made, kind)
    assert (made / "old" / ".zgroup").read_text() == '{"zarr_format": 2}'
    assert (made / "bad" / "zarr.json").read_text() == "{"
    assert results(made)["status"].sizes["trial"] == 3


def test_a_store_in_a_store_that_is_being_written_stops_an_extension(
    made: Path, kind: Scripted
) -> None:
    run_sweep(small_sweep(), made / "deep" / "inner.zarr", kind=kind)
    before = files(made)
    with (
        exclusive(made / "deep" / "inner.zarr"),
        refused(StoreError, made / "deep" / "inner.zarr"),
    ):
        grown(made, kind)
    assert files(made) == before
    grown(made, kind)
    assert (
        files(made / "deep").items()
        == {
            name.removeprefix("deep/"): content
            for name, content in before.items()
            if name.startswith("deep/")
        }.items()
    )


def test_an_empty_folder_that_becomes_a_store_keeps_its_mode(store: Path, kind: Scripted) -> None:
    store.mkdir(mode=0o700)
    run_sweep(small_sweep(), store, kind=kind)
    assert stat.S_IMODE(store.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "path", ["s3://bucket/x.zarr", "gs://b/x", "file:///tmp/x.zarr", "memory://x", "http://h/x"]
)
def test_a_url_is_no_folder(path: str) -> None:
    with refused(SweepError, f"{path.split(':')[0]}:", "URL"):
        check_local(Path(path))


@pytest.mark.parametrize(
    "command",
    [
        ["run", "tiny.toml", "s3://bucket/x.zarr"],
        ["status", "file:///tmp/x.zarr"],
        ["fit", "gs://bucket/x.zarr"],
        ["plot", "memory://x"],
        ["plot", "tiny.zarr", "-o", "http://host/x.png"],
        ["run", "tiny.toml", "~nobody-of-that-name/x.zarr"],
        ["run", "~nobody-of-that-name/x.toml", "x.zarr"],
        ["run", "https://host/x.toml", "x.zarr"],
    ],
)
def test_urls_and_unknown_homes_are_one_line_of_wrong_usage(
    genprior: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    command: list[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    write_sweep(small_sweep(), tmp_path / "tiny.toml")
    result = genprior(*command)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("genprior: ")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["calls", "tiny.toml"]


@pytest.mark.slow
def test_a_tilde_is_the_home_folder_also_where_no_shell_expands_it(
    genprior: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of stores, sweep files and pictures."""
    home, here = tmp_path / "home", tmp_path / "here"
    for folder in (home, here):
        folder.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    write_sweep(small_sweep(), home / "tiny.toml")
    assert genprior("run", "~/tiny.toml", "~/x.zarr").exit_code == 0
    assert genprior("status", "~/x.zarr").exit_code == 0
    assert genprior("plot", "~/x.zarr", "-o", "~/x.svg").exit_code == 0
    assert (home / "x.svg").is_file()
    assert list(here.iterdir()) == []


def test_weights_are_found_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "net.npz", weights_1=np.eye(3))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_weights("~/net.npz").k == 3
    assert weights_digest("~/net.npz") == weights_digest(str(tmp_path / "net.npz"))


@pytest.mark.parametrize("path", ["/a:/b", "x.zarr", "a:b/x.zarr", "./x", "..", "."])
def test_other_names_with_colons_are_folders(path: str) -> None:
    check_local(Path(path))


def test_a_folder_that_cannot_be_a_store_is_refused_before_anything_runs(
    tmp_path: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working directory, one above it, a place below a file, a name without room for a lock."""
    (tmp_path / "here").mkdir()
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setitem(EXPERIMENTS.built_in, "scripted", kind.as_class())
    for path in (".", "..", "/", "../file/x.zarr", "n" * 250):
        with pytest.raises(StoreError):
            check_request(small_sweep(), Path(path))
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == [
        "calls", "file", "here",
    ]  # fmt: skip


@pytest.mark.mounts
def test_a_store_on_a_mount_point_is_refused_or_used_as_it_is(
    tmp_path: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder cannot be replaced: it is neither made nor extended, and goes on else."""
    monkeypatch.setitem(EXPERIMENTS.built_in, "scripted", kind.as_class())
    run_sweep(small_sweep(), tmp_path / "real.zarr", kind=kind)
    for name in ("empty disk", "tiny.zarr"):
        (tmp_path / name).mkdir()
    empty, store = tmp_path / "empty disk", tmp_path / "tiny.zarr"
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", empty], check=True)
    subprocess.run(["mount", "--bind", tmp_path / "real.zarr", store], check=True)
    try:
        assert mount_points(empty) == [empty]
        assert mount_points(tmp_path) == [empty, store]
        with refused(WrongStoreError, empty):
            check_request(small_sweep(), empty)
        with refused(WrongStoreError, store):
            check_request(small_sweep("trials=3"), store)
        with refused(WrongStoreError, store):
            grown(store, kind)
        check_request(small_sweep(), store)
        assert run_sweep(small_sweep(), store, kind=kind).exit_status == 0
        analysis.fit_store(store)
        assert (tmp_path / "real.zarr" / "analysis" / "transition").is_dir()
        run_sweep(small_sweep(), empty / "x.zarr", kind=kind)
    finally:
        for folder in (empty, store):
            subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def no_flock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks, as Lustre often is."""

    def refuse(*arguments: object) -> None:
        raise OSError(38, os.strerror(38))

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_without_flock_a_file_is_the_lock_and_goes_again(
    store: Path, kind: Scripted, no_flock: None
) -> None:
    with held(store):
        assert neighbours(store) == [".tiny.zarr.lock"]
        with refused(StoreError, os.getpid(), socket.gethostname()), held(store, wait=0.2):
            pass
    assert run_sweep(small_sweep(), store, kind=kind).exit_status == 0
    assert neighbours(store) == []


def test_without_flock_the_lock_of_a_dead_process_is_taken_at_once(
    store: Path, no_flock: None
) -> None:
    lock = store.parent / ".tiny.zarr.lock"
    leave = (
        "import os, sys, filelock as f; l = f.SoftFileLease(sys.argv[1], lease_duration=60.0);"
        "l.acquire(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", leave, lock], check=True)
    assert lock.exists()
    with held(store, wait=1):
        assert f"pid={os.getpid()}" in lock.read_text()
    assert not lock.exists()


@pytest.mark.slow
def test_without_flock_a_lock_that_is_silent_on_another_machine_is_taken_over(
    store: Path, kind: Scripted, no_flock: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genprior.store.lock.SILENT", 6.0)
    lock = store.parent / ".tiny.zarr.lock"
    with held(store):
        text = lock.read_text()
    lock.write_text(text.replace(socket.gethostname(), "elsewhere"))
    lock.chmod(0o644)
    with refused(StoreError, os.getpid(), "elsewhere"), held(store, wait=1):
        pass
    assert run_sweep(small_sweep(), store, kind=kind).exit_status == 0
    assert neighbours(store) == []
