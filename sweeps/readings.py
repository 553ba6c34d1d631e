"""What analyses add to a sweep file: a table of settings each, and names that no axis may have.

This package knows no analysis by name. The packages above register theirs; those that installed
packages offer as entry points of the group `genprior.analyses` are loaded when the first sweep is
read.
"""

from collections.abc import Callable, Iterable
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar

from .errors import SweepError
from .naming import check_name, is_identifier
from .parameters import PARAMETERS, groups
from .tables import Strict
from .told import load_offered

if TYPE_CHECKING:
    from .grid import Grid
    from .sweep import Sweep

GROUP = "genprior.analyses"


class Reading:
    """What a sweep file may ask of the results: the part of an analysis that this package sees.

    Attributes:
        name: of the analysis.
        settings: its table in the sweep file; None where it has none.
        settings_name: what that table is called.
        tells_targets: whether it may go along a parameter that counts variants of a trial; for all
            others the worst variant counts.
        after: names of analyses whose results it reads; they are made before it.
        reads_codes: whether it may read a variable whose values are codes; success is none.
    """

    name: ClassVar[str]
    settings: ClassVar[type[Strict] | None] = None
    settings_name: ClassVar[str] = ""
    after: ClassVar[tuple[str, ...]] = ()
    tells_targets: ClassVar[bool] = False
    reads_codes: ClassVar[bool] = True

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
        return _ordered(_registered)


def registered_readings() -> list[Reading]:
    """List what is registered so far; nothing is loaded."""
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

    return (*Sweep.model_fields, "experiment", *dir(Sweep))


def _load_offered() -> None:
    """Load what installed packages offer: a subclass of `Reading`, or a module that registers."""
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
