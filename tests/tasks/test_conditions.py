"""Lower bounds of the constants of WDC, R2WDC, RRIC and the one-bit condition."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from helpers import assert_names, assert_same_results, results
from memory_use import peak_memory
from numpy.testing import assert_allclose
from one_trial import bound_constant

from genprior.pipeline import run_sweep
from genprior.pipeline.executors.opening import open_executor
from genprior.pipeline.run.request import check_points
from genprior.sweeps import Grid, Point, Sweep, SweepError, draws_of
from genprior.sweeps.sharing import shared_draws
from genprior.tasks import check_task, task_kind
from genprior.tasks.conditions.forms import (
    LARGEST_DENSE,
    IsometryForm,
    LayerForm,
    PairPlane,
    ProjectionForm,
    RangeForm,
    orthonormal_basis,
)
from genprior.tasks.conditions.search import Search, search_largest
from genprior.tasks.generators import gaussian_network
from genprior.tasks.numerics.operators import DenseSensing
from genprior.tasks.theory import pair_matrix

QUICK = Search(draws=20, ascents=2, steps=20)
ONE_LAYER = {"k": 2, "depth": 1, "widths": [9]}


def condition_sweep(**changes: Any) -> Sweep:
    """Two conditions of four small contractive networks."""
    written = {
        "task": "condition",
        "trials": 6,
        "axes": {"condition": ["r2wdc", "wdc"], "width_factor": [2, 4, 8, 16]},
        "parameters": {
            "k": 2,
            "depth": 2,
            "width_rule": "contractive",
            "search": {"draws": 20, "ascents": 1, "steps": 20},
        },
        "law": {"variable": "epsilon", "exponents": {"width_factor": -0.5}},
        **changes,
    }
    return Sweep.parse(written)


def code_pairs(seed: int, count: int, k: int) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).standard_normal((count, k)))


def steps_within_region(network, code, random):
    """Small steps from a code that leave every unit as it is."""
    pattern = [a > 0 for a in network.forward(network.weights[0] @ code)]
    for _ in range(5):
        step = 1e-7 * random.standard_normal(code.size)
        moved = [a > 0 for a in network.forward(network.weights[0] @ (code + step))]
        assert all(map(np.array_equal, pattern, moved))
        yield step


@pytest.mark.parametrize("pair", [(0, 1), (0, 0)])
def test_q_as_an_operator_is_the_theorys_matrix(pair):
    """Also where both directions are one, and where they are opposite."""
    vectors = code_pairs(1, 2, 5)
    first, second = vectors[pair[0]], vectors[pair[1]]
    for other in (second, -first):
        plane = PairPlane.of(first, other)
        assert_allclose(plane.apply(np.eye(5)), pair_matrix(first, other), atol=1e-15)


@pytest.mark.parametrize("gain", [1.0, 2.0])
def test_the_wdc_compares_a_layers_active_rows_with_their_mean(gain):
    """‖Σ_{both on} w wᵀ/gain − Q‖, written out row by row."""
    random = np.random.default_rng(2)
    (weight,) = gaussian_network(random, 4, (30,), gain).weights
    form = LayerForm(weight, gain)
    first, second = random.standard_normal((2, 4))
    both = [row for row in weight if row @ first > 0 and row @ second > 0]
    expected = sum(np.outer(row, row) for row in both) / gain - pair_matrix(first, second)
    found = form.value([form.look(first), form.look(second)])
    assert found == pytest.approx(np.linalg.norm(expected, 2), rel=1e-12)


def test_a_wide_layers_norm_by_lanczos_is_the_norm():
    """Above 96 inputs no matrix is made; the value may fall short by 1e-4, as a lower bound may."""
    random = np.random.default_rng(3)
    k = LARGEST_DENSE + 10
    (weight,) = gaussian_network(random, k, (60,)).weights
    form = LayerForm(weight, 1.0)
    first, second = random.standard_normal((2, k))
    on = (weight @ first > 0) & (weight @ second > 0)
    exact = np.linalg.norm(weight[on].T @ weight[on] - pair_matrix(first, second), 2)
    found = form.value([form.look(first), form.look(second)])
    assert exact * (1 - 1e-3) <= found <= exact * (1 + 1e-12)


def test_the_r2wdc_is_the_largest_ratio_of_differences_within_two_regions():
    """No pair of differences exceeds it, and the singular vectors' pair attains it."""
    random = np.random.default_rng(4)
    network = gaussian_network(random, 3, (12, 8))
    form, weight = RangeForm(network, 2, 1.0), network.weights[1]
    codes = code_pairs(5, 4, 3)
    looks = [form.look(code) for code in codes]
    found = form.value(looks)
    r, s = (np.maximum(network.weights[0] @ code, 0) for code in codes[:2])
    on = (weight @ r > 0) & (weight @ s > 0)
    middle = weight[on].T @ weight[on] - pair_matrix(r, s)

    def below(code):
        return np.maximum(network.weights[0] @ code, 0)

    def ratio(left, right):
        u = below(codes[2] + left) - below(codes[2])
        v = below(codes[3] + right) - below(codes[3])
        return abs(u @ middle @ v) / np.linalg.norm(u) / np.linalg.norm(v)

    lefts = steps_within_region(network, codes[2], random)
    rights = steps_within_region(network, codes[3], random)
    assert all(ratio(a, b) <= found * (1 + 1e-6) for a, b in zip(lefts, rights, strict=True))
    maps = [network.jacobians(code)[1] for code in codes[2:]]
    u, _, v = np.linalg.svd(looks[2].basis.T @ middle @ looks[3].basis)
    best = (np.linalg.pinv(maps[0]) @ looks[2].basis @ u[:, 0],
            np.linalg.pinv(maps[1]) @ looks[3].basis @ v[0])  # fmt: skip
    assert ratio(*(1e-7 * step / np.linalg.norm(step) for step in best)) == pytest.approx(
        found, rel=1e-5
    )


def test_the_rric_is_the_largest_ratio_of_differences_within_two_regions():
    random = np.random.default_rng(6)
    network = gaussian_network(random, 3, (12, 15))
    matrix = random.standard_normal((9, 15)) / 3
    form = IsometryForm(network, DenseSensing(matrix))
    codes = code_pairs(7, 2, 3)
    found = form.value([form.look(code) for code in codes])
    ratios = []
    pairs = (steps_within_region(network, code, random) for code in codes)
    for left, right in zip(*pairs, strict=True):
        u, v = (
            network(c + step) - network(c) for c, step in zip(codes, (left, right), strict=True)
        )
        away = (matrix @ u) @ (matrix @ v) - u @ v
        ratios.append(abs(away) / np.linalg.norm(u) / np.linalg.norm(v))
    assert max(ratios) <= found * (1 + 1e-6)
    middle = matrix.T @ matrix - np.eye(15)
    bases = [orthonormal_basis(network.jacobian(code)) for code in codes]
    assert found == pytest.approx(np.linalg.norm(bases[0].T @ middle @ bases[1], 2), rel=1e-12)


def test_the_one_bit_condition_is_the_projection_on_a_region():
    """|⟨e, Λz⟩|/‖Λz‖ is at most ‖P e‖, with equality for Λz = P e."""
    random = np.random.default_rng(8)
    network, error = gaussian_network(random, 3, (12, 15)), random.standard_normal(15)
    form = ProjectionForm(network, error)
    code = random.standard_normal(3)
    found, linear = form.value([form.look(code)]), network.jacobian(code)
    for z in random.standard_normal((50, 3)):
        assert abs(error @ linear @ z) / np.linalg.norm(linear @ z) <= found * (1 + 1e-12)
    best = np.linalg.lstsq(linear, error, rcond=None)[0]
    assert error @ linear @ best / np.linalg.norm(linear @ best) == pytest.approx(found)


@dataclass(frozen=True)
class Alignment:
    """⟨x, e_1⟩⟨z, e_2⟩: at most 1, at x = e_1, z = e_2."""

    directions: int = 2
    dimension: int = 6

    def look(self, direction: np.ndarray) -> np.ndarray:
        assert np.linalg.norm(direction) == pytest.approx(1)
        return direction

    def value(self, looks: list[np.ndarray]) -> float:
        return float(max(looks[0][0], 0) * max(looks[1][1], 0))


def test_ascents_find_what_random_draws_do_not():
    """The largest of 50 random products in six dimensions is far from 1."""
    found = search_largest(
        Alignment(), Search(draws=50, ascents=3, steps=400), np.random.default_rng(9)
    )
    assert found.drawn < 0.8
    assert 0.999 < found.value <= 1
    assert found.evaluations == 50 + 3 * 400


def test_without_ascents_the_best_draw_is_what_is_found():
    found = search_largest(
        Alignment(), Search(draws=7, ascents=0, steps=9), np.random.default_rng(1)
    )
    assert found.value == found.drawn
    assert found.evaluations == 7


def test_more_ascents_than_draws_are_counted_as_they_are():
    search = Search(draws=2, ascents=5, steps=3)
    assert search_largest(Alignment(), search, np.random.default_rng(1)).evaluations == 2 + 2 * 3


def test_both_conditions_ask_the_same_of_the_first_layer():
    """With nothing below it, the range is all of R^k (Cocola, after Definition 4.3)."""
    point = Point(condition="wdc", k=4, depth=1, widths=(40,), search=QUICK)
    other = point.model_copy(update={"condition": "r2wdc"})
    assert bound_constant(point, 0, 0) == bound_constant(other, 0, 0)


def test_a_contractive_layer_violates_the_wdc_by_a_half_at_least():
    """W_{+,x} has a kernel, on which Q(x, x) = ½·1; the R2WDC does not look there."""
    shape = {"k": 2, "depth": 2, "width_rule": "contractive", "width_factor": 40, "search": QUICK}
    wdc = bound_constant(Point(condition="wdc", **shape), 0, 0)
    r2wdc = bound_constant(Point(condition="r2wdc", **shape), 0, 0)
    assert wdc["epsilon"] >= 0.5
    assert wdc["layer"] == 2
    assert r2wdc["epsilon"] < 0.3


def test_all_of_an_orthonormal_transform_is_an_isometry():
    """M = n rows of the cosine transform: AᵀA = 1, so ε = 0 but for rounding."""
    point = Point(condition="rric", k=3, depth=2, widths=(10, 16), m=16,
                  ensemble="subsampled-dct", search=QUICK)  # fmt: skip
    assert bound_constant(point, 0, 0)["epsilon"] < 1e-13


def test_the_one_bit_constant_falls_with_measurements():
    """As m^(−½): a hundred times as many make a tenth of it, within a factor of two."""
    common: Any = {"condition": "one-bit", "k": 3, "depth": 2, "widths": (20, 30),
                   "dither": {"amplitude": 3.0}, "search": QUICK}  # fmt: skip
    few = np.mean([bound_constant(Point(m=300, **common), t, 0)["epsilon"] for t in range(5)])
    many = np.mean([bound_constant(Point(m=30_000, **common), t, 0)["epsilon"] for t in range(5)])
    assert 5 < few / many < 20


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"parameters": {**ONE_LAYER, "m": 5}}, ["'m'"]),
        ({"parameters": {**ONE_LAYER, "solver.step": 1}}, ["'condition'"]),
        ({"parameters": {**ONE_LAYER, "problem": "inversion"}}, ["'problem'"]),
        ({"parameters": {**ONE_LAYER, "last_layer": "linear"}}, ["last_layer"]),
        ({"parameters": {**ONE_LAYER, "generator": "identity"}}, ["'identity'"]),
        ({"parameters": {**ONE_LAYER, "target_norm": 2.0}}, ["'target_norm'"]),
        ({"axes": {"condition": ["rric"]}, "parameters": ONE_LAYER},
         ["'m'"]),
        ({"axes": {"condition": ["one-bit"]},
          "parameters": {**ONE_LAYER, "m": 9}}, ["'dither.amplitude'"]),
        ({"axes": {"k": [2, 3]}, "parameters": {"depth": 1, "widths": [9], "condition": "wcd"}},
         ["wdc", "r2wdc", "rric", "one-bit"]),
        ({"law": {"variable": "epsilo", "exponents": {"width_factor": 1}}},
         ["'epsilon'"]),
    ],
)  # fmt: skip
def test_a_sweep_that_makes_no_sense_is_refused(changes, named):
    if "law" not in changes:
        changes = {"axes": {"condition": ["wdc", "r2wdc"]}, **changes, "law": None}
    with pytest.raises(SweepError) as caught:
        check_points(Grid(condition_sweep(**changes)), task_kind("condition"))
    assert_names(caught.value, *named)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_sweep_of_conditions_fills_a_store_and_fits_a_law(store, genprior):
    """Nothing succeeds or fails there, and nothing is said of recovery."""
    run_sweep(condition_sweep(), store)
    filled = results(store)
    assert filled["epsilon"].dims == ("condition", "width_factor", "trial")
    assert (filled["epsilon"] > filled["epsilon_drawn"]).any()
    assert (filled["evaluations"] == 80).all()
    assert filled["widths"].values.tolist() == ["24-16", "48-32", "96-64", "192-128"]
    assert "success" not in filled
    assert "problem" not in filled.coords
    contract = filled["epsilon"].median("trial")
    assert (contract.sel(condition="wdc") > 2 * contract.sel(condition="r2wdc")).all()
    fitted = json.loads(genprior("fit", store, "--json").stdout)
    r2wdc, wdc = fitted["laws"]
    assert r2wdc["exponent_high"] < wdc["exponent_low"] < 0
    assert -0.75 < r2wdc["exponent"] < -0.35
    shown = genprior("fit", store).stdout
    assert "epsilon of trials" in shown
    assert "recovered" not in shown
    assert "recovered" not in genprior("status", store).stdout
    assert json.loads(genprior("status", store, "--json").stdout)["successes"] is None
    refused = genprior("fit", store, "--along", "width_factor")
    assert refused.exit_code == 2
    assert refused.stderr.count("\n") == 1


def test_conditions_of_one_network_share_it_and_other_widths_do_not():
    """The condition decides no draw; the constant of a width rule does, through the widths."""
    made = Grid(condition_sweep())
    assert shared_draws(made, ["condition", "width_factor"]) == (("condition",), None)


@pytest.mark.parametrize("generator", ["sparse", "group-sparse", "identity"])
def test_other_generators_have_an_isometry_constant(generator):
    shape: dict[str, Any] = {"sparsity": 2, "n": 12} if "sparse" in generator else {
        "k": 4, "depth": 1, "widths": [12]}  # fmt: skip
    parameters = {**shape, "generator": generator, "condition": "rric"}
    sweep = condition_sweep(axes={"m": [4, 40]}, parameters=parameters, law=None)
    check_task(task_kind("condition"), Grid(sweep))
    few, many = (
        bound_constant(Grid(sweep).point((i,)).model_copy(update={"search": Search()}), 0, 0)
        for i in (0, 1)
    )
    assert 0 < many["epsilon"] < few["epsilon"]


@pytest.mark.slow
def test_threads_and_blocks_change_no_constant(store, tmp_path):
    run_sweep(condition_sweep(blocks={"trials": 100}), store)
    other = tmp_path / "other.zarr"
    with open_executor("threads", 2) as executor:
        run_sweep(condition_sweep(blocks={"trials": 5}), other, executor)
    assert_same_results(store, other)


@pytest.mark.parametrize(
    "changes",
    [
        {"condition": "wdc", "widths": (900, 800)},
        {"condition": "r2wdc", "widths": (900, 800)},
        {"condition": "rric", "widths": (300, 900), "m": 700},
        {"condition": "one-bit", "widths": (300, 900), "m": 2000, "dither": {"amplitude": 3.0}},
    ],
    ids=lambda changes: changes["condition"],
)
def test_a_trial_holds_no_more_than_it_says(changes):
    """What NumPy allocates at its peak is below the claim, and at least a tenth of it."""
    point = Point(k=6, depth=2, search=Search(draws=4, ascents=2, steps=3), **changes)
    kind = task_kind("condition")
    kind.draw(point, draws_of(point, 0, 0)).run()
    peak = peak_memory(lambda: kind.draw(point, draws_of(point, 1, 0)).run())
    assert kind.memory(point) / 10 < peak < kind.memory(point)


def test_the_pilot_is_positive_and_takes_the_whole_search():
    """It times some of 5 draws, or of 500: what it has not timed it adds."""
    point = Point(condition="wdc", k=3, depth=1, widths=(9,), search=Search(draws=5, ascents=0))
    assert task_kind("condition").pilot(point, draws_of(point, 0, 0), 0.1) > 0


def test_a_harder_search_changes_no_draw_and_a_trial_repeats_to_the_bit():
    easy = Search(draws=20, ascents=2, steps=1)
    point = Point(condition="rric", k=3, depth=2, widths=(10, 16), m=8, search=easy)
    assert bound_constant(point, 1, 5) == bound_constant(point, 1, 5)
    harder = point.model_copy(update={"search": Search(draws=20, ascents=2, steps=200)})
    first, second = bound_constant(point, 1, 5), bound_constant(harder, 1, 5)
    assert second["epsilon_drawn"] == first["epsilon_drawn"]
    assert second["epsilon"] > first["epsilon"]
