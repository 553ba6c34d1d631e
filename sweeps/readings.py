"""What an analysis adds to sweep files: a table of settings, and names that no axis may have.

The packages that import this one register their analyses. Other installed packages offer analyses
as entry points of the group `genprior.analyses`; these are loaded when the first sweep is read.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from inspect import isfunction, isgenerator
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar

from .errors import UserError
from .tables import Strict
from .told import load_offered

if TYPE_CHECKING:
    from .grid import Grid
    from .sweep import Sweep

GROUP = "genprior.analyses"


class AnalysisError(UserError):
    """A method of an analysis from outside raised something that it should not raise."""


class Reading:
    """The part of an analysis that sweep files need: its settings, its names and its checks.

    Attributes:
        name: name of the analysis.
        settings: model of its table in sweep files; None if it has no table.
        settings_name: name of that table.
        tells_targets: whether it may have an axis that numbers the variants of a trial. All other
            analyses use the worst variant.
        reads_codes: whether it may read a variable whose values are codes. The variable `success`
            does not count as one.
        explained: the methods whose unexpected exceptions are told in one line, if the class comes
            from outside.
    """

    name: ClassVar[str]
    settings: ClassVar[type[Strict] | None] = None
    settings_name: ClassVar[str] = ""
    tells_targets: ClassVar[bool] = False
    reads_codes: ClassVar[bool] = True
    explained: ClassVar[tuple[str, ...]] = (
        "settings_of", "names", "axes", "needs", "check", "check_draws",
    )  # fmt: skip

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Have unexpected exceptions of a class from outside told in one line."""
        super().__init_subclass__(**keywords)
        if cls.__module__.partition(".")[0] == __name__.partition(".")[0]:
            return
        for name in cls.explained:
            if isfunction(method := vars(cls).get(name)):
                setattr(cls, name, _explained(name, method))

    def settings_of(self, sweep: "Sweep") -> Any:
        """Give its table in a sweep; None if the sweep does not have it."""
        return getattr(sweep, self.settings_name, None) if self.settings is not None else None

    def names(self) -> Iterable[str]:
        """Name its variables, dimensions and JSON fields, which no axis of a user may have."""
        return ()

    def axes(self, sweep: "Sweep") -> Iterable[tuple[str, str]]:
        """Give pairs (key, axis): the axes that its settings name, and the keys that name them."""
        return ()

    def needs(self, sweep: "Sweep") -> Iterable[tuple[str, str]]:
        """Give pairs (key, variable): the results that its settings need, and the keys that ask."""
        return ()

    def check(self, sweep: "Sweep") -> None:
        """Refuse settings that do not fit the sweep; called for every sweep.

        Raises:
            SweepError: names the key.
        """

    def check_draws(self, grid: "Grid") -> None:
        """Refuse a sweep in which one draw would count twice; called before every run.

        Raises:
            SweepError: names the key and the axis.
        """


def _explained(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """Turn unexpected exceptions of a method into one line; the user's mistakes stay as they are.

    A generator is run to its end, so that its exceptions are among them.
    """

    @wraps(method)
    def call(self: Reading, *arguments: Any, **keywords: Any) -> Any:
        try:
            given = method(self, *arguments, **keywords)
            return list(given) if isgenerator(given) else given
        except UserError:
            raise
        except Exception as error:
            analysis = getattr(self, "name", type(self).__name__)
            raise AnalysisError(
                f"analysis {analysis!r}: {name} failed with {type(error).__name__}: {error}"
            ) from error

    return call


_registered: dict[str, Reading] = {}
_reservers: list[Callable[[], Iterable[str]]] = []
_unloadable: dict[str, str] = {}
_lock = RLock()
_state = {"asked": False, "number": 0}


def register_reading(reading: Reading) -> None:
    """Register an analysis; it replaces one of the same name.

    Raises:
        ValueError: its table has no name, or the name of another table.
    """
    table = reading.settings_name
    if (reading.settings is None) != (not table):
        raise ValueError(f"analysis {reading.name!r}: give settings and settings_name, or neither")
    others = {r.settings_name for r in _registered.values() if r.name != reading.name}
    if table and (table in others or table in _own_keys() or not table.isidentifier()):
        raise ValueError(f"analysis {reading.name!r}: a table cannot be called {table!r}")
    with _lock:
        _registered[reading.name] = reading
        _state["number"] += 1


def forget_reading(name: str) -> None:
    """Remove an analysis."""
    with _lock:
        _registered.pop(name, None)
        _state["number"] += 1


def readings() -> list[Reading]:
    """List all analyses in the order of registration; the first call loads offered ones."""
    with _lock:
        if not _state["asked"]:
            _state["asked"] = True
            _load_offered()
        return list(_registered.values())


def search_again() -> None:
    """Search the installed packages again at the next use, after one was installed."""
    with _lock:
        _state["asked"] = False
        _unloadable.clear()


def state() -> int:
    """Give a number that changes whenever an analysis is registered or removed."""
    readings()
    return _state["number"]


def settings_tables() -> dict[str, type[Strict]]:
    """Give the models of the tables that analyses add to sweep files, by name."""
    return {r.settings_name: r.settings for r in readings() if r.settings is not None}


def reserve(names: Callable[[], Iterable[str]]) -> None:
    """Register a function that lists further names which no axis of a user may have."""
    _reservers.append(names)


def reserved_by_others() -> set[str]:
    """Give the names that analyses and the functions of `reserve` use in stores."""
    found = {name for reading in readings() for name in reading.names()}
    return found.union(*(names() for names in _reservers))


def unloadable() -> dict[str, str]:
    """Give the offered analyses that cannot be loaded, by name, each with the error."""
    readings()
    return dict(_unloadable)


def _own_keys() -> Iterable[str]:
    from .sweep import Sweep

    return Sweep.model_fields


def _load_offered() -> None:
    """Load what packages offer: subclasses of `Reading`, or modules that register them."""
    for point, found, error in load_offered(GROUP):
        try:
            if error is not None:
                raise error
            if isinstance(found, type):
                if not issubclass(found, Reading):
                    raise TypeError("it is not an analysis")
                if _registered.get(found.name) is None:
                    register_reading(found())
        except (Exception, SystemExit) as mistake:
            _unloadable[point.name] = f"{type(mistake).__name__}: {mistake}"
