"""The trials of a store at one moment, also while a run writes more of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import xarray as xr

from ...store import OtherLayoutError, Status, StoreError, StoreInfo, load_results, read_info
from ...sweeps import Grid, SweepError
from ...sweeps.placing import excluded_groups, group_dims, over_values
from ...tasks.statistics.placed_trials import OverValues
from ...tasks.statistics.uniform import worst_over_targets


class Trials:
    """The results of a store, read when they are needed.

    Trials that a run finished after the first reading are left out, so that everything that is made
    from this object is made from the same trials.

    Args:
        info: the store.
        below: judge success again: a trial succeeds if its error is below this number. None to keep
            the judgement of the run.

    Raises:
        SweepError: success cannot be judged by an error.
    """

    def __init__(self, info: StoreInfo, below: float | None = None):
        self._stored, self._below = info, below
        if below is not None:
            check_judged_by_error(info)

    @cached_property
    def _evidence(self) -> xr.Dataset:
        return self._read(evidence_names(self._stored))

    @cached_property
    def _over_values(self) -> OverValues | None:
        """Where placed trials are on a grid of values; None if the store has such a grid."""
        sweep = self._stored.sweep
        if sweep.placed is None:
            return None
        value, number = self._evidence[sweep.placed], self._evidence["trial"]
        return OverValues(value, number, otherwise=[_first_allowed(self._stored.grid)])

    @cached_property
    def info(self) -> StoreInfo:
        """The store; if trials are placed, as if its sweep had the values that were placed."""
        places = self._over_values
        if places is None:
            return self._stored
        sweep = over_values(self._stored.sweep, places.values.tolist(), places.trials)
        return replace(self._stored, sweep=sweep)

    @cached_property
    def excluded(self) -> xr.DataArray:
        """Mask of the points that rules exclude; of groups if trials are placed."""
        grid = self._stored.grid
        return xr.DataArray(excluded_groups(grid), dims=group_dims(grid.sweep))

    @cached_property
    def status(self) -> xr.DataArray:
        """Status of every trial at the first reading, over the axes and the trial."""
        status = self._evidence["status"]
        places = self._over_values
        if places is None:
            return status
        return places.spread(status, Status.NOT_ASKED).transpose(*self._dims)

    @cached_property
    def digest(self) -> str:
        """A digest that changes with the trials that are done, crashed or successful."""
        success = self._evidence["success"].values if "success" in self._evidence else None
        return digest_of(self._evidence["status"].values, success)

    @property
    def done(self) -> int:
        """Number of trials that were done at the first reading."""
        return int((self.status == Status.DONE).sum())

    def load(self, names: Sequence[str]) -> xr.Dataset:
        """Load variables over the axes and the trial; NaN means *not run*.

        Raises:
            StoreError: something of them is missing or damaged; the message names it.
            OtherLayoutError: the store was extended after the first reading.
        """
        first_status = self._evidence["status"]
        below = self._below if "success" in names else None
        results = self._read([*names, *(ERRORS if below is not None else ()), "status"])
        if below is not None:
            success = judging_error(results) < below
            results["success"] = success.astype(float).where(results["success"].notnull())
        if not results["status"].equals(first_status):
            results = results.where(first_status == Status.DONE)
        results = results[list(names)]
        if below is not None and "success.below" in results.coords:
            own = results["success.below"]
            results["success.below"] = (own.dims, np.full(own.shape, below), own.attrs)
        if self._over_values is None:
            return results
        return self._over_values.spread_all(results).transpose(*self._dims, missing_dims="ignore")

    @property
    def _dims(self) -> tuple[str, ...]:
        return (*self._stored.sweep.axes, "trial")

    def load_worst(self, names: Sequence[str]) -> xr.Dataset:
        """Load variables for a fit. If a trial has several targets, its worst target counts."""
        return worst_over_targets(self.load(names))

    def changed(self) -> bool:
        """Say whether a run has written trials after the first reading."""
        return not self._read(["status"])["status"].equals(self._evidence["status"])

    def _read(self, names: Sequence[str]) -> xr.Dataset:
        path = self._stored.path
        results = load_results(path, list(dict.fromkeys(names)))
        if read_info(path).revision != self._stored.revision:
            raise OtherLayoutError(
                f"{path} was extended while it was read; repeat the same command."
            )
        return results


def _first_allowed(grid: Grid) -> int:
    """Give a value that the rules leave to some group."""
    along = str(grid.sweep.placed)
    first = np.argwhere(~grid.excluded)[0]
    return int(grid.axes[along][first[grid.dims.index(along)]])


ERRORS = ("latent_error", "signal_error")  # those that may decide success


def check_judged_by_error(info: StoreInfo) -> None:
    """Refuse a store in which no stored error decides success.

    Raises:
        SweepError: says why.
    """
    if not {"success", *ERRORS} <= set(info.variables):
        raise SweepError(
            f"{info.path}: --below judges success by a stored error, and trials of task "
            f"'{info.sweep.task}' have none."
        )
    if "nearest_target" in metrics(info):
        raise SweepError(
            f"{info.path}: --below judges success by an error; here it is the nearest target "
            "(success.metric)."
        )


def metrics(info: StoreInfo) -> set[str]:
    """List the values of `success.metric` in a store."""
    grid = Grid(info.sweep)
    column = grid.column("success.metric")
    return set() if column is None else {str(value) for value in np.ravel(column.values)}


def judging_error(results: xr.Dataset) -> xr.DataArray:
    """Give the error that decides success, by `success.metric`, in the dims of `success`."""
    by_code = results["success.metric"] == "latent_error"
    error = results["latent_error"].where(by_code, results["signal_error"])
    return error.broadcast_like(results["success"]).transpose(*results["success"].dims)


def no_trials(info: StoreInfo) -> StoreError:
    """Say that a store has no trial yet that could be shown."""
    return StoreError(f"{info.path}: no trial is done yet; 'genprior run' fills it.")


def evidence_names(info: StoreInfo) -> list[str]:
    """List the variables that `digest_of` needs."""
    return ["status", *(["success"] if "success" in info.variables else [])]


def digest_of(status: np.ndarray, success: np.ndarray | None) -> str:
    """Compute a digest of which trials are done, which crashed, and which succeeded.

    Args:
        status: status of every trial.
        success: success of every trial, NaN or −1 for trials that were not run; None if the trials
            neither succeed nor fail.

    Returns:
        32 hexadecimal digits.
    """
    content = hashlib.sha256(str(status.shape).encode())
    content.update(status.astype(np.int8).tobytes())
    if success is not None:
        content.update(np.nan_to_num(success, nan=-1).astype(np.int8).tobytes())
    return content.hexdigest()[:32]
