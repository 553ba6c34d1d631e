"""Contexts that change something for the whole process, used by several threads at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager


def shared(
    make: Callable[[], AbstractContextManager[object]],
) -> Callable[[], AbstractContextManager[None]]:
    """Let threads share a context: the first user enters it, the last one leaves it.

    Args:
        make: makes the context. It is called each time that there is no user yet.

    Returns:
        What makes a user's context.
    """
    turn, opened, users = threading.Lock(), ExitStack(), set[object]()

    @contextmanager
    def use() -> Iterator[None]:
        user = object()
        with turn:
            if not users:
                opened.enter_context(make())
            users.add(user)
        try:
            yield
        finally:
            with turn:
                users.remove(user)
                if not users:
                    opened.close()

    use.__doc__ = make.__doc__
    use.__name__ = getattr(make, "__name__", "use")
    return use
