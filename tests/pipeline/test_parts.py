"""Parts of a sweep: runs that share the trials of one store, or fill stores of their own."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from helpers import (
    Scripted,
    assert_same_results,
    done,
    ended,
    neighbours,
    refused,
    results,
    scripted_command,
    tiny_sweep,
    wait_until,
    write_sweep,
)

from genprior.pipeline import run_sweep
from genprior.pipeline.status import Running, store_status
from genprior.store import StoreError, exclusive, read_info
from genprior.sweeps.part import Part

Command = Callable[..., Result]


def test_each_part_runs_its_share_once_and_the_store_is_complete(
    undisturbed: Path, store: Path, kind: Scripted
) -> None:
    for index in (2, 3, 1):
        summary = run_sweep(tiny_sweep(), store, kind=kind, part=Part(index, 3))
        assert (summary.computed, summary.total, summary.exit_status) == (16, 16, 0)
        assert summary.part == f"{index}/3"
    again = run_sweep(tiny_sweep(), store, kind=kind, part=Part(2, 3))
    assert (again.computed, again.already_done, again.exit_status) == (0, 16, 0)
    assert max(kind.calls().values()) == 1
    assert_same_results(store, undisturbed)


def test_a_part_that_died_is_run_again_or_completed_by_a_whole_run(
    undisturbed: Path, store: Path, kind: Scripted
) -> None:
    crashing = replace(kind, crash_at=(4, 5, 2))
    statuses = [run_sweep(tiny_sweep(), store, kind=crashing, part=Part(i, 2)) for i in (1, 2)]
    assert sorted(summary.exit_status for summary in statuses) == [0, 3]
    assert run_sweep(tiny_sweep(), store, kind=kind).computed == 1
    assert_same_results(store, undisturbed)


@pytest.mark.slow
def test_stores_of_their_own_hold_disjoint_parts_however_long_trials_take(
    tmp_path: Path, kind: Scripted
) -> None:
    """Machines differ in speed: a division by measured time would differ too."""
    sweep = tiny_sweep(blocks={})
    masks = []
    for index in (1, 2, 3):
        path = tmp_path / f"{index}.zarr"
        run_sweep(sweep, path, kind=replace(kind, pause=0.002 * index), part=Part(index, 3))
        masks.append(results(path)["status"].values == 1)
    assert (np.sum(masks, axis=0) == 1).all()
    layouts = {read_info(tmp_path / f"{index}.zarr").layout.chunks for index in (1, 2, 3)}
    assert len(layouts) == 1


def test_a_larger_grid_waits_for_other_parts(store: Path, kind: Scripted) -> None:
    run_sweep(tiny_sweep(), store, kind=kind, part=Part(1, 2))
    with exclusive(store, Part(1, 2)) as other:
        other.prepared()
        with refused(StoreError, "other parts write it now"):
            run_sweep(tiny_sweep(trials=5), store, kind=kind, part=Part(2, 2))
    assert run_sweep(tiny_sweep(trials=5), store, kind=kind, part=Part(2, 2)).exit_status == 0


@pytest.mark.slow
@pytest.mark.cluster
def test_parts_at_the_same_time_one_of_them_killed(
    undisturbed: Path, store: Path, kind: Scripted, tmp_path: Path
) -> None:
    """Each in a process: the first makes the store, nobody loses a trial, one runs again."""
    file = write_sweep(tiny_sweep(), tmp_path / "tiny.toml")

    def started(part: str) -> "object":
        options = ("--json", "--scheduler=synchronous", f"--part={part}")
        return ended(scripted_command(replace(kind, pause=0.1), "run", file, store, *options))

    with started("1/3") as one, started("2/3") as two, started("3/3") as three:
        wait_until(lambda: store.exists() and done(store) >= 12)
        with refused(StoreError, "is being written"):
            run_sweep(tiny_sweep(), store, kind=kind)
        two.kill()
        for process in (one, three):
            assert json.loads(process.communicate(timeout=60)[0])["done"] == 16
            assert process.returncode == 0
    with started("2/3") as process:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert neighbours(store) == []
    assert_same_results(store, undisturbed)


def test_status_follows_the_runs(genprior: Command, store: Path, kind: Scripted) -> None:
    run_sweep(tiny_sweep(), store, kind=kind)
    assert json.loads(genprior("status", store, "--json").stdout)["runs"] == []
    with exclusive(store, Part(3, 16)) as holding:
        assert "starting" in genprior("status", store).stdout
        holding.publish(workers=8, total=48, done=24, crashed=1, computed=20, seconds=10.0)
        (run,) = json.loads(genprior("status", store, "--json").stdout)["runs"]
        shown = " ".join(genprior("status", store).stdout.split())
    assert (run["process"], run["part"], run["workers"]) == (os.getpid(), "3/16", 8)
    assert (run["total"], run["done"], run["crashed"], run["per_second"]) == (48, 24, 1, 2.0)
    assert 0 < run["seconds_left"] <= 11.5
    assert f"process {os.getpid()}" in shown
    assert "part 3/16, 8 workers, 24 of 48 trials done, 1 crashed, 2/s, 0:1" in shown


def test_a_part_is_asked_for_on_the_command_line(
    genprior: Command, store: Path, tmp_path: Path
) -> None:
    file = write_sweep(tiny_sweep(), tmp_path / "tiny.toml")
    for part in ("0/4", "5/4", "x"):
        answer = genprior("run", file, store, "--part", part)
        assert (answer.exit_code, answer.stderr.count("\n")) == (2, 1)
        assert not store.exists()
    answer = genprior("run", file, store, "--part", "2/4")
    assert answer.exit_code == 0
    assert answer.stdout.startswith(f"part 2/4 of {store}: 16 of 16 trials done")
    assert genprior("status", store).exit_code == 3


def alive(part: str, workers: int, rate: float, left: float, silent: float = 1.0) -> Running:
    """A run of a part, as `status` reads it from a record."""
    return Running(
        process=7, host="n1", job="", part=part, workers=workers, total=100, done=50, crashed=0,
        per_second=rate, seconds_left=left, groups=0, groups_ended=0, silent_seconds=silent,
    )  # fmt: skip


def test_status_adds_up_the_parts_that_run(undisturbed: Path) -> None:
    """The slowest part decides when all are done; one that is silent does not count."""
    parts = [alive("1/3", 4, 2.0, 25), alive("2/3", 8, 0.5, 125)]
    dead = alive("3/3", 16, 9.0, 300, silent=90)
    status = replace(store_status(undisturbed), runs=[*parts, dead])
    assert status.rows()["together"] == "2 runs, 12 workers, 2.5/s, 2:05 left"
    for runs in ([], parts[:1], [parts[0], dead]):
        assert "together" not in replace(status, runs=runs).rows()
