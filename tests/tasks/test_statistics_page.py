"""The page on statistics in Python: its examples run as they stand, and give what `fit` gives."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import PROJECT

import genprior as gp
from genprior.tasks import statistics

pytestmark = pytest.mark.slow
PAGE = PROJECT / "docs" / "statistics.md"


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the examples of the page define."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    defined: dict[str, Any] = {"__name__": "page"}
    run = gp.run

    def run_here(sweep: gp.Sweep, store: str, **placed: Any) -> object:
        return run(sweep, store, scheduler="synchronous", progress=False, **placed)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        patch.setattr(gp, "run", run_here)
        for block in blocks:
            exec(compile(block, str(PAGE), "exec"), defined)
        defined["folder"] = Path.cwd()
    return defined


def test_the_functions_give_what_fit_gives(names: dict[str, Any]) -> None:
    fitted = gp.fit(names["folder"] / "page.zarr")["transition"]
    for name in ("p50", "p50_low", "p50_high", "width", "ceiling"):
        xr.testing.assert_allclose(names["fits"][name], fitted[name].drop_attrs())
    rates = names["rates"]
    np.testing.assert_array_equal(rates.successes, fitted.successes.transpose(*rates.rate.dims))
    np.testing.assert_allclose(rates.rate_low, fitted.success_low.transpose(*rates.rate.dims))
    placed = gp.fit(names["folder"] / "placed.zarr")["transition"]
    fits = statistics.fit_transitions(names["grid"].success, "m", expected=1, floor=0)
    xr.testing.assert_allclose(fits.p50, placed.p50.drop_attrs())
    assert int(fits.trials.sum()) == int(placed.trials.sum()) > 0


def test_the_examples_say_what_the_page_says(names: dict[str, Any]) -> None:
    fit = names["fit"]
    assert 20 < fit.p50_low < fit.p50 < fit.p50_high < 40
    exponent = names["exponent"]
    assert 0 < exponent.exponent_low < exponent.exponent < exponent.exponent_high < 3
    assert names["compared"].attrs["paired"] == 1
    every = gp.open(names["folder"] / "targets.zarr").success
    assert "target" in every.dims
    xr.testing.assert_equal(names["worst"].success.drop_attrs(), every.min("target").drop_attrs())
    assert names["errors"].exponent.sizes["law_axis"] == 1


def test_every_function_is_there_and_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in statistics.__all__:
        assert callable(getattr(statistics, name))
        assert name in dir(statistics)
        if name not in ("wilson_interval", "compare_transitions"):
            assert f"statistics.{name}(" in page
    with pytest.raises(AttributeError, match="no attribute 'fit_all'"):
        statistics.fit_all  # noqa: B018


def test_rates_of_cells_without_trials_are_unknown() -> None:
    success = xr.DataArray([[1.0, 0, 1, 1], [np.nan] * 4], dims=("m", "trial"))
    rates = statistics.success_rate(success)
    assert rates.runs.values.tolist() == [4, 0]
    assert rates.rate.values[0] == 0.75
    assert rates[["rate", "rate_low", "rate_high"]].isel(m=1).to_dataarray().isnull().all()
    low, high = statistics.wilson_interval(3, 4)
    assert (rates.rate_low.values[0], rates.rate_high.values[0]) == (low, high)
