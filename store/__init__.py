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
from .documents import record, record_change
from .errors import OtherLayoutError, StoreError, WrongStoreError, explained
from .exchange import is_vacant
from .extend import extend_store
from .flags import update_flags
from .holders import Holding, exclusive
from .info import StoreInfo
from .integrity import Damage, Survey
from .layout import (
    LONGEST_ERROR,
    Layout,
    Listener,
    Region,
    Status,
    choose_chunks,
    origins_along,
    trial_at,
)
from .mending import Mended, mend_store
from .merge import convert_stores, merge_stores
from .merge_blocks import ConflictError, Merged
from .parts import part_block_trials, part_trials
from .placement_checks import status_after_placing
from .places import check_place, check_replaceable
from .reading import (
    load_results,
    open_complete,
    open_results,
    read_info,
    read_one_layout,
    read_status,
    read_values,
    survey_store,
)
from .records import Record
from .repair import repair_store
from .template import create_store, estimate_bytes
from .trial_checks import as_bits
from .verify import Fault, Inspection, Sampled, inspect_store

__all__ = [
    "LONGEST_ERROR",
    "OUTDATED",
    "BlockWriter",
    "ConflictError",
    "Damage",
    "Fault",
    "Holding",
    "Inspection",
    "Layout",
    "Listener",
    "Mended",
    "Merged",
    "OtherLayoutError",
    "OutdatedWarning",
    "Record",
    "Region",
    "Sampled",
    "Status",
    "StoreError",
    "StoreInfo",
    "Survey",
    "WrongStoreError",
    "analysis_groups",
    "as_bits",
    "changed_coordinate",
    "check_place",
    "check_replaceable",
    "choose_chunks",
    "convert_stores",
    "create_store",
    "damaged_analyses",
    "estimate_bytes",
    "exclusive",
    "explained",
    "extend_store",
    "gone_error",
    "inspect_store",
    "is_vacant",
    "load_results",
    "mark_outdated",
    "mend_store",
    "merge_stores",
    "open_analysis",
    "open_complete",
    "open_results",
    "open_writer",
    "origins_along",
    "part_block_trials",
    "part_trials",
    "read_analyses",
    "read_info",
    "read_one_layout",
    "read_status",
    "read_values",
    "record",
    "record_change",
    "remove_analysis",
    "repair_store",
    "status_after_placing",
    "survey_store",
    "trial_at",
    "update_flags",
    "write_analysis",
]
