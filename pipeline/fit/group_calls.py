"""Calls of a function for every group of a store: in this process, or on workers if many."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from ...tasks.numerics.machine import one_blas_thread
from ..executors.base import Executor
from ..interrupts import check
from ..show.counting import Counter, silent

if TYPE_CHECKING:
    from ..workers import Workers

FEW = 200  # groups that are fitted in this process: workers take longer to start
BATCH = 16  # groups of a task

Item = TypeVar("Item")
Result = TypeVar("Result")
Opener = Callable[[], AbstractContextManager[Executor]]


class _Task(NamedTuple, Generic[Item, Result]):
    """Groups of one task, and the place of their results."""

    function: Callable[[Item], Result]
    number: int
    items: Sequence[Item]


class GroupCalls:
    """Calls a function for each of many groups; as a context, ends the workers that it started.

    Args:
        opened: opens workers; None to stay in this process.
        few: number of calls up to which no workers are opened.
        count: called with what is counted, how many are done, and how many there are.
    """

    def __init__(self, opened: Opener | None = None, few: int = FEW, count: Counter = silent):
        self._opened, self._few, self._count = opened, few, count
        self._executor: Executor | None = None
        self._stack = ExitStack()

    def __enter__(self) -> "GroupCalls":
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def __call__(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        what: str = "groups fitted",
    ) -> list[Result]:
        """Call a function for each item; give the results in the order of the items.

        Args:
            function: of a module or a class, so that workers can import it.
            items: the items.
            what: is counted.

        Raises:
            Exception: what the function raises, of the first item that fails.
        """
        if self._executor is None and self._opened is not None and len(items) > self._few:
            self._executor = self._stack.enter_context(self._opened())
        if self._executor is None:
            return self._here(function, items, what)
        return self._there(self._executor, function, items, what)

    def _here(
        self, function: Callable[[Item], Result], items: Sequence[Item], what: str
    ) -> list[Result]:
        results = []
        with one_blas_thread():
            for item in items:
                check()
                results.append(function(item))
                self._count(what, len(results), len(items))
        return results

    def _there(
        self,
        executor: Executor,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        what: str,
    ) -> list[Result]:
        tasks = [
            _Task(function, number, items[first : first + BATCH])
            for number, first in enumerate(range(0, len(items), BATCH))
        ]
        parts: dict[int, list[Result]] = {}
        with closing(executor.stream(_called, tasks, more=True)) as outcomes:
            for task, outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
                parts[task.number] = outcome
                self._count(what, sum(map(len, parts.values())), len(items))
        return [result for number in sorted(parts) for result in parts[number]]


def group_calls(
    asked: "Workers", store: Path, tell: Callable[[str], None], count: Counter = silent
) -> GroupCalls:
    """Spread groups over the workers that options name; over local processes if they name none.

    Args:
        asked: the options.
        store: the store that is fitted.
        tell: called with each line that the user should see at once.
        count: called with what is counted, how many are done, and how many there are.
    """
    from ..workers import open_workers

    if asked.scheduler == "synchronous" or (asked.scheduler is None and asked.workers == 1):
        return GroupCalls(count=count)
    is_named = asked.scheduler is not None or asked.workers is not None
    return GroupCalls(
        lambda: open_workers(asked, store, tell, lambda: None), 0 if is_named else FEW, count
    )


def _called(task: _Task[Item, Result]) -> list[Result]:
    """Call a task's function for its groups, on a worker."""
    with one_blas_thread():
        return [task.function(item) for item in task.items]
