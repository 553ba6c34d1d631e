"""Codes that came later: what a store says of its coded variables, brought up to date."""

from collections.abc import Iterable

import zarr

from ..sweeps.variables import Variable
from .documents import consolidate
from .errors import StoreError, explained
from .integrity import StoreInfo
from .lock import documents_held
from .reading import open_group
from .template import array_of


def update_flags(info: StoreInfo, variables: Iterable[Variable]) -> bool:
    """Label the codes that trials may give now and that a store made earlier has no names for.

    Args:
        info: the store.
        variables: what its task kind fills.

    Returns:
        Whether the store was changed.

    Raises:
        StoreError: a code means something else in it.
    """
    group, changed = open_group(info.path), {}
    for variable in variables:
        if not variable.flags:
            continue
        attributes = array_of(group, variable.name).attrs
        written = [*map(int, attributes.get("flag_values", ()))]  # type: ignore[arg-type]
        there = dict(zip(written, str(attributes.get("flag_meanings", "")).split(), strict=False))
        here = {flag.code: flag.meaning for flag in variable.flags}
        for code, meaning in there.items():
            if here.get(code, meaning) != meaning:
                raise StoreError(
                    f"{info.path}: {variable.name} {code} is '{meaning}' in it and "
                    f"'{here[code]}' here; choose another store."
                )
        if set(here) - set(there):
            changed[variable.name] = dict(sorted({**there, **here}.items()))
    if not changed:
        return False
    with documents_held(info.path), explained(info.path, "naming new codes"):
        writable = zarr.open_group(info.path, mode="r+", use_consolidated=False)
        for name, meanings in changed.items():
            array_of(writable, name).attrs.update(
                {"flag_values": [*meanings], "flag_meanings": " ".join(meanings.values())}
            )
        consolidate(info.path)
    return True
