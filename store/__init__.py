"""Storage of results: one labelled Zarr v3 group. Only this package imports zarr."""

from .analyses import (
    OUTDATED,
    OutdatedWarning,
    analysis_groups,
    damaged_analyses,
    mark_outdated,
    open_analysis,
    read_analyses,
    remove_analysis,
    write_analysis,
)
from .blocks import BlockWriter, gone_error, open_writer
from .coordinates import changed_coordinate
from .documents import record
from .errors import OtherLayoutError, StoreError, WrongStoreError, explained
from .exchange import is_vacant
from .extend import extend_store
from .flags import update_flags
from .integrity import StoreInfo, Survey
from .layout import LONGEST_ERROR, TRIAL, Layout, Status, choose_chunks
from .lock import exclusive
from .mending import Mended, mend_store
from .places import check_place, check_replaceable
from .reading import load_results, open_complete, open_results, read_info, read_status, survey_store
from .template import create_store, estimate_bytes

__all__ = [
    "LONGEST_ERROR",
    "OUTDATED",
    "TRIAL",
    "BlockWriter",
    "Layout",
    "Mended",
    "OtherLayoutError",
    "OutdatedWarning",
    "Status",
    "StoreError",
    "StoreInfo",
    "Survey",
    "WrongStoreError",
    "analysis_groups",
    "changed_coordinate",
    "check_place",
    "check_replaceable",
    "choose_chunks",
    "create_store",
    "damaged_analyses",
    "estimate_bytes",
    "exclusive",
    "explained",
    "extend_store",
    "gone_error",
    "is_vacant",
    "load_results",
    "mark_outdated",
    "mend_store",
    "open_analysis",
    "open_complete",
    "open_results",
    "open_writer",
    "read_analyses",
    "read_info",
    "read_status",
    "record",
    "remove_analysis",
    "survey_store",
    "update_flags",
    "write_analysis",
]
