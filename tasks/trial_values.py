"""Check the values of a trial, before they are stored."""

import reprlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..sweeps.variables import Variable

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 40


def _told(value: Any) -> str:
    return " ".join(_short.repr(value).split())


class TrialValueError(ValueError):
    """A trial gave something that cannot be stored; the message names the variable."""


def values_check(variables: Iterable[Variable]) -> Callable[[Any], dict[str, Any]]:
    """Make the check of what a trial gives; it is made once and used for many trials.

    A floating-point variable takes every number that its type holds, infinities included, but not
    NaN, which means *not run*. A variable with flags takes the codes of its flags. Any other
    variable is a count, a whole number from 0. Arrays without dimensions are numbers.

    Args:
        variables: what the experiment declares.

    Returns:
        The check. It takes what a trial gave, returns one number for each variable, and raises
        `TrialValueError` with one line.
    """
    readers = {variable.name: _reader(variable) for variable in variables}

    def check(given: Any) -> dict[str, Any]:
        if not isinstance(given, Mapping):
            raise TrialValueError(
                f"a trial gives {_told(given)}, no mapping of its variables to numbers"
            )
        if given.keys() != readers.keys():
            raise TrialValueError(_other_names(list(given), list(readers)))
        return {name: read(given[name]) for name, read in readers.items()}

    return check


def _other_names(given: list[Any], declared: list[str]) -> str:
    if lacking := [name for name in declared if name not in given]:
        return f"{lacking[0]}: a trial gives no value for this variable"
    extra = next(name for name in given if name not in declared)
    return f"{_told(extra)}: a trial gives a value for a variable that is not declared"


def _reader(variable: Variable) -> Callable[[Any], Any]:
    if np.dtype(variable.dtype).kind == "f":
        return _float_reader(variable)
    return _code_reader(variable) if variable.flags else _count_reader(variable)


def _float_reader(variable: Variable) -> Callable[[Any], Any]:
    name, dtype = variable.name, np.dtype(variable.dtype)
    largest, infinity = float(np.finfo(dtype).max), float("inf")

    def read(value: Any) -> Any:
        if type(value) is not float:
            value = _number(name, value)
        if -largest <= value <= largest or value in (infinity, -infinity):
            return value
        if value != value:
            raise TrialValueError(f"{name}: NaN is no value, because it means not run")
        raise TrialValueError(f"{name}: {_told(value)} is too large for {dtype}")

    return read


def _code_reader(variable: Variable) -> Callable[[Any], Any]:
    name, fill = variable.name, variable.fill
    codes = {flag.code: flag.meaning for flag in variable.flags if flag.code != fill}

    def read(value: Any) -> Any:
        if type(value) is not int:
            value = _number(name, value)
        if value in codes:
            return value
        known = ", ".join(f"{code} ({meaning})" for code, meaning in codes.items())
        raise TrialValueError(f"{name}: {_told(value)} is none of its codes: {known}")

    return read


def _count_reader(variable: Variable) -> Callable[[Any], Any]:
    name, dtype = variable.name, np.dtype(variable.dtype)
    largest = int(np.iinfo(dtype).max)

    def read(value: Any) -> Any:
        if type(value) is not int:
            value = _number(name, value)
        if 0 <= value <= largest and value == int(value):
            return value
        raise TrialValueError(
            f"{name}: {_told(value)} is no whole number from 0 to {largest} ({dtype})"
        )

    return read


def _number(name: str, value: Any) -> Any:
    """Give one real number of whatever holds one.

    Raises:
        TrialValueError: it holds none, or several.
    """
    if isinstance(value, np.floating | np.integer | np.bool_ | int | float):
        return value.item() if isinstance(value, np.generic) else value
    array = np.asarray(value)
    if array.ndim or array.dtype.kind not in "biuf":
        raise TrialValueError(f"{name}: {_told(value)} is no number")
    return array.item()
