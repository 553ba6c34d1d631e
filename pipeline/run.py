"""Running a sweep into a store: what is missing, block by block, until nothing is."""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..store import exclusive
from ..sweeps import Grid, Sweep, UserError
from ..tasks import TaskKind, task_kind
from ..tasks.environment import Environment, needs_of
from ..tasks.generators import weights_digests
from .executors import Executor, Synchronous
from .freshness import mark
from .pilot import check_memory
from .prepare import count_successes, enter_run, ordered_blocks, prepare_store, select_trials
from .worker import BlockReport, BlockTask, abandon, run_block, write_crashed


@dataclass(frozen=True)
class RunSummary:
    """What a run did with the trials it was asked for; times in seconds.

    `successes` are those of the trials that it computed, `already_successful` those of the trials
    that were done before; both are None where the task has no such thing. `unasked` counts trials
    of the store that are not done and that this run was not asked for; `mended` says what was
    damaged in the store.
    """

    store: str
    total: int
    already_done: int
    already_successful: int | None = 0
    computed: int = 0
    crashed: int = 0
    successes: int | None = 0
    blocks: int = 0
    workers: int = 1
    wall_seconds: float = 0.0
    trial_seconds: float = 0.0
    unasked: int = 0
    interrupted: bool = False
    last_error: str = ""
    mended: str = ""

    @property
    def done(self) -> int:
        """Trials of the sweep that are done now."""
        return self.already_done + self.computed

    @property
    def done_successes(self) -> int | None:
        """Successes among the trials of the sweep that are done now."""
        if self.successes is None or self.already_successful is None:
            return None
        return self.already_successful + self.successes

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
            successes=None if self.successes is None else self.successes + report.successes,
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
        allow_mixed: mix results of other kernels, libraries or kinds of machine; recorded.
        listen: called with the summary so far, at the start and after every block.

    Returns:
        The summary; `interrupted` if Ctrl-C or SIGTERM ended the run early.

    Raises:
        UserError: the store holds another experiment, or cannot be written.
    """
    executor = executor or Synchronous()
    kind = kind or task_kind(sweep.task)
    check_memory(Grid(sweep), kind, executor.memory)
    with exclusive(path):
        ready = prepare_store(sweep, path, executor, kind, allow_mixed)
        info = ready.info
        wanted, todo, unasked = select_trials(info, sweep, ready.status)
        mark(info, writes=bool(todo.any()))
        judged = "success" in info.variables
        summary = RunSummary(
            str(path),
            total=int(wanted.sum()),
            already_done=int((wanted & ~todo).sum()),
            already_successful=count_successes(path, wanted & ~todo) if judged else None,
            workers=executor.workers,
            unasked=unasked,
            successes=0 if judged else None,
            mended=ready.mended,
        )
        grid, run = Grid(sweep), uuid.uuid4().hex
        needs, weights = needs_of(kind, grid), weights_digests(grid)
        expected = None if allow_mixed else ready.environments[0]
        tasks = (
            BlockTask(
                path.absolute(), info.revision, block, todo[info.layout.region(block)], kind,
                needs, expected, run, retries, weights,
            )
            for block in ordered_blocks(info.layout, todo, ready.pilot)
        )  # fmt: skip

        entered: list[Environment] = []

        def note(report: BlockReport) -> None:
            """Enter this run in the history, once for each environment that computes."""
            if report.environment and report.environment not in entered:
                entered.append(report.environment)
                enter_run(path, report.environment)

        with _stopping(executor, run):
            return _run_tasks(executor, tasks, summary, fail_fast, listen, note)


@contextmanager
def _stopping(executor: Executor, run: str) -> Iterator[None]:
    """However a run ends, let no block of it go on where its workers do."""
    try:
        yield
    finally:
        # Workers that cannot be reached any more are gone, or go when the cluster closes.
        with suppress(Exception):
            executor.everywhere(partial(abandon, run))


def _run_tasks(
    executor: Executor,
    tasks: Iterable[BlockTask],
    summary: RunSummary,
    fail_fast: bool,
    listen: Listener,
    note: Callable[[BlockReport], None],
) -> RunSummary:
    begun = time.perf_counter()
    listen(summary)
    outcomes = executor.stream(run_block, tasks)
    try:
        with closing(outcomes):
            for task, outcome in outcomes:
                report = _settled(task, outcome)
                note(report)
                summary = summary.add(report)
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
    if isinstance(outcome, AttributeError | ImportError):
        raise UserError(
            f"a worker cannot run this block ({outcome}): it seems to have another genprior. "
            "Install the same one where the workers run."
        ) from outcome
    raise outcome


def as_json(summary: RunSummary) -> dict[str, Any]:
    """Give a summary as plain values."""
    derived = ("done", "pending", "done_successes")
    return {**vars(summary), **{name: getattr(summary, name) for name in derived}}
