"""Lists and tables that cannot be changed: those of a sweep, whose identity they decide."""

from collections.abc import Callable
from typing import Any, NoReturn

from .errors import SweepError

MOST_VALUES = 1_000_000  # of a range that is written out


def _refuse(self: Any, *arguments: Any, **keywords: Any) -> NoReturn:
    raise SweepError("a sweep cannot be changed; sweep.override(['k=2,4']) gives a changed one.")


class FixedList(list[Any]):
    """A list that refuses to be changed; it is equal to any list of the same values."""

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = extend = insert = pop = remove = clear = sort = reverse = _refuse

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Pickle it as the values."""
        return FixedList, (list(self),)


class FixedDict(dict[str, Any]):
    """A dictionary that refuses to be changed; it is equal to any dictionary of the same items."""

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = pop = popitem = setdefault = clear = _refuse

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Pickle it as the items."""
        return FixedDict, (dict(self),)


def fixed(value: Any) -> Any:
    """Give a copy of nested lists and dictionaries that cannot be changed; other values as is."""
    if isinstance(value, dict):
        return FixedDict({key: fixed(inner) for key, inner in value.items()})
    return FixedList(map(fixed, value)) if isinstance(value, list) else value


def written_out(value: Any) -> Any:
    """Give what a sweep file could hold: arrays, ranges and tuples as lists, NumPy's numbers plain.

    Args:
        value: tables, lists and values as Python programs have them; other values are kept.
    """
    if isinstance(value, dict):
        return {key: written_out(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [written_out(inner) for inner in value]
    if isinstance(value, range):
        return list(value) if len(value) <= MOST_VALUES else value
    return value.tolist() if hasattr(value, "tolist") else value
