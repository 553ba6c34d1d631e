"""What analyses add to a sweep file: a table of settings each, and names that no axis may have.

This package knows no analysis by name. The packages above register theirs; those that installed
packages offer as entry points of the group `genprior.analyses` are loaded when the first sweep is
read.
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
    """What a sweep file may ask of the results: the part of an analysis that this package sees.

    Attributes:
        name: of the analysis.
        settings: its table in the sweep file; None where it has none.
        settings_name: what that table is called.
        tells_targets: whether it may go along a parameter that counts variants of a trial; for all
            others the worst variant counts.
        reads_codes: whether it may read a variable whose values are codes; success is none.
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
        """Give its table of a sweep; None where the sweep has none."""
        return getattr(sweep, self.settings_name, None) if self.settings is not None else None

    def names(self) -> Iterable[str]:
        """Name its variables, dimensions and JSON fields; no axis of one's own may be called so."""
        return ()

    def axes(self, sweep: "Sweep") -> Iterable[tuple[str, str]]:
        """Give the axes that its settings name, each after the key that names it."""
        return ()

    def needs(self, sweep: "Sweep") -> Iterable[tuple[str, str]]:
        """Give the variables of trials that its settings need, each after the key that asks."""
        return ()

    def check(self, sweep: "Sweep") -> None:
        """Refuse settings that do not suit the sweep; called for every sweep.

        Raises:
            SweepError: naming the key.
        """

    def check_draws(self, grid: "Grid") -> None:
        """Refuse a sweep in which one draw would count twice; called before every run.

        Raises:
            SweepError: naming the key and the axis.
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
    """Make an analysis known to sweep files, in place of one of the same name.

    Raises:
        ValueError: its table has no name, or that of another table.
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
    """Take an analysis back."""
    with _lock:
        _registered.pop(name, None)
        _state["number"] += 1


def readings() -> list[Reading]:
    """List what is registered, in its order; what installed packages offer is loaded first."""
    with _lock:
        if not _state["asked"]:
            _state["asked"] = True
            _load_offered()
        return list(_registered.values())


def search_again() -> None:
    """Have packages asked once more what they offer: one may have been installed meanwhile."""
    with _lock:
        _state["asked"] = False
        _unloadable.clear()


def state() -> int:
    """Give a number that changes whenever something is registered or taken back."""
    readings()
    return _state["number"]


def settings_tables() -> dict[str, type[Strict]]:
    """Give the tables that analyses add to a sweep file, by name."""
    return {r.settings_name: r.settings for r in readings() if r.settings is not None}


def reserve(names: Callable[[], Iterable[str]]) -> None:
    """Have a function asked for further names that no axis may have."""
    _reservers.append(names)


def reserved_by_others() -> set[str]:
    """Give the names that analyses and the packages above use in stores."""
    found = {name for reading in readings() for name in reading.names()}
    return found.union(*(names() for names in _reservers))


def unloadable() -> dict[str, str]:
    """Say which analyses of installed packages cannot be loaded, and why."""
    readings()
    return dict(_unloadable)


def _own_keys() -> Iterable[str]:
    from .sweep import Sweep

    return Sweep.model_fields


def _load_offered() -> None:
    """Load what installed packages offer: a subclass of `Reading`, or a module that registers."""
    for point, found, error in load_offered(GROUP):
        try:
            if error is not None:
                raise error
            if isinstance(found, type):
                if not issubclass(found, Reading):
                    raise TypeError("it is no analysis")
                if _registered.get(found.name) is None:
                    register_reading(found())
        except (Exception, SystemExit) as mistake:
            _unloadable[point.name] = f"{type(mistake).__name__}: {mistake}"
