"""Which runs may write a store, and how a dead one is told from a living one."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from helpers import neighbours, refused

from genprior.store import StoreError, exclusive, holders
from genprior.store.holders import held_for_run
from genprior.store.records import PREPARING, list_records, read_records, runs_folder
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

    def leave(ago: float = 0.0, name: str = "0" * 32, **fields: Any) -> Path:
        with held_for_run(store):
            (record,) = read_records(store)
        file = runs_folder(store) / f"{name}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({**record.fields, **ELSEWHERE, **fields}))
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
    # An element of an array has a number of its own, by which nobody knows it.
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "15")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    with exclusive(store), refused(StoreError, "Slurm job 15_3"), exclusive(store):
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
@pytest.mark.parametrize("part", [None, Part(1, 2)])
def test_a_record_that_cannot_be_read_counts_as_a_run_until_it_is_silent(
    store: Path, content: str, part: Part | None
) -> None:
    """It may be torn by its writer, which writes it again a moment later."""
    folder = runs_folder(store)
    folder.mkdir()
    (folder / f"{'0' * 32}.json").write_text(content)
    begun = time.monotonic()
    with exclusive(store, part):
        assert time.monotonic() - begun > holders.SILENT - 0.5
        assert len(read_records(store)) == 1


def test_a_record_that_was_torn_for_a_moment_refuses_no_part(
    store: Path, left: Callable[..., Path]
) -> None:
    file = left(name=f"{'0' * 32}.1-2")
    (runs_folder(store) / f"{'0' * 32}.1-2{PREPARING}").touch()
    whole, torn = file.read_text(), file.read_text() + '"}'

    def change() -> None:
        for count in range(4):
            time.sleep(0.1)
            file.write_text(torn if count % 2 else whole.replace('"beat": ', f'"beat": {count}'))
        (runs_folder(store) / f"{'0' * 32}.1-2{PREPARING}").unlink()

    thread = threading.Thread(target=change)
    thread.start()
    with exclusive(store, Part(2, 2)) as second:
        assert not second.alone
    thread.join()


def test_a_part_that_died_elsewhere_after_a_sign_is_not_waited_for_forever(
    store: Path, left: Callable[..., Path]
) -> None:
    """It prepared the store, gave one more sign, and its node crashed."""
    file = left(name=f"{'0' * 32}.1-2")
    (runs_folder(store) / f"{'0' * 32}.1-2{PREPARING}").touch()
    text = file.read_text().replace('"beat": ', '"beat": 77')
    timer = threading.Timer(0.3, lambda: file.write_text(text))
    timer.start()
    said: list[str] = []
    with exclusive(store, Part(2, 2), said.append) as second:
        assert second.alone
    assert said == ["waiting for part 1/2, which prepares the store"]
    assert neighbours(store) == []


def test_a_part_that_is_not_alone_keeps_no_other_part_waiting(store: Path) -> None:
    with exclusive(store, Part(1, 3)) as first:
        first.prepared()
        with exclusive(store, Part(2, 3)):
            assert list_records(store)[1] == set()
            with exclusive(store, Part(3, 3)):
                assert len(read_records(store)) == 3


def test_of_many_parts_at_work_few_records_are_read(
    store: Path, left: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = left(name=f"{1:032x}.1-200")
    for index in range(2, 200):
        first.with_name(f"{index:032x}.{index}-200.json").write_bytes(first.read_bytes())
    read: list[Path] = []
    monkeypatch.setattr(
        "genprior.store.records.read_file",
        lambda file, most: read.append(file) or Path(file).read_bytes(),
    )
    with exclusive(store, Part(200, 200)) as last:
        assert not last.alone
    assert len(read) <= 2


def test_a_process_that_ended_and_is_not_yet_reaped_does_not_count(store: Path) -> None:
    leave = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from genprior.store import exclusive\n"
        "with exclusive(Path(sys.argv[1])):\n"
        "    os._exit(0)\n"
    )
    zombie = subprocess.Popen([sys.executable, "-c", leave, store])
    try:
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        with exclusive(store) as holding:
            assert holding.alone
    finally:
        zombie.wait()


def test_runs_that_enter_at_the_same_time_where_locks_do_not_hold_withdraw(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lustre and NFS can be mounted so that locks hold on one machine only."""
    entered = threading.Barrier(2)
    begin = holders.Holding.begin

    def together(self: holders.Holding) -> None:
        begin(self)
        with suppress(threading.BrokenBarrierError):
            entered.wait(0.5)

    monkeypatch.setattr(holders.Holding, "begin", together)
    monkeypatch.setattr(holders, "held", lambda *arguments, **settings: nullcontext())
    writing: list[str] = []
    most: list[int] = []

    def run() -> None:
        with suppress(StoreError), exclusive(store) as holding:
            writing.append(holding.key)
            most.append(len(writing))
            time.sleep(0.3)
            writing.remove(holding.key)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most
    assert max(most) == 1


def test_a_record_that_cannot_be_written_is_told_and_removed(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: holders.Holding) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(holders.Holding, "_write_now", full)
    with refused(StoreError, "No space left"), exclusive(store):
        pass
    assert list_records(store) == ([], set())
