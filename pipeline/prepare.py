"""Before a run: the store it goes into, the trials it lacks, the blocks they make."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from ..store import (
    Layout,
    Mended,
    Status,
    StoreError,
    StoreInfo,
    WrongStoreError,
    changed_coordinate,
    check_place,
    check_replaceable,
    choose_chunks,
    create_store,
    extend_store,
    is_vacant,
    load_results,
    mend_store,
    read_info,
    read_status,
    record,
)
from ..sweeps import Grid, Sweep, UserError, differences, settled, union
from ..sweeps.labels import value_label
from ..sweeps.sharing import check_reading
from ..tasks import TaskKind, check_task, task_kind
from ..tasks.generators import weights_digests
from ..tasks.lasso import check_installed
from ..tasks.machine import machine_kind
from ..tasks.problems import foreign_packages
from .executors import Executor
from .pilot import Pilot, run_pilot
from .provenance import provenance

BLOCKS_A_WORKER = 16
SHOWN_DAMAGES = 3


@dataclass(frozen=True)
class Prepared:
    """A store that is ready for a run; `mended` says what was damaged in it."""

    info: StoreInfo
    status: np.ndarray
    pilot: Pilot | None = None
    mended: str = ""


def check_request(sweep: Sweep, path: Path) -> None:
    """Refuse, before any worker starts, what no run could do.

    Raises:
        SweepError: points that cannot be run.
        UserError: a package that they need is not installed.
        WrongStoreError: a path that holds another experiment, no store, or where none can be.
    """
    check_place(path)
    grid = Grid(sweep)
    check_task(task_kind(sweep.task), grid)
    check_reading(grid)
    check_installed(grid)
    if not is_vacant(path):
        info, sweep = read_info(path), settled(grid)
        check_same_experiment(info, sweep)
        if grown_sweep(info, sweep):
            check_replaceable(path)


def grown_sweep(info: StoreInfo, sweep: Sweep) -> Sweep | None:
    """Give the sweep that a store has to be extended for, if it has to be."""
    grown = union(info.sweep, sweep)
    same = (grown.axes, grown.trials) == (info.sweep.axes, info.sweep.trials)
    return None if same else grown


def prepare_store(
    sweep: Sweep, path: Path, executor: Executor, kind: TaskKind, allow_mixed: bool
) -> Prepared:
    """Make the store, or check, mend and extend the one that is there."""
    machines = sorted(set(executor.everywhere(machine_kind)))
    if len(machines) > 1 and not allow_mixed:
        raise UserError(
            f"the workers are of different kinds ({'; '.join(machines)}), which round otherwise; "
            "use one kind, or --allow-mixed to record that they differ."
        )
    grid = Grid(sweep)
    check_reading(grid)
    weights = weights_digests(grid)
    if is_vacant(path):
        pilot = None if sweep.blocks.trials else executor.call(run_pilot, sweep, kind)
        chunks = block_shape(sweep, pilot, executor.workers)
        made_by = provenance(kind, "; ".join(machines))
        if packages := foreign_packages(grid):
            made_by["problem_packages"] = packages
        if weights:
            made_by["weights_sha256"] = json.dumps(weights)
        create_store(path, settled(grid).complete(), kind.variables, chunks, made_by)
        info = read_info(path)
        status = np.full(info.layout.shape, Status.PENDING, dtype="int8")
        status[grid.excluded] = Status.EXCLUDED
        return Prepared(info, status, pilot)
    info, sweep = read_info(path), settled(grid)
    check_same_experiment(info, sweep)
    check_same_variables(info, kind)
    changed = check_same_machine(info, kind, machines, grid, allow_mixed)
    if record_weights(info, weights) or changed:
        info = read_info(path)
    mended = mend_store(info, kind.variables)
    status, told = mended.status, tell_mended(mended)
    latest = union(info.sweep, sweep)
    if latest != info.sweep:
        check_reading(Grid(latest))
    if grown := grown_sweep(info, sweep):
        extend_store(info, grown, kind.variables)
        status = read_status(path)
    elif latest != info.sweep:
        record(path, {"sweep": latest.as_json(), "title": latest.title or latest.name})
    return Prepared(read_info(path), status, mended=told)


def tell_mended(mended: Mended) -> str:
    """Say in one line what was damaged, and what became of it."""
    if not mended.damages:
        return ""
    shown = "; ".join(mended.damages[:SHOWN_DAMAGES])
    others = len(mended.damages) - SHOWN_DAMAGES
    more = f"; {others:,} more" if others > 0 else ""
    blocks = f"{mended.blocks:,} block{'' if mended.blocks == 1 else 's'}"
    return f"{shown}{more}: mended; trials of {blocks} have to be computed again"


def block_shape(sweep: Sweep, pilot: Pilot | None, workers: int) -> tuple[int, ...]:
    """Choose the chunk of a block along the sweep's axes and the trial."""
    shape = (*(len(values) for values in sweep.axes.values()), sweep.trials)
    return choose_chunks(shape, _trials_per_block(sweep, pilot, workers))


def _trials_per_block(sweep: Sweep, pilot: Pilot | None, workers: int) -> int:
    """Size a block to its target duration, but leave every worker enough of them."""
    if sweep.blocks.trials is not None or pilot is None:
        return sweep.blocks.trials or 1
    trials = prod(len(values) for values in sweep.axes.values()) * sweep.trials
    by_time = int(sweep.blocks.seconds / max(pilot.slowest, 1e-9))
    return max(1, min(by_time, -(-trials // (BLOCKS_A_WORKER * workers))))


def check_same_experiment(info: StoreInfo, sweep: Sweep) -> None:
    """Refuse a sweep that is another experiment than the store's, naming the difference.

    So is one whose computed parameters an older version rounded otherwise.
    """
    found = differences(info.sweep, sweep)
    if found:
        raise WrongStoreError(
            f"{info.path} holds sweep {info.sweep.hash[:6]}, not {sweep.hash[:6]}: "
            f"{'; '.join(found[:3])}. Choose another store, or set it back."
        )
    if changed := changed_coordinate(info, Grid(info.sweep)):
        name, place, stored, computed = changed
        at = f" at {place}" if place else ""
        raise WrongStoreError(
            f"{info.path}: '{name}' is {stored}{at} there, and this version computes {computed}: "
            "the one that made it rounded otherwise. Choose another store, or use that version "
            f"({info.attributes.get('genprior_version', 'unknown')})."
        )


def check_same_variables(info: StoreInfo, kind: TaskKind) -> None:
    """Refuse a store that has no room for what a trial gives now."""
    missing = [v.name for v in kind.variables if v.name not in info.variables]
    if missing:
        raise StoreError(
            f"{info.path} was made by an earlier version, whose trials did not give "
            f"{', '.join(missing)}; choose another store."
        )


def check_same_machine(
    info: StoreInfo, kind: TaskKind, machines: list[str], grid: Grid, allow_mixed: bool
) -> bool:
    """Refuse to mix results that may differ, in their last bits at least, or record the mixture.

    Returns:
        Whether the store's attributes were changed.
    """
    here = {"kernel_version": kind.version, "machine": "; ".join(machines)}
    here |= {"problem_packages": foreign_packages(grid)}
    there = {key: info.attributes.get(key, "") for key in here}
    known, digests = recorded_weights(info), weights_digests(grid)
    files = {f"SHA-256 of {path}": path for path in digests}
    here |= {key: digests[path] for key, path in files.items()}
    there |= {key: known.get(path, digests[path]) for key, path in files.items()}
    mixed = {key: value for key, value in here.items() if there[key] != value}
    if not mixed:
        return False
    if not allow_mixed:
        key, value = next(iter(mixed.items()))
        what = key if key in files else key.replace("_", " ")
        raise StoreError(
            f"{info.path}: its {what} is '{there[key]}' and here it "
            f"is '{value}'; results may differ. Choose another store, or --allow-mixed."
        )
    history = json.loads(info.attributes.get("mixed", "[]"))
    if mixed in history:
        return False
    record(info.path, {"mixed": json.dumps([*history, mixed])})
    return True


def recorded_weights(info: StoreInfo) -> dict[str, str]:
    """SHA-256 of the weights files that a store's results come from, by path."""
    known: dict[str, str] = json.loads(info.attributes.get("weights_sha256", "{}"))
    return known


def record_weights(info: StoreInfo, weights: Mapping[str, str]) -> bool:
    """Record files that a larger sweep adds.

    Returns:
        Whether the store's attributes were changed.
    """
    known = recorded_weights(info)
    if set(weights) <= set(known):
        return False
    record(info.path, {"weights_sha256": json.dumps({**weights, **known})})
    return True


def select_trials(
    info: StoreInfo, sweep: Sweep, status: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Find the trials a sweep asks for in a store, and those of them still to run.

    Args:
        info: the store.
        sweep: what is asked for.
        status: of every trial of the store.

    Returns:
        Two masks over the store's axes and trial (crashed trials are to be run again), and how
        many other trials of the store are not done.
    """
    asked = np.zeros(status.shape, dtype=bool)
    places = []
    for dim in info.layout.dims[:-1]:
        known = {value_label(value): at for at, value in enumerate(info.sweep.axes[dim])}
        places.append([known[value_label(value)] for value in sweep.axes[dim]])
    asked[np.ix_(*places, range(sweep.trials))] = True
    asked &= status != Status.EXCLUDED
    missing = (status != Status.DONE) & (status != Status.EXCLUDED)
    return asked, asked & missing, int((missing & ~asked).sum())


def count_successes(path: Path, trials: np.ndarray) -> int:
    """Count the successes among some trials, a mask over the store's axes and trial."""
    if not trials.any():
        return 0
    return int(np.nansum(load_results(path, ["success"])["success"].values[trials]))


def ordered_blocks(
    layout: Layout, todo: np.ndarray, pilot: Pilot | None
) -> Iterator[tuple[int, ...]]:
    """Give the blocks with something to run, costliest first, so that no long one comes last."""
    if pilot is None:
        yield from (b for b in layout.block_indices() if todo[layout.region(b)].any())
        return
    cost = pilot.cost(layout.grid[:-1])
    for flat in np.argsort(-cost, axis=None, kind="stable"):
        place = tuple(int(i) for i in np.unravel_index(flat, cost.shape))
        for last in range(layout.grid[-1]):
            if todo[layout.region((*place, last))].any():
                yield (*place, last)
