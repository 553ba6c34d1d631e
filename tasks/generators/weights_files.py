"""Read files of trained weights, .npz or .safetensors, never a pickle, and compute their digests.

Arrays stay in memory, as every trial asks for them.
"""

import hashlib
import os
import stat
import zipfile
import zlib
from collections.abc import Callable
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import IO, Any, TypeAlias

from numpy import dtype, load
from numpy.lib import format as npy
from numpy.typing import NDArray

from .trained_weights import (
    Arrays,
    TrainedWeights,
    WeightsError,
    assemble,
    layer_shapes,
    wrong_type,
)

MOST_BYTES = 2**31  # of a file, and of its arrays
LONGEST = 200  # characters of another library's message
MOST_HEADER = 2**24  # bytes of a list of arrays
END, LOCATOR = 22, 20  # bytes of the last two records of a zip archive
KEPT_FILES = 4  # files whose arrays a process keeps
PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".joblib")
CONVERT = (
    "Convert it: numpy.savez('network.npz', weights_1=W_1, biases_1=b_1, …) with arrays W_i of "
    "shape (outputs, inputs)."
)
# Exceptions that reading a damaged archive may raise.
DAMAGES = (
    EOFError, MemoryError, NotImplementedError, RuntimeError, SyntaxError, TypeError, ValueError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
# Device, inode, size, time of change.
Stamp: TypeAlias = tuple[int, int, int, int]
Shapes: TypeAlias = dict[str, tuple[int, ...]]


def read_weights(path: str) -> TrainedWeights:
    """Read a file; what was read before is used again unless the file has changed.

    Args:
        path: the file. A relative path starts in the working directory, and `~` is the home folder
            of the reading process.

    Raises:
        WeightsError: it cannot be read, or holds no network; names file and array.
    """
    return _read(path, stamp(path))


def weights_shape(path: str) -> tuple[int, tuple[int, ...]]:
    """Give k and the widths n_1 … n_d of a file's network; of a sound file only headers are read.

    Raises:
        WeightsError: it cannot be read, or holds no network; names file and array.
    """
    return _shape(path, stamp(path))


def _expanded(path: str) -> str:
    """Expand `~` and `~user`, which no shell expands in a sweep file."""
    return os.path.expanduser(path)


def weights_digest(path: str) -> str:
    """Compute the SHA-256 of a file, in hexadecimal digits.

    Raises:
        WeightsError: it cannot be read.
    """
    return _digest(path, stamp(path))


def stamp(path: str) -> Stamp:
    """Give what distinguishes a file from other files, and from itself before a change.

    Raises:
        WeightsError: there is no such file.
    """
    try:
        status = os.stat(_expanded(path))
    # A path with a null byte raises ValueError.
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        where = "" if os.path.isabs(_expanded(path)) else f" in {os.getcwd()}"
        raise WeightsError(f"weights {path!r}: {reason}{where}.") from None
    if not stat.S_ISREG(status.st_mode):
        raise WeightsError(f"weights {path!r}: it is no file.")
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1024)
def _digest(path: str, stamped: Stamp) -> str:
    try:
        with open(_expanded(path), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"weights {path!r}: {error.strerror}.") from None


@lru_cache(maxsize=1024)
def _shape(path: str, stamped: Stamp) -> tuple[int, tuple[int, ...]]:
    try:
        _check_bytes(stamped[2])
        return layer_shapes(HEADERS[Path(path).suffix.lower()](_expanded(path)))
    except (OSError, KeyError, *DAMAGES):
        # Reading the whole file says what is wrong.
        network = read_weights(path)
        return network.k, network.widths


@lru_cache(maxsize=KEPT_FILES)
def _read(path: str, stamped: Stamp) -> TrainedWeights:
    try:
        read = _reader(Path(path).suffix.lower())
        _check_bytes(stamped[2])
        return assemble(read(_expanded(path)))
    except OSError as error:
        raise WeightsError(f"weights {path!r}: {error.strerror or error}.") from None
    except WeightsError as error:
        raise WeightsError(f"weights {path!r}: {error}") from None


def _reader(suffix: str) -> Callable[[str], Arrays]:
    if suffix in READERS:
        return READERS[suffix]
    if suffix in PICKLES:
        raise WeightsError(f"a {suffix} file is a pickle, which can run code. {CONVERT}")
    raise WeightsError(f"{' and '.join(READERS)} files are read, and no others. {CONVERT}")


def _read_npz(path: str) -> Arrays:
    try:
        _npz_shapes(path)
        with load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except WeightsError:
        raise
    except DAMAGES as error:
        reason = str(error)[:LONGEST].rstrip(".") or type(error).__name__
        if "pickle" in reason:
            raise WeightsError(f"it holds Python objects, that is, a pickle. {CONVERT}") from None
        raise WeightsError(f"it is damaged, or no .npz file: {reason}.") from None


def _read_safetensors(path: str) -> Arrays:
    from safetensors import SafetensorError, safe_open

    arrays: dict[str, NDArray[Any]] = {}
    _check_header(path)
    try:
        with safe_open(path, framework="numpy") as file:
            for name in file.keys():  # noqa: SIM118 (it is no mapping)
                dtype = file.get_slice(name).get_dtype()
                if dtype not in ("F16", "F32", "F64"):
                    raise WeightsError(wrong_type(name, dtype))
                arrays[name] = file.get_tensor(name)
    except SafetensorError as error:
        raise WeightsError(f"it is damaged, or no .safetensors file: {error}.") from None
    return arrays


def _npz_shapes(path: str) -> Shapes:
    """Read the shapes of a file's arrays; nothing of a size that the file claims is allocated.

    Raises:
        ValueError: its archive or a header says something that `numpy.savez` does not write.
    """
    shapes: Shapes = {}
    _check_directory(path)
    with zipfile.ZipFile(path) as members:
        # Compressed zeros are small until they are read.
        _check_bytes(sum(member.file_size for member in members.infolist()))
        for member in members.infolist():
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{member.filename} is compressed in a way that is not read")
            with members.open(member) as file:
                shape, kind = _npy_header(file)
                size = prod(shape) * kind.itemsize
                if not kind.hasobject and size != member.file_size - file.tell():
                    raise ValueError(f"{member.filename} has the shape {shape} and other bytes")
            shapes[member.filename.removesuffix(".npy")] = shape
    return shapes


def _npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], dtype[Any]]:
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(file)
    if version not in readers:
        raise ValueError(f"version {version} of .npy is not read")
    try:
        shape, _, kind = readers[version](file)
    except Exception as error:  # NumPy reads headers with the tokenizer and the parser of Python
        raise ValueError(f"a header of .npy cannot be read ({type(error).__name__})") from None
    return shape, kind


def _check_directory(path: str) -> None:
    """Refuse an archive whose list of files is huge: reading it takes memory for each.

    Raises:
        ValueError: it is no archive, has a comment, or more files than any network has arrays.
    """
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - END - LOCATOR))
        tail = file.read()
    end = tail[-END:]
    if not end.startswith(b"PK\5\6") or end[-2:] != b"\0\0":
        raise ValueError("it does not end as an archive does")
    if int.from_bytes(end[12:16], "little") > MOST_HEADER or tail[:4] == b"PK\6\7":
        raise ValueError("it holds more files than a network has arrays")


def _check_header(path: str) -> None:
    """Refuse a .safetensors file whose header is huge.

    Raises:
        WeightsError: gives the size.
    """
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
    if size > MOST_HEADER:
        raise WeightsError(f"its header has {size:,} bytes; at most {MOST_HEADER:,} are read.")


def _safetensors_shapes(path: str) -> Shapes:
    from safetensors import SafetensorError, safe_open

    _check_header(path)
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise WeightsError(str(error)) from None


HEADERS: dict[str, Callable[[str], Shapes]] = {
    ".npz": _npz_shapes,
    ".safetensors": _safetensors_shapes,
}
READERS: dict[str, Callable[[str], Arrays]] = {
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
}


def _check_bytes(size: int) -> None:
    if size > MOST_BYTES:
        from dask.utils import format_bytes

        raise WeightsError(
            f"it holds {format_bytes(size)}; at most {format_bytes(MOST_BYTES)} are read."
        )
