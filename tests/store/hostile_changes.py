"""What somebody may do to a store before passing it on, by name: each changes a copy of a store."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from google_crc32c import value as crc32c

from genprior.store.documents import copies, read_document, write_document

Change = Callable[[Path], None]
DEEP = b"[" * 100_000
CHUNK = ("c", "0", "0", "0")
RLE = 128 * 1024  # bytes of a block of a zstd frame


class Harm:
    """Loading its pickle makes a file; the name comes from the environment."""

    def __reduce__(self) -> Any:
        return (os.system, ("touch $HARM",))


def frame(size: bytes, descriptor: int, blocks: int) -> bytes:
    """A zstd frame of zeros, with its checksum: each block of four bytes becomes 128 KiB."""
    block = [(RLE << 3 | 1 << 1 | last).to_bytes(3, "little") + b"\0" for last in (0, 1)]
    inner = b"\x28\xb5\x2f\xfd" + bytes([descriptor]) + size + block[0] * blocks + block[1]
    return inner + crc32c(inner).to_bytes(4, "little")


def bomb(kind: str, blocks: int = 200) -> Change:
    """A chunk that becomes much larger, and says so, does not say so, or lies."""
    content = {
        "honest": frame(((blocks + 1) * RLE).to_bytes(8, "little"), 0xE0, blocks),
        "silent": frame(b"\x88", 0x00, blocks),
        "lying": frame((8).to_bytes(8, "little"), 0xE0, blocks),
    }[kind]
    return lambda path: put(path.joinpath("success", *CHUNK), content)


def put(file: Path, content: bytes) -> None:
    file.unlink(missing_ok=True)
    file.write_bytes(content)


def replaced(*parts: str, by: Callable[[Path], None]) -> Change:
    """Something else in place of a file or a folder, which is kept next to the store."""

    def change(path: Path) -> None:
        target = path.joinpath(*parts)
        target.rename(path.with_name(f"moved-{target.name}"))
        by(target)

    return change


def link(target: Path) -> None:
    """A link to what was there, now outside the store."""
    store = next(parent for parent in target.parents if parent.suffix == ".zarr")
    target.symlink_to(store.with_name(f"moved-{target.name}"))


def huge(target: Path) -> None:
    target.touch()
    os.truncate(target, 10 * 2**40)


def document(name: str, **changes: Any) -> Change:
    """Other keys in the document of an array, and in its copy at the root."""

    def change(path: Path) -> None:
        write_document(path / name, {**read_document(path / name), **changes})
        root = read_document(path)
        copies(root)[name].update(changes)
        write_document(path, root)

    return change


def all_results(**changes: Any) -> Change:
    """Other keys in the documents of all results."""

    def change(path: Path) -> None:
        for name, copy in copies(read_document(path)).items():
            if len(copy.get("shape", ())) == 3:
                document(name, **changes)(path)

    return change


def attribute(name: str, value: Any) -> Change:
    """Another attribute of the store."""

    def change(path: Path) -> None:
        root = read_document(path)
        root["attributes"][name] = value
        write_document(path, root)

    return change


def sweep(**tables: Any) -> Change:
    """Another sweep in the attributes."""

    def change(path: Path) -> None:
        written = json.loads(read_document(path)["attributes"]["sweep"])
        attribute("sweep", json.dumps({**written, **tables}))(path)

    return change


def copied(name: str) -> Change:
    """A copy at the root of a document that is elsewhere."""

    def change(path: Path) -> None:
        root = read_document(path)
        root["consolidated_metadata"]["metadata"][name] = dict(copies(root)["success"])
        write_document(path, root)

    return change


def as_version_2(path: Path) -> None:
    """An array of objects of the older format, whose filter is a pickle."""
    array = path / "success"
    (array / "zarr.json").unlink()
    written = {
        "zarr_format": 2, "shape": [3, 4, 4], "chunks": [3, 4, 4], "dtype": "|O",
        "fill_value": None, "order": "C", "compressor": None,
        "filters": [{"id": "pickle", "protocol": 5}],
    }  # fmt: skip
    (array / ".zarray").write_text(json.dumps(written))
    (array / "0.0.0").write_bytes(pickle.dumps(Harm()))


def codecs(*names: str, **configuration: Any) -> Change:
    return document("success", codecs=[{"name": n, "configuration": configuration} for n in names])


SIZES = {"name": "regular", "configuration": {"chunk_shape": [10**12, 10**12, 10**12]}}
SHARDS = {"chunk_shape": [1, 1, 1], "codecs": [{"name": "bytes"}], "index_codecs": []}

# No command reads these; `run` may write some of them again.
REFUSED: dict[str, Change] = {
    "root nested": lambda path: put(path / "zarr.json", DEEP),
    "document nested": lambda path: put(path / "success" / "zarr.json", DEEP),
    "root of many digits": lambda path: put(path / "zarr.json", b'{"a": ' + b"9" * 10**6 + b"}"),
    "root of many values": lambda path: put(path / "zarr.json", b"[" + b"0," * 3_000_000 + b"0]"),
    "root of terabytes": replaced("zarr.json", by=huge),
    "shape": document("success", shape=[10**15, 4, 4]),
    "shape of all": all_results(shape=[10**15, 4, 4]),
    "chunks": document("success", chunk_grid=SIZES),
    "chunks of all": all_results(chunk_grid=SIZES),
    "type of objects": document("success", data_type={"name": "numpy.object", "configuration": {}}),
    "type of bytes": document("success", data_type="variable_length_bytes"),
    "long text": document(
        "error", data_type={"name": "fixed_length_utf32", "configuration": {"length_bytes": 4**20}}
    ),
    "pickle": codecs("numcodecs.pickle", protocol=5),
    "json objects": codecs("numcodecs.json2"),
    "blosc": codecs("bytes", "blosc"),
    "shards": codecs("sharding_indexed", **SHARDS),
    "array codec": codecs("transpose", "bytes", order=[2, 1, 0]),
    "fill value": document("success", fill_value="x" * 10**6),
    "dimensions": document("status", dimension_names=["k", "m", *["trial"] * 10**6]),
    "old format": as_version_2,
    "axis of a range": sweep(axes={"k": "1:1e12:1e-6", "m": [3]}),
    "axis of digits": attribute("sweep", '{"axes": {"k": [' + "9" * 10**6 + "]}}"),
    "sweep nested": attribute("sweep", '{"axes": ' + '{"k": ' * 5_000 + "1" + "}" * 5_001),
    "rule of code": sweep(exclude=["__import__('os').system('touch $HARM') == 1"]),
    "variable outside": attribute("trial_variables", '["../../outside"]'),
    "absolute variable": attribute("trial_variables", '["/etc/passwd"]'),
    "variables nested": attribute("trial_variables", "[" * 50_000),
    "coordinate outside": attribute("coordinates", "../outside"),
    "copy outside": copied("../outside"),
    "array is a link": replaced("success", by=link),
    "status is a link": replaced("status", by=link),
    "chunks are a link": replaced("success", "c", by=link),
    "chunk is a link": replaced("success", *CHUNK, by=link),
    "folder of chunks is a link": replaced("success", "c", "0", by=link),
    "document is a link": replaced("success", "zarr.json", by=link),
    "root is a link": replaced("zarr.json", by=link),
    "analysis is a link": lambda path: (path / "analysis").symlink_to(path.parent),
    "root is a pipe": replaced("zarr.json", by=os.mkfifo),
    "document is a pipe": replaced("success", "zarr.json", by=os.mkfifo),
    "chunk is a pipe": replaced("success", *CHUNK, by=os.mkfifo),
    "status chunk is a pipe": replaced("status", *CHUNK, by=os.mkfifo),
    "document of zeros": replaced("success", "zarr.json", by=lambda p: p.symlink_to("/dev/zero")),
    "chunk of zeros": replaced("success", *CHUNK, by=lambda p: p.symlink_to("/dev/zero")),
    "chunk of terabytes": replaced("success", *CHUNK, by=huge),
    "bomb of gigabytes": bomb("honest", 4 * 2**30 // RLE),
    "bomb": bomb("honest"),
    "bomb that says nothing": bomb("silent"),
    "bomb that lies": bomb("lying"),
}


def deep_folders(path: Path) -> None:
    """Some 1 200 folders in each other, as long a path as the system takes."""
    here = os.getcwd()
    os.chdir(path)
    try:
        for _ in range(1200):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)


def foreign(**changes: Any) -> Change:
    """An array of the user, an index of its own."""

    def change(path: Path) -> None:
        copy = dict(copies(read_document(path))["m"])
        copy |= {"shape": [10**12], "dimension_names": ["mine"], **changes}
        copy["chunk_grid"] = {"name": "regular", "configuration": {"chunk_shape": copy["shape"]}}
        (path / "mine").mkdir()
        write_document(path / "mine", copy)
        root = read_document(path)
        root["consolidated_metadata"]["metadata"]["mine"] = copy
        write_document(path, root)

    return change


# The user's; no command reads them, and all work.
LEFT_ALONE: dict[str, Change] = {
    "huge index": foreign(),
    "pickled index": foreign(shape=[2], codecs=[{"name": "numcodecs.pickle"}]),
    "deep folders": deep_folders,
    "a pipe": lambda path: os.mkfifo(path / "pipe"),
    "a group with a pipe": lambda path: ((path / "g").mkdir(), os.mkfifo(path / "g" / "zarr.json")),
    "a loop": lambda path: (path / "loop").symlink_to("."),
}
