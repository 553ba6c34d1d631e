"""What genprior reads of Zarr: the codecs and data types that it writes, and bounded sizes.

Other arrays of a store belong to the user. Their codecs are never run by a command of genprior.
"""

from collections.abc import Mapping
from math import prod
from typing import Any, TypeGuard

from .layout import MAX_BLOCK_TRIALS

# Bytes of one value.
TYPES = {
    "bool": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1, "uint16": 2, "uint32": 4,
    "uint64": 8, "float16": 2, "float32": 4, "float64": 8, "complex128": 16,
}  # fmt: skip
TEXT, OLD_TEXT = "fixed_length_utf32", "string"  # of a fixed length, and of a variable one
TEXT_BYTES = 4 * 2**16  # most of a text of a fixed length
ARRAY_BYTES = 2**30  # most of an array that is one chunk
OLD_TEXT_BYTES = 64 * 2**20  # most of a chunk of texts of a variable length
MOST_DIMENSIONS = 32
CODECS = (("bytes", "vlen-utf8"), ("zstd",), ("crc32c",))
KEYS = {
    "zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding",
    "fill_value", "codecs", "attributes", "dimension_names", "storage_transformers",
}  # fmt: skip
FILL_LENGTH = 1000  # characters of a fill value
Document = dict[str, Any]


def why_not_plain(document: Document, sizes: Mapping[str, int] | None = None) -> str:
    """Say why genprior does not read an array.

    Args:
        document: the array's document.
        sizes: sizes of the dimensions of a store, which all dimensions of the array must be; None
            for an array of an analysis, which has dimensions of its own.

    Returns:
        The reason, or "" if it is read.
    """
    if unknown := sorted(set(document) - KEYS):
        return f"it has the key {unknown[0]!r}"
    shape, chunks = document.get("shape"), chunk_shape(document)
    if not (_are_sizes(shape) and _are_sizes(chunks) and len(shape) == len(chunks)):
        return "it has no sizes, or too many"
    if value_bytes(document) is None:
        return f"its data type is {_short(document.get('data_type'))}"
    if (codec := _unknown_codec(document.get("codecs"))) is not None:
        return f"its codec is {_short(codec)}"
    encoding = document.get("chunk_key_encoding")
    if encoding not in (
        {"name": "default", "configuration": {"separator": "/"}},
        {"name": "default"},
    ):
        return "its chunks are named in another way"
    if document.get("storage_transformers"):
        return "it has storage transformers"
    if not _is_fill(document.get("fill_value")):
        return "its fill value is no number and no short text"
    if any(chunk > max(size, 1) for chunk, size in zip(chunks, shape, strict=True)):
        return "its chunks are larger than it is"
    names = document.get("dimension_names") or []
    if not (isinstance(names, list) and len(names) in (0, len(shape))):
        return "its dimensions have no names"
    if sizes is not None and [sizes.get(str(name)) for name in names] != shape:
        return "it has other sizes than the sweep"
    return _too_large(document, shape, chunks)


def _too_large(document: Document, shape: list[int], chunks: list[int]) -> str:
    size = value_bytes(document) or 0
    if prod(chunks) * size > ARRAY_BYTES or prod(shape) > 2**40:
        return f"it has {prod(shape):,} values in chunks of {prod(chunks):,}"
    return ""


def fits_a_block(chunks: list[int], shape: tuple[int, ...]) -> bool:
    """Say whether chunks are of a size that genprior chooses for results of a shape."""
    return len(chunks) == len(shape) and (
        all(chunk <= size for chunk, size in zip(chunks, shape, strict=True))
        and prod(chunks) <= MAX_BLOCK_TRIALS
    )


def chunk_shape(document: Document) -> Any:
    """Give the chunk sizes in an array's document, or None."""
    try:
        grid = document["chunk_grid"]
        return grid["configuration"]["chunk_shape"] if grid["name"] == "regular" else None
    except (KeyError, TypeError):
        return None


def chunk_bytes(document: Document) -> int:
    """Count the most bytes of a decoded chunk of an array that is read."""
    if document["data_type"] == OLD_TEXT:
        return OLD_TEXT_BYTES
    return int(prod(chunk_shape(document))) * (value_bytes(document) or 0)


def value_bytes(document: Document) -> int | None:
    """Count the bytes of a value; None if the type is not read."""
    kind = document.get("data_type")
    if isinstance(kind, str):
        return 1 if kind == OLD_TEXT else TYPES.get(kind)
    if not isinstance(kind, dict) or kind.get("name") != TEXT:
        return None
    configuration = kind.get("configuration")
    length = configuration.get("length_bytes") if isinstance(configuration, dict) else None
    return length if _is_size(length) and length % 4 == 0 and 0 < length <= TEXT_BYTES else None


def _unknown_codec(codecs: Any) -> Any:
    """Give the first codec that is not read here or has a wrong place; None if there is none."""
    if not isinstance(codecs, list) or not codecs:
        return codecs or "missing"
    names = [codec.get("name") if isinstance(codec, dict) else codec for codec in codecs]
    begins = names[0] in CODECS[0]
    if not begins:
        return names[0]
    rest = [name for (name,) in CODECS[1:]]
    for name in names[1:]:
        if name not in rest:
            return name
        rest = rest[rest.index(name) + 1 :]
    return None


def _are_sizes(sizes: Any) -> TypeGuard[list[int]]:
    return (
        isinstance(sizes, list)
        and len(sizes) <= MOST_DIMENSIONS
        and all(_is_size(size) for size in sizes)
    )


def _is_size(size: Any) -> TypeGuard[int]:
    return isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**48


def _is_fill(value: Any) -> bool:
    if isinstance(value, list):  # a complex number
        return len(value) == 2 and all(_is_fill(part) for part in value)
    if isinstance(value, str):
        return len(value) <= FILL_LENGTH
    return (isinstance(value, int | float) and abs(value) < 2**64) or value != value


def _short(value: Any) -> str:
    """Write a part of a document for a message."""
    if isinstance(value, dict):
        value = value.get("name")
    return repr(value)[:40] if isinstance(value, str) else "not named"
