"""Signals: the run says at once how long it waits, and keeps what running blocks have finished."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import (
    Scripted,
    assert_same_results,
    done,
    ended,
    neighbours,
    results,
    scripted_command,
    tiny_sweep,
    wait_until,
    write_sweep,
)

import genprior as gp
from genprior.pipeline import run_sweep
from genprior.pipeline.run.worker import InterruptedBlockError
from genprior.sweeps import UserError


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    """Three blocks of 16 trials."""
    return write_sweep(tiny_sweep("blocks.trials=16"), tmp_path / "tiny.toml")


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGHUP])
def test_blocks_end_at_their_next_trial_and_keep_the_finished_ones(
    undisturbed: Path, store: Path, kind: Scripted, sweep_file: Path, number: signal.Signals
) -> None:
    """As `sbatch --signal` or a closed terminal sends it to every process of the group.

    Both blocks last seconds more.
    """
    command = ("run", sweep_file, store, "--json", "--workers=2", "--grace=20")
    with ended(scripted_command(replace(kind, pause=0.5), *command)) as process:
        wait_until(lambda: len(kind.calls()) >= 6)
        begun = len(kind.calls())
        os.killpg(process.pid, number)
        printed, said = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "Traceback" not in said
    assert "stopping, waiting for 2 blocks, at most 20 s" in said
    summary, kept = json.loads(printed), done(store)
    assert summary["interrupted"]
    assert begun - 2 <= kept < 32
    assert summary["computed"] == kept
    assert neighbours(store) == []
    assert run_sweep(tiny_sweep(), store, kind=kind).already_done == kept
    assert_same_results(store, undisturbed)


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("scheduler", ["processes", "threads"])
def test_a_trial_that_does_not_end_is_given_up_but_not_its_blocks_other_trials(
    store: Path, kind: Scripted, sweep_file: Path, scheduler: str
) -> None:
    command = ("run", sweep_file, store, f"--scheduler={scheduler}", "--workers=1", "--grace=1")
    hanging = replace(kind, hang_at=(2, 3, 3), hang="sleep")
    with ended(scripted_command(hanging, *command)) as process:
        wait_until(lambda: (2, 3, 3) in kind.calls())
        process.send_signal(signal.SIGTERM)
        printed, said = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "waiting for 1 block, at most 1 s" in said
    assert "interrupted" in printed
    status = results(store)["status"].sel(k=2, m=3)
    assert status.values.tolist() == [1, 1, 1, 0]


@pytest.mark.slow
def test_an_interrupted_run_in_one_process_counts_exactly_what_it_keeps(
    store: Path, kind: Scripted, sweep_file: Path
) -> None:
    command = ("run", sweep_file, store, "--scheduler=synchronous")
    with ended(scripted_command(replace(kind, pause=0.2), *command)) as process:
        wait_until(lambda: len(kind.calls()) >= 4)
        process.send_signal(signal.SIGUSR1)
        printed, said = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "stopping" in said
    told = re.search(r"(\d+) of 48", printed)
    assert told is not None
    assert int(told[1]) == done(store) >= 3


def test_an_interrupted_block_reports_what_it_has_finished(store: Path, kind: Scripted) -> None:
    """Also where nobody handles signals, as in a notebook with --scheduler synchronous."""

    class Interrupted(Scripted):
        def run(self, point, draws):
            if (point.k, point.m, draws.trial) == (2, 5, 1):
                raise KeyboardInterrupt
            return super().run(point, draws)

    summary = run_sweep(tiny_sweep(), store, kind=Interrupted(kind.folder))
    assert summary.interrupted
    assert summary.computed == done(store) == 5
    assert issubclass(InterruptedBlockError, KeyboardInterrupt)
    assert (results(store)["status"].sel(k=2, m=5).values == [1, 0, 0, 0]).all()


@pytest.mark.parametrize(
    "limits",
    [
        {"grace": -1},
        {"grace": "5"},
        {"grace": True},
        {"grace": float("nan")},
        {"grace": 1e9},
        {"trial_timeout": 0},
        {"trial_timeout": float("inf")},
        {"trial_timeout": "long"},
    ],
)
def test_limits_that_are_none_are_refused_in_one_line(
    store: Path, limits: dict[str, object]
) -> None:
    with pytest.raises(UserError, match="seconds") as caught:
        gp.run("quickstart", store, **limits)
    assert "\n" not in str(caught.value)
    assert next(iter(limits)) in str(caught.value)
    assert not store.exists()


def test_limits_may_be_numbers_of_numpy(store: Path) -> None:
    sweep = gp.load_sweep("quickstart").override(["k=2", "m=11", "trials=1"])
    summary = gp.run(
        sweep, store, scheduler="synchronous", progress=False,
        trial_timeout=np.float32(60), grace=np.int64(1),
    )  # fmt: skip
    assert summary.exit_status == 0


LATE = """
import atexit, os, signal
atexit.register(os.kill, os.getpid(), signal.SIGTERM)
from genprior.pipeline.interrupts import terminable
with terminable():
    {step}
"""


@pytest.mark.parametrize(("step", "status"), [("pass", 0), ("raise SystemExit(3)", 3)])
def test_a_signal_while_python_ends_does_not_change_the_exit_status(step: str, status: int) -> None:
    """As of a job whose time is over when the run has just told its result."""
    code = LATE.format(step=step)
    assert (
        subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == status
    )


@pytest.mark.parametrize(("options", "told"), [([], False), (["--debug"], True)])
def test_what_a_command_leaves_behind_is_not_reported_when_python_ends(
    options: list[str], told: bool
) -> None:
    """As Dask leaves a message that waits to be sent, now and then, when its loop is stopped."""
    script = f"""
import asyncio
from genprior.pipeline.cli import main
left = asyncio.new_event_loop().create_future()
left.set_exception(TimeoutError("Timeout"))
main([*{options}, "sweeps"])
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ("never retrieved" in ended.stderr) == told
    assert told or ended.stderr == ""
