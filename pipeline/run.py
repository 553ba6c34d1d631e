"""Running a sweep into a store: what is missing, block by block, until nothing is."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..store import (
    Layout,
    Status,
    StoreInfo,
    choose_chunks,
    create_store,
    exclusive,
    extend_store,
    read_info,
    read_status,
    record,
    restore_excluded,
)
from ..store.errors import StoreError, WrongStoreError
from ..sweeps import Grid, Sweep, UserError, differences, union
from ..tasks import TaskKind, task_kind
from ..tasks.machine import machine_kind
from .executors import Executor, Synchronous
from .pilot import Pilot, check_memory, run_pilot
from .provenance import provenance
from .worker import BlockReport, BlockTask, run_block, write_crashed

BLOCKS_A_WORKER = 16
WINDOW_A_WORKER = 3


@dataclass(frozen=True)
class RunSummary:
    """What a run did with the trials it was asked for; times in seconds."""

    store: str
    total: int
    already_done: int
    computed: int = 0
    crashed: int = 0
    successes: int = 0
    blocks: int = 0
    workers: int = 1
    wall_seconds: float = 0.0
    trial_seconds: float = 0.0
    interrupted: bool = False
    last_error: str = ""

    @property
    def done(self) -> int:
        """Trials of the sweep that are done now."""
        return self.already_done + self.computed

    @property
    def pending(self) -> int:
        """Trials of the sweep that are neither done nor crashed."""
        return self.total - self.done - self.crashed

    @property
    def exit_status(self) -> int:
        """0 if every trial is done, 3 if some are missing."""
        return 0 if self.done == self.total else 3

    def add(self, report: BlockReport) -> "RunSummary":
        """Count a block."""
        return replace(
            self,
            computed=self.computed + report.done,
            crashed=self.crashed + report.crashed,
            successes=self.successes + report.successes,
            trial_seconds=self.trial_seconds + report.seconds,
            blocks=self.blocks + 1,
            last_error=report.error or self.last_error,
        )


Listener = Callable[[RunSummary], None]


def run_sweep(
    sweep: Sweep,
    path: Path,
    executor: Executor | None = None,
    *,
    kind: TaskKind | None = None,
    retries: int = 0,
    fail_fast: bool = False,
    allow_mixed: bool = False,
    listen: Listener = lambda summary: None,
) -> RunSummary:
    """Run the trials of a sweep that a store does not hold yet.

    Args:
        sweep: what to run; a larger grid or more trials than the store's extend it.
        path: the store; made if there is none.
        executor: where blocks run; in this process if None.
        kind: the task; the one the sweep names if None.
        retries: how often a trial that raises is tried again within this run.
        fail_fast: stop at the first crashed trial.
        allow_mixed: continue a store of another kernel version or kind of machine; recorded.
        listen: called with the summary so far, at the start and after every block.

    Returns:
        The summary; `interrupted` if Ctrl-C or SIGTERM ended the run early.

    Raises:
        UserError: the store holds another experiment, or cannot be written.
    """
    executor = executor or Synchronous()
    kind = kind or task_kind(sweep.task)
    grid = Grid(sweep)
    check_memory(grid, kind, executor.workers)
    with exclusive(path):
        info, pilot = prepare_store(sweep, path, executor, kind, allow_mixed)
        wanted, todo = select_trials(info, sweep)
        summary = RunSummary(
            str(path), int(wanted.sum()), int((wanted & ~todo).sum()), workers=executor.workers
        )
        machines = frozenset[str]() if allow_mixed else frozenset([info.attributes["machine"]])
        tasks = (
            BlockTask(
                path.absolute(), info.revision, block, todo[info.layout.region(block)], kind,
                machines, retries,
            )
            for block in ordered_blocks(info.layout, todo, pilot)
        )  # fmt: skip
        return _run_tasks(executor, tasks, summary, fail_fast, listen)


def _run_tasks(
    executor: Executor,
    tasks: Iterable[BlockTask],
    summary: RunSummary,
    fail_fast: bool,
    listen: Listener,
) -> RunSummary:
    begun = time.perf_counter()
    listen(summary)
    window = WINDOW_A_WORKER * executor.workers
    try:
        for task, outcome in executor.stream(run_block, tasks, window):
            summary = summary.add(_settled(task, outcome))
            summary = replace(summary, wall_seconds=time.perf_counter() - begun)
            listen(summary)
            if fail_fast and summary.crashed:
                break
    except KeyboardInterrupt:
        return replace(summary, interrupted=True, wall_seconds=time.perf_counter() - begun)
    return summary


def _settled(task: BlockTask, outcome: BlockReport | BaseException) -> BlockReport:
    """Take a block's report; a block that keeps killing its workers is recorded as crashed."""
    if isinstance(outcome, BlockReport):
        return outcome
    if type(outcome).__name__ == "KilledWorker":
        return write_crashed(task, "the worker died each time it ran this block (out of memory?)")
    raise outcome


def prepare_store(
    sweep: Sweep, path: Path, executor: Executor, kind: TaskKind, allow_mixed: bool
) -> tuple[StoreInfo, Pilot | None]:
    """Make the store, or check and extend the one that is there."""
    machines = sorted(set(executor.everywhere(machine_kind)))
    if len(machines) > 1 and not allow_mixed:
        raise UserError(
            f"the workers are of different kinds ({'; '.join(machines)}), which round otherwise; "
            "use one kind, or --allow-mixed to record that they differ."
        )
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        pilot = None if sweep.blocks.trials else executor.call(run_pilot, sweep, kind)
        shape = (*Grid(sweep).shape, sweep.trials)
        chunks = choose_chunks(shape, trials_per_block(sweep, pilot, executor.workers))
        create_store(path, sweep, kind.variables, chunks, provenance(kind, "; ".join(machines)))
        return read_info(path), pilot
    info = read_info(path)
    check_same_experiment(info, sweep)
    check_same_machine(info, kind, machines, allow_mixed)
    grown = union(info.sweep, sweep)
    if (grown.axes, grown.trials) != (info.sweep.axes, info.sweep.trials):
        extend_store(info, grown, kind.variables)
        info = read_info(path)
    return info, None


def trials_per_block(sweep: Sweep, pilot: Pilot | None, workers: int) -> int:
    """Size a block to its target duration, but leave every worker enough of them."""
    if sweep.blocks.trials is not None or pilot is None:
        return sweep.blocks.trials or 1
    trials = Grid(sweep).size * sweep.trials
    by_time = int(sweep.blocks.seconds / max(pilot.slowest, 1e-9))
    return max(1, min(by_time, -(-trials // (BLOCKS_A_WORKER * workers))))


def check_same_experiment(info: StoreInfo, sweep: Sweep) -> None:
    """Refuse a sweep that is another experiment than the store's, naming the difference."""
    found = differences(info.sweep, sweep)
    if found:
        raise WrongStoreError(
            f"{info.path} holds sweep {info.sweep.hash[:6]}, not {sweep.hash[:6]}: "
            f"{'; '.join(found[:3])}. Choose another store, or set it back."
        )


def check_same_machine(
    info: StoreInfo, kind: TaskKind, machines: list[str], allow_mixed: bool
) -> None:
    """Refuse to mix results that may differ in their last bits, or record that they are mixed."""
    here = {"kernel_version": kind.version, "machine": "; ".join(machines)}
    mixed = {key: value for key, value in here.items() if info.attributes.get(key) != value}
    if not mixed:
        return
    if not allow_mixed:
        key, value = next(iter(mixed.items()))
        raise StoreError(
            f"{info.path}: its {key.replace('_', ' ')} is '{info.attributes.get(key)}' and here it "
            f"is '{value}'; results may differ. Choose another store, or --allow-mixed."
        )
    history = json.loads(info.attributes.get("mixed", "[]"))
    if mixed not in history:
        record(info.path, {"mixed": json.dumps([*history, mixed])})


def select_trials(info: StoreInfo, sweep: Sweep) -> tuple[np.ndarray, np.ndarray]:
    """Find the trials a sweep asks for in a store, and those of them still to run.

    Returns:
        Two masks over the store's axes and trial; crashed trials are to be run again.
    """
    status = read_status(info.path)
    excluded = Grid(info.sweep).excluded
    if (status[excluded] != Status.EXCLUDED).any():
        restore_excluded(info.path, info.sweep, info.layout)
        status[excluded] = Status.EXCLUDED
    asked = np.zeros(status.shape, dtype=bool)
    places = []
    for dim in info.layout.dims[:-1]:
        known = {value: place for place, value in enumerate(info.sweep.axes[dim])}
        places.append([known[value] for value in sweep.axes[dim]])
    asked[np.ix_(*places, range(sweep.trials))] = True
    asked &= status != Status.EXCLUDED
    return asked, asked & (status != Status.DONE)


def ordered_blocks(
    layout: Layout, todo: np.ndarray, pilot: Pilot | None
) -> Iterator[tuple[int, ...]]:
    """Give the blocks with something to run, costliest first, so that no long one comes last."""
    if pilot is None:
        yield from (b for b in layout.block_indices() if todo[layout.region(b)].any())
        return
    cost = pilot.cost(layout.grid[:-1])
    for flat in np.argsort(-cost, axis=None, kind="stable"):
        place = tuple(int(i) for i in np.unravel_index(flat, cost.shape))
        for last in range(layout.grid[-1]):
            if todo[layout.region((*place, last))].any():
                yield (*place, last)


def as_json(summary: RunSummary) -> dict[str, Any]:
    """Give a summary as plain values."""
    return {**vars(summary), "done": summary.done, "pending": summary.pending}
