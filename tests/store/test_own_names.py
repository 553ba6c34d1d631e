"""Names in a store: what genprior made is told by its name, and no name leads out of the store."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from helpers import Scripted, files, tiny_sweep

from genprior.pipeline import run_sweep
from genprior.pipeline.fit.fitting import fit_store
from genprior.store import StoreError, open_analysis, open_writer, read_info
from genprior.store.documents import read_document, write_document

# What the user's own groups are written with.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture
def made(store: Path, kind: Scripted) -> Path:
    run_sweep(tiny_sweep(), store, kind=kind)
    fit_store(store)
    return store


@pytest.mark.slow
def test_copies_of_fits_and_groups_with_like_attributes_stay(made: Path, kind: Scripted) -> None:
    """A copy of a fit under another name is the user's, and so is a group with a `level`."""
    fit = open_analysis(made, "transition").load()
    fit.to_zarr(made, group="analysis/before", mode="w", zarr_format=3)
    own = xr.Dataset({"y": ("t", [3.0])}, attrs={"level": 3})
    own.to_zarr(made, group="analysis/own", mode="w", zarr_format=3)
    kept = {
        n: b for n, b in files(made).items() if n.startswith(("analysis/before/", "analysis/own/"))
    }
    assert len(kept) > 10
    run_sweep(tiny_sweep("trials=7"), made, kind=kind)
    assert kept.items() <= files(made).items()
    assert not (made / "analysis" / "transition").exists()


def change_root(store: Path, **attributes: str) -> None:
    root = read_document(store)
    write_document(store, {**root, "attributes": {**root["attributes"], **attributes}})


@pytest.mark.parametrize("name", ["../victim", "/tmp", "..", "a/b", ""])
@pytest.mark.parametrize("key", ["trial_variables", "coordinates"])
def test_a_name_that_leads_out_of_the_store_is_refused(
    made: Path, kind: Scripted, key: str, name: str
) -> None:
    """Such a store came from elsewhere; a run that mends it would remove files of the user's."""
    victim = made.parent / "victim" / "c" / "0" / "0" / "0"
    victim.parent.mkdir(parents=True)
    victim.write_bytes(b"abc")
    info = read_info(made)
    if key == "coordinates" and not name:
        name = "../victim"
    names = json.dumps([*info.variables, name]) if key == "trial_variables" else f"k {name}"
    change_root(made, **{key: names})
    with pytest.raises(StoreError, match=str(made)):
        read_info(made)
    with pytest.raises(StoreError, match=str(made)):
        run_sweep(tiny_sweep(), made, kind=kind)
    assert victim.read_bytes() == b"abc"


def test_a_block_of_values_that_mean_not_run_is_a_file_all_the_same(
    store: Path, kind: Scripted
) -> None:
    """Or the chunk would look lost, and be computed again by every run."""
    run_sweep(tiny_sweep(), store, kind=kind)
    info = read_info(store)
    writer = open_writer(store, info.revision)
    region = info.layout.region((0, 0, 0))
    block = writer.read(region, ("status", "seconds", "error", *info.variables))
    name = next(name for name in info.variables if block[name].dtype.kind == "f")
    block[name] = np.full_like(block[name], np.nan)
    writer.write(region, block)
    assert (store / name / "c" / "0" / "0" / "0").is_file()
