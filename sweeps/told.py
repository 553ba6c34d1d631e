"""Loading of the modules that register experiments, parameters and analyses.

Installed packages name these modules by entry points. So `sweeps` imports no other package of
genprior.
"""

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from threading import RLock
from typing import Any, NamedTuple

from .errors import SweepError

GROUP = "genprior.parameters"
_ASKED: list[bool] = []
_lock = RLock()


class Offered(NamedTuple):
    """What an installed package offers.

    Attributes:
        point: its entry point.
        found: the loaded object; None if loading failed.
        error: the error in loading; None if there was none.
    """

    point: EntryPoint
    found: Any
    error: Exception | SystemExit | None


def load_offered(group: str) -> Iterator[Offered]:
    """Load the entry points of a group, one after the other."""
    for point in entry_points(group=group):
        try:
            offered = Offered(point, point.load(), None)
        except (Exception, SystemExit) as error:
            offered = Offered(point, None, error)
        yield offered


def ask() -> None:
    """Import the modules that installed packages name; only the first call does something.

    Raises:
        SweepError: names a module that cannot be imported.
    """
    if _ASKED and _ASKED[-1]:
        return
    with _lock:  # other threads wait until all modules are imported
        if _ASKED:
            return
        _ASKED.append(False)
        for point, _, error in load_offered(GROUP):
            if error is not None:
                _ASKED.clear()
                raise SweepError(f"{GROUP}: {point.value} cannot be loaded: {error}")
        _ASKED[:] = [True]


_MORE: list[Callable[[], None]] = []


def tell_more(load: Callable[[], None]) -> None:
    """Register a function that imports further classes, which may add parameters."""
    _MORE.append(load)


def ask_more() -> None:
    """Import the classes that installed packages offer; called when a name is not known."""
    ask()
    for load in _MORE:
        load()
