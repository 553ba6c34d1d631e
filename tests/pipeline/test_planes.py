"""Fits and pictures of trajectories, alone and over the contours of a landscape."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import genprior as gp
from genprior.pipeline import run_sweep
from genprior.pipeline.fit.trials import Trials
from genprior.pipeline.show.planes import plane_points, read_lines, shared_planes
from genprior.store import read_info
from genprior.sweeps import Grid, Sweep
from genprior.tasks.experiments import EXPERIMENTS
from genprior.tasks.experiments.landscape import LandscapeTask
from genprior.tasks.experiments.trajectory import End, Path, Trajectory, start_place

ANGLES, STEPS = [20, 110, 170], [0, 1, 2, 5, 20, 400]
PARAMETERS = {"k": 2, "depth": 2, "widths": [60, 80], "m": 60, "solver.max_steps": 400}
PROBLEMS = ["inversion", "phase-retrieval"]


def sweep_of(task: str, **changes: Any) -> Sweep:
    """Two problems of one network; a coarse plane, or three descents on it."""
    axes: dict[str, Any] = {"problem": PROBLEMS}
    if task == "landscape":
        axes["plane"] = {"along": [-1.5, -0.5, 0, 0.5, 1, 1.5], "across": [-1.5, 0, 1.5]}
    else:
        axes["trajectory"] = {"angle": ANGLES, "step": STEPS}
    written = {"task": task, "trials": 1, "paired": ["problem"], "axes": axes,
               "parameters": PARAMETERS}  # fmt: skip
    return Sweep.parse({**written, **changes})


@pytest.fixture
def other(store):
    """The place of a second store."""
    return store.parent / "other.zarr"


@pytest.mark.slow
def test_a_fit_counts_where_descents_ended(store, genprior):
    """ρ is 1/π for inversion, and 0.669 for phase retrieval, of two layers."""
    run_sweep(sweep_of("trajectory", trials=2), store)
    rows = json.loads(genprior("fit", store, "--json").stdout)["trajectories"]
    assert [row["problem"] for row in rows] == PROBLEMS
    assert [row["mirror_ratio"] for row in rows] == pytest.approx([0.3183, 0.669], abs=1e-3)
    assert all(row["descents"] == sum(row["ends"].values()) == 6 for row in rows)
    assert rows[0]["ends"]["target"] == 6
    results = gp.open(store)
    for row in rows:
        last = results["steps"].sel(problem=row["problem"]).isel({"trajectory.step": -1})
        assert row["median_steps"] == np.median(last.values)
    assert "where descents on the plane ended" in genprior("fit", store).stdout
    assert "trajectory" in json.loads(genprior("status", store, "--json").stdout)["analyses"]


def test_descents_that_go_on_are_told_as_such(store, genprior):
    axes = {"trajectory": {"angle": ANGLES, "step": [0, 1]}}
    run_sweep(sweep_of("trajectory", axes=axes, paired=[]), store)
    (row,) = json.loads(genprior("fit", store, "--json").stdout)["trajectories"]
    assert row["ends"] == {"target": 0, "mirror": 0, "elsewhere": 0, "running": 3}
    assert "not ended" in genprior("fit", store).stdout


def test_steps_that_were_not_run_leave_the_last_that_was(store, genprior):
    rules = ["trajectory.step > 5", "problem == 'phase-retrieval'"]
    run_sweep(sweep_of("trajectory", exclude=rules), store)
    first, second = json.loads(genprior("fit", store, "--json").stdout)["trajectories"]
    assert (first["descents"], first["median_steps"]) == (3, 5)
    assert (second["descents"], second["median_steps"], second["mirror_ratio"]) == (0, None, None)
    picture = store.parent / "partial.svg"
    assert genprior("plot", store, "-o", picture).exit_code == 0
    assert picture.read_text().count("not run") == 1


@pytest.mark.slow
def test_neither_fit_nor_plot_descends(store, other, genprior, monkeypatch):
    run_sweep(sweep_of("trajectory"), store)
    run_sweep(sweep_of("landscape"), other)

    def refuse(*_: Any) -> None:
        raise AssertionError("a descent was run")

    monkeypatch.setattr(Path, "__init__", refuse)
    picture = store.parent / "p.png"
    assert genprior("fit", store).exit_code == 0
    assert genprior("plot", store, "-o", picture).exit_code == 0
    assert genprior("plot", other, "-o", picture, "--trajectories", store).exit_code == 0


@pytest.mark.parametrize("negation", [True, False])
def test_a_line_starts_on_the_circle_and_is_broken_by_negation(store, negation):
    """Behind the mirror x is replaced by −x at once: a break after the start, none without."""
    parameters = {**PARAMETERS, "solver.negation": negation}
    run_sweep(sweep_of("trajectory", parameters=parameters), store)
    info = read_info(store)
    lines = read_lines(Trials(info), list(plane_points(Grid(info.sweep))))
    assert list(lines) == [(0,), (1,)]
    for angle, line in zip(ANGLES, lines[0,], strict=True):
        assert_allclose(line.places[0], start_place(angle, 1.4))
        assert_allclose(line.places[-1], [1, 0], atol=1e-4)
        assert line.end == End.TARGET
        assert len(line.places) == 1 + len(STEPS) + np.isnan(line.places).all(axis=1).sum()
    breaks = [np.flatnonzero(np.isnan(line.places[:, 0])).tolist() for line in lines[0,]]
    assert breaks[0] == []
    assert breaks[2] == ([1] if negation else [])


def test_a_line_of_one_angle_has_the_steps_that_were_added_later(store):
    """In their order; the angle is not an axis, and the radius not the default."""
    one = {"problem": ["compressed-sensing"], "trajectory": {"step": [0, 20]}}
    parameters = {**PARAMETERS, "trajectory.angle": 110, "trajectory.radius": 0.7,
                  "solver.negation": False}  # fmt: skip
    run_sweep(sweep_of("trajectory", axes=one, parameters=parameters), store)
    one["trajectory"]["step"] = [0, 5, 20]
    run_sweep(sweep_of("trajectory", axes=one, parameters=parameters), store)
    info = read_info(store)
    (line,) = read_lines(Trials(info), [(0,)])[0,]
    assert_allclose(line.places[0], start_place(110, 0.7))
    told = gp.open(store).load().isel(problem=0, trial=0)
    for place, step in zip(line.places[1:], (0, 5, 20), strict=True):
        there = told.sel({"trajectory.step": step})
        assert place.tolist() == [there["along"].item(), there["across"].item()]


@pytest.mark.slow
def test_stored_descents_are_drawn_over_the_contours(store, other, genprior):
    """A picture without them has fewer lines; problems may be in another order, axes be more."""
    run_sweep(sweep_of("landscape"), store)
    axes = {"trajectory": {"angle": ANGLES, "step": STEPS}, "solver.step": [0.1, 0.2],
            "problem": PROBLEMS[::-1]}  # fmt: skip
    run_sweep(sweep_of("trajectory", axes=axes), other)
    shared = shared_planes(read_info(store), read_info(other))
    assert shared == {(0,): [(0, 1), (1, 1)], (1,): [(0, 0), (1, 0)]}
    plain, drawn = gp.plot(store), gp.plot(store, trajectories=other)
    bare, full = (len(figure.axes[0].lines) for figure in (plain, drawn))
    assert bare == 3, "x*, the mirror and 0"
    assert full == bare + 2 * len(ANGLES) + 2
    picture = store.parent / "both.svg"
    assert genprior("plot", store, "--trajectories", other, "-o", picture).exit_code == 0
    assert "descents from the rings" in picture.read_text()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 1}, "'seed' is 1 there and 0 here"),
        ({"parameters": {**PARAMETERS, "m": 61}}, "'m' is 61 there and 60 here"),
        ({"parameters": {**PARAMETERS, "noise.sigma": 0.1}}, "'noise.sigma' is 0.1 there"),
        (
            {"axes": {"problem": ["compressed-sensing"],
                      "trajectory": {"angle": ANGLES, "step": STEPS}}},
            "'problem' is compressed-sensing there and inversion here",
        ),
        ({"paired": []}, "'paired' is [] there"),
    ],
)  # fmt: skip
def test_descents_of_other_planes_are_refused(store, other, genprior, changes, said):
    run_sweep(sweep_of("landscape"), store)
    run_sweep(sweep_of("trajectory", **changes), other)
    result = genprior("plot", store, "--trajectories", other)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_stores_of_other_experiments_are_refused(store, other, recovered, genprior):
    run_sweep(sweep_of("landscape"), store)
    run_sweep(sweep_of("trajectory"), other)
    for first, second in ((recovered, other), (store, recovered), (other, other), (store, store)):
        result = genprior("plot", first, "--trajectories", second)
        assert result.exit_code == 2
        assert "--trajectories: " in result.stderr
        with pytest.raises(gp.UserError):
            gp.plot(first, trajectories=second)
    for path in (store, other):
        assert genprior("plot", path, "--log").exit_code == 2


def test_descents_of_another_weights_file_are_refused(store, other, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    trained = {"problem": "inversion", "generator": "trained", "weights": "net.npz", "k": 2,
               "depth": 1, "widths": [9]}  # fmt: skip
    plane = {"plane": {"along": [0, 1], "across": [0, 1]}}
    descents = {"trajectory": {"angle": ANGLES, "step": [0, 3]}}
    for task, axes, path in (("landscape", plane, store), ("trajectory", descents, other)):
        np.savez("net.npz", weights_1=random.standard_normal((9, 2)))
        run_sweep(sweep_of(task, axes=axes, paired=[], parameters=trained), path)
    with pytest.raises(gp.UserError, match=r"weights file 'net\.npz' had other content"):
        gp.plot(store, trajectories=other)


def test_the_presets_share_their_planes():
    """What 'landscape' and 'trajectories' say of each other is so."""
    one, two = gp.load_sweep("landscape"), gp.load_sweep("trajectories")
    assert (one.seed, one.paired, one.axes["problem"]) == (
        two.seed,
        two.paired,
        two.axes["problem"],
    )
    own = ("plane.", "trajectory.", "solver.")
    fixed = [{name: value for name, value in sweep.parameters.items() if not name.startswith(own)}
             for sweep in (one, two)]  # fmt: skip
    assert fixed[0] == fixed[1]


@pytest.mark.slow
def test_experiments_derived_from_ours_have_their_analysis_and_pictures(store, other):
    """What a store shows depends on the class of its experiment, not on the class's name."""
    derived = [type("Plane", (LandscapeTask,), {"name": "plane-of-mine"}),
               type("Descents", (Trajectory,), {"name": "descents-of-mine"})]  # fmt: skip
    for found in derived:
        EXPERIMENTS.register(found)
    try:
        landscape = sweep_of("landscape").as_dict() | {"task": "plane-of-mine"}
        run_sweep(Sweep.parse(landscape), store)
        run_sweep(sweep_of("trajectory").override(["task=descents-of-mine"]), other)
        assert gp.fit(other).records()["trajectories"][0]["ends"]["target"] == 3
        lines = gp.plot(store, trajectories=other).axes[0].lines
        assert len(lines) > len(gp.plot(store).axes[0].lines) > 0
        assert gp.plot(other).axes[0].get_xlabel().startswith("along")
    finally:
        for found in derived:
            EXPERIMENTS.forget(found.name)
