"""Context managers with an effect on the whole process, shared by several threads."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager


def shared(
    make: Callable[[], AbstractContextManager[object]],
) -> Callable[[], AbstractContextManager[None]]:
    """Share a context manager between threads: the first user enters it, the last one exits it.

    Args:
        make: makes the context manager. It is called whenever a user comes and there is no other.

    Returns:
        A function that makes a context manager for one user.
    """
    lock, entered, users = threading.Lock(), ExitStack(), set[object]()

    @contextmanager
    def use() -> Iterator[None]:
        user = object()
        with lock:
            if not users:
                entered.enter_context(make())
            users.add(user)
        try:
            yield
        finally:
            with lock:
                users.remove(user)
                if not users:
                    entered.close()

    use.__doc__ = make.__doc__
    use.__name__ = getattr(make, "__name__", "use")
    return use
