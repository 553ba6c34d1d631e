"""Writing fits beside the results they were made from."""

import shutil
import warnings
from pathlib import Path

import xarray as xr
import zarr
from zarr.errors import ZarrUserWarning

from .errors import StoreError, explained
from .exchange import beside, put_in_place
from .reading import open_group
from .template import consolidate

ANALYSIS = "analysis"


def write_analysis(path: Path, name: str, dataset: xr.Dataset) -> None:
    """Write a labelled analysis as the group `analysis/<name>` of a store, replacing an older one.

    Raises:
        StoreError: the file system refused.
    """
    new = beside(path, "new")
    with explained(path, f"writing {ANALYSIS}/{name}"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ZarrUserWarning)
        dataset.to_zarr(new / name, mode="w", zarr_format=3, consolidated=True)
        zarr.open_group(path, mode="r+", use_consolidated=False).require_group(ANALYSIS)
        put_in_place(new / name, path / ANALYSIS / name, new / "old")
        shutil.rmtree(new)
        consolidate(path)


def open_analysis(path: Path, name: str) -> xr.Dataset:
    """Open an analysis of a store.

    Raises:
        StoreError: there is none of that name.
    """
    open_group(path)
    if not (path / ANALYSIS / name).is_dir():
        raise StoreError(f"{path} holds no {ANALYSIS}/{name}; 'genprior fit' makes it.")
    dataset: xr.Dataset = xr.open_zarr(path.absolute() / ANALYSIS / name, chunks=None)
    return dataset
