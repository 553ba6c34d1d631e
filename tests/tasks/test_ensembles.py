"""Measurement ensembles: laws, blocks of rows, fast operators, memory."""

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from ensemble_points import one_bit, point
from helpers import ENVIRONMENT, results
from memory_use import peak_memory
from numpy.testing import assert_allclose, assert_array_equal
from one_trial import recover
from scipy.fft import dct

from genprior.sweeps import Point, Purpose, point_identity, random_stream
from genprior.sweeps.parameters import PARAMETERS
from genprior.tasks.ensembles import LAWS, blocks_of_rows, draw_sensing, subsampled_dct
from genprior.tasks.experiments.recovery import Recovery
from genprior.tasks.numerics.machine import limit_blas_threads
from genprior.tasks.numerics.operators import DenseSensing, PairSum, Scaling, Sensing, SubsampledDCT
from genprior.tasks.problems.one_bit import OneBit, back_project
from genprior.tasks.solvers.descent import Verdict

SEED = 12
ENSEMBLES = ["gaussian", "rademacher", "laplace", "subsampled-dct", "student-t"]
INDEPENDENT = [name for name in ENSEMBLES if name != "subsampled-dct"]
# Fourth and eighth moments; of Student's t with ν = 9.
MOMENTS = {
    "gaussian": (3, 105),
    "rademacher": (1, 1),
    "laplace": (6, 2520),
    "uniform": (1.8, 9),
    "student-t": (4.2, 2401),
}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    limit_blas_threads()


def opened(made: Point) -> Callable[[Purpose], np.random.Generator]:
    return lambda purpose: random_stream(SEED, point_identity(made), 0, purpose)


def explicit(sensing: Sensing, n: int) -> np.ndarray:
    """The matrix of a linear map of n numbers, column by column."""
    return np.stack([sensing @ unit for unit in np.eye(n)], axis=1)


# Laws


@pytest.mark.parametrize(("law", "moments"), MOMENTS.items(), ids=MOMENTS)
def test_each_law_has_mean_zero_variance_one_and_its_kurtosis(law, moments):
    """Means of N powers have the variances 1/N, (μ₄ − 1)/N and (μ₈ − μ₄²)/N; we allow five.

    μ₄ is 3, 1, 6, 9/5, and for Student's t with ν = 9 scaled to variance one 3 + 6/(ν − 4) = 4.2.
    μ₈ is 105, 1, 8!/2⁴, 3⁴/9 and 105 (ν − 2)³/((ν − 4)(ν − 6)(ν − 8)) = 2401.
    """
    n = 10**6
    found = LAWS[law](np.random.default_rng(1), (n // 100, 100), 9.0)
    fourth, eighth = moments
    assert_allclose(found.mean(), 0, atol=5 / sqrt(n))
    assert_allclose((found**2).mean(), 1, atol=5 * sqrt((fourth - 1) / n) + 1e-14)
    assert_allclose((found**4).mean(), fourth, atol=5 * sqrt((eighth - fourth**2) / n) + 1e-14)


@pytest.mark.parametrize("df", [2.5, 5.0, 40.0])
def test_student_t_is_scaled_to_variance_one(df):
    """By √((ν − 2)/ν), to the bit; for ν < 4 no sample variance would show it in time."""
    found = LAWS["student-t"](np.random.default_rng(2), (50,), df)
    plain = np.random.default_rng(2).standard_t(df, 50)
    assert_array_equal(found, plain * sqrt((df - 2) / df))


def test_rademacher_entries_are_independent_across_the_bits_of_a_word():
    """Two columns of N = 20 000 rows have a correlation of 1/√N or so; of 4950 pairs none has 6."""
    rows = LAWS["rademacher"](np.random.default_rng(3), (20_000, 100))
    assert set(np.unique(rows)) == {-1.0, 1.0}
    correlations = rows.T @ rows / len(rows) - np.eye(100)
    assert abs(correlations).max() < 6 / sqrt(20_000)


def test_every_ensemble_that_a_point_may_have_can_be_drawn():
    """Of the laws only `uniform` is for noise alone."""
    offered = set(PARAMETERS["ensemble"].annotation.__args__)
    assert offered == set(ENSEMBLES)
    assert set(LAWS) == {*INDEPENDENT, "uniform"}


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_measurements_have_entries_of_variance_one_over_m(ensemble):
    """Rows of variance one, times 1/√m.

    The mean square of N entries has a standard deviation of √((μ₄ − 1)/N), with μ₄ = 9 for
    Student's t at ν = 5. Entries of the DCT are 2cos², with μ₄ = 3/2.
    """
    made = point(ensemble)
    found = explicit(draw_sensing(opened(made)(Purpose.MEASUREMENTS), made), made.n)
    fourth = {"student-t": 9.0, "subsampled-dct": 1.5}.get(ensemble) or MOMENTS[ensemble][0]
    assert_allclose(made.m * (found**2).mean(), 1, atol=5 * sqrt((fourth - 1) / found.size) + 1e-14)


# Blocks of rows


@pytest.mark.parametrize("ensemble", INDEPENDENT)
@pytest.mark.parametrize("rows", [1, 7, 64])
def test_rows_drawn_in_blocks_are_the_rows_drawn_at_once(ensemble, rows):
    """To the bit: a block begins where the last one ended in the stream."""
    made = one_bit(ensemble)
    whole, blocks = (
        [block.matrix for block in blocks_of_rows(np.random.default_rng(4), made, entries)]
        for entries in (made.m * made.n, rows * made.n)
    )
    assert [len(block) for block in whole] == [made.m]
    assert {len(block) for block in blocks[:-1]} == {rows}
    assert_array_equal(np.concatenate(blocks), whole[0])


def test_a_row_longer_than_a_block_comes_alone():
    blocks = list(blocks_of_rows(np.random.default_rng(5), one_bit(m=3), 10))
    assert [block.matrix.shape for block in blocks] == [(1, 70)] * 3


@pytest.mark.parametrize("ensemble", ENSEMBLES)
@pytest.mark.parametrize("law", ["gaussian", "student-t"])
def test_the_back_projection_hardly_depends_on_the_size_of_blocks(ensemble, law):
    """The same signs and rows, added up in another order; with the same blocks the same bits."""
    made = one_bit(ensemble, m=60, noise={"sigma": 0.3, "law": law})
    signal = np.random.default_rng(6).standard_normal(70)
    whole = back_project(made, signal, opened(made), 10**6)
    for rows in (1, 7, 64):
        found, again = (back_project(made, signal, opened(made), rows * made.n) for _ in range(2))
        assert_allclose(found, whole, rtol=0, atol=1e-13)
        assert_array_equal(found, again)


# Fast operators


@pytest.mark.parametrize(("m", "n"), [(1, 1), (1, 6), (5, 8), (8, 8), (9, 33)])
def test_the_subsampled_dct_is_its_matrix(m, n):
    """c·P·C·D, with C the cosine transform of the identity, P some of its rows, D signs."""
    random = np.random.default_rng(7)
    sensing = subsampled_dct(random, m, n, factor=1 / sqrt(m))
    transform = dct(np.eye(n), axis=0, norm="ortho")
    matrix = sqrt(n / m) * transform[sensing.rows] * sensing.signs
    assert matrix.shape == (m, n)
    assert set(sensing.signs) <= {-1.0, 1.0}
    assert len(set(sensing.rows.tolist())) == m
    check_operator(sensing, matrix)
    # Orthonormal rows, times √(n/m).
    assert_allclose(matrix @ matrix.T, n / m * np.eye(m), atol=1e-12)


@pytest.mark.parametrize(
    ("sensing", "matrix"),
    [
        (DenseSensing(np.arange(12.0).reshape(3, 4)), np.arange(12.0).reshape(3, 4)),
        (Scaling(5), np.eye(5)),
        (Scaling(5, -1.5), -1.5 * np.eye(5)),
        (PairSum(3), np.hstack([np.eye(3), np.eye(3)])),
    ],
    ids=["dense", "identity", "scaling", "pair-sum"],
)
def test_a_linear_map_is_its_matrix(sensing, matrix):
    check_operator(sensing, matrix)


def check_operator(sensing: Sensing, matrix: np.ndarray) -> None:
    """All that a linear map can do, against its matrix; ⟨A y, r⟩ = ⟨y, Aᵀ r⟩."""
    random = np.random.default_rng(8)
    m, n = matrix.shape
    y, many, r = (random.standard_normal(shape) for shape in (n, (n, 4), m))
    assert_allclose(sensing @ y, matrix @ y, atol=1e-12)
    assert_allclose(sensing @ many, matrix @ many, atol=1e-12)
    assert_allclose(sensing.adjoint(r), matrix.T @ r, atol=1e-12)
    assert_allclose((sensing @ y) @ r, y @ sensing.adjoint(r), rtol=1e-11)
    assert sensing.cost > 0
    for count in {0, 1, n // 2, n}:
        units = np.sort(random.permutation(n)[:count])
        rows = random.standard_normal((count, 3))
        assert_allclose(sensing.columns(units), matrix[:, units], atol=1e-12)
        assert_allclose(sensing.combine(units, rows), matrix[:, units] @ rows, atol=1e-12)


def test_every_row_of_the_dct_is_as_likely():
    """Of 2000 draws of 2 rows out of 5, each row is in 2/5; we allow five standard deviations."""
    counts = np.zeros(5)
    random = np.random.default_rng(9)
    for _ in range(2000):
        counts[subsampled_dct(random, 2, 5).rows] += 1
    assert_allclose(counts / 2000, 0.4, atol=5 * sqrt(0.4 * 0.6 / 2000))


def test_the_subsampled_dct_holds_no_matrix():
    """131 072 rows of 2¹⁸ entries would take 275 GB; a few vectors take 2 MB each."""
    n, m = 2**18, 2**17
    random = np.random.default_rng(10)
    tracemalloc.start()
    sensing = subsampled_dct(random, m, n)
    held = tracemalloc.get_traced_memory()[0]
    y, r = random.standard_normal(n), random.standard_normal(m)
    measured, back = sensing @ y, sensing.adjoint(r)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held < 2 * 8 * n
    assert peak < 12 * 8 * n
    assert isinstance(sensing, SubsampledDCT)
    assert_allclose(measured @ r, y @ back, rtol=1e-9)


# Trials


@pytest.mark.parametrize("ensemble", ENSEMBLES)
@pytest.mark.parametrize(
    ("problem", "m"), [("compressed-sensing", 60), ("phase-retrieval", 150), ("one-bit", 1500)]
)
def test_every_ensemble_recovers(problem, m, ensemble):
    """With m far above k = 3; one-bit errors are some λ√(k/m) = 0.09, below 0.25 at any rate."""
    written = {
        "problem": problem,
        "k": 3,
        "depth": 2,
        "widths": [60, 1600],
        "m": m,
        "ensemble": ensemble,
        "solver": {"max_steps": 3000},
    }
    if problem == "one-bit":
        success = {"metric": "signal_error", "below": 0.25}
        written |= {"dither": {"amplitude": 2.0}, "success": success}
    values = recover(Point.model_validate(written), 0, SEED)
    assert values["success"] == 1
    assert problem == "one-bit" or values["verdict"] == Verdict.CONVERGED


@pytest.mark.parametrize("ensemble", ENSEMBLES)
@pytest.mark.parametrize("problem", ["compressed-sensing", "phase-retrieval", "one-bit"])
def test_both_engines_end_alike_with_every_ensemble(problem, ensemble):
    """Phase retrieval with the DCT has no fast form and falls back to the plain engine."""
    for trial in range(3):
        ends = []
        for engine in ("fast", "plain"):
            solver = {"engine": engine, "max_steps": 3000}
            dither = {"dither": {"amplitude": 2.0}} if problem == "one-bit" else {}
            made = point(ensemble, problem=problem, m=50, solver=solver, **dither)
            ends.append(recover(made, trial, SEED))
        fast, plain = ends
        assert fast["verdict"] == plain["verdict"]
        assert_allclose(fast["latent_error"], plain["latent_error"], atol=1e-7)
        assert_allclose(fast["loss"], plain["loss"], rtol=1e-9, atol=1e-12)


def test_the_ensemble_is_a_coordinate_of_the_store(
    genprior: Callable[..., Result], tmp_path: Path
) -> None:
    """Along an axis with its labels, and as a scalar where it is fixed."""
    file = tmp_path / "ensembles.toml"
    file.write_text(
        "trials = 2\naxes.k = [1, 2]\n"
        'parameters = {depth = 1, widths = [12], m = 12, "solver.max_steps" = 20}\n'
    )
    swept, fixed, bare = (tmp_path / name for name in ("swept.zarr", "fixed.zarr", "bare.zarr"))
    for store, settings in (
        (swept, ["--set", "ensemble=" + ",".join(ENSEMBLES)]),
        (fixed, ["--set", "ensemble=laplace"]),
        (bare, []),
    ):
        ended = genprior("run", file, store, *settings)
        assert ended.exit_code == 0, ended.output
    assert results(swept).ensemble.dims == ("ensemble",)
    assert results(swept).ensemble.values.tolist() == ENSEMBLES
    assert results(swept).success.sizes == {"k": 2, "ensemble": 5, "trial": 2}
    for store, label in ((fixed, "laplace"), (bare, "gaussian")):
        assert results(store).ensemble.dims == ()
        assert results(store).ensemble.item() == label


# Memory


def test_one_bit_data_take_the_memory_of_a_block():
    """A block is 8 MiB of rows and as much of what they are drawn from; all rows are 112 MB."""
    made = one_bit("rademacher", m=200_000)
    signal = np.ones(70) / sqrt(70)
    peak = peak_memory(lambda: back_project(made, signal, opened(made)))
    assert 8e6 < peak < 4 * 2**23
    assert 8 * OneBit.entries(made) > 2 * 2**23


@pytest.mark.slow
def test_a_million_one_bit_measurements_fit_in_bounded_memory():
    """All rows at once would be 10⁶ · 600 · 8 bytes = 4.8 GB; blocks of them are 8 MiB each.

    Measured in a process of its own, above what it held at most in a trial of 10³ rows: 14 MB.
    """
    code = """
import resource
from genprior.sweeps import Point
from genprior.tasks import Recovery, run_trial
from genprior.tasks.numerics.machine import limit_blas_threads

limit_blas_threads()
peaks = []
for m in (1000, 1000000):
    point = Point.model_validate({
        "problem": "one-bit", "k": 5, "depth": 2, "widths": [20, 600], "m": m,
        "dither": {"amplitude": 3}, "solver": {"max_steps": 2000},
    })
    error = run_trial(Recovery(), point, 0, 0)["signal_error"]
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(peaks[1] - peaks[0], error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, timeout=300, env=ENVIRONMENT,
    )  # fmt: skip
    kilobytes, error = map(float, ended.stdout.split())
    assert kilobytes < 64_000
    # λ√(k/m) = 0.007, and E v is off by a factor of 0.9973.
    assert error < 0.02


def test_the_memory_of_a_trial_does_not_grow_with_one_bit_measurements():
    """Nor does it with those of the DCT; a matrix of 10⁵ × 70 entries has 56 MB."""
    kind = Recovery()
    few, many = (kind.memory(one_bit(m=m)) for m in (10**5, 10**6))
    assert many == few < 56e6
    assert kind.memory(point("subsampled-dct", m=70)) < 1e6
    assert kind.memory(point(m=10**5)) > 56e6
