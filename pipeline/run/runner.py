"""Run a sweep into a store: compute the missing trials, block by block."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ...store import Holding, StoreInfo, WrongStoreError, exclusive, gone_error
from ...sweeps import Sweep, UserError
from ...sweeps.part import Part
from ...tasks import Experiment
from ...tasks.environment import Environment, needs_of
from ...tasks.generators import weights_digests
from ..executors.base import Executor, Outcomes
from ..executors.errors import WorkersDiedError
from ..executors.synchronous import Synchronous
from ..fit.freshness import mark, mark_late
from ..interrupts import TimeOverError, announced, check, heard, heeding, limited_time
from ..limits import GRACE
from .again import Blocks
from .block_task import BlockReport, BlockTask, Index, Placed
from .ending import LONGEST_WRITE, abandon, hold
from .pilot import check_memory
from .prepare import enter_run, prepare_store
from .request import RunRequest, check_request
from .selection import work_of
from .summary import RunSummary, time_left
from .worker import InterruptedBlockError, run_block

ANSWER_TIMEOUT = 2.0


Listener = Callable[[RunSummary], None]
Teller = Callable[[str], None]


def run_sweep(
    sweep: Sweep,
    path: Path,
    executor: Executor | None = None,
    *,
    kind: Experiment | None = None,
    part: Part | None = None,
    retries: int = 0,
    fail_fast: bool = False,
    allow_mixed: bool = False,
    trial_timeout: float | None = None,
    grace: float = GRACE,
    budget: float | None = None,
    listen: Listener = lambda summary: None,
    tell: Teller = lambda text: None,
) -> RunSummary:
    """Run the trials of a sweep that a store does not hold yet.

    Args:
        sweep: the sweep to run; if it has a larger grid or more trials than the store, the store is
            extended.
        path: the store; made if it does not exist.
        executor: where blocks run; in this process if None.
        kind: the task; the one that the sweep names if None.
        part: the part of the store's blocks to run; all if None.
        retries: how often a crashed trial is tried again within this run.
        fail_fast: stop at the first crashed trial.
        allow_mixed: mix results of other machines, libraries or kernels; the store records it.
        trial_timeout: seconds after which a trial is stopped and recorded as crashed; None for no
            limit.
        grace: seconds that running trials get to end after an interruption.
        budget: seconds after which the run stops with what there is; None for no limit.
        listen: called with the summary so far, at the start and after every block.
        tell: called with each line that the user should see at once.

    Returns:
        The summary. It is `interrupted` if Ctrl-C or a signal ended the run early. Running blocks
        then end at their next trial, for which they get `grace` seconds; what they have finished is
        written. A second interruption stops them at once.

    Raises:
        UserError: the sweep cannot be run, the store holds another experiment, or it cannot be
            written.
    """
    return run_request(
        check_request(sweep, path, kind, part),
        executor or Synchronous(),
        retries=retries,
        fail_fast=fail_fast,
        allow_mixed=allow_mixed,
        trial_timeout=trial_timeout,
        grace=grace,
        budget=budget,
        listen=listen,
        tell=tell,
    )


def run_request(
    request: RunRequest,
    executor: Executor,
    *,
    retries: int,
    fail_fast: bool,
    allow_mixed: bool,
    trial_timeout: float | None,
    grace: float,
    budget: float | None,
    listen: Listener,
    tell: Teller,
) -> RunSummary:
    """Run a checked request; arguments, result and errors are those of `run_sweep`."""
    sweep, grid, path, kind, _, part = request
    lost_before = executor.workers_lost
    check_memory(grid, kind, executor.memory)
    with _entered(path, part, tell) as holding:
        with announced(tell):
            ready = prepare_store(request, executor, allow_mixed, holding.alone)
        holding.prepared()
        info = ready.info
        run = holding.key
        needs, weights = needs_of(kind, grid), weights_digests(grid)
        expected = None if allow_mixed else ready.environments[0]

        def task_of(block: Index, wanted: np.ndarray, placed: Placed = ()) -> BlockTask:
            return BlockTask(
                path.absolute(), info.revision, block, wanted, kind, needs, expected, run, retries,
                weights, trial_timeout, placed,
            )  # fmt: skip

        work = work_of(ready, sweep, part, task_of)
        mark(info, writes=work.writes)
        work.blocks.begin()
        summary = RunSummary(
            str(path),
            workers=executor.workers,
            successes=None if work.counts["already_successful"] is None else 0,
            mended=ready.mended,
            part=str(part or ""),
            **(work.counts | (figures := work.blocks.figures())),
            share_before=figures.get("share", 0.0),
        )
        with (
            limited_time(budget),
            _held_after(budget, run),
            _late_fits_marked(info) if work.writes else nullcontext(),
            closing(executor.stream(run_block, work.blocks)) as outcomes,
            _abandoned(executor, run),
        ):
            return _Run(
                executor,
                holding,
                path,
                summary,
                listen,
                tell,
                lost_before,
                work.blocks,
                grace,
                trial_timeout,
            ).take(outcomes, fail_fast)


@contextmanager
def _entered(path: Path, part: Part | None, tell: Teller) -> Iterator[Holding]:
    """Hold a store for a run, and say so if another run has to be waited for."""
    with ExitStack() as stack:
        with announced(tell):
            holding = stack.enter_context(exclusive(path, part, tell))
        yield holding


@contextmanager
def _late_fits_marked(info: StoreInfo) -> Iterator[None]:
    """At the end of a run, however it ends, mark the analyses that were made during it."""
    try:
        yield
    except BaseException:
        # What ended the run is the error to tell; the next run marks what could not be marked.
        with suppress(UserError, OSError):
            mark_late(info)
        raise
    mark_late(info)


@contextmanager
def _abandoned(executor: Executor, run: str) -> Iterator[None]:
    """At the end of a run, stop its blocks on workers that continue to live."""
    try:
        yield
    finally:
        # Workers that do not answer are dead, or end when the cluster closes.
        _within(LONGEST_WRITE + 1, lambda: executor.everywhere(partial(abandon, run)))


@contextmanager
def _held_after(seconds: float | None, run: str) -> Iterator[None]:
    """Let blocks that run in this process end at their next trial, some seconds from now."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, hold, [run])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _within(seconds: float, function: Callable[[], object]) -> None:
    """Call a function, and wait for at most some seconds; its exceptions are dropped."""

    def call() -> None:
        with suppress(Exception):
            function()

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)


class _Run:
    """Takes the outcomes of a run's blocks and counts them."""

    def __init__(
        self,
        executor: Executor,
        holding: Holding,
        path: Path,
        summary: RunSummary,
        listen: Listener,
        tell: Teller,
        lost_before: int,
        blocks: Blocks,
        grace: float,
        trial_timeout: float | None,
    ):
        self._executor = executor
        self._holding = holding
        self._path = path
        self._summary = summary
        self._listen = listen
        self._tell = tell
        self._lost_before = lost_before
        self._blocks = blocks
        self._grace = grace
        self._limited = trial_timeout is not None
        self._begun = time.perf_counter()
        self._entered: list[Environment] = []

    def take(self, outcomes: Outcomes[BlockTask, BlockReport], fail_fast: bool) -> RunSummary:
        """Take all outcomes, or those until an interruption."""
        try:
            self._tell_figures()
            for task, outcome in outcomes:
                if isinstance(outcome, BlockReport):
                    self._blocks.ended(task, outcome)
                    self._count(outcome)
                elif not (isinstance(outcome, WorkersDiedError) and self._blocks.again(task)):
                    check()  # a block that begins after the end of the budget is refused
                    raise outcome
                self._holding.check()
                check()
                if fail_fast and self._summary.crashed:
                    break
        except KeyboardInterrupt as interruption:
            heard()
            if isinstance(interruption, InterruptedBlockError):
                self._count(interruption.report)
            is_spent = isinstance(interruption, TimeOverError)
            self._wind_up(outcomes, "the budget of time is spent" if is_spent else "stopping")
            return replace(
                self._summary,
                interrupted=not is_spent,
                out_of_time=is_spent and not self._summary.is_over,
                wall_seconds=self._seconds,
            )
        return self._summary

    @property
    def _seconds(self) -> float:
        return time.perf_counter() - self._begun

    @property
    def _causes(self) -> str:
        memory = "killed because memory ran out"
        return f"{memory}, or ended with a trial that hung" if self._limited else memory

    def _count(self, report: BlockReport) -> None:
        if report.environment and report.environment not in self._entered:
            # The store's history gets one entry for each environment that computes.
            self._entered.append(report.environment)
            try:
                enter_run(self._path, report.environment)
            except WrongStoreError:
                raise gone_error(self._path) from None
        lost_already = self._summary.workers_lost
        lost = self._executor.workers_lost - self._lost_before
        self._summary = replace(
            self._summary.add(report),
            wall_seconds=self._seconds,
            workers_lost=lost,
            **self._blocks.figures(),
        )
        if lost and not lost_already:
            how = f"{self._executor.loss} (perhaps {self._causes})"
            self._tell(f"a worker {how}; another worker runs its block")
        self._tell_figures()

    def _tell_figures(self) -> None:
        """Tell the caller, and whoever follows the run from elsewhere, how far it is."""
        self._listen(self._summary)
        summary = self._summary
        self._holding.publish(
            workers=self._executor.workers,
            total=summary.total,
            done=summary.done,
            crashed=summary.crashed,
            computed=summary.computed + summary.crashed,
            seconds=summary.wall_seconds,
            groups=summary.groups,
            groups_ended=summary.groups_ended,
            left=time_left(summary),
        )

    def _wind_up(self, outcomes: Outcomes[BlockTask, BlockReport], why: str) -> None:
        """Wait until running blocks have ended their trials, or until the next interruption."""
        running = outcomes.stop(self._grace)
        if not running:
            self._tell(why)
            return
        blocks = "1 block" if running == 1 else f"{running} blocks"
        wait = f"waiting for {blocks}, at most {self._grace:g} s"
        self._tell(f"{why}, {wait}; interrupt again to stop at once")
        # Errors of a lost scheduler or of a dead worker do not matter any more.
        with suppress(KeyboardInterrupt, UserError), heeding():
            _within(
                ANSWER_TIMEOUT, lambda: self._executor.everywhere(partial(hold, self._holding.key))
            )
            for _, outcome in outcomes:
                if isinstance(outcome, BlockReport):
                    self._count(outcome)
