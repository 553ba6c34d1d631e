"""Calls of methods that classes from outside may define: what goes wrong is told in one line."""

from collections.abc import Callable
from math import isfinite
from numbers import Real
from typing import Any, TypeVar

from ..sweeps import UserError

Result = TypeVar("Result")


class HookError(ValueError):
    """A method failed, or gave what it must not give; the message names its class."""


def ask(who: str, hook: Callable[..., Result], *given: Any) -> Result:
    """Call a method that judges or describes a point.

    Args:
        who: its class, for messages: `problem 'inversion'`.
        hook: the method.
        given: its arguments.

    Raises:
        ValueError: the method refuses the point.
        UserError: likewise.
        HookError: the method failed, or asks the process to end.
    """
    try:
        return hook(*given)
    except (ValueError, UserError):
        raise
    except (Exception, SystemExit) as error:
        raise HookError(f"{who} cannot judge this point: {type(error).__name__}: {error}") from None


def ask_number(who: str, name: str, hook: Callable[..., Any], *given: Any) -> Any:
    """Call a method that counts or estimates something.

    Args:
        who: its class, for messages.
        name: of the method, for messages.
        hook: the method.
        given: its arguments.

    Returns:
        A finite number of at least 0.

    Raises:
        HookError: the method failed, or gave no such number.
    """
    try:
        value = hook(*given)
    except (HookError, UserError):
        raise
    except (Exception, SystemExit) as error:
        raise HookError(
            f"{who} cannot judge this point: its {name} says {type(error).__name__}: {error}"
        ) from None
    return number(who, name, value)


def number(who: str, hook: str, value: Any) -> Any:
    """Give a value of a method if it is a finite number of at least 0.

    Raises:
        HookError: with the value.
    """
    if not is_number(value) or value < 0:
        raise HookError(f"{who}: its {hook} is {value!r}, and no finite number of at least 0.")
    return value


def is_number(value: Any) -> bool:
    """Say whether a value is a finite real number, and no truth value."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return True
