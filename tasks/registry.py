"""Classes that sweep files name: built-in, offered by installed packages, or registered."""

from abc import ABC
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, NamedTuple, TypeVar

from ..sweeps import Grid, SweepError
from ..sweeps.errors import did_you_mean
from ..sweeps.naming import check_name
from ..sweeps.parameter import parameter_fields
from ..sweeps.parameters import PARAMETERS, add_table, remove_table
from ..sweeps.told import tell_more
from .class_digest import class_digest
from .declared import check_packages, check_table, check_uses
from .hooks import ask, ask_number

T = TypeVar("T", bound=ABC)


class Registered(NamedTuple):
    """A registered class, in the form that is sent to workers.

    Attributes:
        what: the key of sweep files that names it, such as `solver.method`.
        name: its name.
        source: its digest, from `class_digest`.
        pickled: the class, pickled by cloudpickle.
    """

    what: str
    name: str
    source: str
    pickled: bytes


class Registry(Generic[T]):
    """The classes of one kind, by name.

    Args:
        what: the key of sweep files that names a class, such as `solver.method`.
        base: base class of all of them.
        built_in: classes of genprior; no other class can take their names.
        check: refuses with SweepError what a class of this kind alone declares.
    """

    def __init__(
        self,
        what: str,
        base: type[T],
        built_in: Iterable[type[T]],
        check: Callable[[type[T]], None] = lambda found: None,
    ):
        self.what = what
        self.group = f"genprior.{what.split('.')[0]}s"
        self.built_in = {_name(cls): cls for cls in built_in}
        self._base, self._check = base, check
        self._registered: dict[str, tuple[type[T], str]] = {}
        self._offered: dict[str, EntryPoint] | None = None
        self._loaded: dict[str, type[T]] = {}
        REGISTRIES[what] = self
        tell_more(self.load)

    def register(self, found: type[T], source: str = "") -> type[T]:
        """Register a class in this process; it replaces a registered class of the same name.

        Args:
            found: the class; its attribute `name` is its name.
            source: its digest in the process that it comes from. If empty, it is a class of this
                process: its digest is computed when it is needed, because functions and constants
                that it refers to may still change.

        Returns:
            The class, so that this can be used as a decorator.

        Raises:
            SweepError: it is not a subclass of the base, is not complete, or has the name of a
                built-in class.
        """
        where = f"{self.what}: {getattr(found, '__qualname__', found)!s}"
        name = self._checked(found, where)
        if name in self.built_in:
            raise SweepError(
                f"{where} is named {name!r}, the name of a class of genprior; rename it."
            )
        replaced, _ = self._registered.get(name, (None, ""))
        _add_table(found, where, replaced)
        self._registered[name] = found, source
        _SAME.pop((self.what, name), None)
        return found

    @contextmanager
    def in_place_of(self, found: type[T]) -> Iterator[None]:
        """Register a class for a while; one of its name is registered again at the end.

        Raises:
            SweepError: as from `register`.
        """
        name = str(getattr(found, "name", ""))
        replaced = self._registered.get(name)
        self.register(found)
        try:
            yield
        finally:
            self.forget(name)
            if replaced is not None:
                self.register(*replaced)

    def forget(self, name: str) -> None:
        """Remove a registered class, and its table of parameters."""
        found, _ = self._registered.pop(name, (None, ""))
        _SAME.pop((self.what, name), None)
        if (table := _table_name(found)) and not _has_users(table):
            remove_table(table)

    def find(self, name: str) -> type[T]:
        """Find a class by name.

        Raises:
            SweepError: no class has that name, it cannot be loaded, or it is not complete.
        """
        if name in self.built_in:
            return self.built_in[name]
        if name in self._registered:
            return self._registered[name][0]
        if name in self._loaded:
            return self._loaded[name]
        offered = self.offered()
        if name not in offered:
            hint = did_you_mean(name, (*self.built_in, *self._registered, *offered))
            kind = self.what.split(".")[0]
            raise SweepError(f"{self.what}: there is no {kind} named {name!r}. {hint}")
        where = f"{self.what}: {name!r}, offered as {offered[name].value},"
        try:
            found = offered[name].load()
        except (Exception, SystemExit) as error:
            raise SweepError(f"{where} cannot be loaded: {error}") from None
        if (named := self._checked(found, where)) != name:
            raise SweepError(f"{where} is named {named!r} in its class; give it one name.")
        _add_table(found, where)
        self._loaded[name] = found
        return self._loaded[name]

    def ask(self, name: str, hook: str, *given: Any) -> Any:
        """Call a method of a class that judges a point.

        Raises:
            SweepError: no class has that name.
            ValueError: the method refuses the point, or failed; then the message names the class.
        """
        return ask(self._who(name), getattr(self.find(name), hook), *given)

    def ask_number(self, name: str, hook: str, *given: Any) -> Any:
        """Call a method of a class that gives a finite number of at least 0.

        Raises:
            SweepError: no class has that name.
            HookError: the method failed or gave something else; the message names the class.
        """
        return ask_number(self._who(name), hook, getattr(self.find(name), hook), *given)

    def _who(self, name: str) -> str:
        return f"{self.what.split('.')[0]} {name!r}"

    def load(self) -> None:
        """Import the classes that installed packages offer; `find` reports those that fail."""
        for name in self.offered():
            with suppress(SweepError):
                self.find(name)

    def known(self) -> Iterator[type[T]]:
        """Give the classes that are loaded: built-in, registered, and imported so far."""
        yield from self.built_in.values()
        yield from (found for found, _ in self._registered.values())
        yield from self._loaded.values()

    def parameters(self) -> tuple[str, ...]:
        """List the parameters that only some of the classes have, in the order of `PARAMETERS`."""
        used = {name for cls in self.known() for name in parameters_of(cls)}
        return tuple(name for name in PARAMETERS if name in used)

    def offered(self) -> dict[str, EntryPoint]:
        """Give the entry points of installed packages, by name; the first call is slow."""
        if self._offered is None:
            self._offered = {point.name: point for point in entry_points(group=self.group)}
        return self._offered

    def search_again(self) -> None:
        """Search the installed packages again at the next use, after one was installed."""
        loaded = list(self._loaded.values())
        self._offered, self._loaded = None, {}
        for found in loaded:
            if (table := _table_name(found)) and not _has_users(table):
                remove_table(table)

    def origin(self, name: str) -> str:
        """Say where a class that is not built in comes from.

        Returns:
            The package and its version; `source` and the digest for a registered class; an empty
            string if there is no such class.
        """
        if name in self._registered:
            return f"source {self._source(name)}"
        if name not in self.offered():
            return ""
        package = self.offered()[name].dist
        return f"{package.name} {package.version}" if package else "unknown"

    def _source(self, name: str) -> str:
        found, source = self._registered[name]
        return source or class_digest(found)

    def named_by(self, grid: Grid) -> list[str]:
        """List the names of this kind that a sweep uses."""
        column = grid.column(self.what)
        return sorted(set(column.values.ravel())) if column is not None else []

    def foreign(self, grid: Grid) -> list[str]:
        """List the names that a sweep uses and that are not built in."""
        return [name for name in self.named_by(grid) if name not in self.built_in]

    def travelling(self, names: Iterable[str]) -> tuple[Registered, ...]:
        """Pickle the registered classes among these names, for workers."""
        from cloudpickle import dumps

        classes = tuple(
            Registered(self.what, name, self._source(name), dumps(self._registered[name][0]))
            for name in names
            if name in self._registered and name not in self.built_in
        )
        # Blocks that run in this process need no digest.
        _SAME.update({(entry.what, entry.name): entry.pickled for entry in classes})
        return classes

    def _checked(self, found: Any, where: str) -> str:
        """Give the name of a class; refuse a class of another kind or one that is not complete."""
        if not (isinstance(found, type) and issubclass(found, self._base)):
            base = f"{self._base.__module__}.{self._base.__qualname__}"
            raise SweepError(
                f"{where} is not a subclass of {base.replace('.base.', '.')}; derive it from that."
            )
        if lacking := sorted(found.__abstractmethods__):
            raise SweepError(f"{where} lacks {', '.join(lacking)}; define it.")
        named = getattr(found, "name", None)
        try:
            check_name(named)
            check_uses(getattr(found, "uses", ()))
            check_table(getattr(found, "table", None))
            check_packages(getattr(found, "packages", ()))
            self._check(found)
        except SweepError as error:
            raise SweepError(f"{where} {error}") from None
        return str(named)


REGISTRIES: dict[str, Registry[Any]] = {}


def declare_tables() -> None:
    """Add the tables of the built-in classes; a registered class adds its own table."""
    for what, registry in REGISTRIES.items():
        for name, cls in registry.built_in.items():
            _add_table(cls, f"{what}: {name!r}")


def parameters_of(found: Any) -> tuple[str, ...]:
    """List the parameters that a class has but not all of its kind; also those of its table."""
    own = parameter_fields(found.table[1], f"{found.table[0]}.") if found.table else {}
    return (*found.uses, *own)


def _table_name(cls: Any) -> str:
    """Name the table of parameters that a class declares; empty if it declares none."""
    table = getattr(cls, "table", None)
    return table[0] if table else ""


def _has_users(table: str) -> bool:
    """Say whether a loaded class declares a table of this name."""
    classes = (cls for registry in REGISTRIES.values() for cls in registry.known())
    return any(_table_name(cls) == table for cls in classes)


def _add_table(found: Any, where: str, replaced: Any = None) -> None:
    """Add the table of a class; it replaces the table of the class that is replaced."""
    table = getattr(found, "table", None)
    try:
        if table is not None:
            name, model = table
            add_table(name, model, replace=name == _table_name(replaced))
    except (SweepError, TypeError, ValueError, AttributeError) as error:
        raise SweepError(f"{where} has the table {table!r}: {error}") from None
    if (old := _table_name(replaced)) and old != _table_name(found):
        remove_table(old)


# Classes that were unpacked last, by key and name: with the same digest, globals may differ.
_UNPACKED: dict[tuple[str, str], bytes] = {}
# The pickled form of registered classes that were packed or compared here, by key and name. Each
# block brings them again, and a digest may have to read large arrays.
_SAME: dict[tuple[str, str], bytes] = {}


def unpack(classes: Iterable[Registered]) -> None:
    """Register the classes that another process has registered, as they are there."""
    from cloudpickle import loads

    for entry in classes:
        registry, key = REGISTRIES[entry.what], (entry.what, entry.name)
        if _SAME.get(key) == entry.pickled:
            continue
        if registry.origin(entry.name) != f"source {entry.source}" or (
            _UNPACKED.get(key, entry.pickled) != entry.pickled
        ):
            found = loads(entry.pickled)
            _make_room(_table_name(found), key)
            registry.register(found, entry.source)
            _UNPACKED[key] = entry.pickled
        _SAME[key] = entry.pickled


def _make_room(table: str, key: tuple[str, str]) -> None:
    """Forget other classes that came by value and have a table of this name: they were renamed."""
    for what, name in [other for other in _UNPACKED if other != key]:
        found, _ = REGISTRIES[what]._registered.get(name, (None, ""))
        if table and _table_name(found) == table:
            REGISTRIES[what].forget(name)
            del _UNPACKED[what, name]


class ByValue:
    """What a worker computes: an experiment, points, and in `needs` what they are computed with.

    Registered classes are restored first, because a point may have parameters of one. Classes that
    can be imported are pickled by their names, others by value.
    """

    def __getstate__(self) -> dict[str, Any]:
        """Pickle all but the needs with cloudpickle, as Dask pickles a function of a notebook."""
        from cloudpickle import dumps

        state = dict(vars(self))
        return {"needs": state.pop("needs"), "others": dumps(state)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Register the classes in this process, then restore what is computed with them."""
        from cloudpickle import loads

        unpack(state["needs"].registered)
        vars(self).update({"needs": state["needs"], **loads(state["others"])})


def _name(found: type) -> str:
    return str(getattr(found, "name", ""))
