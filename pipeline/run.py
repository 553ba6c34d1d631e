"""Running a sweep into a store: what is missing, block by block, until nothing is."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..store import exclusive
from ..sweeps import Sweep, UserError
from ..tasks import Experiment
from ..tasks.environment import Environment, needs_of
from ..tasks.generators import weights_digests
from .executors import Executor, Outcomes, Synchronous
from .freshness import mark, mark_late
from .interrupts import announced, check, heard, heeding
from .pilot import check_memory
from .prepare import count_successes, enter_run, ordered_blocks, prepare_store, select_trials
from .run_request import RunRequest, check_request
from .shown import Shown
from .worker import BlockReport, BlockTask, abandon, hold, run_block, write_crashed

# Seconds that running blocks have after an interruption. Batch systems kill some 10 s (PBS, LSF)
# or 30 s (Slurm) after they warned.
GRACE = 5.0
ANSWER_TIMEOUT = 2.0
KILLED = "the worker died each time it ran this block (out of memory?)"


@dataclass(frozen=True)
class RunSummary(Shown):
    """What a run did with the trials it was asked for; times in seconds.

    `successes` are those of the trials that it computed, `already_successful` those of the trials
    that were done before; both are None where the task has no such thing. `unasked` counts trials
    of the store that are not done and that this run was not asked for; `mended` says what was
    damaged in the store; `workers_lost` counts workers that died, whose blocks others ran again.
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
    workers_lost: int = 0

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

    def rows(self) -> Mapping[str, str]:
        """Give the figures as text."""
        from .tables import summary_rows

        return summary_rows(self)

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
Teller = Callable[[str], None]


def run_sweep(
    sweep: Sweep,
    path: Path,
    executor: Executor | None = None,
    *,
    kind: Experiment | None = None,
    retries: int = 0,
    fail_fast: bool = False,
    allow_mixed: bool = False,
    listen: Listener = lambda summary: None,
    tell: Teller = lambda text: None,
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
        tell: called with what a user should know at once, in a line.

    Returns:
        The summary; `interrupted` if Ctrl-C or SIGTERM ended the run early. Blocks that were
        running had some seconds to end; a second interruption gives them up at once.

    Raises:
        UserError: what is asked for cannot be run, the store holds another experiment, or it cannot
            be written.
    """
    return run_request(
        check_request(sweep, path, kind),
        executor or Synchronous(),
        retries=retries,
        fail_fast=fail_fast,
        allow_mixed=allow_mixed,
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
    listen: Listener,
    tell: Teller,
) -> RunSummary:
    """Run what was asked for and checked; the arguments and the rest are those of `run_sweep`."""
    sweep, grid, path, kind, _ = request
    lost_before = executor.workers_lost
    check_memory(grid, kind, executor.memory)
    with exclusive(path):
        with announced(tell):
            ready = prepare_store(request, executor, allow_mixed)
        info = ready.info
        wanted, todo, unasked = select_trials(info, sweep, ready.status)
        mark(info, writes=bool(todo.any()))
        judged = "success" in info.variables
        summary = RunSummary(
            str(path),
            total=int(wanted.sum()),
            already_done=int((wanted & ~todo).sum()),
            already_successful=count_successes(info, wanted & ~todo) if judged else None,
            workers=executor.workers,
            unasked=unasked,
            successes=0 if judged else None,
            mended=ready.mended,
        )
        run = uuid.uuid4().hex
        needs, weights = needs_of(kind, grid), weights_digests(grid)
        expected = None if allow_mixed else ready.environments[0]
        tasks = (
            BlockTask(
                path.absolute(), info.revision, block, todo[info.layout.region(block)], kind,
                needs, expected, run, retries, weights,
            )
            for block in ordered_blocks(info.layout, todo, ready.pilot)
        )  # fmt: skip
        with closing(executor.stream(run_block, tasks)) as outcomes, _abandoned(executor, run):
            ended = _Run(executor, run, path, summary, listen, tell, lost_before).take(
                outcomes, fail_fast
            )
        if ended.blocks:
            mark_late(info)
        return ended


@contextmanager
def _abandoned(executor: Executor, run: str) -> Iterator[None]:
    """However a run ends, let no block of it go on where its workers do."""
    try:
        yield
    finally:
        # Workers that do not answer are gone, or go when the cluster closes.
        _within(ANSWER_TIMEOUT, lambda: executor.everywhere(partial(abandon, run)))


def _within(seconds: float, function: Callable[[], object]) -> None:
    """Call a function, and wait for it for some seconds only; what it raises is dropped."""

    def call() -> None:
        with suppress(Exception):
            function()

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)


class _Run:
    """Counts what becomes of the blocks of a run."""

    def __init__(
        self,
        executor: Executor,
        key: str,
        path: Path,
        summary: RunSummary,
        listen: Listener,
        tell: Teller,
        lost_before: int,
    ):
        self._executor = executor
        self._key = key
        self._path = path
        self._summary = summary
        self._listen = listen
        self._tell = tell
        self._lost_before = lost_before
        self._begun = time.perf_counter()
        self._entered: list[Environment] = []

    def take(self, outcomes: Outcomes[BlockTask, BlockReport], fail_fast: bool) -> RunSummary:
        """Take all outcomes, or as many as there are until an interruption."""
        try:
            self._listen(self._summary)
            for task, outcome in outcomes:
                self._count(_settled(task, outcome))
                check()
                if fail_fast and self._summary.crashed:
                    break
        except KeyboardInterrupt:
            heard()
            self._wind_up(outcomes)
            return replace(self._summary, interrupted=True, wall_seconds=self._seconds)
        return self._summary

    @property
    def _seconds(self) -> float:
        return time.perf_counter() - self._begun

    def _count(self, report: BlockReport) -> None:
        if report.environment and report.environment not in self._entered:
            # In the history of the store, once for each environment that computes.
            self._entered.append(report.environment)
            enter_run(self._path, report.environment)
        told, lost = self._summary.workers_lost, self._executor.workers_lost - self._lost_before
        self._summary = replace(
            self._summary.add(report), wall_seconds=self._seconds, workers_lost=lost
        )
        if lost and not told:
            self._tell("a worker died (killed, or out of memory?); its block goes to another")
        self._listen(self._summary)

    def _wind_up(self, outcomes: Outcomes[BlockTask, BlockReport]) -> None:
        """Wait a little for running blocks; the next interruption ends that."""
        running = outcomes.stop(GRACE)
        if not running:
            self._tell("stopping")
            return
        blocks = "1 block" if running == 1 else f"{running} blocks"
        self._tell(f"stopping, waiting for {blocks}, at most {GRACE:.0f} s; again: at once")
        # A scheduler that goes away now changes nothing, nor does a block whose worker died.
        with suppress(KeyboardInterrupt, UserError), heeding():
            _within(ANSWER_TIMEOUT, lambda: self._executor.everywhere(partial(hold, self._key)))
            for _, outcome in outcomes:
                if isinstance(outcome, BlockReport):
                    self._count(outcome)


def _settled(task: BlockTask, outcome: BlockReport | BaseException) -> BlockReport:
    """Take a block's report; a block that keeps killing its workers is recorded as crashed."""
    if isinstance(outcome, BlockReport):
        return outcome
    if type(outcome).__name__ == "KilledWorker":
        return write_crashed(task, KILLED)
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
