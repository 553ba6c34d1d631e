"""All parameters by name, with their facts; those of classes of other packages too.

The package that declares them registers the class of points and the experiments here.
"""

from collections.abc import Callable, Collection, Iterator, MutableMapping
from typing import Any, NamedTuple

from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo

from .errors import SweepError
from .parameter import (
    Facts,
    derived,
    facts_of,
    flat_values,
    forget_derived,
    nested,
    parameter_fields,
)
from .point import PointBase
from .told import ask


class Parameters(MutableMapping[str, FieldInfo]):
    """The fields of all parameters by name, in the order of their declaration.

    The first look-up imports the modules that declare them.
    """

    def __init__(self) -> None:
        self._known: dict[str, FieldInfo] = {}

    def _asked(self) -> dict[str, FieldInfo]:
        if not self._known:
            ask()
        return self._known

    def __getitem__(self, name: str) -> FieldInfo:
        return self._asked()[name]

    def __setitem__(self, name: str, field: FieldInfo) -> None:
        self._asked()[name] = field

    def __delitem__(self, name: str) -> None:
        del self._asked()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._asked())

    def __len__(self) -> int:
        return len(self._asked())

    def __contains__(self, name: object) -> bool:
        return name in self._asked()

    def replace(self, fields: dict[str, FieldInfo]) -> None:
        """Replace all parameters by these."""
        self._known = fields


PARAMETERS = Parameters()

# The registered class of points; the last one counts.
_POINTS: list[type[PointBase]] = []

# Tables of parameters that single classes declare, by name.
_ADDED: dict[str, type[BaseModel]] = {}


def tell_points(model: type[PointBase]) -> None:
    """Register the class of points; it declares all parameters except those of added tables."""
    added = [(name, table) for name, table in _ADDED.items() if name not in model.model_fields]
    _POINTS[:] = [model]
    fields = parameter_fields(model)
    for name, table in added:
        fields |= parameter_fields(table, f"{name}.")
    PARAMETERS.replace(fields)
    forget_derived()


def told_points() -> type[PointBase]:
    """Give the registered class of points, without the tables of `add_table`.

    Raises:
        SweepError: no installed package registers one.
    """
    if not _POINTS:
        ask()
    if not _POINTS:
        raise SweepError("no installed package declares parameters; install genprior again.")
    return _POINTS[-1]


def add_table(name: str, table: type[BaseModel], *, replace: bool = False) -> None:
    """Add a table of parameters to points. Each is declared by `quantity` and has a default.

    Args:
        name: name of the table in sweep files.
        table: the model, a subclass of `Strict`.
        replace: whether it may replace another added table of that name.

    Raises:
        SweepError: the name is taken, or a parameter has no default.
    """
    if _ADDED.get(name) is table:
        return
    is_taken = name in told_points().model_fields or (name in _ADDED and not replace)
    if is_taken or not name.isidentifier():
        raise SweepError(f"a table of parameters cannot be named {name!r}; choose another name.")
    fields = parameter_fields(table, f"{name}.")
    if lacking := [each for each, field in fields.items() if field.is_required()]:
        raise SweepError(f"parameter '{lacking[0]}' has no default; give it one.")
    remove_table(name)
    _ADDED[name] = table
    PARAMETERS.update(fields)
    forget_derived()


def remove_table(name: str) -> None:
    """Remove a table that `add_table` added; without effect if there is none of that name."""
    if _ADDED.pop(name, None) is not None:
        for parameter in [each for each in PARAMETERS if each.startswith(f"{name}.")]:
            del PARAMETERS[parameter]
        forget_derived()


def is_added(name: str) -> bool:
    """Say whether a parameter belongs to a table that `add_table` added."""
    return name.split(".")[0] in _ADDED


@derived
def point_model() -> type[PointBase]:
    """Give the class of points: the registered one, with the tables of `add_table`."""
    told = told_points()
    if not _ADDED:
        return told
    added: dict[str, Any] = {name: (table, table()) for name, table in _ADDED.items()}
    return create_model(told.__name__, __base__=told, **added)


def make_point(values: dict[str, Any]) -> Any:
    """Make a point from its values.

    Args:
        values: values by name; names may be dotted, or the values nested in tables.

    Returns:
        A point, an instance of `point_model`.

    Raises:
        ValidationError: a value is not valid, or the values do not fit together.
    """
    return point_model().model_validate(nested(values))


def carried(point: PointBase) -> dict[str, Any]:
    """List a point's values by name, without those of added tables that are at their defaults.

    So a process without the class of such a table can make the point.
    """
    own = told_points().model_fields
    defaults = {
        f"{table}.{name}": field.default
        for table, outer in type(point).model_fields.items()
        if table not in own
        for name, field in parameter_fields(outer.annotation).items()  # type: ignore[arg-type]
    }
    values = flat_values(point)
    return {
        name: value
        for name, value in values.items()
        if name not in defaults or value != defaults[name]
    }


# Lists the values that a sweep gives a parameter.
Values = Callable[[str], Collection[Any]]


class Tasks(NamedTuple):
    """Who knows the experiments.

    Attributes:
        parameters_of: gives an experiment's parameters, or tables of them; None for all. It raises
            SweepError for a name that is none.
        tables_of: gives the tables of an experiment and of the classes that a sweep of it names, by
            the values that it gives; those of all classes without them.
        default: the experiment of sweep files that name none.
    """

    parameters_of: Callable[[str], Collection[str] | None]
    tables_of: Callable[[str, Values | None], Collection[str]]
    default: str


_TOLD: list[Tasks] = []


def tell_tasks(tasks: Tasks) -> None:
    """Say who knows which parameters an experiment has."""
    _TOLD.append(tasks)


def default_task() -> str:
    """Name the experiment of sweep files that do not name one."""
    ask()
    return _TOLD[-1].default if _TOLD else ""


def check_is_task(name: str) -> None:
    """Refuse a name that is not the name of an experiment.

    Raises:
        SweepError: lists the known experiments.
    """
    ask()
    if _TOLD:
        _TOLD[-1].parameters_of(name)


def task_has(task: str, name: str, values: Values | None = None) -> bool:
    """Say whether an experiment has a parameter.

    Args:
        task: the experiment.
        name: the parameter.
        values: of a sweep. Of the tables that classes declare, a sweep has those of the classes
            that it names; without values, those of all classes count.
    """
    ask()
    if is_added(name) and _TOLD:
        return name.split(".")[0] in _TOLD[-1].tables_of(task, values)
    try:
        known = _TOLD[-1].parameters_of(task) if _TOLD else None
    except SweepError:
        # `check_is_task` reports that there is no such experiment.
        known = None
    return known is None or name in known or name.split(".")[0] in known


@derived
def required() -> tuple[str, ...]:
    """List the parameters without a default."""
    return tuple(name for name, field in PARAMETERS.items() if field.is_required())


@derived
def groups() -> frozenset[str]:
    """List the tables of parameters, such as `solver`."""
    return frozenset(name.split(".")[0] for name in PARAMETERS if "." in name)


@derived
def facts(name: str) -> Facts:
    """Give the facts of a parameter."""
    return facts_of(PARAMETERS[name])


@derived
def names_with(fact: str) -> tuple[str, ...]:
    """List the parameters whose fact differs from its default, such as `draws`, in their order."""
    untold = getattr(Facts(), fact)
    return tuple(name for name in PARAMETERS if getattr(facts(name), fact) != untold)


def parameter_attributes(name: str) -> dict[str, str]:
    """Give the long name and the unit of a parameter, as attributes of its coordinate."""
    return {"long_name": PARAMETERS[name].description or name, "units": facts(name).units}
