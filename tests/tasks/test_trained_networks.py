"""Networks from files: what is read, their draws, sizes, biases and last layers."""

import os
from pathlib import Path

import numpy as np
import pytest
from network_files import K, arrays, point, written
from numpy.testing import assert_allclose, assert_array_equal
from one_trial import recover
from safetensors.numpy import save_file

from genprior.tasks.generators import generator_class, weights_files
from genprior.tasks.generators.trained import trained_network
from genprior.tasks.generators.weights_files import read_weights
from genprior.tasks.instance import draw_instance


@pytest.fixture
def net(tmp_path: Path) -> str:
    return written(tmp_path)


# What is read


def test_a_network_from_a_file_is_worked_by_its_layers(net):
    """G(x) = W_2 relu(W_1 x + b_1) + b_2, with a ReLU after it or without."""
    a, code = arrays(), np.array([0.3, -1.0, 2.0])
    signal = a["weights_2"] @ np.maximum(a["weights_1"] @ code + a["biases_1"], 0) + a["biases_2"]
    assert (signal < 0).any()
    assert_allclose(trained_network(point(net, last_layer="linear")).network(code), signal)
    assert_allclose(trained_network(point(net)).network(code), np.maximum(signal, 0))


@pytest.mark.parametrize("prefix", ["", "decoder.", "model.layers2.", "fc"])
def test_both_kinds_of_file_and_of_names_give_the_same_network(tmp_path, net, prefix):
    """PyTorch numbers a Sequential's linear layers 0, 2, …, and 10 comes after 2, not before."""
    a = arrays()
    names = {"2.weight": "weights_1", "2.bias": "biases_1", "10.weight": "weights_2"}
    state = {prefix + new: a[old] for new, old in (names | {"10.bias": "biases_2"}).items()}
    state["codes"] = a["codes"]
    save_file(state, tmp_path / "state.safetensors")
    save_file(a, tmp_path / "own.safetensors")
    np.savez_compressed(tmp_path / "state.npz", **state)
    expected = read_weights(net)
    for name in ("state.safetensors", "own.safetensors", "state.npz"):
        found = read_weights(str(tmp_path / name))
        for one, other in zip(
            (*found.weights, *found.biases, found.codes),
            (*expected.weights, *expected.biases, expected.codes),
            strict=True,
        ):
            assert_array_equal(one, other)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_numbers_are_read_as_float64_whatever_their_precision(tmp_path, kind):
    named = {name: array.astype(kind) for name, array in arrays().items()}
    np.savez(tmp_path / "net.npz", **named)
    save_file(named, tmp_path / "net.safetensors")
    for ending in ("npz", "safetensors"):
        found = read_weights(str(tmp_path / f"net.{ending}"))
        assert found.weights[1].dtype == np.float64
        assert_array_equal(found.weights[1], named["weights_2"].astype(float))


def test_a_file_is_read_once_and_again_when_it_has_changed(tmp_path, net, monkeypatch):
    reads = []
    reader = weights_files.READERS[".npz"]
    monkeypatch.setitem(
        weights_files.READERS, ".npz", lambda path: (reads.append(path), reader(path))[1]
    )
    os.utime(net, ns=(1, 1))
    made = point(net)
    for trial in range(20):
        recover(made, trial, 0)
    assert len(reads) == 1
    before = trained_network(made).network(np.ones(3))
    written(tmp_path, **arrays(seed=1))
    assert not np.allclose(trained_network(made).network(np.ones(3)), before)
    assert len(reads) == 2


def test_biases_that_are_all_zero_leave_a_plain_network(tmp_path):
    """Which is homogeneous, and which the fast engine serves."""
    made = point(written(tmp_path, biases_1=np.zeros(12), biases_2=np.zeros(20)))
    network = trained_network(made).network
    assert network.is_plain
    assert network.is_homogeneous


# Draws and sizes


def test_targets_are_the_files_codes_as_they_are(net):
    """With biases no scale is free: every x* is a row of `codes`, and y* = G(x*)."""
    rows = arrays()["codes"]
    drawn = [draw_instance(point(net), trial, 0) for trial in range(8)]
    for made in drawn:
        assert (made.target == rows).all(axis=1).any()
        assert_array_equal(made.signal, made.objective.network(made.target))
    assert len({made.target[0] for made in drawn}) > 4
    start = draw_instance(point(net, solver={"start": "prior"}), 0, 0).start
    assert (start == rows).all(axis=1).any()


def test_without_codes_targets_are_standard_normal(tmp_path):
    """The mean square of 600 coordinates is 1 ± √(2/600), of which we allow four."""
    made = point(written(tmp_path, codes=None))
    targets = [draw_instance(made, trial, 0).target for trial in range(200)]
    assert np.mean(np.square(targets)) == pytest.approx(1, abs=4 * np.sqrt(2 / 600))
    assert generator_class("trained").start_scale(made) == 1


def test_starts_have_the_size_of_codes_and_of_signals_where_that_is_free(tmp_path, net):
    """With biases: 2, the codes' root mean square. Without: ‖G(x)‖ is the norm asked for."""
    trained = generator_class("trained")
    assert trained.start_scale(point(net)) == pytest.approx(2, rel=0.1)
    named = arrays(biases=False)
    np.savez(tmp_path / "plain.npz", **named)
    made = point(str(tmp_path / "plain.npz"), target_norm=50)
    network = trained_network(made).network
    codes = named["codes"] / 2 * trained.start_scale(made)
    assert np.mean([np.linalg.norm(network(c)) for c in codes]) == pytest.approx(50, rel=0.2)


def test_the_default_step_is_0_7_over_the_largest_eigenvalue(tmp_path):
    """W = diag(2, 3) with a linear last layer: ΛᵀΛ has 9, and 0.175/(9/4) = 0.7/9."""
    path = str(tmp_path / "one.npz")
    np.savez(path, weights_1=np.diag([2.0, 3.0]), biases_1=np.ones(2))
    made = point(path, k=2, depth=1, widths=[2], last_layer="linear")
    assert generator_class("trained").curvature(made) == 2.25


# Biases and linear last layers in the descent


@pytest.mark.parametrize("last_layer", ["relu", "linear"])
def test_the_descent_vector_is_the_slope_of_the_loss_with_biases(net, last_layer):
    """Between kinks f is quadratic: a central difference is exact but for ε|f|/h < 10⁻⁸.

    The test asks that no unit flips within h.
    """
    objective = draw_instance(point(net, last_layer=last_layer), 0, 0).objective
    h, network = 1e-6, objective.network

    def pattern(code: np.ndarray) -> list[bool]:
        return [bool(on) for a in network.forward(network.weights[0] @ code) for on in a > 0]

    for code in np.random.default_rng(2).standard_normal((5, K)):
        slope = []
        for step in h * np.eye(K):
            assert pattern(code + step) == pattern(code - step)
            ahead, behind = (
                objective.evaluate(objective.first(c)) for c in (code + step, code - step)
            )
            slope.append((ahead.loss - behind.loss) / (2 * h))
        found = objective.descent_vector(objective.evaluate(objective.first(code)))
        assert_allclose(found, slope, rtol=1e-6, atol=1e-6)


def test_the_loss_at_the_negated_code_needs_no_second_product_with_biases(net):
    """W_1 (−x) + b_1 is −(W_1 x) + b_1; had the product its bias in it, −b_1 would come out."""
    objective = draw_instance(point(net), 0, 0).objective
    code = np.array([0.4, -0.9, 1.3])
    negated = objective.evaluate(-objective.first(code))
    assert negated.loss == objective.evaluate(objective.first(-code)).loss
    assert_array_equal(negated.activations[-1], objective.network(-code))


@pytest.mark.parametrize("biases", [True, False])
def test_both_engines_give_the_same_run(tmp_path, biases):
    """With biases to the bit, for the fast engine then takes plain steps; else but for rounding."""
    np.savez(tmp_path / "net.npz", **arrays(biases=biases))
    for trial in range(5):
        fast, plain = (
            recover(point(str(tmp_path / "net.npz"), solver={"engine": engine}), trial, 0)
            for engine in ("fast", "plain")
        )
        assert fast["iterations"] == plain["iterations"]
        assert fast["verdict"] == plain["verdict"]
        if biases:
            assert fast == plain
        assert_allclose(fast["signal_error"], plain["signal_error"], atol=1e-9)


def test_codes_of_a_trained_network_are_recovered_from_enough_measurements(net):
    """M = 60 for k = 3 from n = 20; a single measurement leaves two dimensions open."""
    settings = {"last_layer": "linear", "success": {"metric": "signal_error"}}
    enough = [recover(point(net, m=60, **settings), t, 0)["success"] for t in range(10)]
    too_few = [recover(point(net, m=1, **settings), t, 0)["success"] for t in range(10)]
    assert sum(enough) >= 8
    assert sum(too_few) == 0
