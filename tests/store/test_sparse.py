"""Stores of which few chunks exist: only these are read, with the same results."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import Scripted, refused, tiny_sweep
from placed_sweeps import placed_sweep

from genprior.pipeline import run_sweep
from genprior.store import StoreError, load_results, open_results, read_info, read_values
from genprior.store.chunks import chunk_path, few_chunks
from genprior.store.own_files import OwnFiles
from genprior.sweeps import Sweep

NAMES = ["status", "success", "latent_error", "error"]


def star() -> Sweep:
    """Two of sixteen groups have trials."""
    rules = ["k != 4 and solver.step != 0.5", "k == 4 and solver.step != 0.7", "k > 4"]
    axes = {"k": [2, 3, 4, 5], "solver.step": [0.4, 0.5, 0.6, 0.7], "m": [2, 60]}
    return placed_sweep(axes=axes, exclude=[*rules, "k == 3"])


@pytest.fixture
def sparse(tmp_path: Path) -> Path:
    (tmp_path / "calls").mkdir()
    path = tmp_path / "sparse.zarr"
    run_sweep(star(), path, kind=Scripted(str(tmp_path / "calls")))
    return path


def test_few_chunks_give_what_all_chunks_give(sparse: Path) -> None:
    info = read_info(sparse)
    assert few_chunks(sparse / "success", info.layout.grid) is not None
    whole = open_results(sparse)[NAMES].load()
    assert (whole["status"] == 1).sum() > 32
    xr.testing.assert_identical(load_results(sparse, NAMES), whole)
    stored = read_values(info, ["status", "m"])
    np.testing.assert_array_equal(stored["status"], whole["status"])
    np.testing.assert_array_equal(stored["m"], whole["m"].fillna(-1))


def test_absent_chunks_are_not_looked_for(sparse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    get = OwnFiles.get_sync

    def noted(self: OwnFiles, key: str, **options: Any) -> Any:
        asked.append(key)
        return get(self, key, **options)

    monkeypatch.setattr(OwnFiles, "get_sync", noted)
    load_results(sparse, NAMES)
    read_values(read_info(sparse), ["success"])
    chunks = [key for key in asked if "/c/" in key]
    absent = [key for key in chunks if not (sparse / key).exists()]
    assert len(chunks) > 12
    # One absent chunk of each array tells what the others give.
    assert len(absent) <= 8


@pytest.mark.parametrize("is_placed", [False, True])
def test_indices_of_results_with_one_dimension_are_whole(is_placed: bool, tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    fixed = {"k": 2, "m": 3, "depth": 1, "widths": [12]}
    many = {"precision": 0.9, "most": 1024}
    if is_placed:
        own = {name: fixed[name] for name in ("k", "depth", "widths")}
        sweep = placed_sweep(axes={"m": [2, 60]}, parameters=own, adaptive=many)
    else:
        sweep = tiny_sweep(axes={}, trials=40, parameters=fixed, fit={}, blocks={"trials": 4})
    path = tmp_path / "one.zarr"
    run_sweep(sweep, path, kind=Scripted(str(tmp_path / "calls")))
    xr.testing.assert_identical(load_results(path, NAMES), open_results(path)[NAMES].load())


def test_a_damaged_chunk_is_named(sparse: Path) -> None:
    info = read_info(sparse)
    mask = few_chunks(sparse / "success", info.layout.grid)
    assert mask is not None
    block = tuple(np.argwhere(mask)[0].tolist())
    file = chunk_path(sparse / "success", block)
    content = bytearray(file.read_bytes())
    content[0] ^= 255
    file.write_bytes(content)
    with refused(StoreError, str(file.relative_to(sparse))):
        load_results(sparse, NAMES)
    with refused(StoreError, str(file.relative_to(sparse))):
        read_values(info, ["success"])
