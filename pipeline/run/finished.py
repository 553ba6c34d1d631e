"""The finished trials of a block: kept until they are written, and counted."""

import threading
import time
from typing import Any

import numpy as np

from ...store import LONGEST_ERROR, Status, open_writer
from .block_task import BlockReport, BlockTask
from .ending import writing
from .weights import check_weights

Offset = tuple[int, ...]


class FinishedTrials:
    """The finished trials of a block.

    A block counts what this run has of it, also what an earlier worker wrote before it died.
    Threads share the object: the trials' own, those that hold the run, and those that watch the
    time of a trial.

    Args:
        task: the block.
        crashed: trials, by number in the block, that this run has recorded as crashed.

    Attributes:
        missing: mask of the trials that are still to run.
    """

    def __init__(self, task: BlockTask, crashed: set[int] | None = None):
        self._task = task
        self._writer = open_writer(task.path, task.revision)
        self.region = self._writer.layout.region(task.block)
        self._dtypes = {v.name: v.dtype for v in task.kind.variables}
        self._names = (*self._dtypes, "seconds", "error", "status")
        self._results = self._writer.empty(self.region, self._dtypes)
        self._entered = np.zeros(task.wanted.shape, dtype=bool)
        self._unwritten = self._entered.copy()
        self._last_error = ""
        self._lock = threading.RLock()
        self.written_at = time.monotonic()
        self._take_over(crashed or set())
        self.missing = task.wanted & ~self._entered

    def _take_over(self, crashed: set[int]) -> None:
        """Count the trials that were written since the run began."""
        status = self._writer.read(self.region, ("status",))["status"]
        earlier = status == Status.DONE
        earlier.flat[list(crashed)] |= status.flat[list(crashed)] == Status.CRASHED
        earlier &= self._task.wanted
        if not earlier.any():
            return
        for name, values in self._writer.read(self.region, self._names).items():
            self._results[name][earlier] = values[earlier]
        self._entered |= earlier
        texts = self._results["error"][earlier & (status == Status.CRASHED)]
        self._last_error = str(texts[-1]) if texts.size else ""

    def enter(
        self,
        offset: Offset,
        values: dict[str, Any] | None,
        error: str = "",
        seconds: float = np.nan,
        place: str = "",
    ) -> None:
        """Take the result of a trial.

        Args:
            offset: its place in the block.
            values: its variables; None if it crashed.
            error: why it crashed.
            seconds: its duration.
            place: its coordinates, for the message of the last crashed trial.
        """
        with self._lock:
            self._results["seconds"][offset] = seconds
            self._results["error"][offset] = error[:LONGEST_ERROR]
            for variable in self._task.kind.variables:
                self._results[variable.name][offset] = (
                    variable.fill if values is None else values[variable.name]
                )
            self._results["status"][offset] = Status.CRASHED if values is None else Status.DONE
            if values is None:
                self._last_error = f"{place}: {error}" if place else error
            self._entered[offset] = self._unwritten[offset] = True

    def write(self) -> None:
        """Write what was finished since the last time; other trials keep what the store holds now.

        Raises:
            AbandonedError: the run was abandoned.
            UserError: a weights file changed while the trials ran, or the store cannot be written.
        """
        with self._lock:
            self.written_at = time.monotonic()
            if not self._unwritten.any():
                return
            check_weights(self._task)
            with writing(self._task.path, self._task.run):
                block = self._current()
                for name in self._names:
                    block[name][self._unwritten] = self._results[name][self._unwritten]
                self._writer.write(self.region, block)
            self._unwritten[...] = False

    def _current(self) -> dict[str, np.ndarray]:
        """Read what the block holds; of a block without finished trials only the status is read."""
        status = self._writer.read(self.region, ("status",))["status"]
        if (status == Status.DONE).any() or (status == Status.CRASHED).any():
            return self._writer.read(self.region, self._names)
        block = self._writer.empty(self.region, self._dtypes)
        block["status"] = status
        return block

    def report(self) -> BlockReport:
        """Count the trials."""
        with self._lock:
            status = np.where(self._entered, self._results["status"], Status.PENDING)
            done = status == Status.DONE
            successes = (
                int((self._results["success"][done] > 0).sum())
                if "success" in (self._dtypes)
                else 0
            )
            return BlockReport(
                self._task.block,
                int(done.sum()),
                int((status == Status.CRASHED).sum()),
                successes,
                float(np.nansum(self._results["seconds"][self._entered])),
                self._last_error,
            )
