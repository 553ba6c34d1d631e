"""Files of networks that are refused, with file and array named."""

import json
import os
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from network_files import arrays, point, trained_sweep, written
from safetensors.numpy import save_file

from genprior.sweeps import Grid, Point, SweepError
from genprior.tasks import task_kind
from genprior.tasks.generators import weights_files
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
    with pytest.raises(ValueError, match=r"it holds 1\.91 MiB; at most 0\.95 MiB are read"):
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
