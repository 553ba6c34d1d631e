"""How this package learns which experiments, parameters and analyses there are.

Installed packages name modules and classes by entry points. They register what they know when they
are imported, so that `sweeps` imports no other package of ours.
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
        found: what was loaded; None where that failed.
        error: why it could not be loaded; None if it could.
    """

    point: EntryPoint
    found: Any
    error: Exception | SystemExit | None


def load_offered(group: str) -> Iterator[Offered]:
    """Load what installed packages offer as entry points of a group, one after the other."""
    for point in entry_points(group=group):
        try:
            offered = Offered(point, point.load(), None)
        except (Exception, SystemExit) as error:
            offered = Offered(point, None, error)
        yield offered


def ask() -> None:
    """Import, once, the modules that installed packages name.

    Raises:
        SweepError: naming one that cannot be imported.
    """
    if _ASKED and _ASKED[-1]:
        return
    with _lock:  # another thread waits until everything is told
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
    """Register a function that imports classes of installed packages, which may add parameters."""
    _MORE.append(load)


def ask_more() -> None:
    """Import the classes that installed packages offer, because a name is not known yet."""
    ask()
    for load in _MORE:
        load()
