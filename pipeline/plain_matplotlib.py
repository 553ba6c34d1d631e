"""Matplotlib as it comes: without the user's settings, and without a word on stderr."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from ..sweeps import UserError

TALKATIVE = ("matplotlib", "fontTools", "PIL")


@contextmanager
def plain_matplotlib() -> Iterator[None]:
    """Import Matplotlib and draw with it as if the user had set nothing.

    A backend of MPLBACKEND (Jupyter's is a package that may be missing) or of a matplotlibrc stops
    the import where it cannot be had. What Matplotlib logs about fonts and folders is no matter of
    ours. The environment and the log are as before at the end.

    Raises:
        UserError: a matplotlibrc of the working directory, which comes first, is no text.
    """
    before = dict(os.environ)
    os.environ.pop("MPLBACKEND", None)
    if found := find_spec("matplotlib"):
        own = Path(str(found.origin)).parent / "mpl-data/matplotlibrc"
        os.environ["MATPLOTLIBRC"] = str(own)
    try:
        with _silent():
            _import()
            yield
    finally:
        for name in ("MPLBACKEND", "MATPLOTLIBRC"):
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]


@contextmanager
def usual_matplotlib() -> Iterator[None]:
    """Draw with the Matplotlib that the caller has imported, or would get by importing it.

    Only where that fails, for a backend or a matplotlibrc that cannot be had, it is imported as
    `plain_matplotlib` does.
    """
    if "matplotlib" not in sys.modules:
        try:
            import matplotlib  # noqa: F401
        except Exception:
            with plain_matplotlib():
                yield
            return
    with _silent():
        yield


@contextmanager
def _silent() -> Iterator[None]:
    """Drop what Matplotlib and what it uses would log."""
    loggers = [logging.getLogger(name) for name in TALKATIVE]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _import() -> None:
    try:
        import matplotlib  # noqa: F401
    except UnicodeDecodeError:
        raise UserError(
            "matplotlibrc: Matplotlib reads this file of the working directory, and it is no "
            "text; move it away or draw from another folder."
        ) from None
