"""`fit_scaling` refuses, in one line, what is no law."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from genprior.tasks.statistics import fit_scaling, thresholds

pytestmark = pytest.mark.filterwarnings("error")

K = xr.DataArray([4.0, 8, 12, 16, 20], dims="k", coords={"k": [4, 8, 12, 16, 20]})
LOG_K = np.log(K)
M = xr.DataArray(np.arange(4.0, 60, 4), dims="m", coords={"m": np.arange(4, 60, 4)})


def outcomes() -> xr.DataArray:
    """Success rises about m = 2k."""
    chance = 1 / (1 + np.exp(-(np.log(M) - np.log(2 * K)) / 0.2))
    runs = 20
    number = xr.DataArray((np.arange(runs) + 0.5) / runs, dims="trial")
    return (number < chance).astype(float)


def test_the_law_of_these_outcomes_is_found() -> None:
    law = fit_scaling(outcomes(), "m", {"k": LOG_K})
    assert law["exponent"].sel(term="k").item() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"direction": 0}, "direction is 0"),
        ({"direction": None}, "direction is None"),
        ({"direction": -1}, "0 of 5 groups enter; .*against the direction"),
        ({"success": outcomes().assign_coords(m=[4.0] * 14)}, "'m' has one value"),
        ({"success": outcomes().assign_coords(m=M.values - 10)}, "positive positions"),
        ({"success": 0 * outcomes()}, "0 of 5 groups enter; .*no success"),
        ({"terms": {"k": LOG_K * 1e8}}, "term 'k' reaches 3e\\+08|term 'k' reaches 2.99573e\\+08"),
        ({"terms": {"k": 0 * LOG_K}}, "term 'k' has one value"),
        ({"terms": {"k": LOG_K[:3]}}, "term 'k' has sizes {'k': 3}"),
        ({"terms": {"k": LOG_K.assign_coords(k=[1, 2, 3, 4, 5])}}, "not those of the groups"),
        ({"terms": {"k": LOG_K, "2k": 2 * LOG_K}}, "'k' and '2k' have one shape"),
        ({"offset": np.nan * LOG_K}, "offset has a value that is not finite"),
        ({"slopes": ["n"]}, "slopes names 'n'"),
    ],
)
def test_one_line_names_what_is_wrong(changes: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"success": outcomes(), "terms": {"k": LOG_K}, **changes}
    with pytest.raises(ValueError, match=words) as caught:
        fit_scaling(given.pop("success"), "m", given.pop("terms"), **given)
    assert "\n" not in str(caught.value)


def test_an_excluded_group_needs_no_terms() -> None:
    """Excluded combinations have neither k nor widths."""
    extra = outcomes().reindex(k=[*K.values, 24.0])
    law, whole = (
        fit_scaling(found, "m", {"k": np.log(found.k)}, offset=offset)
        for found, offset in ((outcomes(), 0.0), (extra, 0 * LOG_K.reindex(k=extra.k)))
    )
    assert whole["left_out"].values.tolist() == [""] * 5 + ["excluded"]
    np.testing.assert_allclose(whole["exponent"], law["exponent"], rtol=1e-9)


def test_a_law_says_whether_the_fit_of_its_curves_converged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert fit_scaling(outcomes(), "m", {"k": LOG_K}).attrs["converged"] == 1
    monkeypatch.setattr(thresholds, "MOST_STEPS", 1)
    assert fit_scaling(outcomes(), "m", {"k": LOG_K}).attrs["converged"] == 0
