"""Whether two sweeps are one experiment, and the grid that holds both."""

from typing import Any

from .errors import SweepError
from .labels import same_value, value_label
from .parameters import PARAMETERS
from .sweep import Sweep, reading_keys
from .values import check_value, repeated


def differences(stored: Sweep, asked: Sweep) -> list[str]:
    """Name what makes two sweeps different experiments; larger or smaller grids are no difference.

    Returns:
        One phrase a difference, `'solver.step' is 0.7 there and 0.5 here`.
    """
    found = []
    for name in sorted(set(stored.axes) ^ set(asked.axes)):
        there, here = ("an axis", "none") if name in stored.axes else ("no axis", "one")
        found.append(f"'{name}' is {there} there and {here} here")
    for name, values in stored.axes.items():
        if twice := repeated(values):
            found.append(f"'{name}' has {twice[0]} and {twice[1]} there, which are one value here")
    old, new = stored.experiment(), asked.experiment()
    fixed = (set(old) | set(new)) - set(stored.axes) - set(asked.axes)
    found += [
        f"'{name}' is {_show(old, name)} there and {_show(new, name)} here"
        for name in sorted(fixed)
        if not same_value(old.get(name), new.get(name))
    ]
    mine, theirs = _entries(asked), _entries(stored)
    found += [
        f"'{key}' is {theirs[key]} there and {mine[key]} here"
        for key in sorted(set(mine) & set(theirs))
        if not same_value(mine[key], theirs[key])
    ]
    return found


def _show(values: dict[str, Any], name: str) -> str:
    value = values.get(name)
    if value is None:
        return "default" if name in PARAMETERS and name in values else "not set"
    return value_label(value) if isinstance(value, float) else repr(value)


def _entries(sweep: Sweep) -> dict[str, Any]:
    return {
        f"{name}[{entry.by}={key}]": value if entry.of else _checked(name, value)
        for name, entry in sweep.dependent.items()
        for key, value in (entry.table or {}).items()
    }


def _checked(name: str, value: Any) -> Any:
    """Write a table's entry as its parameter has it: [700, 650] is 700-650."""
    try:
        return check_value(name, value)
    except SweepError:
        return value


def union(stored: Sweep, asked: Sweep) -> Sweep:
    """Give the stored sweep with its grid grown to hold the asked one's too, read as asked."""
    written = stored.as_dict()
    latest = asked.as_dict()
    # An analysis that is asked for no longer goes.
    reading = {*reading_keys(), *stored.unread, *asked.unread}
    written = {key: value for key, value in written.items() if key not in reading}
    written |= {key: value for key, value in latest.items() if key in reading}
    for name, values in asked.axes.items():
        known = set(map(value_label, stored.axes[name]))
        written["axes"][name] += [value for value in values if value_label(value) not in known]
    for name, entry in asked.dependent.items():
        if entry.table:
            written["dependent"][name]["table"] = entry.table | (stored.dependent[name].table or {})
    written["trials"] = max(stored.trials, asked.trials)
    return Sweep.parse(written, "the extended sweep", stored=True)
