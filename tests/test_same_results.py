"""The same command gives the same numbers, however and wherever its blocks run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers import (
    Scripted,
    assert_same_results,
    blas_threads,
    comparable,
    done,
    files,
    recovery_sweep,
    results,
    tiny_sweep,
)
from threadpoolctl import threadpool_limits

from genprior.pipeline import run_sweep
from genprior.pipeline.executors.base import Executor
from genprior.pipeline.executors.opening import open_executor


def test_threads_give_the_results_of_a_run_in_one_process(recovered: Path, store: Path) -> None:
    """A trial's streams come from its point and index, and BLAS has one thread everywhere."""
    with open_executor("threads", 2) as executor:
        assert executor.workers == 2
        assert run_sweep(recovery_sweep(), store, executor).computed == 48
    assert_same_results(store, recovered)


class Watching(Scripted):
    """Succeeds where BLAS has one thread."""

    def run(self, *arguments: Any) -> dict[str, Any]:
        return {**super().run(*arguments), "success": int(blas_threads() == 1)}


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_trials_have_one_blas_thread_and_the_caller_has_those_there_were(
    store: Path, kind: Scripted, scheduler: str
) -> None:
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with open_executor(scheduler, 2 if scheduler == "threads" else None) as executor:
            summary = run_sweep(tiny_sweep(), store, executor, kind=Watching(**vars(kind)))
        assert summary.successes == 48
        assert blas_threads() == before == 2


@pytest.mark.cluster
def test_processes_give_the_results_of_a_run_in_one_process(
    recovered: Path, store: Path, processes: Executor
) -> None:
    assert processes.workers == 2
    assert run_sweep(recovery_sweep(), store, processes).computed == 48
    assert_same_results(store, recovered)


@pytest.mark.cluster
def test_a_running_dask_cluster_gives_the_results_of_a_run_in_one_process(
    recovered: Path, store: Path, cluster: str
) -> None:
    with open_executor(cluster) as executor:
        assert executor.workers == 2
        run_sweep(recovery_sweep(), store, executor)
    assert_same_results(store, recovered)


@pytest.mark.parametrize(
    ("setting", "chunks"),
    [
        ("blocks.trials=1", (1, 1, 1)),
        ("blocks.trials=3", (1, 1, 3)),
        ("blocks.trials=100", (3, 4, 4)),
        ("blocks.seconds=0.01", None),
    ],
)
def test_block_size_changes_no_result(
    undisturbed: Path, store: Path, kind: Scripted, setting: str, chunks: tuple[int, ...] | None
) -> None:
    """3 does not divide the 4 trials: the last block of each point holds one."""
    changes = {"blocks": {}} if chunks is None else {}
    run_sweep(tiny_sweep(setting, **changes), store, kind=kind)
    assert chunks is None or results(store)["status"].encoding["chunks"] == chunks
    assert_same_results(store, undisturbed)


def test_an_interrupted_run_goes_on_to_the_same_results(
    undisturbed: Path, store: Path, kind: Scripted
) -> None:
    """Interrupted after 2 of 6 blocks, 16 trials are kept and the second run computes 32."""

    def interrupt(summary) -> None:
        if summary.blocks == 2:
            raise KeyboardInterrupt

    first = run_sweep(tiny_sweep(), store, kind=kind, listen=interrupt)
    assert first.interrupted
    assert (first.computed, first.pending, first.exit_status) == (16, 32, 3)
    second = run_sweep(tiny_sweep(), store, kind=kind)
    assert (second.already_done, second.computed, second.exit_status) == (16, 32, 0)
    assert set(kind.calls().values()) == {1}
    assert_same_results(store, undisturbed)


def test_a_sweep_run_in_parts_gives_the_results_of_the_whole(
    undisturbed: Path, store: Path, kind: Scripted
) -> None:
    """2 × 2 points × 2 trials, then more points, then all: 8 + 8 + 32 trials, each once."""
    steps = [("k=2,6", "m=5,9", "trials=2"), ("k=2,4,6", "m=5,7", "trials=2"), ()]
    computed = [run_sweep(tiny_sweep(*step), store, kind=kind).computed for step in steps]
    assert sum(computed) == 48
    assert set(kind.calls().values()) == {1}
    assert_same_results(store, undisturbed)


def test_a_smaller_sweep_runs_only_its_own_trials(store: Path, kind: Scripted) -> None:
    """Asked for 1 × 2 points × 3 trials of a store with room for 48, it runs 6 and is complete."""
    run_sweep(
        tiny_sweep(), store, kind=replace(kind, crash_at=(2, 3, 0)), fail_fast=True
    )  # 8 trials, one of them crashed
    summary = run_sweep(tiny_sweep("k=4", "m=5,7", "trials=3"), store, kind=kind)
    assert (summary.total, summary.computed, summary.exit_status) == (6, 6, 0)
    assert done(store) == 7 + 6


def test_the_order_of_axes_changes_no_result(
    undisturbed: Path, store: Path, kind: Scripted
) -> None:
    """A point is known by its values, not by its place in the grid."""
    axes = {"m": [9, 3, 7, 5], "k": [6, 2, 4]}
    run_sweep(tiny_sweep(axes=axes), store, kind=kind)
    assert results(store)["status"].dims == ("m", "k", "trial")
    assert_same_results(undisturbed, store)


def test_another_order_of_axes_finds_its_results_in_the_store(
    undisturbed: Path, store: Path, kind: Scripted
) -> None:
    run_sweep(tiny_sweep("k=2,4"), store, kind=kind)
    axes = {"m": [9, 3, 7, 5], "k": [6, 2, 4]}
    assert run_sweep(tiny_sweep(axes=axes), store, kind=kind).computed == 16
    assert_same_results(store, undisturbed)


def test_a_second_run_computes_nothing_and_changes_no_byte(store: Path, kind: Scripted) -> None:
    run_sweep(tiny_sweep(), store, kind=kind)
    before = files(store.parent)
    summary = run_sweep(tiny_sweep(), store, kind=kind)
    assert (summary.already_done, summary.computed, summary.exit_status) == (48, 0, 0)
    assert set(kind.calls().values()) == {1}
    assert files(store.parent) == before


def test_more_trials_leave_the_first_ones_as_they_were(
    undisturbed: Path, store: Path, kind: Scripted
) -> None:
    """The streams of trial t know t, not how many trials there are."""
    run_sweep(tiny_sweep("trials=9"), store, kind=kind)
    few = comparable(store).isel(trial=slice(4))
    assert few.equals(comparable(undisturbed))


def test_another_seed_gives_other_results(undisturbed: Path, store: Path, kind: Scripted) -> None:
    """What the comparisons of this file could not see if draws were constant."""
    run_sweep(tiny_sweep("seed=8"), store, kind=kind)
    same = results(store)["latent_error"] == results(undisturbed)["latent_error"]
    assert not same.any()
