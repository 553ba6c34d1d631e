"""Ways in which a trial goes on for ever."""

import re
import time
from contextlib import suppress


def _loop() -> None:
    """Go on for ever in Python."""
    while True:
        pass


def _deaf() -> None:
    """Go on for ever, whatever is raised."""
    while True:
        with suppress(BaseException):
            _loop()


# How a trial may go on for ever: in Python; deaf to exceptions; in a C function; in one that lets
# no other thread run.
HANGS = {
    "loop": _loop,
    "deaf": _deaf,
    "sleep": lambda: time.sleep(1e6),
    "regex": lambda: re.match("(a+)+$", "a" * 64 + "b"),
}
