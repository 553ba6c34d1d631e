"""Analyses are computed once, stored, and read from there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from click.testing import Result
from helpers import (
    Scripted,
    recovery_sweep,
    results,
    tiny_sweep,
)

from genprior.pipeline import run_sweep
from genprior.pipeline.analyses import analysis_of
from genprior.pipeline.fit.fitting import fit_store
from genprior.pipeline.fit.trials import Trials
from genprior.store import read_info
from genprior.sweeps import load_sweep
from genprior.sweeps.reserved import reserved_names

Command = Callable[..., Result]


KINDS: dict[str, dict[str, Any]] = {
    "transition": {},
    "law": {"fit": {}, "law": {"variable": "latent_error", "exponents": {"m": -0.5}}},
    "comparison": {"fit": {}, "compare": {"over": "k"}},
    "basin": {"fit": {}, "basins": {}, "task": "recovery"},
    "trajectory": {
        "fit": {}, "task": "trajectory", "trials": 1,
        "axes": {"trajectory": {"angle": [10, 100, 190], "step": [0, 1, 5, 20]}},
        "parameters": {"k": 2, "depth": 1, "widths": [9], "m": 40, "solver": {"max_steps": 20}},
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_picture_is_that_of_the_stored_analysis(
    name: str, genprior: Command, kind: Scripted, store: Path, computed: list[str]
) -> None:
    """Computed once before the fit, not at all after it, to the same picture."""
    changes = KINDS[name]
    sweep = (recovery_sweep if name == "basin" else tiny_sweep)(**changes)
    run_sweep(sweep, store, kind=None if "task" in changes else kind)
    pictures = [store.parent / f"{at}.png" for at in range(3)]
    assert genprior("plot", store, "-o", pictures[0]).exit_code == 0
    assert computed == [name]
    assert not (store / "analysis").exists()
    assert genprior("fit", store).exit_code == 0
    assert computed == [name, name]
    assert genprior("plot", store, "-o", pictures[1]).exit_code == 0
    assert computed == [name, name]
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    before = json.loads(genprior("fit", store, "--json").stdout)
    assert computed[2:] == [name]
    assert json.loads(genprior("fit", store, "--json").stdout) == before
    (store / "analysis" / name / "zarr.json").write_text("junk")
    computed.clear()
    assert genprior("plot", store, "-o", pictures[2]).exit_code == 0
    assert computed == [name], "a damaged one is not drawn"
    assert pictures[0].read_bytes() == pictures[2].read_bytes()


@pytest.mark.slow
def test_a_picture_takes_nothing_that_is_out_of_date(
    genprior: Command, kind: Scripted, store: Path, computed: list[str], monkeypatch
) -> None:
    run_sweep(tiny_sweep(), store, kind=kind)
    assert genprior("fit", store).exit_code == 0
    # Along another axis than the stored transition.
    run_sweep(tiny_sweep(plot={"x": "k"}), store, kind=kind)
    for times, prepare in enumerate(
        (
            lambda: None,
            lambda: run_sweep(tiny_sweep(fit={"along": "m", "direction": "falling"}), store,
                              kind=kind),
            lambda: monkeypatch.setattr(type(analysis_of("transition")), "version", 2),
        ),
        start=2,
    ):  # fmt: skip
        prepare()
        assert genprior("plot", store, "-o", store.parent / "x.png").exit_code == 0
        assert len(computed) == times
    status = json.loads(genprior("status", store, "--json").stdout)
    assert status["analyses"]["transition"]["outdated"]


@pytest.mark.slow
def test_every_name_of_an_analysis_is_reserved(kind: Scripted, store: Path) -> None:
    for at, (name, changes) in enumerate(KINDS.items()):
        path = store.with_name(f"{at}.zarr")
        sweep = (recovery_sweep if name == "basin" else tiny_sweep)(**changes)
        run_sweep(sweep, path, kind=None if "task" in changes else kind)
        (dataset,) = fit_store(path).values()
        names = {*map(str, dataset.variables), *map(str, dataset.dims)}
        known = {*sweep.axes, *map(str, results(path).variables)}
        assert names - known <= reserved_names(), name


@pytest.mark.slow
def test_fits_are_datasets_by_name(kind: Scripted, store: Path) -> None:
    law = {"variable": "latent_error", "exponents": {"m": -0.5}}
    run_sweep(tiny_sweep(law=law, compare={"over": "k"}, expected="m/12"), store, kind=kind)
    fits = fit_store(store)
    assert list(fits) == ["transition", "law", "comparison"]
    assert fits["transition"]["p50"].dims == ("k",)
    assert fits.left_out == {}
    rows = fits.records()
    assert [row["k"] for row in rows["transitions"]] == [2, 4, 6]
    assert (rows["expected"], rows["basins"]) == ("m/12", [])
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    shown = repr(fits)
    assert str(store) in shown
    assert "comparison" in shown
    xr.testing.assert_allclose(xr.open_zarr(store, group="analysis/law").load(), fits["law"])


def test_all_analyses_of_a_fit_are_of_the_trials_of_one_reading(
    kind: Scripted, store: Path
) -> None:
    """24 trials were done when the status was read, and 48 when the errors are."""
    run_sweep(tiny_sweep("m=3,5"), store, kind=kind)
    run_sweep(tiny_sweep("k=2"), store, kind=kind)
    trials = Trials(read_info(store))
    assert trials.done == 3 * 2 * 4 + 2 * 4
    run_sweep(tiny_sweep(), store, kind=kind)
    assert trials.changed()
    assert trials.load(["latent_error"])["latent_error"].notnull().sum() == trials.done
    assert Trials(read_info(store)).done == 48
    assert load_sweep("basins").basins.radius == 0.75


@pytest.mark.slow
def test_a_first_and_a_second_fit_give_the_same_datasets(kind: Scripted, store: Path) -> None:
    """Texts have a fixed length and attributes are those of the store from the beginning."""
    settings = KINDS["law"] | {"fit": {"along": "m"}, "compare": {"over": "k"}}
    run_sweep(tiny_sweep(**settings), store, kind=kind)
    first, second = fit_store(store), fit_store(store)
    for name, dataset in first.items():
        with xr.open_zarr(store, group=f"analysis/{name}") as kept:
            assert {n: v.dtype for n, v in dataset.variables.items()} == {
                n: v.dtype for n, v in kept.variables.items()
            }
        xr.testing.assert_identical(dataset, second[name])
