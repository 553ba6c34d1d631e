"""Files of networks that are refused, with file and array named."""

import errno
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import assert_names, refused
from network_files import arrays, point, trained_sweep, written
from pydantic import ValidationError
from safetensors.numpy import save_file

from genprior.sweeps import Grid, Point, SweepError
from genprior.tasks import task_kind
from genprior.tasks.generators import weights_files
from genprior.tasks.generators.trained_weights import WeightsError
from genprior.tasks.instance import draw_instance
from genprior.tasks.problems import check_point


@pytest.fixture
def net(tmp_path: Path) -> str:
    return written(tmp_path)


NAN = np.full((12, 3), np.nan)
TRANSPOSED = {name: array.T for name, array in arrays().items() if name != "codes"}
THIRD = {"weights_3": np.ones((4, 20)), "biases_3": np.ones(4)}
REFUSED = {
    "missing-layer": (
        {"weights_2": None, "biases_2": None, **THIRD},
        ["weights_2", "weights_3"],
    ),
    "chain": (
        {"weights_2": np.ones((20, 11))},
        ["weights_2", "11", "weights_1", "12"],
    ),
    "transposed": (
        TRANSPOSED,
        ["weights_2", "20", "weights_1", "3", "'s input must match the previous layer'"],
    ),
    "bias-length": (
        {"biases_2": np.ones(12)},
        ["biases_2", "12", "weights_2", "20"],
    ),
    "missing-bias": (
        {"biases_2": None},
        ["layer 2"],
    ),
    "bias-alone": (
        {"biases_3": np.ones(2)},
        ["layer 3"],
    ),
    "rank": (
        {"weights_1": np.ones(12)},
        ["weights_1", "(12,)", "(outputs, inputs)"],
    ),
    "bias-rank": (
        {"biases_1": np.ones((12, 1))},
        ["biases_1", "(12, 1)", "(outputs,)"],
    ),
    "empty": (
        {"weights_1": np.ones((12, 0))},
        ["weights_1", "(12, 0)"],
    ),
    "infinite": (
        {"weights_1": np.where(np.eye(12, 3), np.inf, 0)},
        ["weights_1", "3 of 36"],
    ),
    "nan": (
        {"codes": NAN},
        ["codes", "36 of 36"],
    ),
    "codes": (
        {"codes": np.ones((5, 4))},
        ["codes", "4", "weights_1"],
    ),
    "zero-codes": (
        {"codes": np.zeros((5, 3))},
        ["codes"],
    ),
    "integers": (
        {"weights_1": np.ones((12, 3), dtype=int)},
        ["weights_1", "int64", "float64", "float32", "float16"],
    ),
    "complex": (
        {"weights_1": np.ones((12, 3), dtype=complex)},
        ["weights_1", "complex128"],
    ),
    "objects": (
        {"weights_1": np.array([None, 3])},
        ["numpy.savez"],
    ),
    "unknown": (
        {"1.running_mean": np.ones(3)},
        ["'1.running_mean'"],
    ),
    "several": (
        {"a.0.weight": np.ones((4, 3))},
        ["a.N.weight", "weights_N"],
    ),
    "none": (
        dict.fromkeys(arrays()),
        ["weights_1"],
    ),
    "constant": (
        {"weights_1": np.zeros((12, 3))},
        ["64"],
    ),
    "overflow": (
        {"weights_1": np.full((12, 3), 1e200)},
        ["64"],
    ),
}


@pytest.mark.parametrize(("changes", "named"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_network_is_refused_with_file_and_array(tmp_path, changes, named):
    path = written(tmp_path, **changes)
    with refused(ValueError, repr(path), *named):
        check_point(point(path))


@pytest.mark.parametrize("ending", [".pt", ".pth", ".pkl", ".joblib"])
def test_a_pickle_is_refused_unread(tmp_path, ending):
    """Loading this one would write a file."""

    class Harm:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "harm",))

    path = tmp_path / f"net{ending}"
    path.write_bytes(pickle.dumps(Harm()))
    with refused(WeightsError, path, ending, "numpy.savez"):
        check_point(point(str(path)))
    path.rename(tmp_path / "net.npz")
    with refused(WeightsError, tmp_path / "net.npz"):
        check_point(point(str(tmp_path / "net.npz")))
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path, ending, share):
    path = tmp_path / f"net{ending}"
    (np.savez(path, **arrays()) if ending == ".npz" else save_file(arrays(), path))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with refused(WeightsError, path):
        check_point(point(str(path)))


def test_a_flipped_bit_in_an_archive_is_noticed(tmp_path, net):
    """A .npz has checksums; a .safetensors file has none."""
    content = bytearray(Path(net).read_bytes())
    content[content.index(arrays()["weights_2"].tobytes())] ^= 1
    Path(net).write_bytes(content)
    with refused(WeightsError, net, "CRC-32"):
        check_point(point(net))


def test_files_that_are_not_there_are_refused_with_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with refused(WeightsError, "'net.npz'", os.strerror(errno.ENOENT), tmp_path):
        check_point(point("net.npz"))
    with refused(WeightsError, tmp_path):
        check_point(point(str(tmp_path)))
    (tmp_path / "net.h5").touch()
    with refused(WeightsError, "'net.h5'", ".npz", ".safetensors"):
        check_point(point("net.h5"))
    with pytest.raises(ValueError, match=r"'trained'.* 'weights'"):
        check_point(point(""))


def test_a_file_that_is_large_once_unpacked_is_refused_unread(tmp_path, net, monkeypatch):
    """2 MB of zeros take 2 kB."""
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, weights_1=np.zeros((500, 500)))
    monkeypatch.setattr(weights_files, "MOST_BYTES", 1_000_000)
    assert path.stat().st_size < 10_000
    with refused(WeightsError, path, "1.91 MiB"):
        check_point(point(str(path)))
    monkeypatch.setattr(weights_files, "MOST_BYTES", 1_000)
    os.utime(net, ns=(2, 2))
    with refused(WeightsError, net, " kiB"):
        check_point(point(net))


def test_bfloat16_is_named(tmp_path):
    header = json.dumps({"0.weight": {"dtype": "BF16", "shape": [2, 1], "data_offsets": [0, 4]}})
    path = tmp_path / "net.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(4))
    with pytest.raises(ValueError, match=r"0\.weight.* BF16.* float64"):
        check_point(point(str(path), k=1, depth=1, widths=[2]))


def test_shapes_that_differ_from_the_points_are_told_with_both(net):
    for changes in ({"k": 4}, {"widths": [12, 21]}, {"depth": 1, "widths": [20]}):
        with refused(ValueError, "k = 3", "widths = [12, 20]"):
            check_point(point(net, **changes))
    given = {"generator": "trained", "weights": net, "m": 18}
    for changes, named in (({"k": 4}, ["k 3", "4"]),
                           ({"depth": 3}, ["depth 2", "3"]),
                           ({"k": 3, "widths": [12, 21]}, ["widths 12-20", "12-21"]),
                           ({"n": 21}, ["20", "21"])):  # fmt: skip
        with pytest.raises(ValidationError) as refusal:
            Point.model_validate(given | changes)
        assert_names(refusal.value, *named)


def test_a_norm_of_signals_is_refused_with_biases_only(tmp_path, net):
    with pytest.raises(ValueError, match=r"'target_norm'.* 2"):
        check_point(point(net, target_norm=2))
    np.savez(tmp_path / "plain.npz", **arrays(biases=False))
    made = point(str(tmp_path / "plain.npz"), target_norm=2)
    check_point(made)
    assert np.linalg.norm(draw_instance(made, 0, 0).signal) == pytest.approx(2)


def test_every_norm_of_an_axis_is_looked_at(net):
    """The first one is the default, which is no refusal."""
    sweep = trained_sweep(net, axes={"target_norm": [1, 2], "m": [5, 9]})
    with pytest.raises(SweepError, match=r"target_norm=2, m=5: 'target_norm'"):
        task_kind("recovery").check(Grid(sweep))
