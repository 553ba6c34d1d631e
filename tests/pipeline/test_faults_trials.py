"""A trial that does not end, or takes its worker with it: only that trial is lost."""

import os
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import dask
import numpy as np
import pytest
from distributed.nanny import WorkerProcess
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

from genprior.pipeline import run_sweep
from genprior.pipeline.executors.base import Executor
from genprior.pipeline.executors.errors import ClusterError
from genprior.pipeline.executors.opening import open_executor
from genprior.pipeline.run import finished, journal, trial_limit
from genprior.pipeline.run.again import MOST_IDLE_DEATHS, Blocks
from genprior.pipeline.run.block_task import BlockTask
from genprior.pipeline.run.journal import DIED, END, MOST_DEATHS, RUN, Journal
from genprior.pipeline.run.trial_limit import TooLongError, TrialLimit
from genprior.store import read_status
from genprior.tasks.environment import Needs

HANGING = (4, 5, 2)


def hanging(kind: Scripted, how: str) -> Scripted:
    return replace(kind, hang_at=HANGING, hang=how)


def assert_only_it_crashed(store: Path, reason: str) -> None:
    status = results(store)["status"]
    assert int((status == 1).sum()) == 47
    crashed = results(store).sel(k=4, m=5, trial=2)
    assert (int(crashed["status"]), crashed["error"].item()) == (2, reason)
    assert neighbours(store) == []


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_a_trial_that_takes_too_long_is_stopped_and_recorded(
    undisturbed: Path, store: Path, kind: Scripted, scheduler: str
) -> None:
    with open_executor(scheduler, 2 if scheduler == "threads" else None) as executor:
        kind_in_a_loop = hanging(kind, "loop")
        summary = run_sweep(tiny_sweep(), store, executor, kind=kind_in_a_loop, trial_timeout=0.2)
    assert (summary.computed, summary.crashed, summary.exit_status) == (47, 1, 3)
    assert summary.last_error == "k=4, m=5, trial=2: took longer than 0.2 s"
    assert_only_it_crashed(store, "took longer than 0.2 s")
    assert run_sweep(tiny_sweep(), store, kind=kind).computed == 1
    assert_same_results(store, undisturbed)


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("how", ["loop", "sleep", "deaf"])
def test_a_trial_that_cannot_be_stopped_ends_its_worker_but_not_its_block(
    undisturbed: Path, store: Path, kind: Scripted, processes: Executor, how: str
) -> None:
    """It is called once; its worker is replaced, and the block's other trials are done."""
    lost = processes.workers_lost
    summary = run_sweep(tiny_sweep(), store, processes, kind=hanging(kind, how), trial_timeout=1)
    assert (summary.computed, summary.crashed, summary.exit_status) == (47, 1, 3)
    assert summary.last_error.endswith("took longer than 1 s")
    assert kind.calls()[HANGING] == 1
    assert processes.workers_lost - lost == (how != "loop")
    assert_only_it_crashed(store, "took longer than 1 s")
    assert run_sweep(tiny_sweep(), store, kind=kind).computed == 1
    assert_same_results(store, undisturbed)


@pytest.mark.slow
@pytest.mark.cluster
def test_a_trial_that_lets_no_other_thread_run_ends_its_worker_too(
    store: Path, kind: Scripted, processes: Executor
) -> None:
    """Nothing in the process can record it: it counts as a trial that kills its worker."""
    summary = run_sweep(
        tiny_sweep(), store, processes, kind=hanging(kind, "regex"), trial_timeout=0.1
    )
    assert (summary.computed, summary.crashed) == (47, 1)
    assert kind.calls()[HANGING] == 1 + MOST_DEATHS


def test_a_limit_hits_nothing_but_its_trial() -> None:
    """Calls end at about their limit: some in time, some not; the thread itself is never hit."""
    ends, draw = Counter[str](), random.Random(1)
    begun = time.monotonic()
    with TrialLimit(0.002) as limit:
        while len(ends) < 2 or (sum(ends.values()) < 300 and time.monotonic() < begun + 20):
            until = time.monotonic() + draw.uniform(0.001, 0.003)
            try:
                limit.call(lambda until=until: _busy(until))
                ends["in time"] += 1
            except TooLongError:
                ends["too long"] += 1
            assert time.monotonic() < begun + 60
    for _ in range(1000):
        time.sleep(0)
    assert set(ends) == {"in time", "too long"}


def _busy(until: float) -> None:
    while time.monotonic() < until:
        pass


def test_a_trial_that_was_too_long_is_so_also_if_nobody_could_interrupt_it() -> None:
    with TrialLimit(1e-6) as limit, pytest.raises(TooLongError):
        limit.call(lambda: None)


def test_a_trial_that_turns_the_interruption_into_its_own_error_took_too_long() -> None:
    def stubborn() -> None:
        try:
            _busy(time.monotonic() + 20)
        except BaseException as error:
            raise ValueError("mine") from error

    with TrialLimit(0.05) as limit, pytest.raises(TooLongError, match=r"0\.05 s"):
        limit.call(stubborn)


def test_a_trial_that_catches_the_interruption_is_interrupted_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trial_limit, "AGAIN", 0.05)
    caught = []

    def stubborn() -> str:
        while len(caught) < 3:
            try:
                _busy(time.monotonic() + 20)
            except TooLongError:
                caught.append(True)
        return "done"

    with TrialLimit(0.05) as limit, pytest.raises(TooLongError):
        limit.call(stubborn)
    assert len(caught) == 3


def test_a_trial_is_given_up_if_nothing_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_limit, "STUBBORN", 0.1)
    given_up = threading.Event()
    with TrialLimit(0.05, given_up.set) as limit, pytest.raises(TooLongError):
        limit.call(lambda: given_up.wait(20))
    assert given_up.is_set()
    with TrialLimit(5, given_up.clear) as limit:
        assert limit.call(lambda: "in time") == "in time"
    assert given_up.is_set()


def test_retries_count_for_a_trial_that_takes_too_long(store: Path, kind: Scripted) -> None:
    kind = hanging(kind, "loop")
    summary = run_sweep(tiny_sweep(), store, kind=kind, trial_timeout=0.05, retries=1)
    assert summary.crashed == 1
    assert kind.calls()[HANGING] == 2


def block(store: Path, kind: Scripted, careful: bool = True) -> BlockTask:
    wanted = np.ones((1, 2, 4), dtype=bool)
    needs = Needs(kind.name, kind.version)
    return BlockTask(store, "", (0, 1, 0), wanted, kind, needs, None, "run", careful=careful)


def test_a_journal_says_in_which_trial_workers_died(store: Path, kind: Scripted) -> None:
    noted = Journal(block(store, kind))
    assert noted.read() == journal.Notes()
    for word, trial in ((RUN, 3), (END, 3), (RUN, 4), (DIED, 4), (RUN, 4)):
        noted.note(word, trial)
    file = next(store.with_name(".tiny.zarr.runs").iterdir())
    with file.open("a") as torn:
        torn.write("ru")
    notes = noted.read()
    assert (notes.running, notes.deaths, notes.events) == (4, {4: 1}, 5)
    file.write_text("run 5\ncrashed 5\n")
    notes = noted.read()
    assert (notes.running, notes.crashed, notes.deaths) == (None, {5}, {})
    assert file.name.startswith("run.")


def test_a_block_is_given_again_as_long_as_its_trials_may_be_the_cause(
    store: Path, kind: Scripted
) -> None:
    """Ten deaths without a trial, or more than three a trial and ten, have another cause."""
    blocks = Blocks([])
    assert next(blocks, None) is None
    assert blocks.again(block(store, kind, careful=False))
    careful = next(blocks)
    assert careful.careful
    for _ in range(MOST_IDLE_DEATHS - 1):
        assert blocks.again(careful)
    Journal(careful).note(RUN, 0)
    for _ in range(MOST_IDLE_DEATHS):
        assert blocks.again(careful)
    assert not blocks.again(careful)


@pytest.mark.slow
@pytest.mark.cluster
def test_workers_that_die_before_any_trial_end_the_run_and_accuse_none(
    store: Path, kind: Scripted, processes: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genprior.pipeline.run.again.MOST_IDLE_DEATHS", 2)
    monkeypatch.setattr("genprior.pipeline.run.runner.run_block", _die)
    with pytest.raises(ClusterError, match="died"):
        run_sweep(tiny_sweep("k=2", "m=3,5"), store, processes, kind=kind)
    assert not read_status(store).any()
    assert neighbours(store) == []


def _die(task: BlockTask) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.cluster
def test_a_worker_that_is_killed_twice_in_one_trial_accuses_nobody(
    undisturbed: Path, store: Path, kind: Scripted, processes: Executor
) -> None:
    """Once without care and twice with it: somebody may have killed them."""
    killing = replace(kind, kill_at=HANGING, kills=MOST_DEATHS)
    summary = run_sweep(tiny_sweep(), store, processes, kind=killing)
    assert (summary.computed, summary.crashed) == (48, 0)
    assert kind.calls()[HANGING] == 1 + MOST_DEATHS
    assert_same_results(store, undisturbed)


def test_a_long_block_writes_what_it_has_finished(
    store: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill loses what was finished in the last 30 s, here none."""
    monkeypatch.setattr("genprior.pipeline.run.worker.CHECKPOINT", 0.0)
    seen: list[int] = []
    enter = finished.FinishedTrials.enter

    def watched(self: finished.FinishedTrials, *arguments: object) -> None:
        seen.append(done(store))
        enter(self, *arguments)

    monkeypatch.setattr(finished.FinishedTrials, "enter", watched)
    run_sweep(tiny_sweep("k=2", "m=3", "trials=4"), store, kind=kind)
    assert seen == [0, 1, 2, 3]


def test_a_short_block_is_written_once(
    store: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []
    write = finished.FinishedTrials.write
    monkeypatch.setattr(
        finished.FinishedTrials, "write", lambda self: writes.append(1) or write(self)
    )
    run_sweep(tiny_sweep("k=2", "m=3", "trials=4"), store, kind=kind)
    assert len(writes) == 1


@pytest.mark.slow
@pytest.mark.cluster
def test_a_trial_limit_on_the_command_line(tmp_path: Path, store: Path, kind: Scripted) -> None:
    sweep = write_sweep(tiny_sweep(), tmp_path / "tiny.toml")
    command = ("run", sweep, store, "--workers=2", "--trial-timeout=1")
    with ended(scripted_command(hanging(kind, "sleep"), *command)) as process:
        printed, said = process.communicate(timeout=120)
    assert process.returncode == 3
    assert "took longer than 1 s" in printed
    assert "hung" in said
    assert_only_it_crashed(store, "took longer than 1 s")


@pytest.mark.parametrize("option", ["--trial-timeout=0", "--trial-timeout=nan", "--grace=-1"])
def test_limits_that_are_none_are_refused(genprior, store: Path, option: str) -> None:
    refused = genprior("run", "quickstart", store, option)
    assert refused.exit_code == 2
    assert option.split("=")[0] in refused.output
    assert not store.exists()


@pytest.mark.slow
@pytest.mark.cluster
def test_a_worker_that_cannot_start_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its machine may be too busy for a moment; Dask alone would give it up for good."""
    connected, refused = WorkerProcess._wait_until_connected, list[str]()

    async def busy(self: WorkerProcess, *arguments: object) -> object:
        if len(refused) < 2:
            refused.append("too busy")
            raise OSError(refused[-1])
        return await connected(self, *arguments)

    with open_executor("processes", 1) as executor:
        (worker,) = executor.everywhere(os.getpid)
        monkeypatch.setattr(WorkerProcess, "_wait_until_connected", busy)
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: len(refused) == 2 and executor.count_threads() == 1)
        assert executor.everywhere(os.getpid) != [worker]


@pytest.mark.slow
@pytest.mark.cluster
def test_a_worker_that_is_away_for_long_is_replaced_all_the_same() -> None:
    """Dask closes its nanny after 15 s, here after 0.1 s: it would be lost for the whole run."""
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "100 ms"}),
        open_executor("processes", 2) as executor,
    ):
        before = set(executor.everywhere(os.getpid))
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: executor.count_threads() == 1)
        nannies = executor.client.cluster.workers
        stays = time.monotonic() + 1
        wait_until(lambda: len(nannies) < 2 or time.monotonic() > stays)
        assert len(nannies) == 2
        wait_until(lambda: executor.count_threads() == 2)
        assert len(before & set(executor.everywhere(os.getpid))) == 1
