"""A trial whose values cannot be stored crashes alone, with a reason."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import Scripted, results, tiny_sweep

from genprior.pipeline import run_sweep
from genprior.pipeline.executors.opening import open_executor
from genprior.pipeline.status import store_status
from genprior.sweeps import Draws, Point

WRONG = {
    "a missing key": ({"success": 1, "latent_error": 0.5}, "iterations: "),
    "text": ({"latent_error": "small"}, "latent_error: "),
    "an array": ({"latent_error": np.zeros(3)}, "latent_error: "),
    "too large": ({"success": 300}, "success: "),
    "no mapping": (7, "no mapping"),
    "nothing": (None, "no mapping"),
    "NaN": ({"latent_error": np.nan}, "latent_error: "),
    "no code": ({"success": 7}, "success: "),
    "below zero": ({"iterations": -5}, "iterations: "),
    "undeclared": ({"other": 1}, "'other': "),
}


@dataclass(frozen=True)
class Wrong(Scripted):
    """At k=4, m=5 the second trial gives something else."""

    case: str = ""

    def run(self, point: Point, draws: Draws) -> Any:
        values = super().run(point, draws)
        if (point.k, point.m, draws.trial) != (4, 5, 1):
            return values
        given, _ = WRONG[self.case]
        if not isinstance(given, dict) or "missing" in self.case:
            return given
        return values | given


@pytest.mark.parametrize("case", WRONG)
def test_a_trial_with_wrong_values_crashes_and_the_others_are_done(
    store: Path, tmp_path: Path, case: str
) -> None:
    (tmp_path / "calls").mkdir()
    summary = run_sweep(tiny_sweep(), store, kind=Wrong(str(tmp_path / "calls"), case=case))
    assert (summary.computed, summary.crashed) == (47, 1)
    (crash,) = store_status(store).crashes
    assert crash["first"] == {"k": 4, "m": 5, "trial": 1}
    assert WRONG[case][1] in crash["error"]
    trial = results(store).sel(k=4, m=5, trial=1)
    assert all(np.isnan(trial[name]) for name in ("success", "latent_error", "iterations"))


def test_a_repeated_run_computes_the_wrong_trial_alone(
    store: Path, tmp_path: Path, undisturbed: Path
) -> None:
    (tmp_path / "calls").mkdir()
    kind = Wrong(str(tmp_path / "calls"), case="NaN")
    run_sweep(tiny_sweep(), store, kind=kind)
    mended = Scripted(kind.folder)
    assert run_sweep(tiny_sweep(), store, kind=mended).computed == 1
    assert sum(mended.calls().values()) == 49
    assert results(store)["success"].equals(results(undisturbed)["success"])


@dataclass(frozen=True)
class Ending(Scripted):
    """At k=4, m=5 the second trial raises what usually ends a thread or a process."""

    raised: type[BaseException] = KeyboardInterrupt

    def run(self, point: Point, draws: Draws) -> Any:
        if (point.k, point.m, draws.trial) == (4, 5, 1):
            raise self.raised("by the trial")
        return super().run(point, draws)


@pytest.mark.cluster
@pytest.mark.parametrize("raised", [KeyboardInterrupt, GeneratorExit, asyncio.CancelledError])
def test_a_trial_that_raises_an_interruption_itself_crashes_alone(
    store: Path, tmp_path: Path, raised: type[BaseException]
) -> None:
    """In a thread Python raises no interruption of the user's."""
    (tmp_path / "calls").mkdir()
    kind = Ending(str(tmp_path / "calls"), raised=raised)
    with open_executor("threads", 2) as executor:
        summary = run_sweep(tiny_sweep(), store, executor, kind=kind)
    assert (summary.computed, summary.crashed) == (47, 1)
    assert f"{raised.__name__}: by the trial" in summary.last_error


def test_an_interruption_of_a_trial_in_the_main_thread_is_the_users(
    store: Path, tmp_path: Path
) -> None:
    (tmp_path / "calls").mkdir()
    summary = run_sweep(tiny_sweep(), store, kind=Ending(str(tmp_path / "calls")))
    assert summary.interrupted
    assert summary.crashed == 0
