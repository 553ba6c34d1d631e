"""Functions that run on a worker: compute the trials of one block, and write it as chunks."""

import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ...store import LONGEST_ERROR
from ...sweeps import Draws, Grid, UserError, draws_of
from ...tasks import Experiment
from ...tasks.environment import environment, in_words
from ...tasks.numerics.machine import one_blas_thread
from ...tasks.point import Point
from ...tasks.trial_values import values_check
from ..interrupts import pass_on
from .block_points import BlockPoints
from .block_task import BlockReport, BlockTask
from .ending import AbandonedError, check_going, is_held, running, write_running
from .finished import FinishedTrials, Offset
from .journal import CRASHED, DIED, END, MOST_DEATHS, RUN, Journal, Notes
from .trial_limit import TooLongError, TrialLimit, is_replaced_when_it_ends
from .weights import check_weights

CHECKPOINT = 30.0  # seconds after which a block writes what it has finished
CAREFUL_CHECKPOINT = 0.2  # the same, of a block whose workers died
# Seconds after its start that a worker waits before a trial that may kill it: Dask gives up a
# worker that dies while it starts, and starts no other one in its place.
SETTLE = 1.0
LOADED = time.monotonic()  # in a worker, when it got its first block
KILLED = "every worker that ran this trial died (perhaps killed because memory ran out)"


class InterruptedBlockError(KeyboardInterrupt):
    """A block was interrupted in the thread of the run; what it had finished is written.

    Attributes:
        report: counts what it had finished.
    """

    def __init__(self, report: BlockReport):
        super().__init__()
        self.report = report


def run_block(task: BlockTask) -> BlockReport:
    """Run the wanted trials of a block and write it.

    A block that takes long writes what it has finished every `CHECKPOINT` seconds, and trials that
    an earlier worker wrote in this run are not run again. A trial that raises, takes too long, or
    gives values that cannot be stored, is recorded as crashed, with the text of its error; the
    other trials run. If its run is held, the block ends at its next trial.

    Raises:
        UserError: the environment of this worker differs, a weights file is not the expected one,
            the run has ended, or the store cannot be written; nothing further is written.
        InterruptedBlockError: the user interrupted it; what it had finished is written.
    """
    check_going(task.run)
    if is_held(task.run):
        raise AbandonedError("its run has ended.")
    check_environment(task)
    check_weights(task)
    journal = Journal(task)
    notes = journal.read()
    finished = FinishedTrials(task, notes.crashed)
    with running(task.run, finished):
        try:
            with one_blas_thread():
                _BlockRun(task, finished, journal, notes).run()
        except KeyboardInterrupt:
            finished.write()
            raise InterruptedBlockError(finished.report()) from None
        finished.write()
    return replace(finished.report(), environment=environment(task.needs))


def check_environment(task: BlockTask) -> None:
    """Refuse to run on this worker, which may have joined later, if its environment differs.

    Raises:
        UserError: the message names what differs.
    """
    own = environment(task.needs)
    if task.expected is None or own == task.expected:
        return
    key = next(k for k in (*task.expected, *own) if task.expected.get(k) != own.get(k))
    raise UserError(
        f"{task.path}: {in_words(key)}: '{task.expected.get(key)}' there, and a worker on "
        f"{socket.gethostname()} has '{own.get(key)}'; results may differ. Give all "
        "workers the same environment, or give --allow-mixed, which mixes the results and records "
        "it."
    )


class _BlockRun:
    """Runs the missing trials of a block, one after the other."""

    def __init__(self, task: BlockTask, finished: FinishedTrials, journal: Journal, notes: Notes):
        self._task = task
        self._finished = finished
        self._journal = journal
        self._notes = notes
        self._where = BlockPoints(task, finished.region)
        self._check = values_check(task.kind.variables)
        self._draw = task.kind.sampler()
        self._points: dict[tuple[int, ...], _Prepared] = {}
        self._offset: Offset = ()  # of the trial that runs
        self._begun = 0.0
        may_end = bool(task.trial_timeout) and is_replaced_when_it_ends()
        self._limit = TrialLimit(task.trial_timeout, self._give_up if may_end else None)

    def run(self) -> None:
        """Run the trials until all have ended, or the run is held."""
        task, every = self._task, CAREFUL_CHECKPOINT if self._task.careful else CHECKPOINT
        if (last := self._notes.running) is not None:
            self._journal.note(DIED, last)
            self._notes.add(DIED, last)
        if task.careful and is_replaced_when_it_ends():
            time.sleep(max(0.0, LOADED + SETTLE - time.monotonic()))
        with self._limit:
            for offset in _in_order(self._finished.missing, self._where.share_draws(task.kind)):
                check_going(task.run)
                if is_held(task.run):
                    return
                self._run_trial(offset)
                if time.monotonic() - self._finished.written_at >= every:
                    self._finished.write()

    def _run_trial(self, offset: Offset) -> None:
        number = self._number(offset)
        if self._notes.deaths[number] >= MOST_DEATHS:
            self._finished.enter(offset, None, KILLED, place=self._where.place(offset))
            return
        if self._task.careful:
            self._journal.note(RUN, number)
        at, trial = self._where.index(offset)
        if at not in self._points:
            self._points[at] = _prepare(self._task.kind, self._where.grid, at)
        self._offset, self._begun = offset, time.perf_counter()
        values, error = self._attempt(self._points[at], trial)
        seconds = time.perf_counter() - self._begun
        place = "" if error == "" else self._where.place(offset)
        self._finished.enter(offset, values, error, seconds, place)
        if self._task.careful:
            self._journal.note(END, number)

    def _attempt(self, at: "_Prepared", trial: int) -> tuple[dict[str, Any] | None, str]:
        """Run a trial, and repeat it up to `retries` times if it crashes.

        Returns:
            Its values and "", or None and the text of its last error.
        """
        if at.refused:
            return None, at.refused
        error = ""
        for _ in range(self._task.retries + 1):
            try:
                return self._limit.call(lambda: self._values(at, trial)), ""
            except TooLongError:
                error = self._limit.reason
                # It may have been stopped while it kept what later trials share.
                self._draw = self._task.kind.sampler()
            except BaseException as raised:
                pass_on(raised)
                error = _in_a_line(raised)
        return None, error

    def _values(self, at: "_Prepared", trial: int) -> dict[str, Any]:
        return self._check(self._draw(at.point, replace(at.draws, trial=trial)).run())

    def _give_up(self) -> None:
        """Record the trial that runs as crashed, write the block, and end this process."""
        try:
            with suppress(UserError, OSError):
                self._finished.enter(
                    self._offset,
                    None,
                    self._limit.reason,
                    time.perf_counter() - self._begun,
                    self._where.place(self._offset),
                )
                self._finished.write()
                self._journal.note(CRASHED, self._number(self._offset))
            write_running()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)

    def _number(self, offset: Offset) -> int:
        return int(np.ravel_multi_index(offset, self._task.wanted.shape))


def _in_order(wanted: np.ndarray, inner: list[bool]) -> list[Offset]:
    """List the offsets of a block's wanted trials; trials that share a draw follow each other.

    Args:
        wanted: mask over the block.
        inner: for each axis, whether trials along it share a draw.
    """
    offsets = np.argwhere(wanted)
    outer = [axis for axis in range(wanted.ndim) if not [*inner, False][axis]]
    order = np.lexsort(offsets[:, outer][:, ::-1].T) if any(inner) else slice(None)
    return [tuple(int(i) for i in offset) for offset in offsets[order]]


class _Prepared(NamedTuple):
    """A point, checked and hashed once for all its trials; `refused` says why it cannot be run."""

    point: Point
    draws: Draws
    refused: str


def _prepare(kind: Experiment, grid: Grid, index: tuple[int, ...]) -> _Prepared:
    point, refused = grid.point(index), ""
    try:
        kind.check_point(point)
    except BaseException as raised:
        pass_on(raised)
        refused = _in_a_line(raised)
    return _Prepared(point, draws_of(point, 0, grid.sweep.seed, grid.sweep.paired), refused)


def _in_a_line(raised: BaseException) -> str:
    return f"{type(raised).__name__}: {raised}".split("\n")[0][:LONGEST_ERROR]
