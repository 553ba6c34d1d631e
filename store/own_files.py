"""The one way by which zarr and xarray read and write a store: ordinary files of bounded size.

A chunk is decoded only if it says how large it becomes, and that is what its array's document says.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import zarr
from google_crc32c import value as crc32c
from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    SuffixByteRequest,
)
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.storage import LocalStore

from .chunks import CHECKSUM_BYTES
from .documents import CHUNKS, DOCUMENT
from .ordinary import UnsafeFileError, check_inside, parsed, read_file
from .plain import chunk_bytes, why_not_plain

MAGIC = b"\x28\xb5\x2f\xfd"  # of a zstd frame
HEADER = 18  # most bytes of its header
SPARE = 1024  # bytes by which a compressed chunk may be larger than its values


class OwnFiles(LocalStore):
    """A folder of a store, from which no link is followed and no bomb is decoded.

    Args:
        root: the folder.
        read_only: whether nothing may be written.
        known: by the names of arrays, the bytes that a decoded chunk has; None if any number. Those
            of other arrays are read from their documents.
    """

    def __init__(
        self,
        root: Path | str,
        *,
        read_only: bool = False,
        known: Mapping[str, int | None] | None = None,
    ) -> None:
        super().__init__(root, read_only=read_only)
        self._bytes = dict(known or {})

    def with_read_only(self, read_only: bool = False) -> Self:
        """Give the same folder, to be read or to be written."""
        return type(self)(self.root, read_only=read_only, known=self._bytes)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it as zarr's own: a worker of the user need not have genprior."""
        return _plain_store, (str(self.root), self.read_only)

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Give the bytes of a file, None if it does not exist.

        Raises:
            UnsafeFileError: it is a link, no file, or larger than it may be.
        """
        return await asyncio.to_thread(
            self.get_sync, key, prototype=prototype, byte_range=byte_range
        )

    def get_sync(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Do what `get` does, at once."""
        try:
            content = self._content(key)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        return (prototype or default_buffer_prototype()).buffer.from_bytes(
            _part(content, byte_range)
        )

    async def set(self, key: str, value: Buffer) -> None:
        """Write a file.

        Raises:
            UnsafeFileError: a folder above it is a link.
        """
        check_inside(self.root, key.split("/")[:-1])
        await super().set(key, value)

    def set_sync(self, key: str, value: Buffer) -> None:
        """Do what `set` does, at once."""
        check_inside(self.root, key.split("/")[:-1])
        super().set_sync(key, value)

    def _content(self, key: str) -> bytes:
        parts = key.split("/")
        if set(parts) & {"", ".", ".."}:
            raise UnsafeFileError(f"{self.root}: {key!r} is no name in it.")
        check_inside(self.root, parts[:-1])
        file = f"{self.root}{os.sep}{key}"
        array = _array_of(parts)
        if not array:
            return read_file(file)
        most = self._most(array)
        if most is None:  # an array of the user
            return read_file(file, os.lstat(file).st_size)
        content = read_file(file, most + most // 64 + SPARE)
        _check_frame(file, content, most)
        return content

    def _most(self, array: str) -> int | None:
        """Count the bytes of a decoded chunk of an array; None if genprior did not make it."""
        if array not in self._bytes:
            document = parsed(read_file(f"{self.root}{os.sep}{array}{os.sep}{DOCUMENT}"))
            plain = isinstance(document, dict) and not why_not_plain(document)
            self._bytes[array] = chunk_bytes(document) if plain else None
        return self._bytes[array]


def _array_of(parts: list[str]) -> str:
    """Name the array to which a chunk belongs; "" for another file."""
    end = len(parts)
    while end and parts[end - 1].isdecimal():
        end -= 1
    return "/".join(parts[: end - 1]) if end > 1 and parts[end - 1] == CHUNKS else ""


def _plain_store(root: str, read_only: bool) -> LocalStore:
    return LocalStore(root, read_only=read_only)


def _part(content: bytes, byte_range: ByteRequest | None) -> bytes:
    if isinstance(byte_range, RangeByteRequest):
        return content[byte_range.start : byte_range.end]
    if isinstance(byte_range, OffsetByteRequest):
        return content[byte_range.offset :]
    if isinstance(byte_range, SuffixByteRequest):
        return content[-byte_range.suffix :]
    return content


def _check_frame(file: str, content: bytes, most: int) -> None:
    """Refuse a compressed chunk that does not become as large as its array says.

    If its checksum is wrong, it is damaged; zarr says so before it decodes anything.

    Raises:
        UnsafeFileError: names the file.
    """
    size = frame_bytes(content[:HEADER])
    inner, checksum = content[:-CHECKSUM_BYTES], content[-CHECKSUM_BYTES:]
    if content[:4] != MAGIC or (size is not None and size <= most):
        return
    if crc32c(inner) == int.from_bytes(checksum, "little"):
        becomes = "does not say how many bytes" if size is None else f"holds {size:,} bytes"
        raise UnsafeFileError(
            f"{file} {becomes}, and its array's document allows {most:,}; genprior did not write "
            "it. Remove it and repeat the run."
        )


def frame_bytes(header: bytes) -> int | None:
    """Read from the header of a zstd frame how many bytes it holds; None if it does not say.

    Source: RFC 8878, section 3.1.1.1.
    """
    if len(header) < 5 or header[:4] != MAGIC:
        return None
    descriptor = header[4]
    single, flag, dictionary = descriptor >> 5 & 1, descriptor >> 6, descriptor & 3
    start = 5 + (not single) + (0, 1, 2, 4)[dictionary]
    length = (single, 2, 4, 8)[flag]
    if not length or len(header) < start + length:
        return None
    size = int.from_bytes(header[start : start + length], "little")
    return size + 256 if length == 2 else size


def zarr_group(folder: Path, mode: Literal["r", "r+"] = "r") -> zarr.Group:
    """Open a group with zarr, its own document and not the copies at the root of a store."""
    files = OwnFiles(folder, read_only=mode == "r")
    return zarr.open_group(files, mode=mode, zarr_format=3, use_consolidated=False)


def zarr_array(folder: Path) -> zarr.Array[Any]:
    """Open an array with zarr for reading.

    Raises:
        UnsafeFileError: its document asks for something that genprior does not read.
    """
    document = parsed(read_file(folder / DOCUMENT))
    if isinstance(document, dict) and (why := why_not_plain(document)):
        raise UnsafeFileError(f"{folder / DOCUMENT}: {why}, which genprior does not read.")
    files = OwnFiles(folder.parent, read_only=True)
    return zarr.open_array(files, path=folder.name, mode="r", zarr_format=3)
