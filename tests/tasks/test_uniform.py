"""Several targets meet one draw, and the worst of them counts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import refused

from genprior.sweeps import Sweep, SweepError
from genprior.tasks.statistics.uniform import (
    medians_over_trials,
    uniform_recovery,
    worst_over_targets,
)

SWEEP = """
trials = 6
seed = 3
[axes]
m = [300, 600]
target = [0, 1, 2]
[parameters]
problem = "one-bit"
k = 2
depth = 1
widths = [40]
dither.amplitude = 3.0
solver.max_steps = 300
success.metric = "signal_error"
success.below = 0.9
[law]
variable = "signal_error"
[law.exponents]
m = -0.5
"""


def results(success: list[list[float]], errors: list[list[float]]) -> xr.Dataset:
    """Targets × trials."""
    dims = ("target", "trial")
    return xr.Dataset({"success": (dims, success), "signal_error": (dims, errors)})


def test_a_trial_fails_if_one_of_its_targets_does_and_its_error_is_the_largest():
    found = worst_over_targets(results([[1, 1], [1, 0]], [[0.1, 0.2], [0.3, 0.05]]))
    np.testing.assert_array_equal(found.success, [1, 0])
    np.testing.assert_array_equal(found.signal_error, [0.3, 0.2])


def test_the_worst_is_unknown_while_a_target_was_not_run():
    """A trial whose other target was not run never looks failed, nor recovered."""
    found = worst_over_targets(results([[1, np.nan], [0, 1]], [[0.1, np.nan], [0.3, 0.2]]))
    np.testing.assert_array_equal(found.success, [0, np.nan])
    np.testing.assert_array_equal(found.signal_error, [0.3, np.nan])


def test_results_without_targets_stay_as_they_are():
    flat = results([[1, 0]], [[0.1, 0.2]]).isel(target=0, drop=True)
    xr.testing.assert_identical(worst_over_targets(flat), flat)


def test_uniform_recovery_counts_targets_and_trials():
    """3 of 4 targets, 1 of 2 trials; errors of the trials: worst 0.3, 0.2, mean 0.2, 0.125."""
    found = uniform_recovery(results([[1, 1], [1, 0]], [[0.1, 0.2], [0.3, 0.05]]))
    assert (int(found.targets), int(found.runs)) == (2, 2)
    assert float(found.success_share) == 0.75
    assert float(found.success_all) == 0.5
    np.testing.assert_allclose(found.worst_signal_error, [0.3, 0.2])
    np.testing.assert_allclose(found.mean_signal_error, [0.2, 0.125])
    assert float(medians_over_trials(found).worst_signal_error) == pytest.approx(0.25)
    assert "worst_latent_error" not in found


@pytest.mark.slow
def test_fits_of_a_sweep_with_targets_are_those_of_the_worst(
    genprior: Callable[..., Any], tmp_path: Path
) -> None:
    """`fit` writes worst and mean next to the law; its medians are the worst errors' own."""
    file, store = tmp_path / "uniform.toml", tmp_path / "uniform.zarr"
    file.write_text(SWEEP, encoding="utf-8")
    assert genprior("run", file, store, "--scheduler", "synchronous").exit_code == 0
    fitted = json.loads(genprior("fit", store, "--json").stdout)
    runs = xr.open_zarr(store).load()
    worst = runs.signal_error.max("target")
    uniform = xr.open_zarr(store, group="analysis/uniform").load()
    np.testing.assert_array_equal(uniform.worst_signal_error, worst)
    np.testing.assert_array_equal(uniform.mean_signal_error, runs.signal_error.mean("target"))
    rows = fitted["uniform"]
    assert [row["m"] for row in rows] == [300, 600]
    assert [row["targets"] for row in rows] == [3, 3]
    np.testing.assert_allclose(
        [row["worst_signal_error"] for row in rows], worst.median("trial").values
    )
    law = xr.open_zarr(store, group="analysis/law").load()
    entered = worst.where(runs.success.min("target") == 1)
    assert int(law.entered) == int(entered.notnull().sum())
    np.testing.assert_allclose(law["median"], entered.median("trial"), rtol=1e-4)
    assert "3 targets" in genprior("fit", store).stdout
    picture = tmp_path / "uniform.png"
    assert genprior("plot", store, "-o", picture).exit_code == 0
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize(
    "settings",
    [{"law": {"exponents": {"target": 1}}}, {"compare": {"over": "target"}}],
)
def test_targets_are_no_axis_of_a_law_or_a_comparison(settings: dict[str, Any]) -> None:
    written = {
        "axes": {"target": [0, 1], "m": [5, 10]},
        "parameters": {"k": 2, "depth": 1, "widths": [9]},
        **settings,
    }
    with refused(SweepError, *settings, "target"):
        Sweep.parse(written)


def test_a_transition_along_targets_is_refused() -> None:
    """All targets of a trial share their draws."""
    written = {
        "axes": {"target": [0, 1], "m": [5, 10]},
        "parameters": {"k": 2, "depth": 1, "widths": [9]},
        "fit": {"along": "target"},
    }
    with pytest.raises(SweepError, match=r"fit\.along.*'target'"):
        Sweep.parse(written)


def test_codes_have_no_worst_over_targets() -> None:
    """Of an abandoned and an audited run neither is worse."""
    abandonment = xr.DataArray([[1], [2]], dims=("target", "trial"), attrs={"flag_values": [1, 2]})
    with pytest.raises(ValueError, match="abandonment"):
        worst_over_targets(abandonment.to_dataset(name="abandonment"))


def test_runs_are_audited_one_by_one_also_where_targets_share_a_draw(
    genprior: Callable[..., Any], tmp_path: Path
) -> None:
    """The fit of a sweep with targets counts the abandoned runs that `status` counts."""
    file, store = tmp_path / "audited.toml", tmp_path / "audited.zarr"
    text = SWEEP.replace("dither.amplitude = 3.0", "dither.amplitude = 3.0\nsolver.step = 1e-4")
    text = text.replace("max_steps = 300", "max_steps = 300\nsolver.abandon_after = 50")
    text = text.split("[law]")[0] + "solver.audit = 0.3\nsolver.stall_after = 0\n"
    file.write_text(text + '[fit]\nalong = "m"\n', encoding="utf-8")
    assert genprior("run", file, store, "--scheduler", "synchronous").exit_code == 0
    counted = json.loads(genprior("status", store, "--json").stdout)["abandonment"]
    (fitted,) = json.loads(genprior("fit", store, "--json").stdout)["transitions"]
    assert counted["abandoned"] > 10
    for name in ("abandoned", "audited", "audited_wrong"):
        assert fitted[name] == counted[name]
