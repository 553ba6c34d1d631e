"""The check that authors of analyses run: ours pass, and what is broken is told."""

from typing import Any

import pytest
import xarray as xr

from genprior.pipeline.analyses import Analysis, analyses, analysis_of
from genprior.pipeline.analyses.law import Law
from genprior.pipeline.testing import check_analysis

ASKS: dict[str, dict[str, Any]] = {
    "transition": {"fit": {"along": "m"}},
    "scaling": {
        "axes": {"k": [2, 3, 4, 5], "m": [2, 3, 4, 6, 9, 14, 27]}, "trials": 16,
        "parameters": {"depth": 1, "widths": [30], "solver": {"max_steps": 600, "step": 0.6}},
        "fit": {"along": "m"}, "scaling": {"terms": ["k"], "shapes": ["k"]},
    },
    "uniform": {"axes": {"m": [3, 9, 27], "target": [0, 1]}, "fit": {"along": "m"}},
    "law": {"law": {"variable": "signal_error", "exponents": {"m": -0.5}}},
    "comparison": {"compare": {"over": "k"}},
    "basin": {"basins": {"radius": 0.5}},
    "trajectory": {
        "task": "trajectory", "trials": 1,
        "axes": {"trajectory.angle": [10.0, 170.0], "trajectory.step": [0, 20, 50]},
        "parameters": {"k": 2, "m": 20, "depth": 1, "widths": [30], "solver.max_steps": 50},
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", [analysis.name for analysis in analyses()])
def test_our_analyses_keep_the_contract(name: str) -> None:
    sweep = ASKS[name]
    if name == "uniform":
        sweep = {**sweep, "parameters": {"k": 2, "depth": 1, "widths": [30]}}
    analysis = analysis_of(name)
    assert analysis is not None
    check_analysis(type(analysis), **sweep)
    assert type(analysis_of(name)) is type(analysis)


class Unlabelled(Analysis):
    name = "unlabelled"
    json_name = "unlabelled"

    def asked(self, info: Any, along: str | None) -> dict[str, Any] | None:
        return {}

    def compute(self, request: Any) -> Any:
        return xr.Dataset({"constant": ("row", [1.0])})

    def records(self, dataset: Any) -> list[dict[str, Any]]:
        return [{"constant": 1.0}]

    def table(self, dataset: Any) -> Any:
        raise NotImplementedError


def test_an_analysis_without_labels_is_told() -> None:
    with pytest.raises(AssertionError, match="long_name"):
        check_analysis(Unlabelled)
    assert analysis_of("unlabelled") is None


def test_an_analysis_that_the_sweep_does_not_ask_for_is_told() -> None:
    law: type[Analysis] = Law
    with pytest.raises(AssertionError, match="law"):
        check_analysis(law, fit={"along": "m"})
