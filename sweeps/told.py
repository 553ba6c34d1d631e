"""How this package learns which experiments, generators and parameters there are.

Installed packages name modules by entry points of the group `genprior.parameters`. Such a module
registers what it knows when it is imported, so that `sweeps` imports no other package of ours.
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
    """Register a function that imports classes of installed packages, which may add parameters."""
    _MORE.append(load)


def ask_more() -> None:
    """Import the classes that installed packages offer, because a name is not known yet."""
    ask()
    for load in _MORE:
        load()
