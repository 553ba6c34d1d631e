"""Rows of many cells are made from columns, and are those of the cells one by one."""

import json
from typing import Any

import numpy as np
import pytest
import xarray as xr

from genprior.pipeline.analyses import Basin
from genprior.pipeline.analyses.comparison import comparison_rows
from genprior.pipeline.fit.rows import columns, indices, place_of, places, plain_values
from genprior.tasks.statistics.basins import BASIN, BASINS
from genprior.tasks.statistics.comparisons import compare_rates

K, M = 3, 40


def cells() -> xr.Dataset:
    random = np.random.default_rng(3)
    shares = {name: ((BASIN, "k", "m"), random.random((len(BASINS), K, M)))
              for name in ("share", "share_low", "share_high")}  # fmt: skip
    return xr.Dataset(
        {
            "runs": (("k", "m"), random.integers(0, 9, (K, M))),
            "crashed": (("m", "k"), random.integers(0, 2, (M, K))),
            "mirror_ratio": ("k", [0.5, np.nan, np.inf]),
            "flag": ("m", [f"word {i}" for i in range(M)]),
            **shares,
        },
        coords={"k": ["a", "b", "c"], "m": np.arange(M) * 1.5, BASIN: list(BASINS)},
    )


def test_columns_give_what_the_cells_one_by_one_give() -> None:
    """Also for variables that lack a dimension, or have them in another order."""
    dataset, names = cells(), ("runs", "crashed", "mirror_ratio", "flag")
    expected = [
        place_of(dataset.isel(index), index) | plain_values(dataset.isel(index), names)
        for index in indices(dataset["runs"])
    ]
    dims = dataset["runs"].dims
    rows = [
        place | values
        for place, values in zip(places(dataset, dims), columns(dataset, names, dims), strict=True)
    ]
    assert json.dumps(rows, allow_nan=False) == json.dumps(expected)
    assert len(rows) == K * M


def test_rows_of_many_cells_do_not_cut_the_dataset_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cut takes some 0.3 ms, so that 10⁴ cells would take seconds."""
    dataset, cuts = cells(), []
    random = np.random.default_rng(4)
    success = xr.DataArray(
        (random.random((2, K, M, 5)) < 0.5).astype(float),
        dims=("gain", "k", "m", "trial"), coords={"gain": [1, 2], "k": [1, 2, 3]},
    ).assign_coords(m=np.arange(M))  # fmt: skip
    compared = compare_rates(success, "gain", 0, paired=False)
    isel = xr.Dataset.isel

    def counted(self: xr.Dataset, *arguments: Any, **options: Any) -> xr.Dataset:
        cuts.append(1)
        return isel(self, *arguments, **options)

    monkeypatch.setattr(xr.Dataset, "isel", counted)
    assert len(Basin().records(dataset)) == K * M
    assert len(comparison_rows(compared)[0]["cells"]) == K * M
    assert len(cuts) < 20
