"""What xarray does with a store that it opened itself: netCDF, tables, selections, `where`."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from helpers import Scripted, recovery_sweep, results, tiny_sweep
from zarr.codecs import Crc32cCodec, ZstdCodec

from genprior.pipeline import run_sweep
from genprior.pipeline.fit.fitting import fit_store
from genprior.pipeline.upkeep.merge import merge_paths
from genprior.pipeline.upkeep.verify import verify_store
from genprior.store import LONGEST_ERROR, Status, mend_store, read_info, read_status, write_analysis
from genprior.store.documents import consolidate, read_document, write_document
from genprior.sweeps import Sweep
from genprior.tasks import EXPERIMENTS

pytestmark = pytest.mark.filterwarnings("error")
ENGINES = ["scipy", "h5netcdf"]
NAMES = ("widths=15,2000", "exclude=m < k")


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with done, crashed and excluded trials, two names along an axis, and a fit."""
    folder = tmp_path_factory.mktemp("crashed")
    (folder / "calls").mkdir()
    kind = Scripted(str(folder / "calls"), crash_at=(4, 5, 0))
    run_sweep(tiny_sweep(*NAMES), folder / "tiny.zarr", kind=kind)
    fit_store(folder / "tiny.zarr")
    return folder / "tiny.zarr"


@pytest.mark.parametrize("engine", ENGINES)
def test_netcdf_holds_all_of_a_store(crashed: Path, tmp_path: Path, engine: Any) -> None:
    dataset = xr.open_zarr(crashed)
    dataset.to_netcdf(tmp_path / "all.nc", engine=engine)
    with xr.open_dataset(tmp_path / "all.nc", engine=engine) as again:
        xr.testing.assert_equal(again.load(), dataset.load())
        assert dict(again.attrs) == dict(dataset.attrs)
        said = again["error"].sel(widths="15", k=4, m=5, trial=0).item()
    assert said == "ArithmeticError: (4, 5, 0) was told to crash"


@pytest.mark.parametrize("engine", ENGINES)
def test_netcdf_holds_a_fit(crashed: Path, tmp_path: Path, engine: Any) -> None:
    dataset = xr.open_zarr(crashed, group="analysis/transition")
    assert dataset["outcome"].dtype.kind == "U"
    dataset.to_netcdf(tmp_path / "fit.nc", engine=engine)
    with xr.open_dataset(tmp_path / "fit.nc", engine=engine) as again:
        xr.testing.assert_equal(again.load(), dataset.load())


def test_an_analysis_has_attributes_that_netcdf_has(undisturbed: Path, tmp_path: Path) -> None:
    """Neither truth values nor None; those of the dataset that was given stay as they are."""
    shutil.copytree(undisturbed, tmp_path / "s.zarr")
    given = xr.Dataset({"x": ("t", [1.0], {"a": True, "b": None})}, attrs={"c": False, "d": None})
    write_analysis(tmp_path / "s.zarr", "mine", given, "{}")
    found = xr.open_zarr(tmp_path / "s.zarr", group="analysis/mine")
    assert found["x"].attrs == {"a": 1}
    assert found.attrs == {"c": 0, "made_from": "{}"}
    assert given["x"].attrs == {"a": True, "b": None}
    assert given.attrs == {"c": False, "d": None}


def test_a_store_is_a_table_a_selection_a_mean(crashed: Path) -> None:
    dataset = xr.open_zarr(crashed)
    table = dataset.to_dataframe()
    assert len(table) == dataset["status"].size
    assert table["status"].value_counts()[Status.CRASHED] == 2
    assert set(dataset.sel(widths="2000", m=9).dims) == {"k", "trial"}
    means = dataset.success.mean("trial")
    assert float(means.min()) >= 0
    assert int(means.isnull().sum()) == 2 * 3  # excluded points
    text = dataset.astype(str).load()
    assert text["widths"].dtype == dataset["widths"].dtype
    assert "ArithmeticError" in text["error"].sel(widths="15", k=4, m=5, trial=0).item()


def test_trials_that_did_not_succeed_can_be_masked_in_all_variables(crashed: Path) -> None:
    """Text of a variable length has no common type with the NaN of the others."""
    dataset = xr.open_zarr(crashed).load()
    kept = dataset.where(dataset.success == 1)
    assert int(kept["latent_error"].notnull().sum()) == int((dataset.success == 1).sum())
    assert dataset.reindex(k=[2, 3])["latent_error"].sel(k=3).isnull().all()


def test_constant_text_is_a_scalar_coordinate_of_fixed_length(recovered: Path) -> None:
    dataset = xr.open_zarr(recovered)
    assert dataset["widths"].shape == ()
    assert dataset["widths"].dtype.kind == "U"
    assert dataset["widths"].astype(str).item() == "15-20"
    assert dataset["error"].dtype == f"U{LONGEST_ERROR}"


def test_a_long_error_is_cut(store: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise ValueError("‖x‖ " * 200)

    monkeypatch.setattr(Scripted, "run", fail)
    run_sweep(tiny_sweep("k=2", "m=3", "trials=1"), store, kind=kind)
    said = results(store)["error"].item()
    assert len(said) == LONGEST_ERROR
    assert said.startswith("ValueError: ‖x‖ ‖x‖")


def as_format_1(path: Path) -> None:
    """Make of a store what format 1 was: another attribute, and text of a variable length."""
    group = zarr.open_group(path, mode="r+", use_consolidated=False)
    for name, array in list(group.arrays()):
        if array.dtype.kind != "U":
            continue
        document, values = read_document(path / name), array[...]
        grid = document["chunk_grid"]["configuration"]["chunk_shape"]
        group.create_array(
            name, shape=array.shape, chunks=tuple(grid) or (), dtype="string", fill_value="",
            dimension_names=document.get("dimension_names"), attributes=dict(array.attrs),
            compressors=[ZstdCodec(level=1), Crc32cCodec()], overwrite=True,
        )[...] = values.astype(object)  # fmt: skip
    consolidate(path)
    root = read_document(path)
    attributes = root["attributes"]
    attributes["variables"] = attributes.pop("trial_variables")
    attributes |= {"genprior_format": 1, "revision": "older"}  # writers are kept by it
    write_document(path, root)


def older(sweep: Sweep, store: Path, kind: Scripted) -> xr.Dataset:
    """A store of format 1 and its trials."""
    run_sweep(sweep, store, kind=kind)
    kept = results(store)
    as_format_1(store)
    assert read_document(store)["attributes"]["genprior_format"] == 1
    assert results(store)["error"].dtype.kind != "U"
    return kept


def test_a_store_of_format_1_is_read_as_it_is(store: Path, kind: Scripted) -> None:
    older(tiny_sweep(), store, kind)
    before = read_document(store)
    assert (read_status(store) == Status.DONE).all()
    assert read_info(store).variables == ("success", "latent_error", "iterations")
    assert read_document(store) == before


@pytest.mark.slow
@pytest.mark.parametrize("settings", [("trials=5",), ("k=2,4,5,6",)])
def test_a_store_of_format_1_is_extended_into_format_2(
    store: Path, kind: Scripted, settings: tuple[str, ...]
) -> None:
    """Blocks that move as a whole are linked, but for text, which is written otherwise now."""
    kind = replace(kind, crash_at=(4, 5, 0))
    kept = older(tiny_sweep(), store, kind)
    run_sweep(tiny_sweep(*settings), store, kind=kind)
    attributes = read_document(store)["attributes"]
    assert attributes["genprior_format"] == 2
    assert "variables" not in attributes
    now = results(store)
    assert now["error"].dtype == f"U{LONGEST_ERROR}"
    for name in ("latent_error", "error"):
        np.testing.assert_array_equal(
            now[name].sel(k=kept.k, m=kept.m, trial=kept.trial).values, kept[name].values
        )
    assert sum(kind.calls().values()) == now["status"].size + 1  # the crash was tried again


def test_a_store_of_format_1_is_completed_and_mended(store: Path, kind: Scripted) -> None:
    """Its text keeps its kind, for chunks of the other would not be readable."""
    kind = replace(kind, crash_at=(4, 5, 0), crashes=1)
    older(tiny_sweep(), store, kind)
    assert read_status(store)[1, 1, 0] == Status.CRASHED
    (store / "error" / "zarr.json").unlink()
    assert len(mend_store(read_info(store), kind.variables).damages) == 1
    assert "told to crash" in results(store)["error"].values[1, 1, 0]
    assert run_sweep(tiny_sweep(), store, kind=kind).computed == 1
    attributes = read_document(store)["attributes"]
    assert attributes["genprior_format"] == 2
    assert json.loads(attributes["trial_variables"]) == ["success", "latent_error", "iterations"]
    assert (results(store)["error"].values == "").all()


@pytest.mark.slow
def test_recoveries_of_format_1_fit_as_before(store: Path, kind: Scripted) -> None:
    run_sweep(recovery_sweep("trials=2"), store)
    fitted = fit_store(store)
    as_format_1(store)
    assert fit_store(store).records()["transitions"] == fitted.records()["transitions"]


def test_a_store_of_format_1_is_verified_and_merged(
    store: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of both texts, a crashed trial's error has to be converted when it moves."""
    kind = replace(kind, crash_at=(4, 5, 0))
    monkeypatch.setitem(EXPERIMENTS.built_in, "scripted", kind.as_class())
    kept = older(tiny_sweep("k=2,4"), store, kind)
    assert verify_store(store, trials=3).outcome == "intact"
    other, merged = store.with_name("other.zarr"), store.with_name("merged.zarr")
    run_sweep(tiny_sweep("k=6"), other, kind=kind)
    merge_paths([store, other], merged)
    now = results(merged)
    assert now.attrs["genprior_format"] == 2
    assert now["error"].dtype == f"U{LONGEST_ERROR}"
    np.testing.assert_array_equal(now["error"].sel(k=[2, 4]).values, kept["error"].values)
    assert verify_store(merged, trials=3).outcome == "intact"
