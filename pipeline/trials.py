"""The trials of a store as one reading found them, however a run goes on meanwhile."""

import hashlib
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import xarray as xr

from ..store import OtherLayoutError, Status, StoreInfo, load_results, read_info
from ..tasks.uniform import worst_over_targets


class Trials:
    """The results of a store, read as they are needed.

    Trials that a run has finished since the first reading are left out, so that all that is made
    of them is made of the same trials.
    """

    def __init__(self, info: StoreInfo):
        self.info = info

    @cached_property
    def _evidence(self) -> xr.Dataset:
        return self._read(evidence_names(self.info))

    @property
    def status(self) -> xr.DataArray:
        """Status of every trial at the first reading."""
        return self._evidence["status"]

    @cached_property
    def digest(self) -> str:
        """Digest of which trials were done, which crashed and which succeeded."""
        success = self._evidence["success"].values if "success" in self._evidence else None
        return digest_of(self.status.values, success)

    @property
    def done(self) -> int:
        """How many trials were done."""
        return int((self.status == Status.DONE).sum())

    def load(self, names: Sequence[str]) -> xr.Dataset:
        """Load variables over the axes and the trial; NaN means *not run*.

        Raises:
            StoreError: naming what is missing or damaged, if anything of them is.
            OtherLayoutError: the store was extended since it was first read.
        """
        known = self.status
        found = self._read([*names, "status"])
        if not found["status"].equals(known):
            found = found.where(known == Status.DONE)
        return found[list(names)]

    def load_worst(self, names: Sequence[str]) -> xr.Dataset:
        """Load variables for a fit: of several targets of a trial the worst counts."""
        return worst_over_targets(self.load(names))

    def changed(self) -> bool:
        """Say whether a run has written trials since the first reading."""
        return not self._read(["status"])["status"].equals(self.status)

    def _read(self, names: Sequence[str]) -> xr.Dataset:
        found = load_results(self.info.path, list(dict.fromkeys(names)))
        if read_info(self.info.path).revision != self.info.revision:
            raise OtherLayoutError(f"{self.info.path} was extended while it was read; try again.")
        return found


def evidence_names(info: StoreInfo) -> list[str]:
    """Name the variables that `digest_of` takes."""
    return ["status", *(["success"] if "success" in info.variables else [])]


def digest_of(status: np.ndarray, success: np.ndarray | None) -> str:
    """Digest which trials are done, which crashed, and which succeeded.

    Args:
        status: of every trial.
        success: likewise, with NaN or −1 for trials that were not run; None where there is none.
    """
    content = hashlib.sha256(str(status.shape).encode())
    content.update(status.astype(np.int8).tobytes())
    if success is not None:
        content.update(np.nan_to_num(success, nan=-1).astype(np.int8).tobytes())
    return content.hexdigest()[:32]
