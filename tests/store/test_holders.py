"""Which runs may write a store, and how a dead one is told from a living one."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import neighbours, refused

from genprior.store import StoreError, exclusive, holders
from genprior.store.holders import held_for_run, read_records, runs_folder
from genprior.sweeps.part import Part

ELSEWHERE = {"host": "elsewhere", "boot": "another", "process": 4711}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds instead of minutes."""
    monkeypatch.setattr(holders, "BEAT", 0.2)
    monkeypatch.setattr(holders, "SILENT", 1.5)
    monkeypatch.setattr(holders, "POLL", 0.05)


@pytest.fixture
def left(store: Path) -> Callable[..., Path]:
    """Leave a record as a run of another machine would, a given time ago."""

    def leave(ago: float = 0.0, **fields: Any) -> Path:
        with held_for_run(store):
            (record,) = read_records(store)
        file = runs_folder(store) / f"{'0' * 32}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({**record.fields, "preparing": False, **ELSEWHERE, **fields}))
        then = time.time() - ago
        os.utime(file, (then, then))
        return file

    return leave


def test_a_run_leaves_nothing_behind(store: Path) -> None:
    with exclusive(store):
        assert neighbours(store) == [".tiny.zarr.runs"]
    assert neighbours(store) == []


def test_a_second_run_is_refused_at_once_with_host_and_process(store: Path) -> None:
    said: list[str] = []
    with (
        exclusive(store),
        refused(StoreError, f"process {os.getpid()} on {socket.gethostname()}"),
        exclusive(store, tell=said.append),
    ):
        pass
    assert said == []


def test_the_record_names_the_batch_job(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    with exclusive(store), refused(StoreError, "Slurm job 17"), exclusive(store):
        pass


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (None, Part(1, 4), False),
        (Part(1, 4), None, False),
        (Part(1, 4), Part(1, 4), False),
        (Part(1, 4), Part(2, 8), False),
        (Part(1, 4), Part(2, 4), True),
    ],
)
def test_only_different_parts_of_one_division_write_at_the_same_time(
    store: Path, one: Part | None, other: Part | None, both: bool
) -> None:
    with exclusive(store, one) as first:
        first.prepared()
        assert first.alone
        if both:
            with exclusive(store, other) as second:
                assert not second.alone
        else:
            with refused(StoreError, "is being written"), exclusive(store, other):
                pass


def test_a_part_waits_while_another_one_makes_the_store(store: Path) -> None:
    said: list[str] = []
    with exclusive(store, Part(1, 2)) as first:
        timer = threading.Timer(0.4, first.prepared)
        timer.start()
        with exclusive(store, Part(2, 2), said.append) as second:
            assert not timer.is_alive()
            assert not second.alone
    assert said == ["waiting for part 1/2, which prepares the store"]


@pytest.mark.parametrize("part", [None, Part(1, 2)])
def test_a_run_that_was_killed_here_does_not_count(store: Path, part: Part | None) -> None:
    """Its process has ended: nothing has to be waited for."""
    leave = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from genprior.store import exclusive\n"
        "with exclusive(Path(sys.argv[1])):\n"
        "    os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", leave, store], check=True)
    assert len(read_records(store)) == 1
    said: list[str] = []
    with exclusive(store, part, said.append) as holding:
        assert holding.alone
        assert len(read_records(store)) == 1
    assert (said, neighbours(store)) == ([], [])


def test_a_process_number_that_was_given_again_is_another_process(store: Path, left: Any) -> None:
    with held_for_run(store):
        (record,) = read_records(store)
    left(**{**record.fields, "process": os.getpid(), "start": record.fields["start"] - 1})
    with exclusive(store):
        pass


def test_a_silent_run_of_another_machine_is_waited_for_and_then_replaced(
    store: Path, left: Callable[..., Path]
) -> None:
    file, said = left(), list[str]()
    begun = time.monotonic()
    with exclusive(store, tell=said.append):
        assert not file.exists()
    assert time.monotonic() - begun > holders.SILENT - 0.5
    assert len(said) == 1
    assert "process 4711 on elsewhere" in said[0]


def test_a_run_of_another_machine_that_gives_signs_is_never_replaced(
    store: Path, left: Callable[..., Path]
) -> None:
    """Its clock may be wrong by any amount: what counts is that its record changes."""
    file, ended = left(ago=1e6), threading.Event()

    def beat() -> None:
        fields, count = json.loads(file.read_text()), 1000
        while not ended.wait(0.15):
            count += 1
            file.write_text(json.dumps({**fields, "beat": count}))
            os.utime(file, (0, 0))

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with refused(StoreError, "process 4711 on elsewhere"), exclusive(store):
            pass
    finally:
        ended.set()
        thread.join()
    assert file.exists()


def test_clocks_that_jump_do_not_make_a_run_look_dead(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with exclusive(store):
        monkeypatch.setattr(time, "time", lambda: 4e9)
        with refused(StoreError, f"process {os.getpid()}"), exclusive(store):
            pass


def test_a_run_whose_record_was_taken_stops(store: Path) -> None:
    """It was suspended for so long that another run took over."""
    with exclusive(store) as holding:
        holding.check()
        for record in read_records(store):
            record.file.unlink()
        time.sleep(3 * holders.BEAT)
        with refused(StoreError, "gave no sign"):
            holding.check()


def test_other_files_of_a_run_go_with_its_record(store: Path) -> None:
    with exclusive(store) as holding:
        (runs_folder(store) / f"{holding.key}.journal").write_text("trial 3")
        left = runs_folder(store) / f"{'1' * 32}.journal"  # of a run whose record is gone
        left.write_text("")
    assert not (runs_folder(store) / f"{holding.key}.journal").exists()
    with exclusive(store):
        assert not left.exists()
    assert neighbours(store) == []


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "7", '{"made_by": "somebody"}'])
def test_a_record_that_cannot_be_read_counts_as_a_run_until_it_is_silent(
    store: Path, content: str
) -> None:
    folder = runs_folder(store)
    folder.mkdir()
    (folder / f"{'0' * 32}.json").write_text(content)
    with exclusive(store):
        assert len(read_records(store)) == 1
