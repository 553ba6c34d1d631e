"""Power laws in sweep files and whole runs."""

import json
import math
from pathlib import Path

import pytest
from click.testing import Result
from helpers import assert_names, recovery_sweep, tiny_sweep, write_sweep

from genprior.pipeline import run_sweep
from genprior.store import open_analysis, record
from genprior.sweeps import Sweep, SweepError, differences, union

# Sweep files


def written(**changes):
    return {
        "axes": {"k": [2, 4, 8], "noise.sigma": [0.0, 0.1]},
        "parameters": {"m": 9, "depth": 1, "widths": [12]},
        "law": {"exponents": {"k": 0.5}},
        **changes,
    }


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ({"exponents": {"kk": 0.5}}, ["law.exponents", "'kk'", "'k'"]),
        ({"exponents": {"m": 0.5}}, ["law.exponents", "'m'"]),
        ({}, ["law.exponents"]),
        ({"exponents": {"noise": {"sigma": 1}}}, ["'noise.sigma'", "0"]),
        ({"exponents": {"k": "0.5"}}, ["'law.exponents.k'"]),
        ({"exponents": {"k": True}}, ["'law.exponents.k'"]),
        ({"exponents": {"k": math.nan}}, ["'law.exponents.k'"]),
        ({"exponent": {"k": 1}}, ["'law.exponent'", "'exponents'"]),
    ],
)
def test_a_law_that_cannot_be_fitted_is_refused_in_one_line(table, named):
    with pytest.raises(SweepError) as caught:
        Sweep.parse(written(law=table))
    assert_names(caught.value, *named)


def test_a_law_needs_numbers_along_its_axes():
    axes = {"k": [2, 4], "solver.negation": [True, False]}
    with pytest.raises(SweepError, match=r"'solver\.negation'"):
        Sweep.parse(written(axes=axes, law={"exponents": {"solver.negation": 1}}))


def test_a_law_is_about_reading_and_may_change():
    """Another claim is the same experiment; a law that is asked for no longer goes."""
    sweep = Sweep.parse(written())
    latent = sweep.override(["law.variable=latent_error"])
    without = Sweep.parse(written(law=None))
    assert latent.law.variable == "latent_error"
    assert latent.hash == sweep.hash == without.hash
    assert differences(sweep, latent) == differences(sweep, without) == []
    assert union(sweep, latent).law == latent.law
    assert union(sweep, without).law is None
    assert union(without, sweep).law == sweep.law
    assert Sweep.parse(json.loads(sweep.as_json())) == sweep


# Whole runs

NOISY = {
    "axes": {"noise.sigma": [0.001, 0.004, 0.016], "k": [2, 4]},
    "parameters": {
        "depth": 1, "widths": [60], "m": 25, "success": {"metric": "signal_error", "below": 0.5},
        "solver": {"max_steps": 150, "step": 1.0, "tolerance": 1e-7},
    },
    "trials": 8,
    "fit": {},
    "law": {"exponents": {"noise": {"sigma": 1.0}}},
}  # fmt: skip


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sweep of noisy recoveries; not to be changed but by `fit`."""
    path = tmp_path_factory.mktemp("noisy") / "noisy.zarr"
    run_sweep(recovery_sweep(**NOISY), path)
    return path


@pytest.mark.slow
def test_the_error_of_recovered_trials_is_proportional_to_the_noise(genprior, noisy):
    """A local linear count gives σ √k for the error of a recovered trial: exponent 1 in σ."""
    result = genprior("fit", noisy, "--json")
    found = json.loads(result.stdout)
    assert (found["transitions"], found["comparisons"], found["level"]) == ([], [], 0.95)
    assert [(row["k"], row["axis"], row["claimed"]) for row in found["laws"]] == [
        (2, "noise.sigma", 1.0), (4, "noise.sigma", 1.0),
    ]  # fmt: skip
    for row in found["laws"]:
        assert row["exponent_low"] < 1 < row["exponent_high"]
        assert row["exponent_high"] - row["exponent_low"] < 0.6
        assert row["variable"] == "signal_error"
        assert (row["trials"], row["clustered"]) == (24, False)
        assert [(one["from"], one["to"]) for one in row["local"]] == [
            (0.001, 0.004),
            (0.004, 0.016),
        ]
    kept = open_analysis(noisy, "law")
    assert kept["exponent"].values[:, 0].tolist() == [row["exponent"] for row in found["laws"]]
    assert json.loads(genprior("fit", noisy, "--json").stdout) == found, "the same every time"
    shown = genprior("fit", noisy).stdout
    assert "claim inside" in shown
    assert "recovered, %" in shown


def test_plot_draws_the_law_with_what_is_claimed(genprior, noisy, tmp_path):
    picture = tmp_path / "law.svg"
    result: Result = genprior("plot", noisy, "-o", picture)
    assert result.exit_code == 0, result.output
    drawn = picture.read_text()
    for piece in ("noise level", "claimed, 1", "exponent in noise.sigma", "0.016"):
        assert piece in drawn


def test_commands_say_what_a_law_lacks(genprior, kind, store, tmp_path):
    run_sweep(tiny_sweep(fit={}), store, kind=kind)
    # No run takes such a sweep; a store may have it all the same.
    sweep = tiny_sweep(fit={}, law={"exponents": {"k": 1}})
    record(store, {"sweep": sweep.complete().as_json()})
    for command in (["fit", store], ["plot", store]):
        result = genprior(*command)
        assert result.exit_code == 2
        assert_names(result.stderr, "law", "signal_error")
    for unknown in ({"law": {"exponents": {"k": 1}}}, {"plot": {"variable": "signal_error"}}):
        refused = write_sweep(tiny_sweep(fit={}, **unknown), tmp_path / "refused.toml")
        for command in (["plan", refused], ["run", refused, tmp_path / "refused.zarr"]):
            result = genprior(*command)
            assert result.exit_code == 2
            assert_names(result.stderr, ".variable", "'scripted'", "'signal_error'")
    law = {"variable": "latent_error", "exponents": {"k": 1}}
    again = write_sweep(tiny_sweep("k=2", fit={}, law=law), tmp_path / "a.toml")
    one = tmp_path / "one.zarr"
    assert genprior("run", again, one).exit_code == 0
    result = genprior("fit", one)
    assert result.exit_code == 2
    assert_names(result.stderr, "law.exponents", "'k'", "2")
