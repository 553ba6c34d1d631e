"""Legal but extreme points end in an outcome: not in a crash, and never in a false success."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from memory_use import peak_memory
from one_trial import recover
from pydantic import ValidationError

from genprior.sweeps import Point, point_identity
from genprior.tasks.experiments.recovery import Recovery
from genprior.tasks.problems import check_point
from genprior.tasks.solvers.descent import Verdict

WIGNER = {"problem": "spiked-wigner", "k": 3, "depth": 2, "widths": (20, 30)}
LISTED = {
    "problem": "inversion", "generator": "identity", "k": 2, "depth": 1, "widths": (5,),
    "target_codes": "1 0; 1 1", "success": {"metric": "nearest_target"},
}  # fmt: skip


def outcomes(trials: int = 4, **written: Any) -> list[dict[str, Any]]:
    point = Point.model_validate(written)
    return [recover(point, trial, 3) for trial in range(trials)]


def test_listed_codes_keep_every_digit():
    """They are part of a point's identity: two that differ are two experiments."""
    one, other = (Point(k=1, depth=1, widths=(3,), target_codes=c) for c in ("1.0000001", "1"))
    assert one.codes == ((1.0000001,),)
    assert point_identity(one) != point_identity(other)
    assert Point(k=1, depth=1, widths=(3,), target_codes="1.0").target_codes == other.target_codes


@pytest.mark.parametrize("codes", ["1 0; 1 0", "1_0 1", "1.0 0; 1 0"])
def test_equal_codes_and_odd_numbers_are_refused(codes):
    with pytest.raises(ValidationError, match="target_codes"):
        Point(k=2, depth=1, widths=(3,), target_codes=codes)


@pytest.mark.parametrize("target", [0, 1])
def test_a_diverged_run_is_nearest_to_no_target(target):
    """A step of 10³ where some 2 are stable; errors are infinite then, as distances are."""
    written = {**LISTED, "generator": "gaussian", "widths": (40,), "target": target}
    written |= {"solver": {"step": 1e3}}
    for values in outcomes(**written):
        assert values["verdict"] == Verdict.DIVERGED
        assert not values["success"]
        assert values["signal_error"] == values["latent_error"] == np.inf


def test_targets_of_the_same_signal_are_told_apart_by_nobody():
    """relu(−1) = relu(−2) = 0: neither is nearer than the other, and neither is recognised."""
    listed = {**LISTED, "target_codes": "-1 -1; -2 -2", "solver": {"negation": False}}
    for target in (0, 1):
        assert not any(values["success"] for values in outcomes(**{**listed, "target": target}))


@pytest.mark.parametrize("depth", [1, 4, 8])
def test_the_default_step_suits_the_identity_whatever_its_depth(depth):
    """ΛᵀΛ = 1 where all codes are positive: no layer shrinks anything."""
    written = {**LISTED, "depth": depth, "widths": (5,) * depth}
    written |= {"solver": {"start": "ones", "negation": False}, "target": 1}
    assert all(values["latent_error"] < 1e-8 for values in outcomes(1, **written))


@pytest.mark.parametrize(
    "changes",
    [
        {"solver": {"step": 1.0}},
        {"solver": {"step": 3.0}},
        {"solver": {"start_scale": 1e100}},
        {"noise": {"sigma": 1e200}},
        {"target_norm": 1e30, "solver": {"start_scale": 1e100}},
    ],
)
@pytest.mark.parametrize("problem", ["spiked-wigner", "spiked-wishart"])
def test_what_is_too_large_diverges(problem, changes):
    """Or ends where all units are off. Python's own numbers would raise where they overflow."""
    written = {**WIGNER, "noise": {"sigma": 0.1}, "samples": 9, **changes, "problem": problem}
    for values in outcomes(**written):
        assert not values["success"]
        assert not np.isnan(list(values.values())).any()


@pytest.mark.parametrize(
    "changes",
    [
        {"noise": {"sigma": 1e200}, "dither": {"rule": "log-m"}},
        {"dither": {"amplitude": 1e308}},
        {"dither": {"amplitude": 1e-300}},
    ],
)
def test_one_bit_takes_any_scale_of_noise_and_dither(changes):
    written = {"problem": "one-bit", "k": 2, "depth": 1, "widths": (9,), "m": 20, **changes}
    for values in outcomes(**written):
        assert not np.isnan(list(values.values())).any()


@pytest.mark.slow
def test_a_signal_of_zeros_gives_a_spiked_matrix_of_zeros():
    """It has no largest eigenvalue to start an iteration from."""
    written = {**WIGNER, "generator": "identity", "widths": (30, 30), "target_codes": "-1 -1 -1"}
    for values in outcomes(**written):
        assert not np.isnan(list(values.values())).any()


@pytest.mark.parametrize("scale", [1e-30, 1e30])
@pytest.mark.parametrize("problem", ["inversion", "spiked-wigner"])
def test_signals_of_any_legal_size_are_recovered(problem, scale):
    (values,) = outcomes(1, **{**WIGNER, "problem": problem, "target_norm": scale})
    (usual,) = outcomes(1, **{**WIGNER, "problem": problem})
    assert usual["latent_error"] < 1e-6
    assert values["verdict"] == usual["verdict"] == Verdict.CONVERGED


def test_a_single_layer_has_no_mirror():
    """ρ_1 = 0: the start would be 0, where nothing moves. Phase retrieval's is 2/π."""
    written = {"k": 2, "depth": 1, "widths": (9,), "m": 6, "solver": {"start": "mirror"}}
    with pytest.raises(ValueError, match="depth 1"):
        check_point(Point.model_validate(written))
    check_point(Point.model_validate({**written, "problem": "phase-retrieval"}))


def test_the_identity_has_no_gain():
    point = Point.model_validate({**LISTED, "gain": 2.0})
    with pytest.raises(ValueError, match=r"'gain'.* 2\.0.*'identity'"):
        check_point(point)


@pytest.mark.parametrize(
    "written",
    [
        {"problem": "inversion", "widths": (60, 20_000)},
        {"problem": "one-bit", "widths": (60, 20_000), "m": 50, "dither": {"amplitude": 3.0}},
        {"problem": "one-bit", "widths": (5,), "m": 10**6, "ensemble": "rademacher",
         "dither": {"amplitude": 3.0}},
        {"problem": "denoising", "widths": (40, 5000), "noise": {"sigma": 0.01}},
        {"m": 800, "widths": (40, 1500), "ensemble": "rademacher"},
        {"m": 800, "widths": (40, 1500), "ensemble": "student-t", "solver": {"engine": "plain"}},
        {"m": 1500, "widths": (40, 3000), "ensemble": "subsampled-dct"},
        {"problem": "phase-retrieval", "m": 300, "widths": (40, 1500)},
        {"problem": "spiked-wishart", "samples": 40_000, "widths": (30, 40)},
        {"problem": "spiked-wishart", "samples": 40, "widths": (30, 3000)},
        {"problem": "spiked-wigner", "widths": (30, 700)},
        {"problem": "inversion", "widths": (3, 40_000), "target_codes": "; ".join(
            f"1 1 {i}" for i in range(60)), "success": {"metric": "nearest_target"}},
    ],
)  # fmt: skip
def test_the_memory_of_a_trial_is_bounded_and_not_by_much(written):
    """Where no n×n matrix is held none is counted: the bound is within 60 MB or fifteenfold."""
    widths = written["widths"]
    solver = {"max_steps": 20, **written.get("solver", {})}
    point = Point.model_validate({"k": 3, "depth": len(widths), **written, "solver": solver})
    recover(point, 0, 1)
    peak = peak_memory(lambda: recover(point, 1, 1))
    claimed = Recovery().memory(point)
    assert peak < claimed + 100_000
    assert claimed < max(15 * peak, peak + 60e6)


@pytest.mark.slow
def test_a_fit_leaves_out_what_one_value_does_not_allow(
    genprior: Callable[..., Any], tmp_path: Path
) -> None:
    """The transition is fitted all the same, and the law's absence is told."""
    file, store = tmp_path / "one.toml", tmp_path / "one.zarr"
    file.write_text(
        "trials = 4\n[axes]\nm = [4, 8, 12]\nk = [2]\n[parameters]\ndepth = 1\nwidths = [20]\n"
        'solver.max_steps = 50\n[fit]\nalong = "m"\n[law.exponents]\nk = 1\n',
        encoding="utf-8",
    )
    assert genprior("run", file, store, "--scheduler", "synchronous").exit_code == 0
    found = json.loads(genprior("fit", store, "--json").stdout)
    assert len(found["transitions"]) == 1
    assert not found["laws"]
    assert "'k' has one value, 2; an exponent needs two" in found["left_out"][0]
    assert "left out: " in genprior("fit", store).stdout
