"""Files of networks that somebody made to do harm are refused before their sizes are believed."""

import io
import json
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import ENVIRONMENT, refused
from network_files import arrays, point
from numpy.lib import format as npy

from genprior.tasks.generators import weights_files
from genprior.tasks.generators.trained_weights import WeightsError, layer_shapes
from genprior.tasks.generators.weights_files import read_weights, weights_shape
from genprior.tasks.problems import check_point


def archive(path: Path, members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", how) as written:
        for name, content in members.items():
            written.writestr(name, content)
    return path


def header(shape: tuple[int, ...], kind: str = "<f8") -> bytes:
    """The beginning of a .npy file, and 8 bytes of an array."""
    stream = io.BytesIO()
    written = {"descr": kind, "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(stream, written)
    return stream.getvalue() + bytes(8)


def raw_header(text: str) -> bytes:
    content = text.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(content)) + content


def many_files(path: Path) -> Path:
    """An archive whose list names a million files."""
    name = b"weights_1.npy"
    entry = b"PK\1\2" + bytes(24) + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    listed = entry * 1_000_000
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 65535, 65535, len(listed), 0, 0)
    path.write_bytes(listed + end)
    return path


def harmful(path: Path) -> bytes:
    class Harm:
        def __reduce__(self) -> Any:
            return (Path.touch, (path.with_name("harm"),))

    return pickle.dumps(Harm())


def safetensors(path: Path, text: bytes, length: int | None = None) -> Path:
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + bytes(64))
    return path


def tensor(shape: list[int], offsets: list[int]) -> bytes:
    return json.dumps(
        {"weights_1": {"dtype": "F64", "shape": shape, "data_offsets": offsets}}
    ).encode()


NPZ: dict[str, Callable[[Path], Any]] = {
    "huge shape": lambda p: archive(p, {"weights_1.npy": header((10**12, 3))}),
    "shape of a number": lambda p: archive(p, {"weights_1.npy": header((10**30,))}),
    "negative shape": lambda p: archive(p, {"weights_1.npy": header((-1, -8))}),
    "nested header": lambda p: archive(p, {"weights_1.npy": raw_header("(" * 9_000)}),
    "header of code": lambda p: archive(
        p, {"weights_1.npy": raw_header("__import__('os').system('touch harm')\n")}
    ),
    "objects": lambda p: archive(p, {"weights_1.npy": header((1,), "|O") + harmful(p)}),
    "a pickle": lambda p: archive(p, {"weights_1.npy": harmful(p)}),
    "names outside": lambda p: archive(p, {"../../harm.npy": header((1,))}),
    "absolute names": lambda p: archive(p, {"/harm.npy": header((1,))}),
    "layers without end": lambda p: np.savez(p, **{"weights_999999": np.ones((2, 2))}),
    "a layer of many digits": lambda p: np.savez(p, **{f"weights_{'9' * 60}": np.ones((2, 2))}),
    "lzma": lambda p: archive(p, {"weights_1.npy": header((1,))}, zipfile.ZIP_LZMA),
    "bomb": lambda p: archive(
        p, {"weights_1.npy": header((2**25, 1))[:-8] + bytes(2**28)}, zipfile.ZIP_DEFLATED
    ),
    "many files": many_files,
    "a comment": lambda p: p.write_bytes(
        archive(p, {"weights_1.npy": header((1, 1))}).read_bytes()[:-2] + b"\5\0hello"
    ),
    "version 9": lambda p: archive(p, {"weights_1.npy": b"\x93NUMPY\x09\x00" + bytes(99)}),
}
SAFETENSORS: dict[str, Callable[[Path], Any]] = {
    "huge shape": lambda p: safetensors(p, tensor([10**12, 10**12], [0, 64])),
    "offsets outside": lambda p: safetensors(p, tensor([8], [10**15, 10**15 + 64])),
    "long header": lambda p: safetensors(p, b"{}", 10**18),
    "header that fits": lambda p: safetensors(p, b" " * 17_000_000),
    "nested header": lambda p: safetensors(p, b'{"a":' * 50_000),
    "many digits": lambda p: safetensors(
        p, b'{"weights_1": {"dtype": "F64", "shape": [%s]}}' % (b"9" * 10**6)
    ),
}
CASES = [(".npz", name, make) for name, make in NPZ.items()]
CASES += [(".safetensors", name, make) for name, make in SAFETENSORS.items()]


@pytest.mark.parametrize(("ending", "name", "make"), CASES, ids=[e + " " + n for e, n, _ in CASES])
def test_a_hostile_network_is_refused_with_its_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
    name: str,
    make: Callable[[Path], Any],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weights_files, "MOST_BYTES", 2**27)
    path = tmp_path / f"net{ending}"
    make(path)
    for read in (read_weights, weights_shape, lambda given: check_point(point(given))):
        with refused(WeightsError, path.name):
            read(str(path))
    assert not list(tmp_path.rglob("harm*"))


def test_a_hostile_network_takes_no_memory(tmp_path: Path) -> None:
    """With half a gigabyte of addresses more than the imports take."""
    code = (
        "import resource, sys\n"
        "from genprior.tasks.generators.weights_files import read_weights, weights_shape\n"
        "from genprior.tasks.generators.trained_weights import WeightsError\n"
        "import psutil, safetensors.numpy\n"
        "most = psutil.Process().memory_info().vms + 2**29\n"
        "resource.setrlimit(resource.RLIMIT_AS, (most, most))\n"
        "for path in sys.argv[1:]:\n"
        "    for read in (weights_shape, read_weights):\n"
        "        try:\n"
        "            read(path)\n"
        "        except WeightsError as error:\n"
        "            print(str(error)[:500])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    paths = []
    for number, (ending, name, make) in enumerate(CASES):
        if name != "bomb":  # 256 MB are allowed
            paths.append(tmp_path / f"{number}{ending}")
            make(paths[-1])
    ended = subprocess.run(
        [sys.executable, "-c", code, *paths],
        env=ENVIRONMENT, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert len(ended.stdout.splitlines()) == 2 * len(paths) + 1
    assert "memory" not in ended.stdout.lower()


def test_what_numpy_writes_is_still_read(tmp_path: Path) -> None:
    for save, ending in ((np.savez, "a"), (np.savez_compressed, "b")):
        path = tmp_path / f"{ending}.npz"
        save(path, **arrays())
        assert weights_shape(str(path)) == (3, (12, 20))
        assert read_weights(str(path)).widths == (12, 20)


def test_a_missing_layer_is_found_without_counting_to_the_last() -> None:
    with refused(WeightsError, "weights_2", "weights_999999"):
        layer_shapes({"weights_1": (3, 2), "weights_999999": (4, 3)})
