"""Descents on planes of latent space: what is told of them, and that it is told in any order."""

import random
import time
from typing import Any

import numpy as np
import pytest
from helpers import assert_same_results, done, results
from numpy.testing import assert_allclose
from one_trial import draw_landscape, look

from genprior.pipeline import run_sweep
from genprior.pipeline.executors.opening import open_executor
from genprior.sweeps import Grid, Point, Sweep, SweepError, draws_of, point_identity
from genprior.sweeps.parameters import make_point
from genprior.tasks import check_task, task_kind
from genprior.tasks.experiments import trajectory
from genprior.tasks.experiments.trajectory import (
    ENDS,
    End,
    Path,
    Trajectory,
    TrajectoryTable,
    TrajectoryTrial,
    start_place,
)
from genprior.tasks.solvers.descent import descend

NETWORK = {"problem": "inversion", "k": 6, "depth": 2, "widths": [60, 90]}
STEPS = [0, 1, 2, 5, 20, 80]


def trajectory_sweep(**changes: Any) -> Sweep:
    """Two problems of one network; two starts, one of them behind the mirror."""
    written = {
        "experiment": "trajectory",
        "trials": 2,
        "paired": ["problem"],
        "axes": {
            "problem": ["inversion", "phase-retrieval"],
            "trajectory": {"angle": [50, 170], "step": STEPS},
        },
        "parameters": {"k": 3, "depth": 2, "widths": [30, 40], "m": 40, "solver.max_steps": 60},
        **changes,
    }
    return Sweep.parse(written)


def point(step: int = 0, angle: float = 50.0, **changes: Any) -> Point:
    return make_point(
        {**NETWORK, "trajectory": {"angle": angle, "radius": 1.2, "step": step}, **changes}
    )


def told(at: Point, trial: int = 0, seed: int = 2) -> dict[str, Any]:
    return Trajectory().draw(at, draws_of(at, trial, seed)).run()


@pytest.fixture
def steps_taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps that are taken are counted."""
    taken = []

    def counted(path: Path, _step=Path.step) -> None:
        _step(path)
        taken.append(path.steps)

    monkeypatch.setattr(Path, "step", counted)
    return taken


def test_start_and_step_decide_no_draws():
    """So that a landscape with the same parameters has the same problem and the same plane."""
    plain = make_point(NETWORK)
    assert point_identity(point(7, 90.0)) == point_identity(plain)
    ours = Trajectory().draw(point(7, 90.0), draws_of(plain, 3, 2)).descents.plane
    theirs = draw_landscape(plain, 3, 2)
    assert (ours.axes == theirs.axes).all()
    assert (ours.instance.signal == theirs.instance.signal).all()


def test_iterates_are_those_of_the_descent_by_hand():
    """To the bit: start and step of the method, and the coordinates of its iterates."""
    plane = draw_landscape(make_point(NETWORK), 0, 2)
    objective, method = plane.instance.objective, plane.instance.method
    state = method.start(objective, plane.code(*start_place(50.0, 1.2)))
    for step in range(40):
        found = told(point(step))
        along, across = plane.coordinates(state.code)
        assert (found["along"], found["across"]) == (along, across)
        assert found["loss"] == state.loss
        assert found["descent_norm"] == state.gradient_norm
        assert found["steps"] == step
        off = np.linalg.norm(state.code) ** 2 / plane.size**2 - along**2 - across**2
        assert found["off_plane"] == pytest.approx(np.sqrt(max(off, 0)), abs=1e-6)
        error = np.linalg.norm(state.code - plane.instance.target) / plane.size
        assert found["latent_error"] == pytest.approx(error, rel=1e-12)
        state = method.step(objective, state)


def test_a_descent_starts_on_the_circle_and_ends_where_the_solver_ends():
    """A step beyond the end changes nothing, and `steps` says how many were taken."""
    first = told(point(0, 50.0))
    assert_allclose([first["along"], first["across"]], start_place(50.0, 1.2), rtol=1e-12)
    assert first["off_plane"] < 1e-12
    assert first["end"] == End.RUNNING
    plane = draw_landscape(make_point(NETWORK), 0, 2)
    start = plane.code(*start_place(50.0, 1.2))
    solved = descend(plane.instance.objective, plane.instance.method, start, max_steps=10_000)
    for step in (solved.steps, solved.steps + 1, 10**9):
        last = told(point(step))
        assert last["steps"] == solved.steps < 2000
        assert last["loss"] == solved.state.loss
        assert last["end"] == End.TARGET
    assert told(point(solved.steps - 1))["end"] == End.RUNNING


def test_the_solvers_budget_ends_a_descent():
    short = point(50, solver={"max_steps": 3})
    assert told(short)["steps"] == 3
    assert told(short)["end"] != End.RUNNING


def test_losses_are_those_of_the_landscape():
    """At the start, and at an iterate of k = 2, where the plane is all of latent space."""
    flat = {"k": 2, "problem": "one-bit", "m": 200, "dither": {"amplitude": 3.0}}
    found = told(point(4, **flat))
    place = {"plane": {"along": found["along"], "across": found["across"]}}
    there = look(make_point({**NETWORK, **flat, **place}), 0, 2)
    assert found["loss"] == pytest.approx(there["loss"], rel=1e-9)
    assert found["descent_norm"] == pytest.approx(there["descent_norm"], rel=1e-9)


def test_a_negation_is_counted_where_it_happens():
    """From behind the mirror f(−x) < f(x) at once; without negation x stays where it is."""
    found = told(point(0, 170.0))
    assert found["negations"] == 1
    assert_allclose([found["along"], found["across"]], -np.array(start_place(170.0, 1.2)))
    kept = told(point(0, 170.0, solver={"negation": False}))
    assert kept["negations"] == 0
    assert_allclose([kept["along"], kept["across"]], start_place(170.0, 1.2))


def test_a_descent_at_the_mirror_is_told_from_one_elsewhere():
    """A budget of one short step ends it where it starts: near −ρ x*, ρ = 1/π, or far from it."""
    still = {"solver": {"negation": False, "step": 1e-9, "max_steps": 1}}
    ends = {}
    for name, angle, radius in (("mirror", 179.0, 0.32), ("elsewhere", 90.0, 1.0),
                                ("target", 1.0, 1.0)):  # fmt: skip
        table = {"angle": angle, "radius": radius, "step": 1}
        found = told(make_point({**NETWORK, **still, "trajectory": table}))
        ends[name] = ENDS[found["end"]]
    assert ends == {name: name for name in ends}


def test_an_overflowing_descent_is_infinite_not_missing():
    wild = {"solver": {"step": 1e300, "negation": False}}
    found = told(point(9, **wild))
    assert not any(np.isnan(value) for value in found.values())
    assert found["loss"] == np.inf
    assert found["end"] == End.ELSEWHERE


def test_values_do_not_depend_on_the_order_of_steps():
    """Each is compared with a descent of its own; lower steps, other draws come in between."""
    places = [(s, a, t) for s in (0, 3, 17, 40) for a in (50.0, 170.0) for t in (0, 1)]
    alone = {}
    for step, angle, trial in places:
        alone[step, angle, trial] = told(point(step, angle), trial)
    for seed in range(3):
        random.Random(seed).shuffle(places)
        draw = Trajectory().sampler()
        for step, angle, trial in places:
            at = point(step, angle)
            assert draw(at, draws_of(at, trial, 2)).run() == alone[step, angle, trial]


@pytest.mark.parametrize("order", [("angle", "step"), ("step", "angle")])
def test_an_axis_of_steps_costs_one_descent(store, steps_taken, order):
    """2 problems × 2 trials × 2 angles are 8 descents of 60 steps at most, whatever comes last."""
    axes = {"problem": ["inversion", "phase-retrieval"]}
    axes |= {f"trajectory.{name}": {"angle": [50, 170], "step": STEPS}[name] for name in order}
    run_sweep(trajectory_sweep(axes=axes, blocks={"trials": 1000}), store)
    last = results(store)["steps"].sel({"trajectory.step": STEPS[-1]})
    assert last.size == 8
    assert len(steps_taken) == int(last.sum())


def test_many_starts_do_not_fill_the_memory(steps_taken, monkeypatch):
    monkeypatch.setattr(trajectory, "MOST_KEPT", 2)
    draw, places = Trajectory().sampler(), [point(3, angle) for angle in (10.0, 20.0, 30.0, 10.0)]
    trials = [draw(at, draws_of(at, 0, 2)) for at in places]
    found = [trial.run() for trial in trials]
    assert found[0] == found[3]
    assert len(steps_taken) == 12, "the first was forgotten, and run again"
    assert len(trials[0].descents._paths) == 2


def test_threads_and_blocks_change_no_value(store, tmp_path):
    run_sweep(trajectory_sweep(blocks={"trials": 1000}), store)
    other = tmp_path / "other.zarr"
    with open_executor("threads", 2) as executor:
        run_sweep(trajectory_sweep(blocks={"trials": 3}), other, executor)
    assert_same_results(store, other)


@pytest.mark.slow
@pytest.mark.parametrize(
    "smaller",
    [
        {"angle": [50, 170], "step": [2, 20]},
        {"angle": [170], "step": STEPS},
        {"angle": [50], "step": [0, 80]},
    ],
    ids=["along step", "along angle", "along both"],
)
def test_a_store_grows_along_steps_and_angles(store, tmp_path, smaller):
    problems = {"problem": ["inversion", "phase-retrieval"]}
    run_sweep(trajectory_sweep(axes={**problems, "trajectory": smaller}), store)
    before = done(store)
    ran = run_sweep(trajectory_sweep(), store)
    assert before == 4 * len(smaller["angle"]) * len(smaller["step"])
    assert ran.computed == 4 * 2 * len(STEPS) - before
    once = tmp_path / "once.zarr"
    run_sweep(trajectory_sweep(), once)
    grown, whole = results(store), results(once)
    for name in ("along", "across", "loss", "steps", "end", "negations"):
        values = grown[name].sortby(["trajectory.angle", "trajectory.step"])
        assert values.equals(whole[name].transpose(*values.dims)), name


def test_an_interrupted_run_goes_on_where_it_was(store, tmp_path, monkeypatch):
    """Interrupted at its 20th trial of 48, in blocks of 6; finished trials are not run again."""
    calls = []

    def counted(trial: TrajectoryTrial, _run=TrajectoryTrial.run) -> dict[str, Any]:
        calls.append(trial.point)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return _run(trial)

    monkeypatch.setattr(TrajectoryTrial, "run", counted)
    monkeypatch.setattr(Trajectory, "pilot", lambda *_: 1e-3)
    sweep = trajectory_sweep(blocks={"trials": 6})
    assert run_sweep(sweep, store).interrupted
    held = done(store)
    assert 0 < held < 20
    del calls[:]
    calls += [None] * 20
    assert run_sweep(sweep, store).computed == len(calls) - 20 == 48 - held
    run_sweep(sweep, tmp_path / "once.zarr")
    assert_same_results(store, tmp_path / "once.zarr")


def test_a_store_tells_units_and_flags(store):
    run_sweep(trajectory_sweep(), store)
    filled = results(store)
    assert filled["along"].dims == ("problem", "trajectory.angle", "trajectory.step", "trial")
    assert {filled[name].attrs["units"] for name in ("along", "across", "off_plane")} == {"‖x*‖"}
    assert filled["trajectory.angle"].attrs["units"] == "degree"
    assert filled["trajectory.step"].attrs["units"] == "steps"
    assert filled["end"].attrs["flag_meanings"].split() == list(ENDS)
    assert filled["along"].notnull().all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parameters": {"k": 1, "depth": 1, "widths": [9], "m": 9}}, "'trajectory' needs a plane"),
        (
            {"axes": {"trajectory.angle": [0, 10]}, "paired": [],
             "parameters": {"k": 2, "depth": 1, "widths": [9], "m": 9}},
            "needs the axis 'trajectory.step'",
        ),
        ({"experiment": "landscape"}, "task 'landscape' has no such parameter"),
        (
            {"parameters": {"k": 2, "depth": 1, "widths": [9], "m": 9, "solver.start": "ones"}},
            "'solver.start' is given, but nothing uses it",
        ),
        (
            {"axes": {"problem": ["inversion", "phase-retrieval"],
                      "trajectory": {"angle": [0, 360], "step": [0, 1]}}},
            "should be less than 360",
        ),
    ],
)  # fmt: skip
def test_what_makes_no_trajectory_is_refused(changes, said):
    def check() -> None:
        sweep = trajectory_sweep(**changes)
        check_task(task_kind(sweep.task), Grid(sweep))

    with pytest.raises(SweepError) as caught:
        check()
    assert said in str(caught.value)


def test_a_long_descent_is_estimated_within_its_time():
    """10⁹ steps of a few µs take hours; 10⁷ of them are a hundredth, by one step in a hundred."""
    endless = {"solver": {"tolerance": 0.0, "max_steps": 10**9, "step": 1e-9}}
    kind, begun = Trajectory(), time.thread_time()
    at = [point(step, **endless) for step in (10**7, 10**9)]
    short, long = (kind.pilot(each, draws_of(each, 0, 1), 0.2) for each in at)
    assert time.thread_time() - begun < 5
    assert short > 1e5 * 1e-6
    assert 20 < long / short < 500


def test_memory_counts_two_draws_and_the_kept_iterates():
    small, large = (Trajectory().memory(point(k=k)) for k in (6, 60))
    assert small > 2 * 8 * (60 * 6 + 90 * 60)
    assert large - small > 8 * 2 * 54 * trajectory.MOST_KEPT


def test_other_experiments_keep_their_hash():
    """The table of a class belongs only to the experiments of that class."""
    sweep = Sweep.parse({"parameters": {"k": 2, "m": 5, "depth": 1, "widths": [9]}})
    assert not [name for name in sweep.experiment() if name.startswith("trajectory.")]
    assert trajectory_sweep().experiment()["trajectory.radius"] == TrajectoryTable().radius
