"""Log messages of libraries, dropped while they work for us."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial

from ...tasks.numerics.shared_context import shared


def silenced(*packages: str) -> AbstractContextManager[None]:
    """Drop the log messages of packages, and of all their modules.

    Threads share it: the levels are as before when the last of them has left.
    """
    return _silence_of(packages)()


@cache
def _silence_of(packages: tuple[str, ...]) -> Callable[[], AbstractContextManager[None]]:
    return shared(partial(_levels_raised, packages))


@contextmanager
def _levels_raised(packages: tuple[str, ...]) -> Iterator[None]:
    known = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in packages]
    loggers = [logging.getLogger(name) for name in dict.fromkeys((*packages, *known))]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
