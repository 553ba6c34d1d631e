"""Pictures of means: their intervals, shares, and values that are all infinite."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import Scripted, tiny_sweep

from genprior.pipeline import run_sweep
from genprior.pipeline.show.figures import _mean, draw
from genprior.store import StoreError, read_info
from genprior.sweeps import Draws, Point
from genprior.sweeps.variables import Flag, Variable
from genprior.tasks.statistics.intervals import wilson_interval


@pytest.mark.parametrize("trials", [2, 3, 10])
def test_intervals_of_means_cover_at_their_level(trials: int) -> None:
    """Of 4000 normal samples 95 %, within four standard errors of that share (0.35 %).

    With 1.96 standard errors the share is 70 % for two trials.
    """
    samples = np.random.default_rng(1).standard_normal((4000, trials))
    mean, spread = _mean(xr.DataArray(samples, dims=("cell", "trial")), share=False)
    covered = (np.abs(mean) <= spread[0]).mean()
    assert abs(covered - 0.95) < 0.014


def test_one_trial_has_no_interval() -> None:
    values = xr.DataArray([[3.0, np.nan], [1.0, 2.0]], dims=("cell", "trial"))
    mean, spread = _mean(values, share=False)
    assert mean.tolist() == [3.0, 1.5]
    assert np.isnan(spread[:, 0]).all()
    assert np.isfinite(spread[:, 1]).all()


@dataclass(frozen=True)
class Found(Scripted):
    """Gives a code of 0 and 1 under another name than success, and an error that diverges."""

    @property
    def variables(self) -> tuple[Variable, ...]:
        return (
            Variable("found", "int8", "outcome", flags=(Flag(0, "lost"), Flag(1, "found"))),
            Variable("away", "float64", "an error"),
        )

    def run(self, point: Point, draws: Draws) -> dict[str, Any]:
        return {"found": super().run(point, draws)["success"], "away": np.inf}


@pytest.fixture
def found(store: Path, tmp_path: Path) -> Path:
    (tmp_path / "calls").mkdir()
    run_sweep(tiny_sweep("k=2", fit={}), store, kind=Found(str(tmp_path / "calls")))
    return store


def test_a_code_of_zero_and_one_is_drawn_as_a_share(found: Path) -> None:
    (axes,) = draw(read_info(found)).axes
    (container,) = axes.containers
    ends = container.lines[2][0].get_segments()
    runs = xr.open_zarr(found)["found"].squeeze("k").load()
    low, high = wilson_interval(runs.sum("trial").values, np.full(4, 4))
    np.testing.assert_allclose([end[:, 1] for end in ends], np.stack([low, high], axis=1))
    assert axes.get_ylim() == (-0.03, 1.03)


def test_values_that_are_all_infinite_are_told_in_one_line(found: Path) -> None:
    info = read_info(found)
    sweep = info.sweep.override(["plot.variable=away"])
    with pytest.raises(StoreError, match="away: all 16 values are infinite") as refused:
        draw(replace(info, sweep=sweep))
    assert "\n" not in str(refused.value)
