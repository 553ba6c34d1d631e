"""Add newer codes to the flag attributes of a store's coded variables."""

from collections.abc import Iterable

from ..sweeps.variables import Variable
from .documents import consolidate
from .errors import StoreError, explained
from .info import StoreInfo
from .layout import STATUS
from .lock import documents_held
from .own_files import zarr_group
from .reading import open_group
from .template import array_of


def update_flags(info: StoreInfo, variables: Iterable[Variable]) -> bool:
    """Name the codes, also those of the status, that the store has no names for yet.

    Args:
        info: the store.
        variables: what the store's task fills.

    Returns:
        Whether the store was changed.

    Raises:
        StoreError: a code has another meaning in the store.
    """
    group, changed = open_group(info.path), {}
    for variable in (*variables, STATUS):
        if not variable.flags:
            continue
        attributes = array_of(group, variable.name).attrs
        written = [*map(int, attributes.get("flag_values", ()))]  # type: ignore[arg-type]
        stored = dict(zip(written, str(attributes.get("flag_meanings", "")).split(), strict=False))
        present = {flag.code: flag.meaning for flag in variable.flags}
        for code, meaning in stored.items():
            if present.get(code, meaning) != meaning:
                raise StoreError(
                    f"{info.path}: {variable.name} {code} is '{meaning}' in it and "
                    f"'{present[code]}' here; choose another store."
                )
        if set(present) - set(stored):
            changed[variable.name] = dict(sorted({**stored, **present}.items()))
    if not changed:
        return False
    with documents_held(info.path), explained(info.path, "naming new codes"):
        writable = zarr_group(info.path, "r+")
        for name, meanings in changed.items():
            array_of(writable, name).attrs.update(
                {"flag_values": [*meanings], "flag_meanings": " ".join(meanings.values())}
            )
        consolidate(info.path)
    return True
