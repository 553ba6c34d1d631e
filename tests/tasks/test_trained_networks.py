"""Networks from files: what is read, what is refused, and that a file's content is held to."""

import hashlib
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from helpers import GENPRIOR, PROJECT, assert_same_results, results, tiny_sweep, write_sweep
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import save_file

from genprior.pipeline import run_sweep
from genprior.pipeline.worker import BlockTask, run_block
from genprior.store import read_info
from genprior.sweeps import Grid, Point, Sweep, SweepError, UserError
from genprior.tasks import task_kind
from genprior.tasks.environment import Needs
from genprior.tasks.experiments.recovery import recover
from genprior.tasks.generators import GENERATORS, generator_class, weights_files
from genprior.tasks.generators.settled import settled
from genprior.tasks.generators.trained import trained_network
from genprior.tasks.generators.weights_files import read_weights, weights_digest, weights_shape
from genprior.tasks.instance import draw_instance
from genprior.tasks.problems import check_point

PAGE = PROJECT / "docs" / "generators.md"
SCRIPT = PAGE.parent / "train_digits_decoder.py"
K, WIDTHS = 3, (12, 20)
Named = dict[str, np.ndarray]


def arrays(seed: int = 0, biases: bool = True) -> Named:
    """A decoder R³ → R¹² → R²⁰, its units of size 1; its codes are 2 from 0 on average."""
    random = np.random.default_rng(seed)
    named = {
        "weights_1": random.standard_normal((12, 3)),
        "weights_2": random.standard_normal((20, 12)) / np.sqrt(12),
        "codes": 2 * random.standard_normal((200, 3)),
    }
    if biases:
        named |= {"biases_1": random.standard_normal(12), "biases_2": random.standard_normal(20)}
    return named


def written(folder: Path, **changes: Any) -> str:
    """That decoder as a file, with changed arrays; None takes one out."""
    named = {name: array for name, array in (arrays() | changes).items() if array is not None}
    np.savez(folder / "net.npz", **named)
    return str(folder / "net.npz")


def point(path: str, **changes: Any) -> Point:
    given = {"generator": "trained", "weights": path, "k": K, "depth": 2, "widths": WIDTHS}
    return Point.model_validate({**given, "m": 18, **changes})


@pytest.fixture
def net(tmp_path: Path) -> str:
    return written(tmp_path)


# What is read


def test_a_network_from_a_file_is_worked_by_its_layers(net):
    """G(x) = W_2 relu(W_1 x + b_1) + b_2, with a ReLU behind it or without."""
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


# What is refused

NAN = np.full((12, 3), np.nan)
TRANSPOSED = {name: array.T for name, array in arrays().items() if name != "codes"}
THIRD = {"weights_3": np.ones((4, 20)), "biases_3": np.ones(4)}
REFUSED = {
    "missing-layer": (
        {"weights_2": None, "biases_2": None, **THIRD},
        "weights_2 is missing, and there is weights_3; number the layers from 1.",
    ),
    "chain": (
        {"weights_2": np.ones((20, 11))},
        "weights_2 has 11 columns but weights_1 has 12 rows; each layer's input must match",
    ),
    "transposed": (
        TRANSPOSED,
        "weights_2 has 20 columns but weights_1 has 3 rows; each layer's input must "
        "match the previous layer's output. Transposed they would fit",
    ),
    "bias-length": (
        {"biases_2": np.ones(12)},
        "biases_2 has 12 entries but weights_2 has 20 rows",
    ),
    "missing-bias": (
        {"biases_2": None},
        "layer 2 has weights and no biases",
    ),
    "bias-alone": (
        {"biases_3": np.ones(2)},
        "layer 3 has biases and no weights",
    ),
    "rank": (
        {"weights_1": np.ones(12)},
        "weights_1 has shape (12,), not (outputs, inputs).",
    ),
    "bias-rank": (
        {"biases_1": np.ones((12, 1))},
        "biases_1 has shape (12, 1), not (outputs,).",
    ),
    "empty": (
        {"weights_1": np.ones((12, 0))},
        "weights_1 has shape (12, 0), not",
    ),
    "infinite": (
        {"weights_1": np.where(np.eye(12, 3), np.inf, 0)},
        "weights_1 has 3 of 36 entries that are NaN or infinite.",
    ),
    "nan": (
        {"codes": NAN},
        "codes has 36 of 36 entries that are NaN",
    ),
    "codes": (
        {"codes": np.ones((5, 4))},
        "codes has 4 columns but weights_1 has 3; each row is a code.",
    ),
    "zero-codes": (
        {"codes": np.zeros((5, 3))},
        "codes has no entry but 0",
    ),
    "integers": (
        {"weights_1": np.ones((12, 3), dtype=int)},
        "weights_1 has type int64; store it as float64, float32 or float16.",
    ),
    "complex": (
        {"weights_1": np.ones((12, 3), dtype=complex)},
        "weights_1 has type complex128",
    ),
    "objects": (
        {"weights_1": np.array([None, 3])},
        "it holds Python objects, that is, a pickle. Convert it: numpy.savez(",
    ),
    "unknown": (
        {"1.running_mean": np.ones(3)},
        "array '1.running_mean' has an unknown name",
    ),
    "several": (
        {"a.0.weight": np.ones((4, 3))},
        "it holds several networks, a.N.weight and weights_N; keep one.",
    ),
    "none": (
        dict.fromkeys(arrays()),
        "it holds no weights; name them weights_1",
    ),
    "constant": (
        {"weights_1": np.zeros((12, 3))},
        "G is constant, or overflows, around most of 64 typical codes",
    ),
    "overflow": (
        {"weights_1": np.full((12, 3), 1e200)},
        "G is constant, or overflows",
    ),
}


@pytest.mark.parametrize(("changes", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_network_is_refused_with_file_and_array(tmp_path, changes, expected):
    path = written(tmp_path, **changes)
    with pytest.raises(ValueError, match=re.escape(f"weights {path!r}: {expected}")) as refusal:
        check_point(point(path))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("ending", [".pt", ".pth", ".pkl", ".joblib"])
def test_a_pickle_is_refused_unread(tmp_path, ending):
    """Loading this one would write a file."""

    class Harm:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "harm",))

    path = tmp_path / f"net{ending}"
    path.write_bytes(pickle.dumps(Harm()))
    expected = rf"a {ending} file is a pickle, which can run code. Convert it: numpy.savez"
    with pytest.raises(ValueError, match=expected):
        check_point(point(str(path)))
    path.rename(tmp_path / "net.npz")
    with pytest.raises(ValueError, match=r"it is damaged, or no \.npz file"):
        check_point(point(str(tmp_path / "net.npz")))
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path, ending, share):
    path = tmp_path / f"net{ending}"
    (np.savez(path, **arrays()) if ending == ".npz" else save_file(arrays(), path))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=f"it is damaged, or no {ending} file"):
        check_point(point(str(path)))


def test_a_flipped_bit_in_an_archive_is_noticed(tmp_path, net):
    """A .npz has checksums; a .safetensors file has none."""
    content = bytearray(Path(net).read_bytes())
    content[content.index(arrays()["weights_2"].tobytes())] ^= 1
    Path(net).write_bytes(content)
    with pytest.raises(ValueError, match=r"it is damaged, or no \.npz file: Bad CRC-32"):
        check_point(point(net))


def test_files_that_are_not_there_are_refused_with_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=re.escape(f"No such file or directory in {tmp_path}.")):
        check_point(point("net.npz"))
    with pytest.raises(ValueError, match="it is no file"):
        check_point(point(str(tmp_path)))
    (tmp_path / "net.h5").touch()
    with pytest.raises(ValueError, match=re.escape(".npz and .safetensors files are read, and no")):
        check_point(point("net.h5"))
    with pytest.raises(ValueError, match="generator 'trained' needs 'weights', the file of"):
        check_point(point(""))


def test_a_file_that_is_large_once_unpacked_is_refused_unread(tmp_path, net, monkeypatch):
    """2 MB of zeros take 2 kB."""
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, weights_1=np.zeros((500, 500)))
    monkeypatch.setattr(weights_files, "MOST_BYTES", 1_000_000)
    assert path.stat().st_size < 10_000
    with pytest.raises(ValueError, match=r"it holds 0\.0 GB; at most"):
        check_point(point(str(path)))
    monkeypatch.setattr(weights_files, "MOST_BYTES", 1_000)
    os.utime(net, ns=(2, 2))
    with pytest.raises(ValueError, match="it holds"):
        check_point(point(net))


def test_bfloat16_is_named(tmp_path):
    header = json.dumps({"0.weight": {"dtype": "BF16", "shape": [2, 1], "data_offsets": [0, 4]}})
    path = tmp_path / "net.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(4))
    with pytest.raises(ValueError, match=r"0\.weight has type BF16; store it as float64"):
        check_point(point(str(path), k=1, depth=1, widths=[2]))


def test_shapes_that_differ_from_the_points_are_told_with_both(net):
    expected = "the file k = 3, widths = [12, 20], the sweep k = "
    for changes in ({"k": 4}, {"widths": [12, 21]}, {"depth": 1, "widths": [20]}):
        with pytest.raises(ValueError, match=re.escape(expected)):
            check_point(point(net, **changes))
    given = {"generator": "trained", "weights": net, "m": 18}
    for changes, said in (({"k": 4}, "has k 3, and it is given as 4; leave it out"),
                          ({"depth": 3}, "has depth 2, and it is given as 3"),
                          ({"k": 3, "widths": [12, 21]}, "has widths 12-20, and it is given as"),
                          ({"n": 21}, "widths end in 20 but n is 21")):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            Point.model_validate(given | changes)


def test_a_norm_of_signals_is_refused_with_biases_only(tmp_path, net):
    with pytest.raises(ValueError, match=r"'target_norm' is 2, but weights .* come with biases"):
        check_point(point(net, target_norm=2))
    np.savez(tmp_path / "plain.npz", **arrays(biases=False))
    made = point(str(tmp_path / "plain.npz"), target_norm=2)
    check_point(made)
    assert np.linalg.norm(draw_instance(made, 0, 0).signal) == pytest.approx(2)


def test_every_norm_of_an_axis_is_looked_at(net):
    """The first one is the default, which is no refusal."""
    sweep = trained_sweep(net, axes={"target_norm": [1, 2], "m": [5, 9]})
    with pytest.raises(SweepError, match=r"target_norm=2, m=5: 'target_norm' is 2"):
        task_kind("recovery").check(Grid(sweep))


# Sweeps


def trained_sweep(*paths: str, **changes: Any) -> Sweep:
    """Three values of m for each file, four trials of few steps."""
    parameters = {"generator": "trained", "k": K, "depth": 2, "widths": list(WIDTHS)}
    parameters |= {"success.metric": "signal_error", "solver.max_steps": 30}
    if len(paths) == 1:
        parameters["weights"] = paths[0]
    axes = {"m": [4, 9, 18]} | ({"weights": list(paths)} if len(paths) > 1 else {})
    return tiny_sweep(**{"task": "recovery", "axes": axes, "parameters": parameters, **changes})


def test_the_digest_of_the_file_is_recorded(net, store):
    """As `sha256sum` has it."""
    run_sweep(trained_sweep(net), store)
    digest = hashlib.sha256(Path(net).read_bytes()).hexdigest()
    assert json.loads(results(store).attrs["weights_sha256"]) == {net: digest}


def test_a_changed_file_is_refused_unless_the_mixture_is_recorded(
    genprior: Callable[..., Result], tmp_path: Path, net: str, store: Path
) -> None:
    run_sweep(trained_sweep(net), store)
    before = weights_digest(net)
    written(tmp_path, **arrays(seed=1))
    with pytest.raises(UserError, match="here it is") as refusal:
        run_sweep(trained_sweep(net, trials=5), store)
    assert f"its SHA-256 of {net} is '{before}' and here it is '{weights_digest(net)}'" in str(
        refusal.value
    )
    assert run_sweep(trained_sweep(net, trials=5), store, allow_mixed=True).computed == 3
    attributes = results(store).attrs
    assert json.loads(attributes["mixed"]) == [{f"SHA-256 of {net}": weights_digest(net)}]
    assert json.loads(attributes["weights_sha256"]) == {net: before}


def test_several_files_are_an_axis_that_can_grow(tmp_path, store):
    """Each is known by its own digest; what a smaller sweep leaves out is no change."""
    paths = []
    for seed in range(3):
        paths.append(str(tmp_path / f"net{seed}.npz"))
        np.savez(paths[-1], **arrays(seed))
    run_sweep(trained_sweep(*paths[:2]), store)
    assert run_sweep(trained_sweep(*paths[1:]), store).computed == 12
    recorded = json.loads(results(store).attrs["weights_sha256"])
    assert recorded == {path: weights_digest(path) for path in paths}
    assert run_sweep(trained_sweep(*paths), store).computed == 0
    errors = results(store).signal_error
    assert len(np.unique(errors.isel(m=2, trial=0))) == 3
    np.savez(paths[2], **arrays(9))
    with pytest.raises(UserError, match=r"its SHA-256 of .*net2\.npz"):
        run_sweep(trained_sweep(*paths), store)


@pytest.mark.cluster
def test_worker_processes_find_a_file_by_a_relative_path_with_the_same_results(
    tmp_path: Path, net: str
) -> None:
    """`genprior run` starts them in its own working directory."""
    write_sweep(trained_sweep("net.npz"), tmp_path / "net.toml")
    for scheduler in ("processes", "synchronous"):
        command = [GENPRIOR, "run", "net.toml", f"{scheduler}.zarr", "--scheduler", scheduler]
        ended = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert ended.returncode == 0, ended.stderr
    assert_same_results(tmp_path / "processes.zarr", tmp_path / "synchronous.zarr")


def block_of(store: Path, net: str, digest: str) -> BlockTask:
    info, kind = read_info(store), task_kind("recovery")
    wanted = np.ones(tuple(part.stop - part.start for part in info.layout.region((0, 0))), bool)
    needs = Needs(kind.name, kind.version)
    return BlockTask(
        store, info.revision, (0, 0), wanted, kind, needs, None, "run", weights={net: digest}
    )


def test_a_worker_with_another_file_writes_nothing(tmp_path, net, store):
    """Neither with one that differs nor without one, nor where it changes under the trials."""
    run_sweep(trained_sweep(net), store)
    before = results(store)
    with pytest.raises(UserError, match=r"have the SHA-256 .* there and had 000000000000… where"):
        run_block(block_of(store, net, "0" * 64))
    task = block_of(store, net, weights_digest(net))
    assert run_block(task).crashed == 0
    Path(net).unlink()
    with pytest.raises(UserError, match=r"^a worker on .*: weights .*No such file"):
        run_block(task)
    assert results(store).drop_vars("seconds").identical(before.drop_vars("seconds"))


def test_a_file_that_changes_during_a_block_spoils_the_block_only(
    tmp_path, net, store, monkeypatch
):
    """Its trials are pending, as if it had never run."""
    from genprior.tasks.experiments import recovery

    def changing(made: Point, *rest: Any) -> dict[str, Any]:
        if made.m == 9:
            np.savez(net, **arrays(seed=1))
        return outcome(made, *rest)

    outcome = recovery.outcome
    monkeypatch.setattr(recovery, "outcome", changing)
    with pytest.raises(UserError, match="leave it alone while they run"):
        run_sweep(trained_sweep(net, blocks={"trials": 4}), store)
    status = results(store).status
    assert (status.sel(m=9) == 0).all()
    assert (status == 1).any()


def test_mistakes_end_in_one_line_before_anything_runs(
    genprior: Callable[..., Result], tmp_path: Path, net: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = 'axes.m = [4]\nparameters = {generator = "trained", weights = "%s", k = %d, depth = 2, '
    for weights, k in (("net.npz", 4), ("gone.npz", 3)):
        Path("net.toml").write_text(text % (weights, k) + "widths = [12, 20]}\n")
        for command in (("plan", "net.toml"), ("run", "net.toml", "net.zarr")):
            result = genprior(*command)
            assert result.exit_code == 2
            (line,) = result.stderr.splitlines()
            assert line.startswith(f"genprior: m=4: weights '{weights}'")
    assert not Path("net.zarr").exists()


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_a_files_shape_is_read_from_its_headers(tmp_path, monkeypatch, ending):
    """Also in PyTorch's names, and again once the file has changed."""
    path, a = tmp_path / f"net.{ending}", arrays()
    named = {"0.weight": a["weights_1"], "0.bias": a["biases_1"], "2.weight": a["weights_2"]}
    named |= {"2.bias": a["biases_2"], "codes": a["codes"].astype(np.float32)}

    def save() -> None:
        np.savez(path, **named) if ending == "npz" else save_file(named, path)

    save()
    with monkeypatch.context() as changed:
        changed.setattr(weights_files, "_read", None)
        changed.setenv("HOME", str(tmp_path))
        assert weights_shape(str(path)) == weights_shape(f"~/{path.name}") == (K, WIDTHS)
    named |= {"2.weight": np.ones((7, 12)), "2.bias": np.ones(7)}
    save()
    os.utime(path, ns=(3, 3))
    assert weights_shape(str(path)) == (K, (12, 7))


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_the_shape_of_a_damaged_file_is_refused_as_the_file_is(tmp_path, net, share):
    Path(net).write_bytes(Path(net).read_bytes()[: int(share * Path(net).stat().st_size)])
    with pytest.raises(ValueError, match=r"it is damaged, or no \.npz file"):
        Point.model_validate({"generator": "trained", "weights": net, "m": 18})


def test_a_sweep_may_leave_the_shape_to_the_files(
    genprior: Callable[..., Result], tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two files k is 3 and 5; the store keeps both, is extended, and is read without them."""
    monkeypatch.chdir(tmp_path)
    np.savez("three.npz", **arrays())
    wide = {"weights_1": np.random.default_rng(1).standard_normal((12, 5)), "codes": None}
    written(tmp_path, **wide)
    parameters = {"generator": "trained", "success.metric": "signal_error"}
    parameters |= {"solver.max_steps": 5}

    def sweep(*files: str, **changes: Any) -> Sweep:
        axes = {"m": [4, 9], "weights": list(files)}
        tables = {"task": "recovery", "axes": axes, "parameters": parameters, **changes}
        return tiny_sweep(**tables, trials=1)

    run_sweep(sweep("three.npz"), store)
    assert run_sweep(sweep("three.npz", "net.npz"), store).computed == 2
    filled = results(store)
    assert filled["k"].dims == ("weights",)
    assert filled["k"].values.tolist() == [3, 5]
    assert filled["widths"].values.tolist() == ["12-20"] * 2
    assert run_sweep(sweep("net.npz"), store).computed == 0
    for path in ("three.npz", "net.npz"):
        Path(path).unlink()
    assert Grid(read_info(store).sweep).point((0, 1)).k == 5
    assert genprior("fit", store).exit_code == 0


def test_a_fixed_file_gives_the_shape_that_may_be_given_too(net, store):
    """Whether k, depth and widths stand in the sweep or not, it is one experiment."""
    given = trained_sweep(net)
    written = given.as_dict()
    for name in ("k", "depth", "widths"):
        del written["parameters"][name]
    without = Sweep.parse(written)
    assert settled(Grid(without)) == settled(Grid(given)) == given
    assert run_sweep(without, store).computed == 12
    assert run_sweep(given, store).computed == 0
    assert run_sweep(without, store).computed == 0


def test_files_may_follow_an_axis_of_k(tmp_path, net):
    np.savez(tmp_path / "five.npz", weights_1=np.ones((9, 5)))
    files = {"3": net, "5": str(tmp_path / "five.npz")}
    written = {
        "axes": {"k": [3, 5]},
        "parameters": {"m": 4, "generator": "trained"},
        "dependent": {"weights": {"by": "k", "table": files}},
    }
    grid = Grid(Sweep.parse(written))
    assert [grid.point((i,)).widths for i in (0, 1)] == [(12, 20), (9,)]
    assert Grid(settled(grid)).point((1,)) == grid.point((1,))
    written["dependent"]["weights"]["table"]["5"] = net
    with pytest.raises(SweepError, match=r"k=5: the network of .* has k 3, and it is given as 5"):
        Grid(Sweep.parse(written)).point((1,))


# The page of the documentation


def test_the_page_lists_every_generator_with_its_parameters():
    """In two tables, each with a row a generator, and no other parameter than its class uses."""
    rows = [line.split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines()]
    made, kept = ({row[0].strip("| `"): row for row in rows if len(row) == size} for size in (4, 7))
    known = list(GENERATORS.built_in)
    assert [name for name in made if name != "generator"] == known
    assert [name for name in kept if name != "generator"] == known
    for name in known:
        expected = set(GENERATORS.built_in[name].uses)
        assert set(re.findall(r"`([^`]+)`", made[name][2])) == expected
    for name, generator in GENERATORS.built_in.items():
        assert kept[name][4].startswith("yes" if generator.has_mirror else "no")


def test_the_digits_decoder_is_trained_and_its_sweep_file_runs(
    genprior: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Little training and a small grid; the decoder still beats the mean digit's 0.56.

    The sweep file it prints is the page's.
    """
    monkeypatch.chdir(tmp_path)
    printed = PAGE.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    command = [sys.executable, str(SCRIPT), "digits.npz", "--epochs", "30", "--hidden", "20"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    errors = re.findall(r": (0\.\d+)$", ended.stdout, re.MULTILINE)
    assert float(errors[0]) < 0.56
    assert read_weights("digits.npz").widths == (20, 64)
    sweep = ended.stdout[ended.stdout.index("# digits.toml") :]
    assert sweep == printed
    Path("digits.toml").write_text(sweep)
    small = ("--set", "m=60", "--trials", "6", "--set", "solver.max_steps=3000")
    assert genprior("run", "digits.toml", "digits.zarr", *small).exit_code == 0
    assert results(tmp_path / "digits.zarr").success.mean() > 0.5
