"""What is missing from a store or damaged in it is named, never counted, and mended by a run."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from click.testing import Result
from helpers import (
    Scripted,
    assert_names,
    assert_same_results,
    files,
    flip_bit,
    refused,
    results,
    tiny_sweep,
    write_sweep,
)
from zarr.core.group import GroupMetadata
from zarr.errors import ZarrUserWarning
from zarr.storage import LocalStore

import genprior as gp
from genprior.pipeline import run_sweep
from genprior.store import (
    StoreError,
    extend_store,
    mend_store,
    open_results,
    open_writer,
    read_info,
)
from genprior.store.chunks import chunk_sizes, crc32c
from genprior.store.documents import consolidate, copies, read_document, write_document
from genprior.sweeps import Grid, union

Command = Callable[..., Result]
READERS = ("status", "fit", "plot")
FIRST, CRASHED = (0, 1, 0), (1, 1, 0)
CRASH = (4, 7, 2)
ALL = [(k, m, 0) for k in range(3) for m in range(2)]


@pytest.fixture(scope="module")
def with_crash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny sweep, one trial of the block (1, 1, 0) crashed; not to be changed."""
    folder = tmp_path_factory.mktemp("crashed")
    (folder / "calls").mkdir()
    kind = Scripted(str(folder / "calls"), crash_at=CRASH)
    run_sweep(tiny_sweep(), folder / "tiny.zarr", kind=kind)
    return folder / "tiny.zarr"


@pytest.fixture
def copy(with_crash: Path, store: Path) -> Path:
    shutil.copytree(with_crash, store)
    return store


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    return write_sweep(tiny_sweep(), tmp_path / "tiny.toml")


def trials_of(blocks: list[tuple[int, int, int]]) -> set[tuple[int, int, int]]:
    """Places of the trials of blocks, as the scripted task names them: two points a block."""
    ks, ms = (2, 4, 6), (3, 5, 7, 9)
    return {
        (ks[k], ms[2 * m + offset], trial)
        for k, m, _ in blocks
        for offset in (0, 1)
        for trial in range(4)
    }


def chunk(name: str, block: tuple[int, ...]) -> str:
    return "/".join((name, "c", *map(str, block)))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def change_copy(root: Path) -> None:
    """Flip the sign of a fill value in the root's copy of a document."""
    document = read_document(root.parent)
    document["consolidated_metadata"]["metadata"]["success"]["fill_value"] = 1
    write_document(root.parent, document)


SUCCESS, ERROR = chunk("success", FIRST), chunk("error", CRASHED)


@pytest.mark.parametrize(
    ("place", "damage", "fails", "again"),
    [
        pytest.param(SUCCESS, remove, READERS, [FIRST], id="missing chunk"),
        pytest.param(SUCCESS, empty, READERS, [FIRST], id="empty chunk"),
        pytest.param(SUCCESS, cut, READERS, None, id="cut chunk"),
        pytest.param(SUCCESS, flip_bit, READERS, None, id="flipped chunk"),
        pytest.param("success", remove, READERS, ALL, id="missing array"),
        pytest.param("latent_error", remove, ["status"], ALL, id="missing array that no fit reads"),
        pytest.param(chunk("iterations", FIRST), empty, ["status"], [FIRST], id="another variable"),
        pytest.param("success/zarr.json", remove, READERS, [], id="missing document"),
        pytest.param("success/zarr.json", empty, READERS, [], id="empty document"),
        pytest.param("latent_error/zarr.json", cut, ["status"], [], id="cut document"),
        pytest.param("zarr.json", change_copy, READERS, [], id="copies out of step"),
        pytest.param(chunk("seconds", FIRST), remove, ["status"], [FIRST], id="missing times"),
        pytest.param("k", remove, READERS, [], id="missing axis"),
        pytest.param("k/c/0", remove, READERS, [], id="missing chunk of an axis"),
        pytest.param("k/c/0", flip_bit, READERS, [], id="flipped chunk of an axis"),
        pytest.param("depth/c", empty, READERS, [], id="empty scalar coordinate"),
        pytest.param("n", remove, READERS, [], id="missing scalar coordinate"),
        pytest.param(chunk("status", FIRST), flip_bit, READERS, [FIRST], id="flipped status"),
        pytest.param(chunk("status", FIRST), empty, READERS, [FIRST], id="empty status"),
        pytest.param("status/zarr.json", flip_bit, READERS, [], id="flipped status document"),
        pytest.param("status/zarr.json", remove, READERS, [], id="missing status document"),
        pytest.param(ERROR, remove, ["status"], [], id="missing text"),
        pytest.param(ERROR, empty, ["status"], [], id="empty text"),
        pytest.param(ERROR, flip_bit, ["status"], None, id="flipped text"),
    ],
)  # fmt: skip
def test_damage_is_named_by_those_who_read_it_and_mended_by_a_run(
    genprior: Command, kind: Scripted, sweep_file: Path, copy: Path, undisturbed: Path,
    place: str, damage: Callable[[Path], None], fails: list[str], again: list[tuple[int, int, int]]
) -> None:  # fmt: skip
    """A wrong checksum of results (no `again`) is mended once the chunk is removed, as it says."""
    damage(copy / place)
    before = files(copy)
    for command in fails:
        result = genprior(command, copy)
        assert result.exit_code == 1, result.output
        assert_names(result.stderr, f"{copy / place}".removesuffix("zarr.json"))
        assert files(copy) == before
    if again is None:
        (copy / place).unlink()
        again = [] if place == ERROR else [FIRST]
    result = genprior("run", sweep_file, copy, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert set(kind.calls()) == trials_of(again) | {CRASH}
    assert place.removesuffix("zarr.json") in told["mended"]
    assert_same_results(copy, undisturbed)
    assert genprior("status", copy).exit_code == 0
    assert json.loads(genprior("run", sweep_file, copy, "--json").stdout)["mended"] == ""


def test_what_was_lost_is_pending_until_it_is_asked_for(
    genprior: Command, sweep_file: Path, copy: Path, undisturbed: Path
) -> None:
    """The block of k = 2, m = 7 and 9 is lost, 8 trials; the first command asks for k = 6 only."""
    (copy / SUCCESS).unlink()
    told = json.loads(genprior("status", copy, "--json").stdout)
    assert (told["trials"]["done"], told["trials"]["pending"]) == (48 - 1 - 8, 8)
    kept = results(undisturbed)["success"].where(results(copy)["success"].notnull())
    assert told["successes"] == int(kept.sum())
    (damage,) = told["damaged"]
    assert_names(damage["what"], SUCCESS)
    assert_names(genprior("run", sweep_file, copy, "--set", "k=6").output, SUCCESS, "1 block")
    told = json.loads(genprior("status", copy, "--json").stdout)
    assert (told["trials"]["pending"], told["damaged"]) == (8, [])
    assert genprior("run", sweep_file, copy).exit_code == 0
    assert_same_results(copy, undisturbed)


@pytest.mark.parametrize(
    ("place", "damage", "lost"),
    [
        ("latent_error", remove, 47),
        ("latent_error/c", remove, 47),
        (SUCCESS, remove, 8),
        (chunk("iterations", FIRST), empty, 8),
        ("latent_error/zarr.json", cut, 0),
        ("error", remove, 0),
        ("k", remove, 0),
        ("k/c/0", flip_bit, 0),
    ],
)
def test_what_is_lost_is_not_opened_as_not_run(
    copy: Path, place: str, damage: Callable[[Path], None], lost: int
) -> None:
    """Xarray would show it as trials that were not run; their number is that of `status`."""
    assert gp.open(copy).success.notnull().sum() == 47
    damage(copy / place)
    with pytest.raises(StoreError, match=place.removesuffix("/zarr.json").removesuffix("/c")):
        gp.open(copy)
    counts = gp.status(copy)
    assert counts.trials.done == 47 - lost
    assert counts.damaged


def test_an_extension_carries_no_hole_on(
    genprior: Command, kind: Scripted, sweep_file: Path, copy: Path, tmp_path: Path
) -> None:
    (copy / SUCCESS).unlink()
    info, before = read_info(copy), files(copy)
    with refused(StoreError, SUCCESS):
        extend_store(info, Grid(union(info.sweep, tiny_sweep("k=3"))), kind.variables)
    assert files(copy) == before
    assert genprior("run", sweep_file, copy, "--trials", 5).exit_code == 0
    run_sweep(tiny_sweep("trials=5"), tmp_path / "direct.zarr", kind=kind)
    assert_same_results(copy, tmp_path / "direct.zarr")


@pytest.mark.parametrize("command", ["fit", "plot"])
def test_what_a_library_cannot_read_is_not_called_damaged(
    genprior: Command, copy: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """As xarray 2025.1 does with what it wrote itself through zarr 3.1.4."""

    def old(*arguments: object, **settings: object) -> None:
        raise AttributeError("'Int8' object has no attribute 'value'")

    monkeypatch.setattr(xr, "open_zarr", old)
    result = genprior(command, copy)
    assert result.exit_code == 1
    assert_names(result.stderr, f"xarray {xr.__version__}", f"zarr {zarr.__version__}", "'Int8'")
    assert "damaged" not in result.stderr


def test_a_sweep_of_another_version_is_not_called_damaged(genprior: Command, copy: Path) -> None:
    root = read_document(copy)
    root["attributes"]["sweep"] = json.dumps({"task": "scripted", "novel": 1})
    write_document(copy, root)
    result = genprior("status", copy)
    assert (result.exit_code, "damaged" in result.stderr) == (1, False)
    assert_names(result.stderr, copy, "'novel'")


@pytest.mark.slow
def test_without_assertions_fits_are_written_and_read(
    genprior: Command, undisturbed: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zarr takes the type of a group off its copy inside an `assert`, which `python -O` leaves out.

    The group of the fits is such a one, so that its copy cannot be read.
    """
    shutil.copytree(undisturbed, store)
    from_dict = GroupMetadata.from_dict

    def optimised(data: dict[str, object]) -> GroupMetadata:
        if "node_type" in data:
            raise TypeError("unexpected keyword argument 'node_type'")
        return from_dict(data)

    monkeypatch.setattr(GroupMetadata, "from_dict", optimised)
    for command in ("fit", "fit", "status"):
        assert genprior(command, store).exit_code == 0
    assert open_results(store).sizes == {"k": 3, "m": 4, "trial": 4}


def test_gathered_documents_are_those_that_zarr_would_gather(genprior: Command, copy: Path) -> None:
    """Groups of a fit and of the user too; the order as well."""
    assert genprior("fit", copy).exit_code == 0
    mine = zarr.open_group(copy, mode="r+", use_consolidated=False).create_group("mine/inner")
    mine.create_array("x", shape=(2,), dtype="int8")
    consolidate(copy)
    ours = copies(read_document(copy))
    with pytest.warns(ZarrUserWarning):
        zarr.consolidate_metadata(copy, zarr_format=3)
    assert "mine/inner/x" in ours
    assert list(ours.items()) == list(copies(read_document(copy)).items())


def test_a_writer_reads_the_documents_of_arrays_once(
    store: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All six arrays for the first block, none for those after it."""
    read: list[str] = []
    get = LocalStore.get

    async def counting(local: LocalStore, key: str, *others: object, **settings: object) -> object:
        read.append(key)
        return await get(local, key, *others, **settings)

    run_sweep(tiny_sweep("k=2"), store, kind=kind)
    info = read_info(store)
    names = tuple(info.results)
    writer = open_writer(store, info.revision)
    first, second = (info.layout.region((0, m, 0)) for m in (0, 1))
    block = writer.read(first, names)
    monkeypatch.setattr(LocalStore, "get", counting)
    writer.write(first, block)
    read.clear()
    writer.write(second, writer.read(second, names))
    assert [key for key in read if key.endswith("zarr.json")] == []


def test_listing_sees_sizes_and_leaves_temporary_files_out(tmp_path: Path) -> None:
    for place, content in {
        "0/1": b"abc",
        "1/0": b"",
        "1/7": b"beyond",
        "0/0.5f.partial": b"x",
    }.items():
        (tmp_path / "c" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "c" / place).write_bytes(content)
    assert np.array_equal(chunk_sizes(tmp_path, (2, 2)), [[-1, 3], [0, -1]])


def test_the_checksum_is_crc_32c() -> None:
    """The check value of the catalogues of checksums."""
    assert crc32c(b"123456789") == 0xE3069283


def test_a_lost_document_is_told_once_where_its_copy_has_older_words(
    copy: Path, kind: Scripted
) -> None:
    """What a mend has just written is not damage again, though an older version described it."""
    root = read_document(copy)
    name = root["attributes"]["trial_variables"].split('"')[1]
    consolidated = root["consolidated_metadata"]["metadata"]
    consolidated[name]["attributes"]["long_name"] = "what it was called once"
    write_document(copy, root)
    (copy / name / "zarr.json").unlink()
    mended = mend_store(read_info(copy), kind.variables)
    assert len(mended.damages) == 1


@pytest.mark.parametrize("text", [None, "{}", '{"attributes": {}}', "[1]"])
def test_a_store_that_lost_its_root_document_is_damaged_and_no_strangers_folder(
    genprior: Command, copy: Path, sweep_file: Path, text: str | None
) -> None:
    root = copy / "zarr.json"
    root.unlink() if text is None else root.write_text(text)
    for command in (["status", copy], ["fit", copy], ["run", sweep_file, copy]):
        result = genprior(*command)
        assert result.exit_code == 1
        assert_names(result.stderr, root)
