"""Reading and writing blocks: a worker writes whole chunks, and the status of its trials last."""

from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from .chunks import chunk_path
from .documents import DOCUMENT, read_revision
from .errors import StoreError, WrongStoreError, explained
from .info import StoreInfo
from .layout import ERROR, SECONDS, STATUS, Region, Status
from .placement_checks import status_after_placing
from .reading import open_group, read_info, readable
from .template import array_of


class BlockWriter:
    """Reads and writes the blocks of one store.

    Only one writer may have a block at a time. The status is written last, and trials that had
    another result before are pending until then: wherever a writer is killed, a done trial has all
    its values, and a crashed one its error text and no values. Arrays are opened once: they stay
    the same until the store gets another layout, and then this writer refuses to write.
    """

    def __init__(self, info: StoreInfo, group: zarr.Group):
        self.path = info.path
        self.layout = info.layout
        self.revision = info.revision
        self._info = info
        self._group = group
        self._arrays: dict[str, zarr.Array[Any]] = {}
        self._root = b""

    def read(self, region: Region, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Read variables of a block.

        Raises:
            ValueError: the region is not exactly one block.
            StoreError: a chunk is missing or damaged; the message names it.
        """
        self._check(region)
        with readable(self._info, names):
            return {name: np.array(self._array(name)[region]) for name in names}

    def write(self, region: Region, results: dict[str, np.ndarray]) -> None:
        """Write a block: results, times and error texts, then the status.

        Args:
            region: the block.
            results: every variable over the region, including `status`.

        Raises:
            ValueError: the region is not exactly one block, so that two writers could share a
                chunk.
            StoreError: the file system refused; the store was moved or deleted; or it has another
                layout now, as can happen to a worker whose command was killed.
        """
        self._check(region)
        self._check_revision()
        try:
            self._write(region, results)
        except StoreError:
            if not (self.path / DOCUMENT).exists():
                self._withdraw(region, results)
            raise

    def place(
        self, region: Region, values: np.ndarray, numbers: np.ndarray, rounds: np.ndarray
    ) -> None:
        """Write which trials a block has; they are pending from then on.

        If the same trial was there before, its result stays.

        Args:
            region: the block.
            values: where its trials are placed along the axis, −1 where a probe stays empty.
            numbers: the number of each trial among those of its value.
            rounds: the round of each.

        Raises:
            ValueError: the region is not exactly one block.
            StoreError: as for `write`.
        """
        self._check(region)
        self._check_revision()
        with explained(self.path, "placing trials"):
            names = (STATUS.name, *self._info.placement[:2])
            stored = self.read(region, names)
            shape = stored[STATUS.name].shape
            before, value, number = (stored[name].ravel() for name in names)
            status = status_after_placing(before, (value, number), (values, numbers))
            loses = (before != Status.NOT_ASKED) & (before != status)
            if loses.any():  # before the places, so that no kill leaves a result at another one
                first = np.where(loses, status, before)
                self._array(STATUS.name)[region] = first.reshape(shape)
            written = zip(self._info.placement, (values, numbers, rounds), strict=True)
            for name, entries in written:
                array = self._array(name)
                array[region] = np.where(values >= 0, entries, array.fill_value).reshape(shape)
            self._array(STATUS.name)[region] = status.reshape(shape)

    def _write(self, region: Region, results: dict[str, np.ndarray]) -> None:
        texts = results.get(ERROR.name)
        with explained(self.path, "writing results"):
            self._mark_pending(region, results[STATUS.name])
            for name, values in results.items():
                if name not in (ERROR.name, STATUS.name):
                    self._array(name)[region] = values
            if texts is not None and (
                (texts != "").any() or self._chunk(ERROR.name, region).exists()
            ):
                array = self._array(ERROR.name)
                array[region] = texts.astype(array.dtype)
            self._check_revision()
            self._array(STATUS.name)[region] = results[STATUS.name]

    def _mark_pending(self, region: Region, new: np.ndarray) -> None:
        """Mark the trials that lose their result, as a crashed one does that is run again."""
        if not self._chunk(STATUS.name, region).exists():
            return
        status = self.read(region, (STATUS.name,))[STATUS.name]
        loses = np.isin(status, (Status.DONE, Status.CRASHED)) & (status != new)
        if loses.any():
            status[loses] = Status.PENDING
            self._array(STATUS.name)[region] = status

    def _check_revision(self) -> None:
        """Refuse to write into another layout. A root with the same bytes is not parsed again."""
        try:
            root = (self.path / DOCUMENT).read_bytes()
        except FileNotFoundError:
            root = b""
        if not root or root != self._root:
            try:
                revision = read_revision(self.path)
            except WrongStoreError:
                raise gone_error(self.path) from None
            if revision != self.revision:
                raise StoreError(
                    f"{self.path} got another layout while this block ran; repeat the same command."
                )
            self._root = root

    def _withdraw(self, region: Region, names: Iterable[str]) -> None:
        """Remove what was written of a block where the store was, after it was moved or deleted."""
        for name in names:
            chunk = self._chunk(name, region)
            with suppress(OSError):
                chunk.unlink()
            with suppress(OSError):  # a folder with something in it stays
                for folder in chunk.parents:
                    folder.rmdir()
                    if folder == self.path:
                        break

    def _array(self, name: str) -> zarr.Array[Any]:
        if name not in self._arrays:
            array = array_of(self._group, name)
            if name != ERROR.name:
                # A chunk that is not there is damage; zarr does not keep this setting on disk.
                array = array.with_config({"write_empty_chunks": True})
            self._arrays[name] = array
        return self._arrays[name]

    def _chunk(self, name: str, region: Region) -> Path:
        """Name the chunk file of a block in an array."""
        block = tuple(part.start // c for part, c in zip(region, self.layout.chunks, strict=True))
        return chunk_path(self.path / name, block)

    def _check(self, region: Region) -> None:
        if not self.layout.is_aligned(region):
            raise ValueError(
                f"region {region} is not one block of chunks {self.layout.chunks}: two workers "
                "writing parts of a chunk would lose each other's results."
            )

    def empty(self, region: Region, dtypes: dict[str, str]) -> dict[str, np.ndarray]:
        """Make a block of results in which every trial is marked as not run."""
        shape = tuple(part.stop - part.start for part in region)
        block: dict[str, Any] = {
            name: np.full(shape, self._array(name).fill_value, dtype=dtype)
            for name, dtype in dtypes.items()
        }
        block[SECONDS.name] = np.full(shape, np.nan)
        block[ERROR.name] = np.full(shape, "", dtype=object)
        block[STATUS.name] = np.full(shape, self.layout.not_run, dtype="int8")
        return block


def gone_error(path: Path) -> StoreError:
    """Say that a store was taken away while a run wrote into it."""
    return StoreError(
        f"{path} was moved or deleted while this run wrote into it. Move it back if it exists, "
        "and repeat the same command."
    )


@lru_cache(maxsize=8)
def open_writer(path: Path, revision: str) -> BlockWriter:
    """Open a store for writing blocks, once in each process.

    Args:
        path: the store.
        revision: its `StoreInfo.revision`; a store with another layout is opened again.

    Raises:
        StoreError: this process finds another store at the path.
    """
    info = read_info(path)
    if info.revision != revision:
        raise StoreError(
            f"{path} is another store on this worker than where the command was started: workers "
            "need the same file system."
        )
    return BlockWriter(info, open_group(path, mode="r+"))
