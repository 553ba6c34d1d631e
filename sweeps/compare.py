"""Whether two sweeps are one experiment, and the grid that holds both."""

from typing import Any

from .parameters import PARAMETERS
from .sweep import Sweep


def differences(stored: Sweep, asked: Sweep) -> list[str]:
    """Name what makes two sweeps different experiments; larger or smaller grids are no difference.

    Returns:
        One phrase a difference, `'solver.step' is 0.7 there and 0.5 here`.
    """
    found = []
    for name in sorted(set(stored.axes) ^ set(asked.axes)):
        there, here = ("an axis", "none") if name in stored.axes else ("no axis", "one")
        found.append(f"'{name}' is {there} there and {here} here")
    old, new = _fixed(stored), _fixed(asked)
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


def _fixed(sweep: Sweep) -> dict[str, Any]:
    top = {key: getattr(sweep, key) for key in ("task", "seed", "exclude", "paired")}
    defaults = {
        name: field.default for name, field in PARAMETERS.items() if not field.is_required()
    }
    return defaults | sweep.parameters | _tables(sweep) | top


def _tables(sweep: Sweep) -> dict[str, Any]:
    """The dependent parameters without their tables' entries, which an extension may add to."""
    return {
        name: {key: value for key, value in entry.model_dump().items() if key != "table" and value}
        for name, entry in sweep.dependent.items()
    }


def _entries(sweep: Sweep) -> dict[str, Any]:
    return {
        f"{name}[{entry.by}={key}]": value
        for name, entry in sweep.dependent.items()
        for key, value in (entry.table or {}).items()
    }


def union(stored: Sweep, asked: Sweep) -> Sweep:
    """Give the stored sweep with its grid grown to hold the asked one's too."""
    written = stored.as_dict()
    for name, values in asked.axes.items():
        written["axes"][name] += [value for value in values if value not in stored.axes[name]]
    for name, entry in asked.dependent.items():
        if entry.table:
            written["dependent"][name]["table"] |= entry.table
    written["trials"] = max(stored.trials, asked.trials)
    return Sweep.parse(written, "the extended sweep")
