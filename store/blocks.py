"""Writing blocks: a worker writes whole chunks, the status last."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from .chunks import chunk_path
from .documents import DOCUMENT, read_revision
from .errors import StoreError, explained
from .integrity import StoreInfo
from .layout import ERROR, SECONDS, Region, Status
from .reading import open_group, read_info, readable
from .template import array_of


class BlockWriter:
    """Reads and writes the blocks of one store.

    A block belongs to one writer at a time. Its status is written last: a writer that is killed
    leaves a block that counts as not run. Arrays are opened once: they stay the same until the
    store is laid out again, and then this writer may write no more.
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
            StoreError: naming the damaged chunk, if one is.
        """
        self._check(region)
        with readable(self._info, names):
            return {name: np.array(self._array(name)[region]) for name in names}

    def write(self, region: Region, results: dict[str, np.ndarray]) -> None:
        """Write a block: results, times and error texts, then the status.

        Args:
            region: the block.
            results: every variable over the region, `status` among them.

        Raises:
            ValueError: the region is not exactly one block, which two writers could share.
            StoreError: the file system refused, or the store was laid out anew meanwhile, as
                happens to a worker whose command was killed.
        """
        self._check(region)
        self._check_revision()
        texts = results.get(ERROR.name)
        with explained(self.path, "writing results"):
            for name, values in results.items():
                if name not in (ERROR.name, "status"):
                    self._array(name)[region] = values
            if texts is not None and ((texts != "").any() or self._error_chunk(region).exists()):
                array = self._array(ERROR.name)
                array[region] = texts.astype(array.dtype)
            self._check_revision()
            self._array("status")[region] = results["status"]

    def _check_revision(self) -> None:
        """Refuse to write into another layout; bytes that were seen before need no reading."""
        try:
            root = (self.path / DOCUMENT).read_bytes()
        except FileNotFoundError:
            root = b""
        if not root or root != self._root:
            if read_revision(self.path) != self.revision:
                raise StoreError(
                    f"{self.path} was laid out again while this block ran; repeat the same command."
                )
            self._root = root

    def _array(self, name: str) -> zarr.Array[Any]:
        if name not in self._arrays:
            self._arrays[name] = array_of(self._group, name)
        return self._arrays[name]

    def _error_chunk(self, region: Region) -> Path:
        """Where the error texts of a block are, if there are any to be cleared."""
        block = tuple(part.start // c for part, c in zip(region, self.layout.chunks, strict=True))
        return chunk_path(self.path / ERROR.name, block)

    def _check(self, region: Region) -> None:
        if not self.layout.is_aligned(region):
            raise ValueError(
                f"region {region} is not one block of chunks {self.layout.chunks}: two workers "
                "writing parts of a chunk would lose each other's results."
            )

    def empty(self, region: Region, dtypes: dict[str, str]) -> dict[str, np.ndarray]:
        """Make a block of results that says *not run* everywhere."""
        shape = tuple(part.stop - part.start for part in region)
        block: dict[str, Any] = {
            name: np.full(shape, self._array(name).fill_value, dtype=dtype)
            for name, dtype in dtypes.items()
        }
        block[SECONDS.name] = np.full(shape, np.nan)
        block[ERROR.name] = np.full(shape, "", dtype=object)
        block["status"] = np.full(shape, Status.PENDING, dtype="int8")
        return block


@lru_cache(maxsize=8)
def open_writer(path: Path, revision: str) -> BlockWriter:
    """Open a store for writing blocks, once in each process.

    Args:
        path: the store.
        revision: its `StoreInfo.revision`; a store laid out anew is opened anew.

    Raises:
        StoreError: this process sees another store there.
    """
    info = read_info(path)
    if info.revision != revision:
        raise StoreError(
            f"{path} is another store here than where the command was started: workers need the "
            "same file system."
        )
    return BlockWriter(info, open_group(path, mode="r+"))
