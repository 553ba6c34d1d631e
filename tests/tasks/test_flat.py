"""Where the loss is constant all around a run has not converged: it ends as flat."""

import numpy as np
import pytest
from helpers import SensingLoss
from one_trial import recover

from genprior.sweeps import Point
from genprior.tasks.instance import draw_instance
from genprior.tasks.numerics.network import Network
from genprior.tasks.problems import PROBLEMS
from genprior.tasks.solvers.descent import SubgradientDescent, Verdict, descend
from genprior.tasks.solvers.fast import descend_fast

METHOD = SubgradientDescent(0.5, 1e-10, negation=False)
NEEDED = {
    "spiked-wishart": {"samples": 9},
    "one-bit": {"m": 9, "dither": {"amplitude": 3.0}},
    "compressed-sensing": {"m": 9},
    "phase-retrieval": {"m": 9},
}
engines = pytest.mark.parametrize("engine", [descend, descend_fast])


def verdict(engine, objective, code, method=METHOD, max_steps=20) -> tuple[int, Verdict]:
    run = engine(objective, method, np.array(code, dtype=float), max_steps=max_steps)
    return run.steps, run.verdict


def seen(sensing: list[list[float]], observed: list[float]) -> SensingLoss:
    """G(x) = relu(x), two entries."""
    return SensingLoss(Network((np.eye(2),)), np.array(sensing), np.array(observed))


@engines
@pytest.mark.parametrize("problem", PROBLEMS.built_in)
@pytest.mark.parametrize("last_layer", ["relu", "linear"])
def test_no_problem_converges_where_all_units_are_off(engine, problem, last_layer):
    """All are off at 0 exactly, and G(0) = 0; some problems' own gradient is 0 there too."""
    written = {"k": 2, "depth": 2, "widths": [12, 15], "last_layer": last_layer}
    point = Point.model_validate({"problem": problem, **written, **NEEDED.get(problem, {})})
    instance = draw_instance(point, 0, 1)
    assert verdict(engine, instance.objective, [0, 0], instance.method) == (0, Verdict.FLAT)


@engines
def test_a_constant_signal_is_flat_unless_it_is_the_one_looked_for(engine):
    """G(x) = relu(−1 + relu(x)) + 2 at x = −1: hidden units are off, and biases leave G = 2."""
    weights, biases = (np.eye(1), np.eye(1)), (np.zeros(1), np.full(1, 2.0))
    network = Network(weights, biases)
    for observed, ended in ((3.0, Verdict.FLAT), (2.0, Verdict.CONVERGED)):
        loss = SensingLoss(network, np.eye(1), np.array([observed]))
        assert verdict(engine, loss, [-1]) == (0, ended)


@engines
def test_active_units_that_nothing_measures_are_flat_too(engine):
    """A sees the first entry only, whose unit is off: A Λ = 0 though Λ is not."""
    assert verdict(engine, seen([[1, 0]], [1]), [-1, 1]) == (0, Verdict.FLAT)


@engines
def test_a_minimum_above_zero_has_converged(engine):
    """With b = (1, −1) relu(x) = (1, 0) is the nearest signal, where v = 0 exactly and f = ½."""
    assert verdict(engine, seen([[1, 0], [0, 1]], [1, -1]), [1, -1]) == (0, Verdict.CONVERGED)


@engines
@pytest.mark.parametrize(("tolerance", "steps"), [(1e-10, 2), (0, 20)])
def test_a_step_too_long_may_end_in_a_flat_zone(engine, tolerance, steps):
    """relu(x), b = 1, α = 3: from ½ to 2 and to −1, where no later step leads away.

    Without a tolerance the budget is spent there.
    """
    loss = SensingLoss(Network((np.eye(1),)), np.eye(1), np.ones(1))
    method = SubgradientDescent(3, tolerance, negation=False)
    assert verdict(engine, loss, [0.5], method) == (steps, Verdict.FLAT)


@pytest.mark.slow
@pytest.mark.parametrize("generator", ["sparse", "sparse-random", "group-sparse"])
def test_a_start_outside_all_tents_is_flat(generator):
    """Tents leave gaps between them, where G(x) = 0 and the relative signal error is 1."""
    written = {"generator": generator, "sparsity": 1, "n": 6, "m": 6, "wedge_angle": 0.05}
    if generator != "sparse-random":
        del written["wedge_angle"]
    point = Point.model_validate({**written, "success": {"metric": "signal_error"}})
    found = [recover(point, trial, 1) for trial in range(40)]
    flat = [values for values in found if values["verdict"] == Verdict.FLAT]
    assert flat
    assert all(values["success"] == values["gradient_norm"] == 0 for values in flat)
    for values in found:
        dead = values["gradient_norm"] == 0 and values["signal_error"] == 1
        assert dead == (values["verdict"] == Verdict.FLAT)


def test_flatness_takes_no_memory_for_a_map(monkeypatch):
    """The linear map of a wide structured network would not fit where its weights do."""
    monkeypatch.setattr(Network, "jacobians", None)
    instance = draw_instance(Point(k=2, depth=1, widths=(9,), m=5), 0, 1)
    assert instance.objective.is_flat(np.zeros(2))
    assert not instance.objective.is_flat(instance.target)
