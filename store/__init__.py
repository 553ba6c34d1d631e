"""Where results live: one labelled Zarr v3 group, and the only room that imports zarr."""

from .analyses import (
    OUTDATED,
    OutdatedWarning,
    mark_outdated,
    open_analysis,
    read_analyses,
    remove_analysis,
    write_analysis,
)
from .blocks import BlockWriter, open_writer
from .coordinates import changed_coordinate
from .errors import StoreError, WrongStoreError, explained
from .exchange import exclusive, is_vacant
from .extend import extend_store
from .layout import TRIAL, Layout, Status, choose_chunks
from .reading import StoreInfo, load_results, open_results, read_info, read_status
from .template import create_store, estimate_bytes, record, restore_excluded

__all__ = [
    "OUTDATED",
    "TRIAL",
    "BlockWriter",
    "Layout",
    "OutdatedWarning",
    "Status",
    "StoreError",
    "StoreInfo",
    "WrongStoreError",
    "changed_coordinate",
    "choose_chunks",
    "create_store",
    "estimate_bytes",
    "exclusive",
    "explained",
    "extend_store",
    "is_vacant",
    "load_results",
    "mark_outdated",
    "open_analysis",
    "open_results",
    "open_writer",
    "read_analyses",
    "read_info",
    "read_status",
    "record",
    "remove_analysis",
    "restore_excluded",
    "write_analysis",
]
