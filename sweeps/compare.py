"""Whether two sweeps are one experiment, and the grid that holds both."""

from typing import Any

from .sweep import READING, Sweep


def differences(stored: Sweep, asked: Sweep) -> list[str]:
    """Name what makes two sweeps different experiments; larger or smaller grids are no difference.

    Returns:
        One phrase a difference, `'solver.step' is 0.7 there and 0.5 here`.
    """
    found = []
    for name in sorted(set(stored.axes) ^ set(asked.axes)):
        there, here = ("an axis", "none") if name in stored.axes else ("no axis", "one")
        found.append(f"'{name}' is {there} there and {here} here")
    old, new = stored.experiment(), asked.experiment()
    fixed = (set(old) | set(new)) - set(stored.axes) - set(asked.axes)
    found += [
        f"'{name}' is {_show(old, name)} there and {_show(new, name)} here"
        for name in sorted(fixed)
        if old.get(name) != new.get(name)
    ]
    mine, theirs = _entries(asked), _entries(stored)
    found += [
        f"'{key}' is {theirs[key]} there and {mine[key]} here"
        for key in sorted(set(mine) & set(theirs))
        if mine[key] != theirs[key]
    ]
    return found


def _show(values: dict[str, Any], name: str) -> str:
    return repr(values[name]) if name in values else "not set"


def _entries(sweep: Sweep) -> dict[str, Any]:
    return {
        f"{name}[{entry.by}={key}]": value
        for name, entry in sweep.dependent.items()
        for key, value in (entry.table or {}).items()
    }


def union(stored: Sweep, asked: Sweep) -> Sweep:
    """Give the stored sweep with its grid grown to hold the asked one's too, read as asked."""
    written = stored.as_dict()
    latest = asked.as_dict()
    # A law or a comparison that is asked for no longer goes.
    written = {key: value for key, value in written.items() if key not in READING}
    written |= {key: latest[key] for key in READING if key in latest}
    for name, values in asked.axes.items():
        known = set(stored.axes[name])
        written["axes"][name] += [value for value in values if value not in known]
    for name, entry in asked.dependent.items():
        if entry.table:
            written["dependent"][name]["table"] |= entry.table
    written["trials"] = max(stored.trials, asked.trials)
    return Sweep.parse(written, "the extended sweep")
