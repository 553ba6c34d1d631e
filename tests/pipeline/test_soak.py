"""Soak: whatever is killed at random times, repeating the command ends in the undisturbed dataset.

The small soak kills 5 processes. The large one, with 200 kills, takes a quarter of an hour and is
run by hand: `pytest -m soak tests/pipeline/test_soak.py`.
"""

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from helpers import (
    Scripted,
    assert_same_results,
    dask_process,
    ended,
    neighbours,
    scripted_command,
    tiny_sweep,
    wait_until,
    write_sweep,
)

from genprior.pipeline import run_sweep

LONGEST_WAIT = 0.6  # seconds of work before a kill


class Cluster:
    """A Dask scheduler and two workers with nannies; it is started again after a kill."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._starts = 0
        self._ends = ExitStack()
        self.contact = folder

    def start(self) -> None:
        """Start it, and end the processes of an earlier start."""
        self._ends.close()
        self._starts += 1
        self.contact = self._folder / f"scheduler-{self._starts}.json"
        self.scheduler = self._process("scheduler", "--port=0", "--no-dashboard")
        wait_until(lambda: self.contact.exists() and self.contact.stat().st_size)
        self.nannies = [
            self._process("worker", "--nthreads=1", "--memory-limit=0") for _ in range(2)
        ]
        wait_until(lambda: len(workers_below(*self.nannies)) == 2)

    @property
    def address(self) -> str:
        return str(json.loads(self.contact.read_text())["address"])

    def _process(self, part: str, *options: str) -> subprocess.Popen[str]:
        started = dask_process(part, self.contact, self._folder, *options)
        return self._ends.enter_context(ended(started))

    def close(self) -> None:
        """End its processes."""
        self._ends.close()


def workers_below(*parents: subprocess.Popen[str]) -> list[psutil.Process]:
    """The worker processes that have these ancestors."""
    found = []
    for parent in parents:
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(parent.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if any("spawn_main" in argument for argument in child.cmdline()):
                        found.append(child)
    return found


@contextmanager
def a_cluster(folder: Path) -> Iterator[Cluster]:
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


def soak(plan: list[str], draw: random.Random, kind: Scripted, sweep: Path, store: Path,
         folder: Path) -> int:  # fmt: skip
    """Repeat a command until it is done, while processes are killed; give the number of commands.

    Args:
        plan: what is killed, in this order: a worker, the client, or the scheduler.
        draw: draws when, which worker, and whether the workers are local.
        kind: the task.
        sweep: the sweep file.
        store: the store.
        folder: for files of the cluster.
    """
    left, commands = list(reversed(plan)), 0
    with a_cluster(folder) as cluster:
        while True:
            external = draw.random() < 0.5 or left[-1:] == ["scheduler"]
            if external and cluster.scheduler.poll() is not None:
                cluster.start()
            where = ["--scheduler", cluster.address] if external else ["--workers=2"]
            commands += 1
            assert commands < 4 * len(plan)
            with ended(scripted_command(kind, "run", sweep, store, *where)) as client:
                while left and client.poll() is None:
                    if left[-1] == "scheduler" and not external:
                        break
                    if not works(client, kind):
                        break
                    time.sleep(draw.uniform(0, LONGEST_WAIT))
                    if kill(left[-1], client, cluster, external, draw):
                        left.pop()
                if left and client.poll() is None:
                    os.killpg(client.pid, signal.SIGTERM)
                _, said = client.communicate(timeout=300)
            assert "Traceback" not in said, said
            if client.returncode == 0:
                assert not left, f"it was done before {len(left)} kills"
                return commands


def works(client: subprocess.Popen[str], kind: Scripted) -> bool:
    """Wait until a trial begins; say whether one did before the command ended."""
    before = sum(kind.calls().values())
    wait_until(lambda: client.poll() is not None or sum(kind.calls().values()) > before)
    return client.poll() is None


def kill(what: str, client: subprocess.Popen[str], cluster: Cluster, external: bool,
         draw: random.Random) -> bool:  # fmt: skip
    """Kill a process; say whether there was one."""
    if what == "client":
        os.killpg(client.pid, signal.SIGKILL)
    elif what == "scheduler":
        cluster.scheduler.kill()
        cluster.scheduler.wait(timeout=20)
    else:
        workers = workers_below(*(cluster.nannies if external else [client]))
        if not workers:
            return False
        with suppress(psutil.NoSuchProcess):
            draw.choice(workers).kill()
    return True


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize(
    ("kills", "trials"),
    [
        ({"worker": 3, "client": 1, "scheduler": 1}, 12),
        pytest.param({"worker": 154, "client": 31, "scheduler": 15}, 600, marks=pytest.mark.soak),
    ],
)
def test_random_kills_end_in_the_undisturbed_dataset(
    kind: Scripted, store: Path, tmp_path: Path, kills: dict[str, int], trials: int
) -> None:
    sweep = tiny_sweep("blocks.trials=12", trials=trials)
    undisturbed = tmp_path / "undisturbed.zarr"
    run_sweep(sweep, undisturbed, kind=kind)
    draw = random.Random(12)
    plan = list(Counter(kills).elements())
    draw.shuffle(plan)
    sweep_file = write_sweep(sweep, tmp_path / "tiny.toml")
    commands = soak(plan, draw, replace(kind, pause=0.05), sweep_file, store, tmp_path)
    print(f"{len(plan)} kills, {commands} commands")
    assert_same_results(store, undisturbed)
    assert neighbours(store) == []
