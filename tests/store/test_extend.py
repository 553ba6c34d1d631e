"""A store grows to what a run of the larger sweep would have given, at once or not at all."""

import ctypes
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import (
    ENVIRONMENT,
    OldLibrary,
    Scripted,
    assert_same_results,
    chunk_stamps,
    done,
    files,
    fill,
    flip_bit,
    neighbours,
    refused,
    results,
    small_disk,
    tiny_sweep,
)

from genprior.pipeline import run_sweep
from genprior.store import exchange, extend_store, read_info
from genprior.store.errors import StoreError
from genprior.sweeps import Grid, Sweep, union

SMALL = ("k=2,6", "m=3,5,9", "trials=3")
CRASH = (6, 5, 1)


def small_sweep(*settings: str, **changes: object) -> Sweep:
    return tiny_sweep(*SMALL, *settings, **changes)


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Stores of sweeps run in one go, each made once; the trial at `CRASH` crashes."""
    made: dict[str, Path] = {}

    def store_of(sweep: Sweep) -> Path:
        if sweep.as_json() not in made:
            folder = tmp_path_factory.mktemp("direct")
            (folder / "calls").mkdir()
            kind = Scripted(str(folder / "calls"), crash_at=CRASH)
            run_sweep(sweep, folder / "tiny.zarr", kind=kind)
            made[sweep.as_json()] = folder / "tiny.zarr"
        return made[sweep.as_json()]

    return store_of


ALL_AT_ONCE = ("k=1,2,4,6", "m=3,4,5,9,11", "trials=6")


@pytest.mark.parametrize(
    ("settings", "block"),
    [
        pytest.param(("k=2,4,6",), 6, id="a value in the middle"),
        pytest.param(("k=1,2,6,8", "m=2,3,5,9,11"), 6, id="values at all ends"),
        pytest.param(("trials=5",), 2, id="more trials"),
        pytest.param(ALL_AT_ONCE, 2, id="all at once, blocks of trials"),
        pytest.param(ALL_AT_ONCE, 6, id="all at once, blocks of points"),
        pytest.param(ALL_AT_ONCE, 100, id="all at once, one block"),
    ],
)
def test_an_extended_store_equals_one_run_of_the_larger_sweep(
    direct: Callable[..., Path],
    store: Path,
    kind: Scripted,
    settings: tuple[str, ...],
    block: int,
) -> None:
    """Blocks of 2 trials (of 3), of two values of m (of 3), and of the whole grid."""
    crashing = replace(kind, crash_at=CRASH)
    run_sweep(small_sweep(f"blocks.trials={block}"), store, kind=crashing)
    run_sweep(small_sweep(f"blocks.trials={block}", *settings), store, kind=crashing)
    assert neighbours(store) == []
    assert_same_results(store, direct(small_sweep(*settings)))
    assert read_info(store).sweep.axes == small_sweep(*settings).axes
    calls = kind.calls()
    assert calls.pop(CRASH) == 2
    assert set(calls.values()) == {1}


def test_crashed_trials_keep_their_text_when_the_store_grows(store: Path, kind: Scripted) -> None:
    """Only k = 4 is asked for, so the crashed trial at k = 6 is moved, not tried again."""
    crashing = replace(kind, crash_at=CRASH)
    run_sweep(small_sweep("blocks.trials=6"), store, kind=crashing)
    before = results(store).sel(k=6, m=5)
    run_sweep(small_sweep("k=4", "blocks.trials=6"), store, kind=crashing)
    after = results(store).sel(k=6, m=5)
    assert after["error"].values.tolist() == ["", f"ArithmeticError: {CRASH} was told to crash", ""]
    assert after.drop_vars("seconds").equals(before.drop_vars("seconds"))
    assert after["seconds"].equals(before["seconds"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "settings", "before", "after"),
    [
        pytest.param("m < k", "k=2,4,6", 2, 3, id="between others"),
        pytest.param("m > 10", "m=3,5,9,11", 0, 2, id="in the rest of a chunk"),
    ],
)
def test_excluded_points_stay_excluded_when_the_store_grows(
    direct: Callable[..., Path],
    store: Path,
    kind: Scripted,
    rule: str,
    settings: str,
    before: int,
    after: int,
) -> None:
    """The rule m < k leaves out (6, 3) and (6, 5), then (4, 3) too; m > 10 both new points.

    A block has two values of m: 9 is alone in its own until 11 comes next to it.
    """
    sweep = small_sweep("blocks.trials=6", exclude=(rule,))
    crashing = replace(kind, crash_at=CRASH)
    run_sweep(sweep, store, kind=crashing)
    assert int((results(store)["status"] == 3).sum()) == 3 * before
    larger = sweep.override([settings])
    info = read_info(store)
    extend_store(info, Grid(union(info.sweep, larger)), kind.variables)
    assert int((results(store)["status"] == 3).all("trial").sum()) == after
    run_sweep(larger, store, kind=crashing)
    assert_same_results(store, direct(larger))


def test_blocks_that_move_whole_are_not_copied(store: Path, kind: Scripted) -> None:
    """Growing k at both ends moves blocks from place 0, 1 to 1, 2: the same files, renamed."""
    blocks = "blocks.trials=9"
    run_sweep(small_sweep(blocks), store, kind=kind)
    before = list(chunk_stamps(store).values())
    run_sweep(small_sweep("k=1,2,6,8", blocks), store, kind=kind)
    after = chunk_stamps(store)
    assert [after[f"status/c/{i}/0/0"] for i in (1, 2)] == before


@pytest.mark.slow
def test_an_extension_drops_no_label_and_forgets_old_fits(store: Path, kind: Scripted) -> None:
    from genprior.pipeline.fit.fitting import fit_store

    run_sweep(small_sweep(), store, kind=kind)
    fit_store(store)
    run_sweep(small_sweep("trials=4"), store, kind=kind)
    assert not (store / "analysis").exists()
    assert results(store).attrs["host"] == os.uname().nodename


KILLED = """
import ctypes, os, sys
from helpers import *
from genprior.pipeline import run_sweep
from genprior.store import exchange, extend, template
stage, path, calls = sys.argv[1:]

def dying(function, call=1):
    count = 0
    def wrapped(*args, **kwargs):
        nonlocal count
        count += 1
        if count == call:
            os._exit(9)
        return function(*args, **kwargs)
    return wrapped

if stage in ("between renames", "before the old one goes, renamed"):
    ctypes.CDLL = OldLibrary
if stage == "while the new one is made":
    os.link = dying(os.link)
elif stage == "before the exchange":
    extend.put_in_place = dying(extend.put_in_place)
elif stage == "between renames":
    Path.rename = dying(Path.rename, 2)
else:
    exchange.shutil.rmtree = dying(exchange.shutil.rmtree)
run_sweep(tiny_sweep("k=2,4,6", "m=3,5,9", "trials=3"), Path(path), kind=Scripted(calls))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "size"),
    [
        ("while the new one is made", 18),
        ("before the exchange", 18),
        ("between renames", 27),
        ("before the old one goes", 27),
        ("before the old one goes, renamed", 27),
    ],
)
def test_a_kill_while_extending_leaves_the_old_or_the_new_store(
    direct: Callable[..., Path], store: Path, kind: Scripted, stage: str, size: int
) -> None:
    """18 trials before, 27 after; the next command cleans up and completes."""
    run_sweep(small_sweep(), store, kind=kind)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, stage, store, kind.folder],
        env=ENVIRONMENT,
        timeout=60,
    )
    assert killed.returncode == 9
    assert neighbours(store) != []
    info = read_info(store)
    assert (info.layout.size, done(store)) == (size, 18)
    crashing = replace(kind, crash_at=CRASH)
    assert run_sweep(small_sweep("k=2,4,6"), store, kind=crashing).computed == 9
    assert neighbours(store) == []
    assert set(kind.calls().values()) == {1}
    both = results(store).drop_vars(["seconds", "error", "status"]).isel(trial=[0, 2])
    whole = results(direct(small_sweep("k=2,4,6"))).isel(trial=[0, 2])
    assert both.equals(whole.drop_vars(["seconds", "error", "status"]))


@pytest.mark.mounts
def test_a_failed_extension_leaves_no_file(
    direct: Callable[..., Path], tmp_path: Path, kind: Scripted
) -> None:
    """The disk has room for the bytes, but not for the last files of the larger store."""
    larger = small_sweep("m=2,3,5,9", "blocks.trials=6")
    wanted = len(list(direct(larger).rglob("*")))
    with small_disk(tmp_path / "disk", 20, files=500) as disk:
        store = disk / "runs" / "tiny.zarr"
        store.parent.mkdir()
        run_sweep(small_sweep("blocks.trials=6"), store, kind=kind)
        before = files(store)
        for at in range(os.statvfs(disk).f_ffree - wanted + 5):
            (disk / str(at)).touch()
        with refused(StoreError, store, os.strerror(errno.ENOSPC)):
            run_sweep(larger, store, kind=kind)
        assert files(store) == before
        assert neighbours(store) == []


def test_without_exchange_of_names_the_old_store_steps_aside(
    direct: Callable[..., Path], store: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", OldLibrary)
    crashing = replace(kind, crash_at=CRASH)
    run_sweep(small_sweep(), store, kind=crashing)
    run_sweep(small_sweep("k=2,4,6"), store, kind=crashing)
    assert_same_results(store, direct(small_sweep("k=2,4,6")))
    assert neighbours(store) == []


def test_a_reader_may_complete_the_fallback_between_its_two_renames(
    store: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that finds no store renames the new one into place; the writer has to bear that."""
    run_sweep(small_sweep(), store, kind=kind)
    monkeypatch.setattr(ctypes, "CDLL", OldLibrary)
    rename = Path.rename

    def rename_and_read(path: Path, target: Path) -> Path:
        renamed = rename(path, target)
        if path == store:
            exchange.settle(store)
        return renamed

    monkeypatch.setattr(Path, "rename", rename_and_read)
    assert run_sweep(small_sweep("trials=4"), store, kind=kind).exit_status == 0
    assert neighbours(store) == []


def test_an_extension_through_a_link_changes_the_folder_it_leads_to(
    store: Path, kind: Scripted
) -> None:
    """Stores on scratch disks are often reached through a symbolic link."""
    run_sweep(small_sweep(), store, kind=kind)
    link = store.parent.parent / "link.zarr"
    link.symlink_to(store)
    assert run_sweep(small_sweep("trials=4"), link, kind=kind).exit_status == 0
    assert link.is_symlink()
    assert done(store) == 24
    assert neighbours(store) == []


@pytest.mark.mounts
def test_an_extension_that_does_not_fit_is_refused_before_anything_is_written(
    tmp_path: Path, kind: Scripted
) -> None:
    """It needs the size of the store and a megabyte next to it."""
    with small_disk(tmp_path / "disk", 4) as disk:
        store = disk / "tiny.zarr"
        run_sweep(small_sweep("blocks.trials=100"), store, kind=kind)
        ballast = fill(disk, leaving=500_000)
        before = files(disk)
        with pytest.raises(StoreError, match=r"0\.9\d MiB.* 4\d\d\.\d\d kiB"):
            run_sweep(small_sweep("trials=4"), store, kind=kind)
        assert files(disk) == before
        ballast.unlink()
        assert run_sweep(small_sweep("trials=4"), store, kind=kind).exit_status == 0


def test_a_damaged_chunk_stops_an_extension_with_its_name(store: Path, kind: Scripted) -> None:
    run_sweep(small_sweep("blocks.trials=6"), store, kind=kind)
    flip_bit(store / "latent_error/c/1/0/0")
    before = files(store)
    with refused(StoreError, store / "latent_error/c/1/0/0"):
        run_sweep(small_sweep("m=2,3,5,9", "blocks.trials=6"), store, kind=kind)
    assert files(store) == before
    assert neighbours(store) == []


def test_a_worker_of_an_older_layout_cannot_write(store: Path, kind: Scripted) -> None:
    """A cluster may still run a block of a command that was killed; its places have changed."""
    from genprior.store import open_writer

    run_sweep(small_sweep(), store, kind=kind)
    info = read_info(store)
    writer = open_writer(store, info.revision)
    region = info.layout.region((0, 0, 0))
    block = writer.read(region, ("success", "latent_error", "iterations", "seconds", "status"))
    extend_store(info, Grid(union(info.sweep, small_sweep("k=1"))), kind.variables)
    before = files(store)
    with refused(StoreError, store):
        writer.write(region, block)
    assert files(store) == before
