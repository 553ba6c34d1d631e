"""What a run decides: which trials, into what store, with whom, and how it lets go."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr
from distributed import Client, LocalCluster
from helpers import Scripted, recovery_sweep, refused, results, tiny_sweep

from genprior.pipeline import run_sweep
from genprior.pipeline.executors.distributed import IN_FLIGHT, Distributed
from genprior.pipeline.executors.errors import SchedulerError
from genprior.pipeline.executors.opening import open_executor
from genprior.pipeline.executors.synchronous import Synchronous
from genprior.pipeline.run.block_task import BlockTask
from genprior.pipeline.run.ending import AbandonedError, abandon, hold
from genprior.pipeline.run.finished import FinishedTrials
from genprior.pipeline.run.pilot import check_memory, run_pilot
from genprior.pipeline.run.selection import ordered_blocks
from genprior.pipeline.run.worker import run_block
from genprior.pipeline.show.figures import draw
from genprior.store import BlockWriter, Layout, Status, StoreError, read_info, read_status
from genprior.store.layout import choose_chunks
from genprior.store.records import runs_folder
from genprior.sweeps import Grid, SweepError
from genprior.tasks import Recovery
from genprior.tasks.environment import Needs


def block_task(store: Path, kind: Scripted, wanted: np.ndarray, run: str = "this") -> BlockTask:
    """The first block of the tiny sweep's store, in a run that has its record."""
    runs_folder(store).mkdir(exist_ok=True)
    (runs_folder(store) / f"{run}.json").touch()
    info = read_info(store)
    needs = Needs(kind.name, kind.version)
    return BlockTask(store, info.revision, (0, 0, 0), wanted, kind, needs, None, run)


def emptied(store: Path, kind: Scripted, *settings: str) -> None:
    """Make the store of the tiny sweep, and take away that its trials are done."""
    run_sweep(tiny_sweep(*settings), store, kind=kind)
    shutil.rmtree(store / "status" / "c")


def test_a_late_worker_keeps_what_another_command_finished_meanwhile(
    store: Path, kind: Scripted
) -> None:
    """Trials 0–1 were asked for first, all eight since: the late block may undo none of them."""
    emptied(store, kind)
    first_two = np.zeros((1, 2, 4), dtype=bool)
    first_two[0, 0, :2] = True
    late = FinishedTrials(block_task(store, kind, first_two))
    every = block_task(store, kind, np.ones((1, 2, 4), dtype=bool), run="other")
    assert run_block(every).done == 8
    for offset in ((0, 0, 0), (0, 0, 1)):
        late.enter(offset, {"success": 1, "latent_error": 0.5, "iterations": 1})
    late.write()
    assert (read_status(store)[0, :2] == Status.DONE).all()


def test_trials_that_this_run_has_written_are_not_run_again_but_counted(
    store: Path, kind: Scripted
) -> None:
    """Another worker of the run had the block, and died."""
    emptied(store, kind)
    before = kind.calls()
    half = np.zeros((1, 2, 4), dtype=bool)
    half[0, 0] = True
    first = run_block(block_task(store, kind, half))
    second = run_block(block_task(store, kind, np.ones((1, 2, 4), dtype=bool)))
    assert (first.done, second.done) == (4, 8)
    assert second.successes == int((results(store)["success"][0, :2] == 1).sum())
    assert second.seconds == pytest.approx(float(results(store)["seconds"][0, :2].sum()))
    again = {place: calls - before[place] for place, calls in kind.calls().items()}
    assert set(again.values()) == {0, 1}
    assert sum(again.values()) == 8


def test_a_block_of_a_run_that_has_ended_stops_and_writes_nothing(
    store: Path, kind: Scripted
) -> None:
    emptied(store, kind, "k=2", "m=3,5", "trials=1")
    before = kind.calls()
    abandon("ended")
    with pytest.raises(AbandonedError):
        run_block(block_task(store, kind, np.ones((1, 2, 1), dtype=bool), run="ended"))
    assert kind.calls() == before


def test_a_worker_whose_run_lost_the_store_writes_nothing(store: Path, kind: Scripted) -> None:
    """The client was killed, or suspended for long, and another run has taken over."""
    emptied(store, kind, "k=2", "m=3,5", "trials=1")
    task = block_task(store, kind, np.ones((1, 2, 1), dtype=bool), run="replaced")
    (runs_folder(store) / "replaced.json").unlink()
    with pytest.raises(AbandonedError):
        run_block(task)
    assert (read_status(store) == Status.PENDING).all()


def test_a_block_of_a_run_that_is_stopping_does_not_begin(store: Path, kind: Scripted) -> None:
    emptied(store, kind, "k=2", "m=3,5", "trials=1")
    before = kind.calls()
    hold("held")
    with pytest.raises(AbandonedError):
        run_block(block_task(store, kind, np.ones((1, 2, 1), dtype=bool), run="held"))
    assert kind.calls() == before


def test_a_run_is_abandoned_between_writes_not_within_one(
    store: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store may be locked by another run as soon as nothing of this one is written any more."""
    emptied(store, kind, "k=2", "m=3,5", "trials=1")
    writing, events = threading.Event(), []

    def slowly(*arguments: object) -> None:
        writing.set()
        time.sleep(0.2)
        events.append("written")

    monkeypatch.setattr(BlockWriter, "write", slowly)
    task = block_task(store, kind, np.ones((1, 2, 1), dtype=bool), run="late")
    thread = threading.Thread(target=run_block, args=[task])
    thread.start()
    assert writing.wait(20)
    abandon("late")
    events.append("abandoned")
    thread.join()
    assert events == ["written", "abandoned"]


@pytest.mark.cluster
def test_a_run_keeps_few_tasks_in_flight_and_gives_new_workers_their_share() -> None:
    """One worker has 3 items at hand of a thousand; two more, found within 2 s, get 6 more."""
    pulled = []

    def items() -> Iterator[int]:
        for item in range(1000):
            pulled.append(item)
            yield item

    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False,
                     memory_limit=None, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):  # fmt: skip
        executor = Distributed(client, local=True)
        outcomes = executor.stream(_slowly, items())
        next(outcomes)
        assert len(pulled) <= IN_FLIGHT + 1
        cluster.scale(3)
        client.wait_for_workers(3, timeout=20)
        for done, _ in enumerate(outcomes, start=2):
            if len(pulled) - done >= 3 * IN_FLIGHT - 1:
                break
            assert done < 200
        assert len(pulled) - done <= 3 * IN_FLIGHT
        outcomes.close()


@pytest.mark.cluster
def test_an_executor_leaves_the_callers_own_dask_alone(cluster: str) -> None:
    """A notebook's own computations stay where they were, also after an address that is wrong."""
    for scheduler in ("threads", cluster):
        with open_executor(scheduler, 1 if scheduler == "threads" else None):
            assert dask.config.get("scheduler", None) is None
    with pytest.raises(SchedulerError), open_executor("http://127.0.0.1:1"):
        pass
    assert dask.config.get("scheduler", None) is None


def _slowly(item: int) -> int:
    time.sleep(0.05)
    return item


def test_a_store_of_a_version_that_recorded_less_is_refused(store: Path) -> None:
    """Its trials would have no value for the newer variable, whatever is allowed to mix."""
    changes = {"version": 1, "variables": Recovery.variables[:-1]}
    older = type("Older", (Recovery,), changes)()
    run_sweep(recovery_sweep("trials=1"), store, kind=older, allow_mixed=True)
    with refused(StoreError, store, Recovery().variables[-1].name):
        run_sweep(recovery_sweep("trials=2"), store, allow_mixed=True)
    assert read_status(store).shape[-1] == 1


def test_a_mixed_run_that_also_extends_is_recorded(store: Path, kind: Scripted) -> None:
    run_sweep(tiny_sweep(), store, kind=kind)
    newer = replace(kind, version=2)
    run_sweep(tiny_sweep("trials=5"), store, kind=newer, allow_mixed=True)
    assert json.loads(read_info(store).attributes["mixed"]) == [{"kernel_version": 2}]


def test_memory_is_weighed_between_the_corners_of_a_grid_too() -> None:
    """Middle widths of 2·10⁵ × 2·10⁵ weights are 320 GB; a twentieth is added."""
    settings = ["widths=20-20,200000-200000,30-30", "solver.engine=plain"]
    sweep = recovery_sweep().override(settings)
    with pytest.raises(SweepError, match=r"200000-200000.* 312\.9\d GiB"):
        check_memory(Grid(sweep), Recovery(), room=1e9)
    plain = recovery_sweep("solver.engine=plain")
    weights = 8 * (6 * 15 + 15 * 20 + 9 * 20)  # bytes, of the network and of A
    assert weights < check_memory(Grid(plain), Recovery(), room=1e9) < 3 * weights


def test_memory_is_weighed_where_rules_leave_out_every_corner() -> None:
    sweep = recovery_sweep(exclude=["k == 2", "k == 6", "m == 3", "m == 9"])
    with pytest.raises(SweepError, match="k=4"):
        check_memory(Grid(sweep), Recovery(), room=100)


def test_a_store_keeps_the_defaults_it_was_made_with(store: Path) -> None:
    """A later default would otherwise be taken for the store's own."""
    run_sweep(recovery_sweep("trials=1"), store)
    kept = json.loads(read_info(store).attributes["sweep"])["parameters"]
    assert kept["success.below"] == 1e-3
    assert kept["gain"] == 1.0
    assert float(xr.open_zarr(store)["success.below"]) == 1e-3


def test_the_latest_command_says_how_results_are_read(store: Path, kind: Scripted) -> None:
    run_sweep(tiny_sweep(), store, kind=kind)
    again = run_sweep(tiny_sweep("fit.along=k", title="Another title"), store, kind=kind)
    assert again.computed == 0
    assert read_info(store).sweep.fit.along == "k"
    assert xr.open_zarr(store).attrs["title"] == "Another title"


def test_a_curve_is_drawn_along_shared_draws_too(store: Path) -> None:
    """All step budgets meet the same draws, of which each then counts once."""
    sweep = recovery_sweep("k=2", "m=9", "trials=2", fit={}).override(["solver.max_steps=5,10,20"])
    run_sweep(sweep.override(["plot.x=solver.max_steps"]), store)
    figure = draw(read_info(store))
    assert "fitted" in figure.get_supxlabel()


@pytest.mark.parametrize("axis", ["solver.negation=true,false", "widths=15-20,30-40"])
def test_axes_without_positions_can_be_drawn(store: Path, axis: str) -> None:
    sweep = recovery_sweep("k=2", "m=9", "trials=2", axis, fit={})
    run_sweep(sweep.override([f"plot.x={axis.split('=')[0]}"]), store)
    assert draw(read_info(store)).axes


def test_the_costliest_blocks_come_first(store: Path) -> None:
    """What runs last decides how long the other workers wait at the end."""
    sweep = recovery_sweep()
    pilot = run_pilot(sweep, Recovery())
    layout = Layout(("k", "m", "trial"), (3, 4, 4), choose_chunks((3, 4, 4), 4))
    order = list(ordered_blocks(layout, np.ones((3, 4, 4), dtype=bool), pilot))
    costs = [pilot.cost((3, 4))[block[:-1]] for block in order]
    assert len(set(order)) == 12
    assert costs == sorted(costs, reverse=True)


def test_one_process_runs_one_task_at_a_time() -> None:
    assert Synchronous().workers == 1
    assert [o for _, o in Synchronous().stream(abs, [-1, -2])] == [1, 2]


def test_python_refuses_what_the_command_refuses(store: Path) -> None:
    with pytest.raises(SweepError, match="student_df"):
        run_sweep(recovery_sweep("student_df=7.0"), store)
    assert not store.exists()
