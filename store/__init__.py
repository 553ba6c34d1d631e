"""Where results live: one labelled Zarr v3 group, and the only room that imports zarr."""

from .blocks import BlockWriter, open_writer
from .errors import StoreError
from .exchange import exclusive
from .extend import extend_store
from .layout import Layout, Status, choose_chunks
from .reading import StoreInfo, open_results, read_info, read_status
from .template import create_store, record, restore_excluded
from .writing import open_analysis, write_analysis

__all__ = [
    "BlockWriter",
    "Layout",
    "Status",
    "StoreError",
    "StoreInfo",
    "choose_chunks",
    "create_store",
    "exclusive",
    "extend_store",
    "open_analysis",
    "open_results",
    "open_writer",
    "read_info",
    "read_status",
    "record",
    "restore_excluded",
    "write_analysis",
]
