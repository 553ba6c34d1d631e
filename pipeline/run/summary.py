"""The figures of a run, counted while it goes on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..show.shown import Shown
from .block_task import BlockReport


@dataclass(frozen=True, repr=False)
class RunSummary(Shown):
    """What a run did with the trials that it was asked for; times in seconds.

    Attributes:
        store: path of the store.
        total: trials asked for.
        already_done: trials that were done before.
        already_successful: successes among them; None if the trials neither succeed nor fail.
        computed: trials that the run computed.
        crashed: trials that crashed.
        successes: successes among the computed trials; None if they neither succeed nor fail.
        blocks: blocks that the run computed.
        workers: trials run at a time.
        wall_seconds: duration of the run.
        trial_seconds: time of all computed trials together.
        unasked: trials of the store that are not done and that the run was not asked for.
        interrupted: whether it was interrupted.
        last_error: what the last crashed trial said.
        mended: what was damaged in the store and repaired.
        workers_lost: workers that died; other workers ran their blocks again.
        part: the part of the store that the run was asked for, such as 3/16; "" for all of it.
        groups: if trials are placed, the number of groups asked for; 0 if they are not.
        groups_ended: groups that need no further trial.
        share: if trials are placed, the estimated share of their trials that have ended.
        share_before: the same when the run began.
        out_of_time: whether the run ended because its budget of time was spent.
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
    part: str = ""
    groups: int = 0
    groups_ended: int = 0
    share: float = 0.0
    share_before: float = 0.0
    out_of_time: bool = False

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
    def finished_share(self) -> float:
        """The share of the run that has ended, estimated if trials are placed."""
        if self.groups:
            return self.share
        return (self.total - self.pending) / max(self.total, 1)

    @property
    def is_over(self) -> bool:
        """Whether no trial is pending, and every group has ended."""
        return not self.pending and self.groups_ended == self.groups

    @property
    def exit_status(self) -> int:
        """The exit status: 0 if every trial is done and every group has ended, else 3."""
        return 0 if self.is_over and not self.crashed else 3

    def rows(self) -> Mapping[str, str]:
        """Give the figures as text."""
        from ..show.tables import summary_rows

        return summary_rows(self)

    def add(self, report: BlockReport) -> "RunSummary":
        """Add the counts of a block."""
        return replace(
            self,
            computed=self.computed + report.done,
            crashed=self.crashed + report.crashed,
            successes=None if self.successes is None else self.successes + report.successes,
            trial_seconds=self.trial_seconds + report.seconds,
            blocks=self.blocks + 1,
            last_error=report.error or self.last_error,
        )


def time_left(summary: RunSummary) -> float | None:
    """Estimate the seconds that a run still takes; None if that is unknown."""
    ended = summary.computed + summary.crashed
    if not summary.computed or not summary.wall_seconds:
        return None
    if not summary.groups:
        return summary.pending * summary.wall_seconds / ended
    gained = summary.share - summary.share_before
    return summary.wall_seconds * (1 - summary.share) / gained if gained > 0 else None


def as_json(summary: RunSummary) -> dict[str, Any]:
    """Give a summary as plain values, for JSON."""
    derived = ("done", "pending", "done_successes")
    return {**vars(summary), **{name: getattr(summary, name) for name in derived}}
