"""Links in a store, or in the names that genprior uses next to it, change nothing elsewhere."""

import os
import shutil
from pathlib import Path

import pytest
from helpers import files, recovery_sweep, refused

from genprior.pipeline import run_sweep
from genprior.pipeline.fit.fitting import fit_store
from genprior.store import StoreError, exclusive, extend_store, read_info
from genprior.store.chunks import chunk_sizes, is_intact
from genprior.store.ordinary import UnsafeFileError, check_inside, read_file
from genprior.store.own_files import OwnFiles, frame_bytes
from genprior.sweeps import Grid


@pytest.fixture
def copy(recovered: Path, store: Path) -> Path:
    shutil.copytree(recovered, store)
    return store


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder of the user that a link in a store leads to."""
    folder = tmp_path / "elsewhere"
    (folder / "0").mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    (folder / "0" / "0").write_text("mine too")
    return folder


@pytest.mark.parametrize("name", ["analysis", "analysis/transition"])
def test_a_fit_does_not_write_through_a_link(copy: Path, elsewhere: Path, name: str) -> None:
    """It would exchange the folder at the link's end, and remove the old one."""
    fit_store(copy)
    shutil.move(copy / name, elsewhere / "moved")
    (copy / name).symlink_to(elsewhere / "moved")
    before = files(elsewhere)
    with refused(StoreError, copy / name):
        fit_store(copy)
    assert files(elsewhere) == before


@pytest.mark.parametrize("part", ["success", "success/c", "success/c/0", "status/c/0", "k/c"])
def test_a_run_does_not_write_or_remove_through_a_link(
    copy: Path, elsewhere: Path, part: str
) -> None:
    shutil.rmtree(copy / part)
    (copy / part).symlink_to(elsewhere)
    before = files(elsewhere)
    for sweep in (recovery_sweep(), recovery_sweep("trials=5")):
        with refused(StoreError, copy / part):
            run_sweep(sweep, copy)
    assert files(elsewhere) == before


def test_an_extension_does_not_carry_what_a_link_leads_to(copy: Path, elsewhere: Path) -> None:
    info = read_info(copy)
    shutil.rmtree(copy / "seconds" / "c" / "0")
    (copy / "seconds" / "c" / "0").symlink_to(elsewhere)
    with refused(StoreError, "seconds"):
        extend_store(info, Grid(recovery_sweep("trials=5")), ())


@pytest.mark.parametrize("part", ["", ".documents"])
def test_a_lock_that_is_a_link_truncates_nothing(copy: Path, elsewhere: Path, part: str) -> None:
    target = elsewhere / "notes.txt"
    copy.with_name(f".{copy.name}{part}.lock").symlink_to(target)
    if part:
        with pytest.raises(StoreError):
            fit_store(copy)
    else:
        with pytest.raises(StoreError), exclusive(copy):
            pass
    assert target.read_text() == "mine"


def test_what_is_no_ordinary_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder").symlink_to(".")
    os.mkfifo(tmp_path / "pipe")
    assert read_file(tmp_path / "file") == b"x" * 100
    for name in ("link", "pipe"):
        with refused(UnsafeFileError, tmp_path / name):
            read_file(tmp_path / name)
    with refused(UnsafeFileError, "100", "99"):
        read_file(tmp_path / "file", 99)
    with refused(UnsafeFileError, tmp_path / "folder"):
        check_inside(tmp_path, ("folder", "file"))
    with pytest.raises(UnsafeFileError):
        is_intact(tmp_path / "pipe")


@pytest.mark.parametrize("key", ["../file", "a/../../file", "/etc/passwd", "a//b", "a/./b"])
def test_a_key_does_not_lead_out_of_a_store(tmp_path: Path, key: str) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UnsafeFileError):
        OwnFiles(tmp_path / "store").get_sync(key)


def test_names_of_chunks_with_many_digits_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    for name in ("9" * 200, "1" * 19, "²"):
        (tmp_path / "c" / name).touch()
    assert chunk_sizes(tmp_path, (3,)).tolist() == [-1, -1, -1]


@pytest.mark.parametrize(
    ("header", "size"),
    [
        (b"\x28\xb5\x2f\xfd\x20\x07", 7),
        (b"\x28\xb5\x2f\xfd\x60\x00\x01", 512),
        (b"\x28\xb5\x2f\xfd\xa0\x01\x00\x00\x00", 1),
        (b"\x28\xb5\x2f\xfd\xe0" + (2**40).to_bytes(8, "little"), 2**40),
        (b"\x28\xb5\x2f\xfd\x40\x88\x00\x01", 512),
        (b"\x28\xb5\x2f\xfd\x00\x88", None),
        (b"no frame", None),
    ],
)
def test_how_many_bytes_a_frame_says_it_holds(header: bytes, size: int | None) -> None:
    """RFC 8878: the size of the field is 1, 2, 4 or 8 bytes; of two bytes, 256 is subtracted."""
    assert frame_bytes(header) == size
