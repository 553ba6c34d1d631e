"""What an executor is: it runs functions on workers and gives their outcomes."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Item_co = TypeVar("Item_co", covariant=True)
Result_co = TypeVar("Result_co", covariant=True)


class Outcomes(Protocol[Item_co, Result_co]):
    """Pairs of an item and its result or exception, in the order in which they end.

    It can be iterated further after an interruption was raised in it.
    """

    def __iter__(self) -> Iterator[tuple[Item_co, Result_co | BaseException]]:
        """Return itself."""
        ...

    def __next__(self) -> tuple[Item_co, Result_co | BaseException]:
        """Wait for the next outcome."""
        ...

    def stop(self, seconds: float) -> int:
        """Start no further item, end within some seconds, and return how many items are running."""
        ...

    def close(self) -> None:
        """Drop the items that have not ended."""
        ...


class Executor(Protocol):
    """Runs functions on workers."""

    @property
    def workers(self) -> int:
        """Number of tasks that run at a time."""
        ...

    @property
    def workers_lost(self) -> int:
        """Number of workers that died so far."""
        ...

    @property
    def loss(self) -> str:
        """What may have happened to a worker that is lost, for messages."""
        ...

    @property
    def memory(self) -> float:
        """Bytes of memory that one task may use."""
        ...

    def everywhere(self, function: Callable[[], Result]) -> list[Result]:
        """Call a function once on every worker."""
        ...

    def stream(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, more: bool = False
    ) -> Outcomes[Item, Result]:
        """Run a function over items, a bounded number at a time; give outcomes as items end.

        Args:
            function: called with each item.
            items: the items.
            more: whether another stream follows, so that workers without work have to stay.
        """
        ...
