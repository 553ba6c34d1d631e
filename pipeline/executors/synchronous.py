"""One task after the other in this process."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from .memory import thread_memory

Item = TypeVar("Item")
Result = TypeVar("Result")


class Synchronous:
    """Runs one task after the other in this process, for debugging and small sweeps."""

    workers = 1
    workers_lost = 0
    loss = "died"

    @property
    def memory(self) -> float:
        """Bytes of memory that are free for this process."""
        return thread_memory(1)

    def everywhere(self, function: Callable[[], Result]) -> list[Result]:
        """Call the function in this process."""
        return [function()]

    def stream(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, more: bool = False
    ) -> "SynchronousOutcomes[Item, Result]":
        """Compute one item after the other, when its outcome is requested."""
        return SynchronousOutcomes(function, items)


class SynchronousOutcomes(Iterator[tuple[Item, Result | BaseException]]):
    """Computes each item when its outcome is requested."""

    def __init__(self, function: Callable[[Item], Result], items: Iterable[Item]):
        self._function = function
        self._items = iter(items)

    def __next__(self) -> tuple[Item, Result | BaseException]:
        """Compute the next item as a Dask graph of one task."""
        import dask

        item = next(self._items)
        try:
            task = dask.delayed(self._function, pure=False)(item)
            (result,) = dask.compute(task, scheduler="synchronous")
        except Exception as error:
            return item, error
        return item, result

    def stop(self, seconds: float) -> int:
        """Drop the remaining items; no item is running."""
        self._items = iter(())
        return 0

    def close(self) -> None:
        """Drop the remaining items."""
        self._items = iter(())
