"""Fits over the survivors of crashes say so; no warning of a library reaches the user."""

import json
import warnings
from dataclasses import replace

import pytest
import xarray as xr
from helpers import assert_names, recovery_sweep, tiny_sweep

from genprior.pipeline import run_sweep
from genprior.pipeline.fit.crashes import crash_lines, with_crashes
from genprior.store import Status


@pytest.mark.slow
def test_every_fit_counts_the_trials_that_crashed_in_its_cells(genprior, kind, store):
    """One of 16 trials with k = 2 crashes, at m = 3; a law along k has it in its group m = 3."""
    law = {"variable": "latent_error", "exponents": {"k": 0.5}}
    sweep = tiny_sweep(law=law, compare={"over": "k"})
    run_sweep(sweep, store, kind=replace(kind, crash_at=(2, 3, 1)))
    found = json.loads(genprior("fit", store, "--json").stdout)
    assert [(row["k"], row["crashed"]) for row in found["transitions"]] == [(2, 1), (4, 0), (6, 0)]
    assert [(row["m"], row["crashed"]) for row in found["laws"]] == [(3, 1), (5, 0), (7, 0), (9, 0)]
    for row in found["comparisons"]:
        assert (row["crashed"], row["reference_crashed"]) == (0, 1)
        assert [cell["reference_crashed"] for cell in row["cells"]] == [1, 0, 0, 0]
    for name in ("transition", "law", "comparison"):
        counts = xr.open_zarr(store, group=f"analysis/{name}").load()
        assert counts["crashed"].sum() == (name != "comparison")
        assert counts["crashed"].attrs["long_name"]
    told = " ".join(genprior("fit", store).stdout.split())
    assert_names(told, "k = 2: 1 of 16 trials", "m = 3: 1 of 12 trials")


def test_a_trial_counts_as_crashed_if_one_of_its_targets_did():
    """Where the worst of them counts; cells that tell targets apart count each."""
    status = xr.DataArray(
        [[[Status.CRASHED, Status.CRASHED], [Status.DONE, Status.PENDING]],
         [[Status.CRASHED, Status.DONE], [Status.DONE, Status.DONE]]],
        dims=("target", "m", "trial"),
    )  # fmt: skip
    worst = xr.Dataset({"runs": ("m", [0, 1])})
    assert with_crashes(worst, status, "runs")["crashed"].values.tolist() == [2, 0]
    each = xr.Dataset({"runs": (("m", "target"), [[0, 1], [2, 2]])})
    assert with_crashes(each, status, "runs")["crashed"].values.tolist() == [[2, 1], [0, 0]]


def test_many_cells_with_crashes_are_told_in_one_line():
    rows = [{"m": m, "crashed": 2, "runs": 8} for m in range(7)]
    assert len(crash_lines(rows[:3], ["m"], "runs")) == 3
    assert crash_lines(rows, ["m"], "runs") == ["14 trials crashed, in 7 rows, and are left out"]
    assert crash_lines([{"m": 1, "crashed": 0, "runs": 8}], ["m"], "runs") == []


SETTINGS = ("k=2,3", "m=3,9", "trials=2", "solver.max_steps=12")
AUDITED = ("solver.abandon_after=4", "solver.audit=0.5")
WIDTHS = {"widths": {"by": "depth", "table": {"1": [15], "2": [15, 20]}}}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        # Parameters that depend on the axis compared are other coordinates on either side.
        (
            AUDITED,
            {
                "parameters": {},
                "dependent": WIDTHS,
                "compare": {"over": "depth"},
                "basins": {"radius": 0.5},
            },
        ),
        (("target=0,1",), {"parameters": {"depth": 1, "widths": [15]}}),
    ],
)
def test_no_command_lets_a_warning_of_a_library_through(
    genprior, store, tmp_path, settings, changes
):
    """Python turns them into errors, as PYTHONWARNINGS=error does, and so into tracebacks."""
    axes = {"k": [2], "m": [3], **({"depth": [1, 2]} if "compare" in changes else {"target": [0]})}
    law = {"variable": "iterations", "exponents": {"m": 1.0}}
    read = {"axes": axes, "law": law, "fit": {"along": "k"}}
    sweep = recovery_sweep(*SETTINGS, *settings, **read, **changes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_sweep(sweep, store)
        for command in (
            ("status", store), ("fit", store), ("fit", store, "--along", "m", "--json"),
            ("plot", store, "-o", tmp_path / "a.png"),
        ):  # fmt: skip
            result = genprior(*command)
            assert result.exit_code == 0, (command, result.output)
