"""What an analysis adds to sweep files: a table of settings, and names that no axis may have.

The packages that import this one register their analyses. Other installed packages offer analyses
as entry points of the group `genprior.analyses`; these are loaded when the first sweep is read.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from inspect import isfunction, isgenerator
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar

from .errors import SweepError, UserError
from .naming import check_name, is_identifier
from .parameters import PARAMETERS, groups
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
        reads_codes: whether it may read a variable whose values are codes. The variable `success`
            does not count as one.
        after: names of analyses whose results it reads; they are made before it.
        explained: the methods whose unexpected exceptions are told in one line, if the class comes
            from outside.
    """

    name: ClassVar[str]
    settings: ClassVar[type[Strict] | None] = None
    settings_name: ClassVar[str] = ""
    after: ClassVar[tuple[str, ...]] = ()
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
_built_in: set[str] = set()
_checks: list[Callable[[Any], None]] = []
_reservers: list[Callable[[], Iterable[str]]] = []
_unloadable: dict[str, str] = {}
_lock = RLock()
_state = {"asked": False, "number": 0}


def judge_readings(check: Callable[[Any], None]) -> None:
    """Have a function refuse, with SweepError, classes that are offered or registered."""
    _checks.append(check)


def register_reading(found: Any, *, built_in: bool = False) -> None:
    """Make an analysis known to sweep files, in place of one of the same name.

    Args:
        found: its class.
        built_in: whether it is one of genprior; no other class can take its name.

    Raises:
        SweepError: it is no analysis, is not complete, or takes a name of something else.
    """
    where = f"analysis: {getattr(found, '__qualname__', found)!s}"
    try:
        for check in _checks:
            check(found)
        reading = _made(found)
        if not built_in:
            _check_free(reading)
        _ordered({**_registered, reading.name: reading})
    except SweepError as error:
        raise SweepError(f"{where} {error}") from None
    with _lock:
        if built_in:
            _built_in.add(reading.name)
        _registered[reading.name] = reading
        _state["number"] += 1


def _made(found: Any) -> Reading:
    """Make the one object of a class."""
    if not (isinstance(found, type) and issubclass(found, Reading)):
        raise SweepError("is no analysis; derive it from genprior.pipeline.analyses.Analysis.")
    check_name(getattr(found, "name", None))
    if not isinstance(found.after, tuple) or not all(isinstance(n, str) for n in found.after):
        raise SweepError(f"is made after {found.after!r}; give a tuple of names of analyses.")
    try:
        reading = found()
        names = list(reading.names())
    except (Exception, SystemExit) as error:
        raise SweepError(f"cannot be made: {type(error).__name__}: {error}.") from None
    if not all(isinstance(name, str) for name in names):
        raise SweepError(f"names() gives {names!r}; give names.")
    return reading


def _check_free(reading: Reading) -> None:
    """Refuse the name of a class of genprior, and a table that hides something else."""
    if reading.name in _built_in and type(reading) is type(_registered[reading.name]):
        return
    if reading.name in _built_in:
        raise SweepError(f"is named {reading.name!r}, the name of a class of genprior; rename it.")
    table, settings = reading.settings_name, reading.settings
    if (settings is None) != (not table):
        raise SweepError("has settings or settings_name; give both, or neither.")
    if settings is None:
        return
    if not (isinstance(settings, type) and issubclass(settings, Strict)):
        raise SweepError(
            f"has the settings {settings!r}, which are no subclass of "
            "genprior.sweeps.tables.Strict; derive them from that."
        )
    others = {other.settings_name for other in _registered.values() if other.name != reading.name}
    taken = {*others, *_own_keys(), *groups(), *PARAMETERS}
    if not is_identifier(table) or table in taken:
        raise SweepError(f"has a table that cannot be called {table!r}; give it another name.")


def _ordered(registered: dict[str, Reading]) -> list[Reading]:
    """Put analyses after those that they read; all others keep the order of registration."""
    made: dict[str, Reading] = {}

    def add(reading: Reading, path: tuple[str, ...]) -> None:
        if reading.name in path:
            circle = " → ".join((*path, reading.name))
            raise SweepError(f"reads results of its own: {circle}; leave one out of 'after'.")
        for name in reading.after:
            if name in registered:
                add(registered[name], (*path, reading.name))
        made.setdefault(reading.name, reading)

    for reading in registered.values():
        add(reading, ())
    return list(made.values())


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
        return _ordered(_registered)


def registered_readings() -> list[Reading]:
    """List what is registered so far; nothing is loaded."""
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

    return (*Sweep.model_fields, "experiment", *dir(Sweep))


def _load_offered() -> None:
    """Load what packages offer: subclasses of `Reading`, or modules that register them."""
    for point, found, error in load_offered(GROUP):
        try:
            if error is not None:
                raise error
            if isinstance(found, type) and getattr(found, "name", None) not in _registered:
                register_reading(found)
        except SweepError as mistake:
            _unloadable[point.name] = str(mistake)
        except (Exception, SystemExit) as mistake:
            _unloadable[point.name] = f"{type(mistake).__name__}: {mistake}"
