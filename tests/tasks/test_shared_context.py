"""A context of the whole process: the first of its users enters it, the last one leaves it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from genprior.tasks.numerics.shared_context import shared


def test_the_first_user_enters_and_the_last_one_leaves() -> None:
    """A second thread comes while the first is inside, and stays longer than it."""
    told: list[str] = []

    @shared
    @contextmanager
    def context() -> Iterator[None]:
        told.append("entered")
        yield
        told.append("left")

    inside, leave = threading.Event(), threading.Event()

    def second() -> None:
        with context():
            inside.set()
            assert leave.wait(20)

    thread = threading.Thread(target=second)
    with context():
        thread.start()
        assert inside.wait(20)
    assert told == ["entered"]
    leave.set()
    thread.join(20)
    assert told == ["entered", "left"]
    with context():
        assert told == ["entered", "left", "entered"]


def test_a_context_that_cannot_be_entered_has_no_user() -> None:
    """The next user enters it again, and an error inside leaves it."""
    tries: list[str] = []

    @shared
    @contextmanager
    def context() -> Iterator[None]:
        tries.append("try")
        if len(tries) == 1:
            raise OSError("not now")
        try:
            yield
        finally:
            tries.append("left")

    with pytest.raises(OSError, match="not now"), context():
        pass
    with pytest.raises(KeyError), context():
        raise KeyError("inside")
    assert tries == ["try", "try", "left"]
