"""Where runs end: at x*, at the mirror, elsewhere."""

import json

import numpy as np
import pytest
import xarray as xr
from helpers import assert_names, recovery_sweep, results

from genprior.pipeline import run_sweep
from genprior.pipeline.analyses import Basin, Request
from genprior.store import read_info, record
from genprior.tasks.statistics.basins import basin_shares
from genprior.tasks.theory import mirror_ratio

SETTINGS = ("solver.negation=false", "solver.start=mirror", "solver.max_steps=3")


def test_every_run_is_in_one_basin():
    """ρ = 0.4 and radius ½: within 0.2 of the mirror. NaN is not run, ∞ diverged."""
    dims = ("depth", "trial")
    success = xr.DataArray([[1.0, 0, 0, 0, np.nan], [1, 1, 0, np.nan, np.nan]], dims=dims)
    error = xr.DataArray([[0.1, 0.19, 0.21, np.inf, np.nan], [1.4, 1.4, 0, np.nan, np.nan]],
                         dims=dims)  # fmt: skip
    ratio = xr.DataArray([0.4, np.nan], dims=("depth",))
    found = basin_shares(success, error, ratio, radius=0.5)
    assert found["count"].sel(basin="target").values.tolist() == [1, 2]
    assert found["count"].sel(basin="mirror").values.tolist() == [1, 0]
    assert found["count"].sel(basin="elsewhere").values.tolist() == [2, 1]
    assert found["runs"].values.tolist() == [4, 3]
    assert (found["share"].sum("basin") == 1).all()
    inside = (found["share_low"] <= found["share"]) & (found["share"] <= found["share_high"])
    assert inside.all()


def test_a_cell_without_runs_has_no_shares():
    success = xr.DataArray([[np.nan, np.nan]], dims=("m", "trial"))
    found = basin_shares(success, success, xr.DataArray([0.3], dims=("m",)), radius=1)
    assert found["runs"].item() == 0
    assert found["share"].isnull().all()


@pytest.mark.slow
def test_runs_that_start_at_the_mirror_and_hardly_move_end_there(store, genprior, tmp_path):
    """Three steps without negation from −ρ_2 x*: at this k and width the start is what counts."""
    sweep = recovery_sweep(*SETTINGS, "solver.step=1e-6", fit={}, basins={"radius": 0.75})
    run_sweep(sweep, store)
    found = Basin().compute(Request(read_info(store)))
    assert (found["share"].sel(basin="mirror") == 1).all()
    assert found["mirror_ratio"].values == pytest.approx(mirror_ratio(2))
    fitted = json.loads(genprior("fit", store, "--json").stdout)["basins"]
    assert len(fitted) == 12
    assert fitted[0]["ends"]["mirror"]["share"] == 1
    assert fitted[0]["runs"] == 4
    assert_names(genprior("fit", store).stdout, "mirror", "100")
    stored = xr.open_zarr(store, group="analysis/basin").load()
    assert stored["mirror_ratio"].values == pytest.approx(mirror_ratio(2))
    assert stored["share"].dims == ("k", "m", "basin")
    picture = tmp_path / "basins.svg"
    assert genprior("plot", store, "-o", picture).exit_code == 0
    drawn = picture.read_text()
    # A panel for each k, and in it one bar for each m.
    assert [drawn.count(f"<!-- $k$ = {k} -->") for k in (2, 4, 6)] == [1, 1, 1]


def test_basins_count_as_the_stored_errors_say(store):
    sweep = recovery_sweep("solver.negation=false", fit={}, basins={"radius": 0.75})
    run_sweep(sweep, store)
    trials, found = results(store), Basin().compute(Request(read_info(store)))
    at_mirror = (trials["success"] == 0) & (trials["mirror_error"] < 0.75 * mirror_ratio(2))
    assert (
        found["count"].sel(basin="mirror").values.tolist() == at_mirror.sum("trial").values.tolist()
    )


@pytest.mark.parametrize("radius", ["0", "1.5", "-1"])
def test_a_radius_beyond_the_mirror_is_refused(genprior, radius):
    result = genprior("plan", "basins", "--set", f"basins.radius={radius}")
    assert result.exit_code == 2
    assert "basins.radius" in result.stderr


def test_trials_without_a_mirror_error_have_no_basins(store, genprior, kind):
    from helpers import tiny_sweep

    run_sweep(tiny_sweep(fit={}), store, kind=kind)
    # No run takes such a sweep; a store may have it all the same.
    record(store, {"sweep": tiny_sweep(fit={}, basins={"radius": 0.5}).complete().as_json()})
    for command in ("fit", "plot"):
        result = genprior(command, store)
        assert result.exit_code == 2
        assert_names(result.stderr, "basins", "mirror_error")
