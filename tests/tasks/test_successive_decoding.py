"""Successive decoding of a coded signal: decoders, trials, refused points, a whole run."""

import json
import subprocess
from math import log2
from pathlib import Path

import numpy as np
import pytest
from helpers import ENVIRONMENT, GENPRIOR, refused
from memory_use import peak_memory
from numpy.testing import assert_allclose, assert_array_equal
from one_trial import transmit
from scipy.stats import beta, binom

from genprior.sweeps import Grid, Point, Purpose, Sweep, SweepError, point_identity, random_stream
from genprior.sweeps.parameters import PARAMETERS
from genprior.tasks import task_kind
from genprior.tasks.codes.decoders import NearestOnRange, NearestPoint, decode, nearest_places
from genprior.tasks.codes.lipschitz_code import LipschitzCode, curve_points, draw_signs
from genprior.tasks.ensembles import draw_sensing
from genprior.tasks.experiments.successive_decoding import draw_code, measured_corners

KIND = task_kind("successive-decoding")


def point(**changes) -> Point:
    code = {"codewords": 7, "levels": 3, "scale": 8.0, **changes.pop("code", {})}
    return Point.model_validate({"k": 4, "depth": 1, "n": 120, "m": 10, "code": code, **changes})


def sweep(**changes) -> Sweep:
    written = {
        "task": "successive-decoding",
        "trials": 5,
        "axes": {"m": [1, 4, 20]},
        "parameters": {"k": 4, "n": 120},
        "fit": {"along": "m"},
    }
    return Sweep.parse(written | changes)


def drawn(m: int = 9, seed: int = 0) -> tuple[LipschitzCode, np.ndarray, np.ndarray]:
    """A code of 49 points in R^120, a matrix, and A applied to every codeword of every block."""
    random = np.random.default_rng(seed)
    code = LipschitzCode(draw_signs(random, 7, 30), 4, 2)
    matrix = random.standard_normal((m, 120)) / np.sqrt(m)
    blocks = matrix.reshape(m, 4, 30)
    return code, matrix, np.einsum("mkb,pb->kpm", blocks, code.codewords)


# Decoders


@pytest.mark.parametrize("m", [1, 3, 9])
def test_the_decoder_over_points_finds_the_nearest_of_all(m):
    """Against all 49 images A z, formed one by one."""
    code, matrix, corners = drawn(m)
    decoder = NearestPoint(code, corners)
    images = [matrix @ code.point(word) for word in code.words()]
    for measured in np.random.default_rng(1).standard_normal((20, m)):
        nearest = np.argmin([np.linalg.norm(image - measured) for image in images])
        assert_array_equal(decoder.nearest(measured), code.words()[nearest])


@pytest.mark.parametrize("q", [1, 2, 5])
def test_the_nearest_place_on_a_curve_is_that_of_a_fine_search(q):
    """A fine grid of steps h along lines of length ≤ l can be h·l too far at most."""
    random = np.random.default_rng(2)
    corners = random.standard_normal((6, q))
    targets = random.standard_normal((30, q)) * 1.5
    places = nearest_places(corners, targets)
    fine = curve_points(corners, np.linspace(0, 5, 50_001))
    for target, place in zip(targets, places, strict=True):
        found = np.linalg.norm(curve_points(corners, np.array([place]))[0] - target)
        best = np.linalg.norm(fine - target, axis=1).min()
        assert best - 1e-4 * 10 <= found <= best + 1e-12


def test_a_line_measured_as_a_point_is_one_place():
    corners = np.array([[1.0], [1.0], [3.0]])
    assert_array_equal(nearest_places(corners, np.array([[0.0], [2.0], [9.0]])), [0, 1.5, 2])


def test_coordinate_descent_recovers_a_signal_of_the_range_from_many_measurements():
    """At m = n the blocks are separate, and a round or two finds G(x) itself, codeword or not."""
    code, matrix, corners = drawn(120)
    starts = np.random.default_rng(3).uniform(0, 6, (5, 4))
    places = np.array([0.0, 2.25, 3.5, 6.0])
    signal = curve_points(code.codewords, places).ravel()
    decoder = NearestOnRange(code, corners, starts)
    assert_allclose(decoder.recover(matrix @ signal), places, atol=1e-3)
    near = code.point(code.words()[30]) + 0.1 * signal
    assert_array_equal(decoder.nearest(matrix @ near), code.words()[30])


def test_more_starts_lose_nothing_and_escape_local_minima():
    """Of several starts the best counts. At m = 6 one start ends above the loss 0 of the truth."""
    code, matrix, corners = drawn(6)
    starts = np.random.default_rng(4).uniform(0, 6, (20, 4))

    def loss(measured: np.ndarray, count: int) -> float:
        places = NearestOnRange(code, corners, starts[:count]).recover(measured)
        parts = [curve_points(c, p)[0] for c, p in zip(corners, places[:, None], strict=True)]
        return float(np.linalg.norm(measured - sum(parts)))

    measured = [matrix @ code.point(word) for word in code.words()[::5]]
    one, many = (np.array([loss(each, count) for each in measured]) for count in (1, 20))
    assert (many <= one * (1 + 1e-9)).all()
    assert (one > 0.05).any()
    assert many.mean() < 0.7 * one.mean()


def test_the_largest_scale_is_decoded_first_and_subtracted():
    """The decoder sees z_3 + z_2/D + z_1/D², then z_2 + z_1/D, then z_1 to rounding."""
    code, matrix, corners = drawn(20)
    seen = []

    class Watched(NearestPoint):
        def nearest(self, measured):
            seen.append(measured)
            return super().nearest(measured)

    words = code.words()[[3, 40, 17]]
    images = np.array([matrix @ code.point(word) for word in words])
    found = decode(np.array([8, 64, 512]) @ images, 3, 8.0, Watched(code, corners), corners)
    assert_array_equal(found, words)
    assert_allclose(seen[0], images[2] + images[1] / 8 + images[0] / 64, atol=1e-13)
    assert_allclose(seen[1], images[1] + images[0] / 8, atol=1e-13)
    assert_allclose(seen[2], images[0], atol=1e-12)


@pytest.mark.parametrize("ensemble", ["gaussian", "subsampled-dct", "student-t"])
def test_corners_are_measured_codewords_whatever_measures(ensemble):
    drawn_point = point(ensemble=ensemble)
    code = draw_code(np.random.default_rng(0), drawn_point)
    sensing = draw_sensing(np.random.default_rng(1), drawn_point)
    corners = measured_corners(sensing, code)
    word = np.array([1, 6, 0, 3])
    assert_allclose(corners[np.arange(4), word].sum(axis=0), sensing @ code.point(word), atol=1e-13)


# Trials


@pytest.mark.slow
@pytest.mark.parametrize("m", [1, 3])
def test_two_codewords_at_two_levels_succeed_as_often_as_can_be_computed(m):
    """z_2 = a is mistaken for b if ‖A(e − d)‖ < ‖A e‖, with d = b − a and e = z_1/D.

    That is ⟨A d, A(2e − d)⟩ > 0, m products of Gaussian pairs of correlation −ρ, where ρ is the
    cosine between d and d − 2e. Its chance is I_{(1−ρ)/2}(m/2, m/2), the regularised beta
    function: arccos(ρ)/π at m = 1. Then z_1 is alone and always found.
    """
    trials, expected, variance, successes = 1500, 0.0, 0.0, 0
    made = point(k=1, n=24, m=m, code={"codewords": 2, "levels": 2, "scale": 1.5})
    for trial in range(trials):
        code = draw_code(stream(made, trial, Purpose.NETWORK), made)
        sent = stream(made, trial, Purpose.TARGET).integers(2, size=(2, 1)).ravel()
        low, high = code.codewords[sent[0]] / 1.5, code.codewords[sent[1]]
        d = code.codewords[1 - sent[1]] - high
        away = d - 2 * low
        cosine = d @ away / np.linalg.norm(d) / np.linalg.norm(away)
        chance = 1 - beta.cdf((1 - cosine) / 2, m / 2, m / 2)
        expected += chance
        variance += chance * (1 - chance)
        successes += transmit(made, trial, 7)["success"]
    assert abs(successes - expected) < 4 * np.sqrt(variance)
    assert 0.05 * trials < successes < 0.95 * trials


def stream(point: Point, trial: int, purpose: Purpose) -> np.random.Generator:
    return random_stream(7, point_identity(point), trial, purpose)


@pytest.mark.parametrize("decoder", ["points", "range"])
def test_enough_measurements_decode_every_level(decoder):
    """At m = n, A is invertible, and at D = 8 lower scales are 1/7 < 1/√6, half a distance."""
    values = transmit(point(m=120, code={"decoder": decoder}), 0, 7)
    assert (values["success"], values["levels_decoded"], values["signal_error"]) == (1, 3, 0)


def test_a_wrong_level_spoils_all_below():
    """What is decoded counts from the largest scale to the first error; m = 1 is too few."""
    found = [transmit(point(m=1), trial, 7) for trial in range(60)]
    for values in found:
        assert values["success"] == (values["levels_decoded"] == 3) == (values["signal_error"] == 0)
        assert np.isfinite(list(values.values())).all()
    levels = [values["levels_decoded"] for values in found]
    assert {0, 3} <= set(levels)
    for values in found:
        # A wrong point of scale D³ is 2R/√6 off at least, of R (1 + 1/8 + 1/64); below, less.
        if values["levels_decoded"] == 0:
            assert values["signal_error"] > (2 / np.sqrt(6) - 2 / 7) / (8 / 7)


@pytest.mark.parametrize("ratio", [96.0, 8.0])
def test_float64_holds_as_many_levels_as_are_allowed(ratio):
    """D^(levels − 1) ≤ 2^42: at D = 96, 7 levels of 6.6 bits."""
    levels = 1 + int(42 / log2(ratio))
    assert levels == {96.0: 7, 8.0: 15}[ratio]
    made = point(m=60, code={"scale": ratio, "levels": levels})
    assert all(transmit(made, trial, 7)["success"] for trial in range(5))


def test_the_bits_sent_and_the_constant_of_the_generator_are_told():
    """Three levels of two symbols of GF(7); Lr/R is 2√h·6 with h from 1/3 to 2/3."""
    values = transmit(point(), 0, 7)
    assert values["bits"] == pytest.approx(3 * 2 * log2(7))
    assert 12 / np.sqrt(3) <= values["lipschitz"] <= 12 * np.sqrt(2 / 3)
    assert set(values) == {variable.name for variable in KIND.variables}


@pytest.mark.slow
def test_both_decoders_meet_the_same_problems():
    """Decoders are no part of a draw, so that they can be compared in pairs."""
    over_points, over_range = point(m=2), point(m=2, code={"decoder": "range", "starts": 3})
    assert point_identity(over_points) == point_identity(over_range)
    pairs = [(transmit(over_points, t, 7), transmit(over_range, t, 7)) for t in range(60)]
    assert all(one["lipschitz"] == other["lipschitz"] for one, other in pairs)
    successes = np.sum([[one["success"], other["success"]] for one, other in pairs], axis=0)
    assert successes[0] > successes[1]


def test_half_of_m_s_success_is_where_the_bits_of_a_point_are_paid_for():
    """log₂|Z|/log₂ D measurements: 2·log₂ 7/3 = 1.9 at D = 8, so 1 is too few and 4 are enough."""
    shares = {
        m: np.mean([transmit(point(m=m), trial, 7)["success"] for trial in range(100)])
        for m in (1, 4)
    }
    assert binom.cdf(100 * shares[1], 100, 0.5) < 1e-3
    assert binom.cdf(100 * (1 - shares[4]), 100, 0.5) < 1e-3


# Points that cannot be run


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"n": 122}, ["n = 122", "k = 4"]),
        ({"n": 24}, ["k = 6", "11"]),
        ({"k": 12}, ["code.codewords = 11", "k = 12"]),
        ({"k": 14, "n": 1400, "code.codewords": 16}, ["code.codewords = 16"]),
        ({"code.message": 5}, ["code.message = 5", "k = 4"]),
        (
            {"k": 8, "n": 800, "code.message": 8},
            ["11", "8", "10,000,000"],
        ),
        ({"code.levels": 8}, ["code.levels = 8", "96", "7"]),
        ({"m": 121, "ensemble": "subsampled-dct"}, ["m = 121", "n = 120"]),
    ],
)
def test_points_that_make_no_code_are_refused_before_anything_runs(parameters, named):
    fixed = {"k": 4, "n": 120, "m": 5, **parameters}
    bad = Grid(sweep(axes={"code.starts": [5, 6]}, parameters=fixed, fit={}))
    with refused(SweepError, *named):
        KIND.check(bad)


def test_m_has_to_be_given():
    with pytest.raises(SweepError, match=r"'successive-decoding'.* 'm'"):
        KIND.check(Grid(sweep(axes={"k": [2, 4]}, parameters={"n": 120}, fit={})))


@pytest.mark.parametrize("missing", ["k", "n"])
def test_k_and_n_have_to_be_given(missing):
    parameters = {"k": 4, "n": 120}
    del parameters[missing]
    with pytest.raises(SweepError, match=f"'{missing}'"):
        sweep(parameters=parameters)


@pytest.mark.parametrize("name", ["depth", "widths", "problem", "generator", "noise.sigma"])
def test_what_belongs_to_networks_is_refused(name):
    value = PARAMETERS[name].default if not PARAMETERS[name].is_required() else 1
    with pytest.raises(SweepError, match=rf"'{name}'.* 'successive-decoding'"):
        sweep(parameters={"k": 4, "n": 120, name: value})


def test_other_tasks_have_no_code():
    with pytest.raises(SweepError, match=r"'code\.levels'.* 'recovery'"):
        sweep(task="recovery", parameters={"k": 4, "depth": 1, "n": 120, "code.levels": 2})


@pytest.mark.parametrize("decoder", ["points", "range"])
@pytest.mark.parametrize("shape", [{"k": 6, "n": 360, "m": 30}, {"k": 2, "n": 4000, "m": 900}])
def test_a_trial_holds_no_more_memory_than_it_says(decoder, shape):
    """At k = 6 nearly all is the 29³ words and their images; at k = 2 the matrix."""
    made = point(**shape, code={"codewords": 29, "decoder": decoder})
    transmit(made, 0, 7)
    peak = peak_memory(lambda: transmit(made, 1, 7))
    assert 0.4 * KIND.memory(made) < peak < KIND.memory(made)


# From file to fit


@pytest.mark.slow
def test_a_sweep_of_k_n_and_m_runs_from_plan_to_picture(tmp_path: Path):
    """No depth and no widths are asked for, and none are stored."""
    (tmp_path / "mine.toml").write_text(
        "task = 'successive-decoding'\ntrials = 12\naxes.m = [1, 2, 4, 8]\n"
        "parameters = { k = 4, n = 120 }\nfit.along = 'm'\n",
        encoding="utf-8",
    )

    def genprior(*words: str) -> str:
        done = subprocess.run(
            [GENPRIOR, *words], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True,
            timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    planned = json.loads(genprior("plan", "mine.toml", "--json"))
    assert (planned["points"], planned["trials"]) == (4, 48)
    genprior("run", "mine.toml", "mine.zarr", "--scheduler", "synchronous")
    assert json.loads(genprior("status", "mine.zarr", "--json"))["trials"]["done"] == 48
    (found,) = json.loads(genprior("fit", "mine.zarr", "--json"))["transitions"]
    assert 0 < found["p50"] < 4
    genprior("plot", "mine.zarr", "-o", "mine.png")
    assert (tmp_path / "mine.png").stat().st_size > 10_000
    stored = {path.parent.name for path in (tmp_path / "mine.zarr").glob("*/zarr.json")}
    assert {"levels_decoded", "signal_error", "lipschitz", "bits", "k", "n", "m"} <= stored
    assert not {"depth", "widths", "problem"} & stored
