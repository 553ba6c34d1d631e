"""Import of Matplotlib without the user's settings and without log messages."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from ...sweeps import UserError
from ..executors.silence import silenced

TALKATIVE = ("matplotlib", "fontTools", "PIL")


@contextmanager
def plain_matplotlib() -> Iterator[None]:
    """Import Matplotlib, and draw with it without the user's settings.

    Without this, the import fails if MPLBACKEND or a matplotlibrc names a backend that is missing,
    as Jupyter's may be. Messages that Matplotlib logs about fonts and folders are dropped. At the
    end the environment and the log levels are as before.

    Raises:
        UserError: there is a matplotlibrc in the working directory, and it is not text.
    """
    before = dict(os.environ)
    os.environ.pop("MPLBACKEND", None)
    if package := find_spec("matplotlib"):
        defaults = Path(str(package.origin)).parent / "mpl-data/matplotlibrc"
        os.environ["MATPLOTLIBRC"] = str(defaults)
    try:
        with silenced(*TALKATIVE):
            _import()
            yield
    finally:
        for name in ("MPLBACKEND", "MATPLOTLIBRC"):
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]


@contextmanager
def usual_matplotlib() -> Iterator[None]:
    """Draw with the Matplotlib that the caller imported, or import it as the caller would.

    If that import fails, for example because a backend is missing, Matplotlib is imported as in
    `plain_matplotlib`.
    """
    if "matplotlib" not in sys.modules:
        try:
            import matplotlib  # noqa: F401
        except Exception:
            with plain_matplotlib():
                yield
            return
    with silenced(*TALKATIVE):
        yield


def _import() -> None:
    try:
        import matplotlib  # noqa: F401
    except UnicodeDecodeError:
        raise UserError(
            "matplotlibrc: Matplotlib reads this file of the working directory, and it is not "
            "text; move it away, or draw from another folder."
        ) from None
