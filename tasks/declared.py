"""Refuse classes from outside whose declarations break the sweeps or the stores of others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ..sweeps import SweepError
from ..sweeps.errors import first_complaint
from ..sweeps.naming import is_identifier
from ..sweeps.parameter import parameter_fields
from ..sweeps.parameters import PARAMETERS, groups, told_points
from ..sweeps.reserved import OF_STORES
from ..sweeps.sweep import Sweep, reading_keys
from ..sweeps.tables import Strict
from ..sweeps.variables import Flag, Variable

if TYPE_CHECKING:
    from pydantic import BaseModel

    from .experiment import Experiment

# What a store keeps, with a value that means "not run".
DTYPES = ("int8", "int16", "int32", "int64", "float32", "float64")
KEYS = ("experiment", "table", "default")


def check_packages(packages: Any) -> None:
    """Refuse packages that are no tuple of names.

    Raises:
        SweepError: with what was given.
    """
    if not isinstance(packages, tuple) or not all(isinstance(p, str) and p for p in packages):
        raise SweepError(f"has the packages {packages!r}; give a tuple of names of distributions.")


def check_uses(uses: Any) -> None:
    """Refuse names that are no parameters.

    Raises:
        SweepError: with what was given.
    """
    if not _are_known(uses, PARAMETERS):
        raise SweepError(f"uses {uses!r}; give a tuple of names of parameters.")


def check_table(table: Any) -> None:
    """Refuse a table of parameters that would hide something else, or that no store can keep.

    Args:
        table: its name and its model.

    Raises:
        SweepError: says what is wrong.
    """
    if table is None:
        return
    if not isinstance(table, tuple) or len(table) != 2:
        raise SweepError(f"has the table {table!r}; give its name and its model, a pair.")
    name, model = table
    if not is_identifier(name):
        raise SweepError(f"has a table named {name!r}; give it a name of letters and digits.")
    taken = {*Sweep.model_fields, *reading_keys(), *KEYS, *OF_STORES}
    # Fields of points that a table was added to are no attributes of their class.
    if name in taken or name in told_points().model_fields or hasattr(told_points(), name):
        raise SweepError(f"has a table named {name!r}, which is taken; give it another name.")
    if not (isinstance(model, type) and issubclass(model, Strict)):
        raise SweepError(
            f"has the table {name!r}, whose model {model!r} is no subclass of "
            "genprior.sweeps.tables.Strict; derive it from that."
        )
    for field, complaint in _complaints(model):
        raise SweepError(f"has the parameter '{name}.{field}', which {complaint}.")
    _check_defaults(name, model)


def _complaints(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    for name, field in parameter_fields(model).items():
        extra = field.json_schema_extra
        if not all(map(is_identifier, name.split("."))) or hasattr(Strict, name):
            yield name, "has no name of letters and digits, or one that every table has"
        elif not isinstance(extra, dict) or "units" not in extra:
            yield name, "is not declared by quantity or setting"
        elif field.is_required() or field.default_factory is not None:
            yield name, "has no default; give it one"


def _check_defaults(name: str, model: type[Strict]) -> None:
    try:
        values = model().model_dump()
        model.model_validate(values)
        json.dumps(values, allow_nan=False)
    except ValidationError as error:
        said = first_complaint(error, model)
        raise SweepError(f"has the table {name!r}, whose defaults do not fit it: {said}") from None
    except (Exception, SystemExit) as error:
        raise SweepError(
            f"has the table {name!r}, whose defaults a store cannot keep: {error}."
        ) from None


def check_experiment_class(found: type[Experiment]) -> None:
    """Refuse an experiment whose declarations no store can keep.

    Raises:
        SweepError: says what is wrong.
    """
    _check_variables(getattr(found, "variables", None))
    if type(found.version) is not int:
        raise SweepError(f"has the version {found.version!r}; give a whole number.")
    own = parameter_fields(found.table[1], f"{found.table[0]}.") if found.table else {}
    if not _are_known(found.inner, {*PARAMETERS, *own}):
        raise SweepError(f"has {found.inner!r} as inner; give a tuple of names of parameters.")
    tables = {*groups(), *([found.table[0]] if found.table else [])}
    if found.parameters is not None and not _are_known(
        found.parameters, {*PARAMETERS, *own, *tables}
    ):
        raise SweepError(
            f"has {found.parameters!r} as parameters; give a tuple of names of parameters or of "
            "tables of them, or None for all."
        )
    try:
        made: Any = found()
    except (Exception, SystemExit) as error:
        raise SweepError(f"cannot be made: {type(error).__name__}: {error}.") from None
    for name in ("name", "version", "variables", "inner", "table", "parameters"):
        if getattr(made, name) != getattr(found, name):
            raise SweepError(
                f"has the {name} {getattr(found, name)!r}, and its objects have "
                f"{getattr(made, name)!r}; give the class one."
            )


def _check_variables(variables: Any) -> None:
    if (
        not isinstance(variables, tuple)
        or not variables
        or not all(isinstance(variable, Variable) for variable in variables)
    ):
        raise SweepError(f"has the variables {variables!r}; give a tuple of Variable.")
    names = [variable.name for variable in variables]
    for variable in variables:
        name = variable.name
        if not is_identifier(name) or name in PARAMETERS or name in OF_STORES:
            raise SweepError(
                f"has a variable named {name!r}; give it a name of letters and digits that is no "
                "parameter and no array of every store."
            )
        if names.count(name) > 1:
            raise SweepError(f"has two variables named {name!r}; name one of them otherwise.")
        if variable.dtype not in DTYPES:
            raise SweepError(
                f"has the variable {name!r} of type {variable.dtype!r}; a store keeps "
                f"{', '.join(DTYPES)}."
            )
        _check_flags(variable)


def _check_flags(variable: Variable) -> None:
    if not isinstance(variable.flags, tuple) or not all(
        isinstance(flag, Flag) and type(flag.code) is int and flag.code != variable.fill
        for flag in variable.flags
    ):
        raise SweepError(
            f"has the variable {variable.name!r} with the flags {variable.flags!r}; give a tuple "
            f"of Flag, none with the code {variable.fill}, which means not run."
        )


def _are_known(names: Any, known: Any) -> bool:
    return isinstance(names, tuple) and all(isinstance(n, str) and n in known for n in names)
