"""Defaults of every problem: starts, steps, tolerances and noise, in any units."""

from math import sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from one_trial import recover
from problem_points import ENOUGH, SEED, each_noiseless, hessian, noiseless, one_bit, point

from genprior.sweeps import Point
from genprior.tasks.instance import draw_instance
from genprior.tasks.numerics.machine import limit_blas_threads
from genprior.tasks.problems import PROBLEMS
from genprior.tasks.solvers import SolverTable
from genprior.tasks.solvers.descent import Verdict


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    limit_blas_threads()


@pytest.mark.parametrize("norm", [1e-3, 1.0, 1e3])
def test_every_problem_estimates_the_norm_of_its_target(norm):
    """‖A y*‖/‖y*‖ has a standard deviation of 1/√(2m), and ‖u‖/√N one of 1/√(2N).

    The other noiseless data give the norm itself, but for the 10⁻³ of an eigenvalue. Of one-bit
    data ‖v − E v‖² is nλ²/m at most on average: with λ = 3‖y*‖, n = 80, m = 10⁵ the norm is off by
    0.085 at most, and E v by a factor of 0.9973.
    """
    for problem, bound in {
        "compressed-sensing": 5 / sqrt(2 * 90),
        "phase-retrieval": 5 / sqrt(2 * 200),
        "inversion": 1e-12,
        "denoising": 1e-12,
        "spiked-wigner": 1e-3,
        "spiked-wishart": 5 / sqrt(2 * 40),
    }.items():
        drawn = draw_instance(noiseless(problem, target_norm=norm), 1, SEED)
        assert_allclose(drawn.objective.problem.scale() / norm, 1, atol=bound)
    made = one_bit(100_000, 80, target_norm=norm, dither={"amplitude": 3 * norm})
    drawn = draw_instance(made, 0, SEED)
    assert_allclose(drawn.objective.problem.scale() / norm, 1, atol=0.09)


@pytest.mark.parametrize("problem", ["spiked-wishart", "spiked-wigner"])
def test_an_eigenvalue_is_the_same_to_the_bit_every_time(problem):
    """The step follows from it: a trial that differs from run to run could not be resumed."""
    for trial in range(5):
        made = noiseless(problem)
        draws = {draw_instance(made, trial, SEED).objective.problem.scale() for _ in range(4)}
        assert len(draws) == 1


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_smallest_matrices_have_eigenvalues_too(n):
    """Down to one entry, where iterative methods give up."""
    signal = np.arange(1.0, n + 1)
    spiked = PROBLEMS.built_in["spiked-wigner"](np.outer(signal, signal))
    assert_allclose(spiked.scale(), np.linalg.norm(signal), rtol=1e-3)
    rows = PROBLEMS.built_in["spiked-wishart"](np.outer([1.0], signal), 1)
    assert_allclose(rows.scale(), np.linalg.norm(signal), rtol=1e-3)


@pytest.mark.parametrize("problem", [*ENOUGH, "one-bit"])
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize(("norm", "gain"), [(1e-3, 1), (1.0, 2), (1e3, 1)])
def test_the_default_step_is_stable_at_the_target(problem, depth, norm, gain):
    """Linear descent is stable for α·λ_max(f'') < 2. And it is no waste: α·λ_max is 0.02 or more.

    ΛᵀΛ ≈ (gain/2)^d would make it 0.175 for quadratic losses, ⅔ of that or less for spiked ones
    (4‖y*‖² radially and 2‖y*‖² across, of the 6‖y*‖² that the step allows for), if layers were
    wide.
    """
    dither = {"dither": {"amplitude": 3 * norm}} if problem == "one-bit" else {}
    made = noiseless(problem, depth, target_norm=norm, gain=gain, **dither)
    for trial in range(3):
        drawn = draw_instance(made, trial, SEED)
        stiffness = drawn.method.step_size * np.linalg.eigvalsh(hessian(drawn))[-1]
        assert 0.02 < stiffness < 2


@each_noiseless
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_defaults_recover_whatever_the_scale(problem, depth):
    """Step, tolerance and start follow the data: 10⁻³ ≤ ‖y*‖ ≤ 10³, and so for the gain.

    v is below 10⁻¹⁰ of its size at the start then, so that codes are known to 10⁻⁶ if f'' has a
    condition number below 10⁴. Wishart data are met by (‖u‖/√N) x*. Draws are shared but for
    scale, as other small networks trap some of the starts.
    """
    paired = ["target_norm", "gain"]
    for norm, gain in ((1.0, 1), (1e-3, 1), (1e3, 2), (1e3, 1), (1.0, 1e-3), (1.0, 1e3)):
        made = noiseless(problem, depth, target_norm=norm, gain=gain)
        drawn = draw_instance(made, 0, SEED, paired)
        factor = drawn.objective.problem.scale() / norm if problem == "spiked-wishart" else 1.0
        values = recover(made, 0, SEED, paired)
        assert values["verdict"] == Verdict.CONVERGED
        assert_allclose(values["latent_error"], abs(factor - 1), atol=1e-6)


@each_noiseless
def test_a_run_in_other_units_is_the_same_run(problem):
    """Start, step and tolerance grow as they must: to the bit, where units differ by 2¹⁰."""
    runs = []
    for norm in (2.0**-10, 1.0, 2.0**10):
        values = recover(noiseless(problem, 3, target_norm=norm), 0, SEED, ["target_norm"])
        runs.append([values[name] for name in ("latent_error", "iterations", "negations")])
    assert runs[0] == runs[1] == runs[2]


@each_noiseless
def test_a_run_at_another_gain_is_the_same_run(problem):
    """Layers of 4^{±3} times the variance make G larger by 2^{±9} at depth 3, exactly."""
    runs = []
    for gain in (4.0**-3, 1.0, 4.0**3):
        values = recover(noiseless(problem, 3, gain=gain), 0, SEED, ["gain"])
        runs.append([values[name] for name in ("latent_error", "iterations", "negations")])
    assert runs[0] == runs[1] == runs[2]


# Noise


@pytest.mark.parametrize("problem", ["compressed-sensing", "denoising", "phase-retrieval"])
@pytest.mark.parametrize(("snr_db", "ratio"), [(20, 100), (3, 10**0.3)])
def test_a_signal_to_noise_ratio_is_one_of_norms(problem, snr_db, ratio):
    """10·log10(‖A y*‖/‖η‖), not 20 (Cocola, App. H); of phase retrieval ‖|A y*|‖ is the same."""
    made = point(problem, noise={"snr_db": snr_db})
    drawn = draw_instance(made, 0, SEED)
    clean = drawn.signal
    if problem != "denoising":
        clean = drawn.objective.problem.sensing.matrix @ clean
    if problem == "phase-retrieval":
        clean = np.abs(clean)
    noise = drawn.objective.problem.observed - clean
    assert_allclose(np.linalg.norm(clean) / np.linalg.norm(noise), ratio, rtol=1e-12)


@pytest.mark.parametrize(
    ("law", "fourth", "eighth"),
    [("gaussian", 3, 105), ("laplace", 6, 2520), ("uniform", 1.8, 9), ("student-t", 4.2, 2401)],
)
def test_noise_has_the_stated_law(law, fourth, eighth):
    """The mean of N fourth powers has the variance (μ₈ − μ₄²)/N, that of squares (μ₄ − 1)/N.

    Of Student's t with ν = 9, μ₄ = 3 + 6/(ν − 4) and μ₈ = 105 (ν − 2)³/((ν − 4)(ν − 6)(ν − 8)).
    We allow five standard deviations.
    """
    n = 200_000
    noise = {"sigma": 0.2, "law": law}
    made = Point.model_validate(
        {"problem": "denoising", "k": 1, "depth": 1, "n": n, "noise": noise, "student_df": 9}
    )
    drawn = draw_instance(made, 0, SEED)
    found = (drawn.objective.problem.observed - drawn.signal) / 0.2
    assert_allclose((found**2).mean(), 1, atol=5 * sqrt((fourth - 1) / n))
    assert_allclose((found**4).mean(), fourth, atol=5 * sqrt((eighth - fourth**2) / n))


def test_inversion_has_no_noise_even_next_to_problems_that_have():
    """In a sweep over problems noise.sigma is there for all of them."""
    made = Point.model_validate(
        {"problem": "inversion", "k": 3, "depth": 1, "widths": [9], "noise": {"sigma": 0.5}}
    )
    drawn = draw_instance(made, 0, SEED)
    assert_array_equal(drawn.objective.problem.observed, drawn.signal)
    assert recover(made, 0, SEED) == recover(
        made.model_copy(update={"solver": SolverTable(stall_after=0)}), 0, SEED
    )
