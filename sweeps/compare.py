"""Comparison of a stored sweep with the sweep asked for, and their union."""

from typing import Any

from .errors import SweepError
from .labels import same_value, value_label
from .parameters import PARAMETERS
from .sweep import Sweep, reading_keys
from .values import check_value, repeated


def differences(stored: Sweep, asked: Sweep) -> list[str]:
    """List what makes two sweeps different experiments; a larger grid alone is no difference.

    Args:
        stored: the sweep of the store, "there" in the phrases.
        asked: the sweep asked for, "here".

    Returns:
        A phrase for each difference, such as `'solver.step' is 0.7 there and 0.5 here`.
    """
    phrases = []
    for name in sorted(set(stored.axes) ^ set(asked.axes)):
        there, here = "an axis", "not an axis"
        if name in asked.axes:
            there, here = here, there
        phrases.append(f"'{name}' is {there} there and {here} here")
    for name, values in stored.axes.items():
        if twice := repeated(values):
            first, second = twice
            phrases.append(f"'{name}' has {first} and {second} there, which are one value here")
    old, new = stored.experiment(), asked.experiment()
    fixed = (set(old) | set(new)) - set(stored.axes) - set(asked.axes)
    phrases += [
        f"'{name}' is {_show(old, name)} there and {_show(new, name)} here"
        for name in sorted(fixed)
        if not same_value(old.get(name), new.get(name))
    ]
    old_entries, new_entries = _entries(stored), _entries(asked)
    phrases += [
        f"'{key}' is {old_entries[key]} there and {new_entries[key]} here"
        for key in sorted(set(old_entries) & set(new_entries))
        if not same_value(new_entries[key], old_entries[key])
    ]
    return phrases


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
    """Write a table's entry as the parameter stores it: [700, 650] becomes 700-650."""
    try:
        return check_value(name, value)
    except SweepError:
        return value


def union(stored: Sweep, asked: Sweep) -> Sweep:
    """Extend the grid of a stored sweep by that of another one, whose analyses replace its own.

    Raises:
        SweepError: the union is not a valid sweep.
    """
    written = stored.as_dict()
    latest = asked.as_dict()
    # An analysis that the new sweep does not have is removed.
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
    if stored.adaptive and asked.adaptive:
        most = max(stored.adaptive.most, asked.adaptive.most)
        written["adaptive"] = {**written["adaptive"], "along": asked.placed, "most": most}
    return Sweep.parse(written, "the extended sweep", stored=True)
