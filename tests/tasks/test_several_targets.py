"""Several targets for one draw of network, measurements and noise."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from ensemble_points import one_bit, point
from helpers import results
from numpy.testing import assert_allclose, assert_array_equal

from genprior.sweeps import Point, Purpose, point_identity, random_stream
from genprior.tasks.instance import Instance, draw_instance
from genprior.tasks.numerics.machine import limit_blas_threads

SEED = 12


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    limit_blas_threads()


@pytest.mark.parametrize(
    ("problem", "changes"),
    [
        ("compressed-sensing", {"m": 20, "noise": {"sigma": 0.1}}),
        ("phase-retrieval", {"m": 20, "noise": {"sigma": 0.1}}),
        ("denoising", {"noise": {"sigma": 0.1, "law": "laplace"}}),
        ("spiked-wigner", {"noise": {"sigma": 0.1}}),
        ("spiked-wishart", {"samples": 9, "noise": {"sigma": 0.1}}),
    ],
)
def test_all_targets_of_a_trial_meet_the_same_network_measurements_and_noise(problem, changes):
    """To the bit, as QWY's uniform recovery asks; target, start and data are their own."""
    written = {"problem": problem, "k": 2, "depth": 2, "widths": [15, 30], **changes}
    one, two, three = (
        draw_instance(Point.model_validate({**written, "target": t}), 4, SEED) for t in (0, 1, 7)
    )
    identity = point_identity(Point.model_validate(written))
    measurements = random_stream(SEED, identity, 4, Purpose.MEASUREMENTS)
    weights = measurements.standard_normal(changes.get("samples", 0))
    for other in (two, three):
        networks = (i.objective.network.weights for i in (one, other))
        for mine, same in zip(*networks, strict=True):
            assert_array_equal(mine, same)
        if "m" in changes:
            matrices = (i.objective.problem.sensing.matrix for i in (one, other))
            assert_array_equal(*matrices)
        assert_allclose(noise(one, weights), noise(other, weights), rtol=0, atol=1e-13)
        assert abs(noise(one, weights)).max() > 0.01
        assert not np.allclose(one.target, other.target)
        assert not np.allclose(one.start, other.start)
    assert not np.allclose(two.target, three.target)


def noise(made: Instance, weights: np.ndarray) -> np.ndarray:
    """What is left of the data without the target; u of Wishart data is given."""
    problem, signal = made.objective.problem, made.signal
    if problem.name == "spiked-wishart":
        return problem.matrix - np.outer(weights, signal)
    if problem.name == "spiked-wigner":
        return problem.matrix - np.outer(signal, signal)
    if problem.name == "denoising":
        return problem.observed - signal
    clean = problem.sensing @ signal
    return problem.observed - (np.abs(clean) if problem.phaseless else clean)


def test_one_bit_targets_meet_the_same_rows_noise_and_dither():
    """A single row and a dither so large that it alone decides: all targets have its sign.

    With λ = 10⁶ and |⟨a, y*⟩| of order 1, s is the sign of τ, and v = λ s a the same vector.
    """
    for trial in range(5):
        seen = {
            draw_instance(
                one_bit(m=1, target=t, dither={"amplitude": 1e6}), trial, SEED
            ).objective.problem.back_projection.tobytes()
            for t in range(3)
        }
        assert len(seen) == 1


@pytest.mark.parametrize("purpose", Purpose)
def test_only_what_belongs_to_a_target_is_drawn_for_each(purpose):
    """And target 0 has the draws of a trial that knows of no others."""
    identity = point_identity(point())
    assert identity == point_identity(point(target=3))
    alone = random_stream(SEED, identity, 3, purpose).standard_normal()
    first, *others = (
        random_stream(SEED, identity, 3, purpose, target).standard_normal() for target in range(3)
    )
    assert first == alone
    own = purpose in (Purpose.TARGET, Purpose.START, Purpose.AUDIT)
    assert len({first, *others}) == (3 if own else 1)


def test_target_0_of_an_axis_is_the_sweep_without_it(
    genprior: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "uniform.toml"
    file.write_text(
        "trials = 3\naxes.m = [6, 12]\n"
        'parameters = {k = 2, depth = 1, widths = [12], "solver.max_steps" = 50}\n'
    )
    alone, several = tmp_path / "alone.zarr", tmp_path / "several.zarr"
    assert genprior("run", file, alone).exit_code == 0
    assert genprior("run", file, several, "--set", "target=0:2:1").exit_code == 0
    one, many = results(alone), results(several)
    assert many.latent_error.sizes == {"m": 2, "target": 3, "trial": 3}
    for name in ("latent_error", "iterations", "loss", "negations"):
        assert_array_equal(one[name], many[name].sel(target=0))
    assert (many.latent_error.sel(target=1) != many.latent_error.sel(target=0)).all()
