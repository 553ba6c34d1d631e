"""The blocks of a run, those included that are given to a worker again because workers died."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from .block_task import BlockReport, BlockTask
from .journal import MOST_DEATHS, Journal

# Deaths in a row between which no trial of a block began. Trials cannot be their cause.
MOST_IDLE_DEATHS = 10


@dataclass
class _Deaths:
    """Deaths of the careful workers of one block."""

    count: int = 0
    idle: int = 0
    events: int = 0


class Blocks(Iterator[BlockTask]):
    """Gives the blocks of a run, then again those in which workers died.

    It can give further blocks after it gave none: a block may have to run again when all others
    have been given already.

    Args:
        tasks: the blocks.
    """

    def __init__(self, tasks: Iterable[BlockTask]):
        self._tasks = iter(tasks)
        self._again: deque[BlockTask] = deque()
        self._deaths: dict[tuple[int, ...], _Deaths] = {}

    def __next__(self) -> BlockTask:
        """Give the next block.

        Raises:
            StopIteration: there is none at this moment.
        """
        if (task := next(self._tasks, None)) is not None:
            return task
        if self._again:
            return self._again.popleft()
        raise StopIteration

    def begin(self) -> None:
        """Find the first blocks, if they follow from what the store holds."""

    def ended(self, task: BlockTask, report: BlockReport) -> None:
        """Take note that a block has ended; further blocks may follow from it."""

    def figures(self) -> dict[str, Any]:
        """Give the figures of a summary that change as blocks follow from others."""
        return {}

    def again(self, task: BlockTask) -> bool:
        """Give a block again, to a careful worker, because its workers died.

        Returns:
            Whether that may help. It does not if workers die again and again before a trial begins,
            or more often than its trials explain.

        Raises:
            StoreError: its journal cannot be read.
        """
        deaths = self._deaths.setdefault(task.block, _Deaths())
        if task.careful:
            events = Journal(task).read().events
            deaths.count += 1
            deaths.idle = deaths.idle + 1 if events == deaths.events else 0
            deaths.events = events
            most = MOST_DEATHS * int(task.wanted.sum()) + MOST_IDLE_DEATHS
            if deaths.idle >= MOST_IDLE_DEATHS or deaths.count > most:
                return False
        self._again.append(replace(task, careful=True))
        return True
