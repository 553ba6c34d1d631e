"""What somebody may put in the way: in a store, or among the records of its runs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from helpers import Scripted, assert_names, assert_same_results, tiny_sweep

from genprior.pipeline import run_sweep
from genprior.store import StoreError, exclusive
from genprior.store.records import MADE_BY, runs_folder

Command = Callable[..., Result]
KEY = "0" * 32


@pytest.fixture
def copy(undisturbed: Path, store: Path) -> Path:
    shutil.copytree(undisturbed, store)
    return store


def folder_for_chunk(path: Path) -> None:
    chunk = path / "latent_error" / "c" / "0" / "0" / "0"
    chunk.unlink()
    chunk.mkdir()


def file_for_chunks(path: Path) -> None:
    shutil.rmtree(path / "latent_error" / "c")
    (path / "latent_error" / "c").write_text("x")


def folder_for_coordinate(path: Path) -> None:
    chunk = path / "k" / "c" / "0"
    chunk.unlink()
    chunk.mkdir()


@pytest.mark.parametrize("damage", [folder_for_chunk, file_for_chunks, folder_for_coordinate])
@pytest.mark.parametrize("repair", [True, False])
def test_what_is_in_the_place_of_a_chunk_is_found_and_removed(
    genprior: Command, copy: Path, undisturbed: Path, kind: Scripted,
    damage: Callable[[Path], None], repair: bool,
) -> None:  # fmt: skip
    damage(copy)
    found = genprior("verify", copy)
    assert found.exit_code == 1
    assert "damaged" in found.stdout + found.stderr
    if repair:
        assert genprior("verify", copy, "--repair").exit_code == 0
    assert run_sweep(tiny_sweep(), copy, kind=kind).exit_status == 0
    assert genprior("verify", copy).exit_code == 0
    assert_same_results(copy, undisturbed)


def test_a_folder_with_files_in_the_place_of_a_chunk_is_named(
    genprior: Command, copy: Path, kind: Scripted
) -> None:
    folder_for_chunk(copy)
    file = copy / "latent_error" / "c" / "0" / "0" / "0" / "mine.txt"
    file.write_text("mine")
    with pytest.raises(StoreError, match="latent_error/c/0/0/0"):
        run_sweep(tiny_sweep(), copy, kind=kind)
    assert file.read_text() == "mine"


def test_chunks_that_were_exchanged_make_their_whole_blocks_and_all_others_suspect(
    genprior: Command, copy: Path, undisturbed: Path, kind: Scripted
) -> None:
    """Their checksums are right; only running trials again shows it, and it runs but a sample."""
    chunks = [copy / "latent_error" / "c" / place for place in ("0/0/0", "1/0/0")]
    first = chunks[0].read_bytes()
    chunks[0].write_bytes(chunks[1].read_bytes())
    chunks[1].write_bytes(first)
    repaired = genprior("verify", copy, "--repair", "--trials", 24, "--seed", 1)
    assert repaired.exit_code == 1
    assert_names(repaired.stdout + repaired.stderr, "other trials", "not run again", "--trials 48")
    assert run_sweep(tiny_sweep(), copy, kind=kind).exit_status == 0
    assert genprior("verify", copy, "--trials", 48).exit_code == 0
    assert_same_results(copy, undisturbed)


RUBBISH = [
    {"workers": "x"}, {"workers": 1, "total": None, "done": "a"}, {"done": -1}, 7, None, [],
    {"computed": 1, "seconds": 1e-300, "total": 1e300}, {"computed": True, "seconds": "1"},
]  # fmt: skip


@pytest.mark.parametrize("figures", RUBBISH)
def test_rubbish_in_a_record_is_left_out_of_the_status(
    genprior: Command, copy: Path, figures: object
) -> None:
    record = {"made_by": MADE_BY, "process": 1, "host": ["vm"], "part": [0, 0], "figures": figures}
    runs_folder(copy).mkdir()
    (runs_folder(copy) / f"{KEY}.json").write_text(json.dumps(record))
    shown = genprior("status", copy)
    assert (shown.exit_code, shown.exception) == (0, None)
    assert len(json.loads(genprior("status", copy, "--json").stdout)["runs"]) == 1


def test_records_are_not_looked_for_behind_a_link(copy: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / f"{KEY}.txt").write_text("keep")
    runs_folder(copy).symlink_to(mine)
    with pytest.raises(StoreError, match=r"\.tiny\.zarr\.runs is a link"), exclusive(copy):
        pass
    assert (mine / f"{KEY}.txt").read_text() == "keep"


def test_a_folder_among_the_records_is_no_obstacle(copy: Path) -> None:
    (runs_folder(copy) / f"{KEY}.journal").mkdir(parents=True)
    with exclusive(copy) as holding:
        assert holding.alone


def test_a_file_in_the_place_of_the_records_is_named(copy: Path) -> None:
    runs_folder(copy).write_text("x")
    with pytest.raises(StoreError, match=r"\.tiny\.zarr\.runs"), exclusive(copy):
        pass
    assert runs_folder(copy).read_text() == "x"
