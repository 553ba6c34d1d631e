"""Loss and descent vector on planes of latent space, and the descents that are drawn there."""

import json
import threading
from typing import Any

import numpy as np
import pytest
from helpers import assert_same_results, results
from numpy.testing import assert_allclose

from genprior.pipeline import run_sweep
from genprior.pipeline.analyses import Request, Trajectory
from genprior.pipeline.analyses.trajectory import ACROSS, ALONG, STARTS, rim
from genprior.pipeline.executors import open_executor
from genprior.store import read_info, remove_analysis
from genprior.sweeps import Grid, Point, Sweep, SweepError
from genprior.tasks import check_task, task_kind
from genprior.tasks.experiments import landscape
from genprior.tasks.experiments.landscape import Plane, draw_landscape, draw_plane, follow, look
from genprior.tasks.instance import draw_instance
from genprior.tasks.theory import expected_loss

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


def test_a_descent_is_followed_to_the_true_code():
    point = Point(problem="inversion", k=6, depth=2, widths=(60, 90))
    landscape = draw_landscape(point, 0, 2)
    path = follow(landscape, np.array([0.8, 0.9]), 2000, 0.01)
    assert_allclose(path.places[0], [0.8, 0.9])
    assert_allclose(path.places[-1], [1, 0], atol=1e-6)
    assert path.off_plane[0] == 0
    assert path.off_plane.max() > 0.01
    assert path.off_plane[-1] < 1e-6
    # The last two are the iterate at which the descent ended.
    gaps = np.linalg.norm(np.diff(path.places[:-2], axis=0), axis=1)
    assert (gaps >= 0.01).all()


def test_a_negated_iterate_breaks_the_path():
    """From beyond the mirror f(−x) < f(x) at once, and the path goes on from −x."""
    point = Point(problem="inversion", k=6, depth=2, widths=(60, 90))
    path = follow(draw_landscape(point, 0, 2), np.array([-0.9, 0.1]), 2000, 0.01)
    assert path.end.negations == 1
    places = path.places
    assert np.isnan(places).all(axis=1).sum() <= 1
    assert_allclose(places[-1], [1, 0], atol=1e-6)
    kept = point.model_copy(update={"solver": point.solver.model_copy(update={"negation": False})})
    other = follow(draw_landscape(kept, 0, 2), np.array([-0.9, 0.1]), 5, 0.01)
    assert other.end.negations == 0
    assert not np.isnan(other.places).any()


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
    monkeypatch.setattr(landscape, "_kept", threading.local())
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


def test_an_excluded_corner_leaves_the_descents_and_an_excluded_plane_none(store, genprior):
    exclude = ["plane.along < 0 and plane.across < 0", "problem == 'phase-retrieval'"]
    run_sweep(landscape_sweep(exclude=exclude), store)
    found = Trajectory().compute(Request(read_info(store)))
    assert found["steps"].sel(problem="inversion").notnull().all()
    assert found["steps"].sel(problem="phase-retrieval").isnull().all()
    picture = store.parent / "partial.svg"
    assert genprior("plot", store, "-o", picture).exit_code == 0
    assert "not run" in picture.read_text()


def test_several_targets_make_several_landscapes(store, genprior):
    axes = {"target": [0, 1], "plane": {"along": [0, 1], "across": [0, 1]}}
    run_sweep(landscape_sweep(axes=axes, paired=[]), store)
    fitted = genprior("fit", store, "--json")
    assert fitted.exit_code == 0
    assert [row["target"] for row in json.loads(fitted.stdout)["trajectories"]] == [0, 1]
    assert genprior("plot", store, "-o", store.parent / "targets.png").exit_code == 0


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
    assert Trajectory().compute(Request(read_info(store)))["mirror_ratio"].isnull().all()


def test_a_one_bit_landscape_has_the_sources_loss():
    """‖G(x) − v‖² − ‖v‖²: about −‖y*‖² = −1 at x*, and 0 at 0."""
    point = Point(problem="one-bit", k=3, depth=1, widths=(20,), m=20_000,
                  dither={"amplitude": 3.0})  # fmt: skip
    assert look(at(point, 1, 0), 0, 1)["loss"] == pytest.approx(-1, abs=0.2)
    assert look(at(point, 0, 0), 0, 1)["loss"] == pytest.approx(0, abs=1e-12)


def test_descents_are_not_drawn_with_other_weights(store, tmp_path, monkeypatch, genprior):
    """The trials have seen another network than the file holds now; what is stored stays true."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    np.savez("net.npz", weights_1=random.standard_normal((9, 2)))
    parameters = {"problem": "inversion", "generator": "trained", "weights": "net.npz", "k": 2,
                  "depth": 1, "widths": [9]}  # fmt: skip
    axes = {"plane": {"along": [0, 1], "across": [0, 1]}}
    run_sweep(landscape_sweep(axes=axes, paired=[], parameters=parameters), store)
    assert genprior("fit", store).exit_code == 0
    np.savez("net.npz", weights_1=random.standard_normal((9, 2)))
    for command in ("fit", "plot"):
        assert genprior(command, store).exit_code == 0
    remove_analysis(store, "trajectory")
    for command in ("fit", "plot"):
        result = genprior(command, store)
        assert result.exit_code == 1
        assert "'net.npz' is not the file that its trials used" in result.stderr
    (tmp_path / "net.npz").unlink()
    assert "its descents cannot be drawn" in genprior("fit", store).stderr


def test_a_landscape_is_stored_fitted_and_drawn(store, genprior, tmp_path):
    """Loss and descent vector over problem and plane; descents from the rim all find x* here."""
    run_sweep(landscape_sweep(), store)
    filled = results(store)
    assert filled["loss"].dims == ("problem", ALONG, ACROSS, "trial")
    assert filled["loss"].notnull().all()
    for problem in ("inversion", "phase-retrieval"):
        loss = filled["loss"].sel({"problem": problem, "trial": 0})
        lowest = loss.isel(loss.argmin(...))
        assert (lowest[ALONG], lowest[ACROSS]) == (1, 0)
    fitted = json.loads(genprior("fit", store, "--json").stdout)["trajectories"]
    assert [row["problem"] for row in fitted] == ["inversion", "phase-retrieval"]
    assert [row["mirror_ratio"] for row in fitted] == pytest.approx([0.3183, 0.669], abs=1e-3)
    assert all(sum(row["ends"].values()) == STARTS for row in fitted)
    assert fitted[0]["ends"]["target"] == STARTS
    assert "descents from the rim" in genprior("fit", store).stdout
    picture = tmp_path / "landscape.svg"
    assert genprior("plot", store, "-o", picture).exit_code == 0
    drawn = picture.read_text()
    assert drawn.count("problem = ") == 2


def test_trajectories_start_on_the_rim_and_are_labelled(store):
    run_sweep(landscape_sweep(), store)
    info = read_info(store)
    found = Trajectory().compute(Request(info))
    starts = np.stack([found["along"].isel(place=0), found["across"].isel(place=0)], axis=-1)
    kept = np.isfinite(starts).all(axis=-1)
    assert kept.sum() > STARTS
    assert_allclose(starts[kept], np.broadcast_to(rim(info), starts.shape)[kept])
    # The plane goes from −1 to 1.5 along x*, and from −1 to 1 across.
    assert_allclose(rim(info).mean(axis=0), [0.25, 0], atol=1e-12)
    assert_allclose(np.abs(rim(info) - [0.25, 0]).max(axis=0) < [1.25, 1], True)
    assert all(values.attrs["long_name"] for values in found.data_vars.values())
