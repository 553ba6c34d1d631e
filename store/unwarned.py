"""What zarr warns of when it writes, and what is settled for a store."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from zarr.errors import UnstableSpecificationWarning, ZarrUserWarning


@contextmanager
def unwarned() -> Iterator[None]:
    """Write without warnings of zarr's.

    Consolidated metadata and text of a fixed length are in no specification of Zarr 3 yet. Stores
    have both: xarray reads them, netCDF has the same kind of text, and strings of a variable length
    cannot be told their length by NumPy's `astype(str)`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZarrUserWarning)
        warnings.simplefilter("ignore", UnstableSpecificationWarning)
        yield
