"""A store from somebody else is used or refused in one line: nothing runs, nothing grows."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import ENVIRONMENT, files, recovery_sweep, write_sweep
from hostile_changes import LEFT_ALONE, REFUSED
from memory_use import peak_memory

from genprior.store.ordinary import read_file

READERS = ("open", "status", "fit", "plot")
MEGABYTES = 300  # that a process may grow by while it reads hostile stores

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tried(recovered: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """What came of every hostile store, each tried by every command in a process of its own."""
    folder = tmp_path_factory.mktemp("hostile")
    sweep = write_sweep(recovery_sweep(), folder / "tiny.toml")
    places = {"sound": folder / "sound" / "s.zarr"}
    for number, name in enumerate({**REFUSED, **LEFT_ALONE}):
        places[name] = folder / f"{number}" / "s.zarr"
    for name, path in places.items():
        path.parent.mkdir()
        shutil.copytree(recovered, path)
        if name != "sound":
            {**REFUSED, **LEFT_ALONE}[name](path)
    outside = {name: files_next_to(path) for name, path in places.items()}
    ended = subprocess.run(
        [sys.executable, Path(__file__).with_name("hostile_probe.py"), sweep, *places.values()],
        env={**ENVIRONMENT, "HARM": str(folder / "harm")}, capture_output=True, text=True,
        timeout=900, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    said = json.loads(ended.stdout)
    outcomes = {name: said["outcomes"].get(path.parent.name) for name, path in places.items()}
    changed = {name: files_next_to(path) != outside[name] for name, path in places.items()}
    yield {**said, "outcomes": outcomes, "harm": (folder / "harm").exists(), "changed": changed}
    for path in places.values():
        os.system(f"rm -rf '{path}'")  # deeper than Python can remove


def files_next_to(path: Path) -> dict[str, str]:
    """What a link in the store leads to."""
    moved = [entry for entry in path.parent.iterdir() if entry.name.startswith("moved-")]
    return {entry.name: str(files(entry) or entry.lstat()) for entry in moved}


@pytest.mark.slow
def test_a_sound_store_is_used_by_every_command(tried: Any) -> None:
    assert {name: status for name, (status, _) in tried["sound"].items()} == dict.fromkeys(
        (*READERS, "run"), 0
    )


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_store_is_refused_in_one_line(tried: Any, name: str) -> None:
    """A run either refuses it too, or writes again what it may."""
    outcomes = tried["outcomes"][name]
    for command, (status, line) in outcomes.items():
        told = isinstance(line, str) and line.startswith("genprior: ") and "\n" not in line
        may_work = command == "run" or (command, name) == ("open", "rule of code")
        assert status in ((0, 1, 2, 3) if may_work else (1, 2)), (command, line)
        assert told or status == 0 or command == "run", (command, line)
        assert len(line) < 1500, command
    assert not tried["changed"][name]


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_is_the_users_is_left_alone(tried: Any, name: str) -> None:
    outcomes = tried["outcomes"][name]
    assert {status for status, _ in outcomes.values()} == {0}, outcomes


def test_a_file_takes_as_much_memory_as_it_has_bytes(tmp_path: Path) -> None:
    (tmp_path / "chunk").write_bytes(b"x" * 10_000)
    assert len(read_file(tmp_path / "chunk", 2**31)) == 10_000
    assert peak_memory(lambda: read_file(tmp_path / "chunk", 2**31)) < 100_000


def test_nothing_of_a_store_was_run_and_no_memory_was_taken(tried: Any) -> None:
    assert not tried["harm"]
    assert max(tried["kilobytes"].values()) < MEGABYTES * 1024, tried["kilobytes"]
