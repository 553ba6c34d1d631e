"""Who tells this room which experiments, generators and parameters there are.

Installed packages do, by entry points of the group `genprior.parameters`: each names a module that
says what it knows when it is imported. So this room imports no other, and knows none by name.
"""

from collections.abc import Callable
from importlib.metadata import entry_points

from .errors import SweepError

GROUP = "genprior.parameters"
_ASKED: list[bool] = []


def ask() -> None:
    """Import, once, the modules that installed packages name.

    Raises:
        SweepError: naming one that cannot be imported.
    """
    if _ASKED:
        return
    _ASKED.append(True)
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except (Exception, SystemExit) as error:
            _ASKED.clear()
            raise SweepError(f"{GROUP}: {point.value} cannot be loaded: {error}") from None


_MORE: list[Callable[[], None]] = []


def tell_more(load: Callable[[], None]) -> None:
    """Say what imports classes that installed packages offer, which may declare parameters."""
    _MORE.append(load)


def ask_more() -> None:
    """Import what packages offer: a name is unknown so far."""
    ask()
    for load in _MORE:
        load()
