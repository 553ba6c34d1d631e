"""Loss and descent vector on planes of latent space."""

from typing import Any

import numpy as np
import pytest
from helpers import assert_same_results, results
from numpy.testing import assert_allclose
from one_trial import draw_landscape, look

from genprior.pipeline import run_sweep
from genprior.pipeline.executors.opening import open_executor
from genprior.sweeps import Grid, Point, Sweep, SweepError
from genprior.tasks import check_task, task_kind
from genprior.tasks.experiments import landscape
from genprior.tasks.experiments.landscape import Plane, draw_plane
from genprior.tasks.instance import draw_instance, mirror_ratio_of
from genprior.tasks.theory import expected_loss

ALONG, ACROSS = "plane.along", "plane.across"
PROBLEMS = [
    {"problem": "inversion"},
    {"problem": "compressed-sensing", "m": 30},
    {"problem": "phase-retrieval", "m": 30},
    {"problem": "spiked-wigner", "noise": {"sigma": 0.1}},
    {"problem": "one-bit", "m": 500, "dither": {"amplitude": 3.0}},
]


def landscape_sweep(**changes: Any) -> Sweep:
    """Two problems of one network over a coarse plane, with room for x* and the mirror."""
    written = {
        "task": "landscape",
        "trials": 1,
        "paired": ["problem"],
        "axes": {
            "problem": ["inversion", "phase-retrieval"],
            "plane": {"along": [-1, -0.5, 0, 0.5, 1, 1.5], "across": [-1, 0, 1]},
        },
        "parameters": {"k": 2, "depth": 2, "widths": [60, 80], "m": 60},
        **changes,
    }
    return Sweep.parse(written)


def at(point: Point, along: float, across: float) -> Point:
    return point.model_copy(update={"plane": Plane(along=along, across=across)})


@pytest.mark.parametrize("parameters", PROBLEMS, ids=lambda p: p["problem"])
def test_the_descent_vector_is_the_slope_of_the_loss_on_the_plane(parameters):
    """Central differences of stored losses, h = 1e-6 of ‖x*‖: to 1e-5 away from kinks."""
    point = Point(k=4, depth=2, widths=(40, 50), **parameters)
    size = draw_landscape(point, 0, 1).size
    for along, across in ((0.7, 0.3), (-0.6, 0.9)):
        here, h = look(at(point, along, across), 0, 1), 1e-6
        for name, (a, b) in {"descent_along": (h, 0), "descent_across": (0, h)}.items():
            up = look(at(point, along + a, across + b), 0, 1)["loss"]
            down = look(at(point, along - a, across - b), 0, 1)["loss"]
            assert here[name] == pytest.approx((up - down) / (2 * h * size), rel=1e-5, abs=1e-6)
        assert here["descent_norm"] >= np.hypot(here["descent_along"], here["descent_across"])


def test_in_two_dimensions_the_plane_is_all_there_is():
    """So that nothing of the descent vector leaves it."""
    point = Point(problem="inversion", k=2, depth=2, widths=(20, 30))
    found = look(at(point, 0.4, -0.8), 0, 1)
    inside = np.hypot(found["descent_along"], found["descent_across"])
    assert found["descent_norm"] == pytest.approx(inside, rel=1e-12)


def test_the_true_code_is_at_one_zero_of_the_trial_that_recovery_would_run():
    """Its loss is 0, that of the code 0 is ½‖y*‖² = ½ in inversion, and draws are recovery's."""
    point = Point(problem="inversion", k=5, depth=2, widths=(20, 30))
    instance = draw_instance(point, 3, 7)
    landscape = draw_landscape(point, 3, 7)
    assert_allclose(landscape.code(1, 0), instance.target, rtol=1e-14)
    assert_allclose(landscape.axes @ landscape.axes.T, np.eye(2), atol=1e-14)
    assert look(at(point, 1, 0), 3, 7)["loss"] < 1e-28
    assert look(at(point, 0, 0), 3, 7)["loss"] == pytest.approx(0.5)


def test_a_wide_networks_loss_is_the_expected_one():
    """Two layers of 4000: within 3 % of ½‖y*‖², a little more than √(k/n) of each layer."""
    point = Point(problem="inversion", k=2, depth=2, widths=(4000, 4000))
    landscape = draw_landscape(point, 0, 0)
    for place in ((-0.5, 0.3), (0.2, -0.9), (1.2, 0.4)):
        expected = expected_loss(landscape.code(*place), landscape.instance.target, 2)
        assert look(at(point, *place), 0, 0)["loss"] == pytest.approx(float(expected), abs=0.015)


def test_a_place_does_not_depend_on_the_places_before_it():
    """Draws are kept from one place to the next, and thrown away when another point comes."""
    point = Point(problem="inversion", k=3, depth=1, widths=(20,))
    first = look(at(point, 0.5, 0.5), 0, 1)
    look(at(point, 0.5, 0.5), 1, 1)
    look(at(point.model_copy(update={"gain": 2.0}), 0.5, 0.5), 0, 1)
    look(at(point, 0.1, 0.2), 0, 2)
    assert look(at(point, 0.5, 0.5), 0, 1) == first


def test_an_overflowing_loss_is_infinite_not_missing():
    """Weights of 1e-150 make codes of 1e180 of a signal of 1e30, whose squares are infinite."""
    point = Point(problem="spiked-wigner", k=2, depth=1, widths=(9,), target_norm=1e30, gain=1e-300)
    found = look(at(point, 1e6, 1e6), 0, 0)
    assert not any(np.isnan(value) for value in found.values())
    assert found["loss"] == np.inf


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parameters": {"k": 1, "depth": 2, "widths": [60, 80], "m": 60}}, "k = 1 has none"),
        (
            {"axes": {"plane": {"along": [0, 1]}, "problem": ["inversion"]}},
            "give 'plane.across' a range",
        ),
        (
            {"axes": {"m": [9]}, "paired": [], "parameters": {"k": 2, "depth": 1, "widths": [9]}},
            "needs the axes 'plane.along' and 'plane.across'",
        ),
        ({"task": "recovery"}, "'plane.along' is given, but task 'recovery' has no"),
        (
            {"plot": {"variable": "latent_error"}},
            "trials of task 'landscape' give no 'latent_error'",
        ),
    ],
)
def test_what_makes_no_plane_is_refused(changes, said):
    def check() -> None:
        sweep = landscape_sweep(**changes)
        check_task(task_kind(sweep.task), Grid(sweep))

    with pytest.raises(SweepError) as caught:
        check()
    assert said in str(caught.value)


@pytest.mark.parametrize("order", [("problem", "plane"), ("plane", "problem")])
def test_a_draw_serves_all_places_of_a_block(store, monkeypatch, order):
    """2 problems × 2 trials are 4 draws, whichever axis of the sweep comes last."""
    draws = []

    def counted(*arguments):
        draws.append(arguments)
        return draw_plane(*arguments)

    monkeypatch.setattr(landscape, "draw_plane", counted)
    axes = landscape_sweep().as_dict()["axes"]
    named = {name: [key for key in axes if key.startswith(name)] for name in order}
    ordered = {key: axes[key] for name in order for key in named[name]}
    run_sweep(landscape_sweep(axes=ordered, trials=2, blocks={"trials": 1000}), store)
    assert len(draws) == 4


def test_threads_and_blocks_change_no_place(store, tmp_path):
    sweep = landscape_sweep(trials=2, blocks={"trials": 100})
    run_sweep(sweep, store)
    other = tmp_path / "other.zarr"
    with open_executor("threads", 2) as executor:
        run_sweep(landscape_sweep(trials=2, blocks={"trials": 7}), other, executor)
    assert_same_results(store, other)


def test_an_excluded_corner_and_an_excluded_plane_are_left_out_of_the_picture(store, genprior):
    exclude = ["plane.along < 0 and plane.across < 0", "problem == 'phase-retrieval'"]
    run_sweep(landscape_sweep(exclude=exclude), store)
    picture = store.parent / "partial.svg"
    assert genprior("plot", store, "-o", picture).exit_code == 0
    assert picture.read_text().count("not run") == 1


def test_several_targets_make_several_landscapes(store, genprior):
    axes = {"target": [0, 1], "plane": {"along": [0, 1], "across": [0, 1]}}
    run_sweep(landscape_sweep(axes=axes, paired=[]), store)
    picture = store.parent / "targets.svg"
    assert genprior("plot", store, "-o", picture).exit_code == 0
    assert picture.read_text().count("target = ") == 2


@pytest.mark.parametrize("generator", ["sparse", "sparse-random", "group-sparse"])
def test_sparse_generators_have_landscapes_without_a_mirror(store, generator):
    parameters = {"generator": generator, "sparsity": 2, "n": 8, "wedge_angle": 0.01}
    if generator != "sparse-random":
        del parameters["wedge_angle"]
    axes = {"plane": {"along": [0, 1], "across": [0, 1]}}
    sweep = landscape_sweep(axes=axes, paired=[], parameters={**parameters, "problem": "inversion"})
    check_task(task_kind("landscape"), Grid(sweep))
    run_sweep(sweep, store)
    assert results(store)["loss"].sel({ALONG: 1, ACROSS: 0}).item() < 1e-12
    assert np.isnan(mirror_ratio_of(Grid(sweep).point((0, 0))))


def test_a_one_bit_landscape_has_the_sources_loss():
    """‖G(x) − v‖² − ‖v‖²: about −‖y*‖² = −1 at x*, and 0 at 0."""
    point = Point(problem="one-bit", k=3, depth=1, widths=(20,), m=20_000,
                  dither={"amplitude": 3.0})  # fmt: skip
    assert look(at(point, 1, 0), 0, 1)["loss"] == pytest.approx(-1, abs=0.2)
    assert look(at(point, 0, 0), 0, 1)["loss"] == pytest.approx(0, abs=1e-12)


def test_a_landscape_is_stored_and_drawn(store, genprior, tmp_path):
    """Loss and descent vector over problem and plane; there is nothing to fit."""
    run_sweep(landscape_sweep(), store)
    filled = results(store)
    assert filled["loss"].dims == ("problem", ALONG, ACROSS, "trial")
    assert filled["loss"].notnull().all()
    for problem in ("inversion", "phase-retrieval"):
        loss = filled["loss"].sel({"problem": problem, "trial": 0})
        lowest = loss.isel(loss.argmin(...))
        assert (lowest[ALONG], lowest[ACROSS]) == (1, 0)
    assert genprior("fit", store).exit_code == 2
    picture = tmp_path / "landscape.svg"
    assert genprior("plot", store, "-o", picture).exit_code == 0
    drawn = picture.read_text()
    assert drawn.count("problem = ") == 2
