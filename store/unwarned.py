"""Suppression of two zarr warnings that do not apply to a store."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from zarr.errors import UnstableSpecificationWarning, ZarrUserWarning


@contextmanager
def unwarned() -> Iterator[None]:
    """Suppress zarr's warnings about features that are not in the Zarr 3 specification.

    Stores use two of them: consolidated metadata and text of a fixed length. xarray reads both, and
    netCDF has the same kind of text. With text of a variable length NumPy's `astype(str)` fails.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZarrUserWarning)
        warnings.simplefilter("ignore", UnstableSpecificationWarning)
        yield
