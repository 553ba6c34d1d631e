"""Before a run: the store it goes into, the trials it lacks, the blocks they make."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..store import (
    Layout,
    Mended,
    Status,
    StoreError,
    StoreInfo,
    choose_chunks,
    create_store,
    extend_store,
    is_vacant,
    load_results,
    mend_store,
    open_writer,
    read_info,
    read_status,
    record,
    update_flags,
)
from ..store.layout import MAX_BLOCK_TRIALS
from ..sweeps import Grid, Sweep, UserError, union
from ..sweeps.labels import value_label
from ..sweeps.sharing import check_reading
from ..sweeps.sweep import Blocks
from ..tasks import Experiment
from ..tasks.environment import NOT_INSTALLED, Environment, environment, needs_of
from ..tasks.generators import weights_digests
from ..tasks.generators.settled import settled
from .executors import Executor
from .pilot import Pilot, run_pilot
from .provenance import provenance, together, unlike, with_run
from .run_request import RunRequest, check_same_experiment, grown_sweep, stored_info

BLOCKS_A_WORKER = 16
SHOWN_DAMAGES = 3
MOST_FILES = 4000  # of results, unless the workers are many or blocks are asked for


class Prepared(NamedTuple):
    """A store that is ready for a run.

    Attributes:
        info: what it says of itself.
        status: of every trial.
        environments: what the workers compute with, each kind once.
        pilot: what was timed to lay it out, if anything.
        mended: what was damaged in it; empty if nothing was.
    """

    info: StoreInfo
    status: np.ndarray
    environments: list[Environment]
    pilot: Pilot | None = None
    mended: str = ""


def prepare_store(request: RunRequest, executor: Executor, allow_mixed: bool) -> Prepared:
    """Make the store, or check, mend and extend the one that is there."""
    sweep, grid, path, kind, _ = request
    environments = check_workers(executor, kind, grid, allow_mixed)
    weights = weights_digests(grid)
    sweep = settled(grid)
    if is_vacant(path):
        pilot = None if sweep.blocks.trials else run_pilot(sweep, kind, grid, executor)
        chunks = block_shape(sweep, pilot, executor.workers, len(kind.variables))
        made_by = provenance(environments)
        if weights:
            made_by["weights_sha256"] = json.dumps(weights)
        complete = grid.described_by(sweep.complete())
        create_store(path, complete, kind.variables, chunks, made_by)
        info = read_info(path).with_grid(complete)
        status = np.full(info.layout.shape, Status.PENDING, dtype="int8")
        status[grid.excluded] = Status.EXCLUDED
        return Prepared(info, status, environments, pilot)
    info = stored_info(request, sweep)
    check_same_experiment(info, sweep)
    check_same_variables(info, kind)
    changed = check_same_environment(info, environments, weights, allow_mixed)
    changed |= record_weights(info, weights)
    if changed:
        info = read_info(path).with_grid(info.grid)
    mended = mend_store(info, kind.variables)
    status, told = mended.status, tell_mended(mended)
    if update_flags(info, kind.variables):
        info = read_info(path).with_grid(info.grid)
    latest = union(info.sweep, sweep)
    grown = grown_sweep(info, sweep)
    larger = Grid(latest) if grown else info.grid.described_by(latest)
    if latest != info.sweep:
        check_reading(larger)
    if grown:
        extend_store(info, larger, kind.variables)
        status = read_status(path)
    elif latest != info.sweep:
        record(path, {"sweep": latest.as_json(), "title": latest.title or latest.name})
    return Prepared(read_info(path).with_grid(larger), status, environments, mended=told)


def tell_mended(mended: Mended) -> str:
    """Say in one line what was damaged, and what became of it."""
    if not mended.damages:
        return ""
    shown = "; ".join(mended.damages[:SHOWN_DAMAGES])
    others = len(mended.damages) - SHOWN_DAMAGES
    more = f"; {others:,} more" if others > 0 else ""
    if not mended.blocks:
        return f"{shown}{more}: mended; no trial is lost"
    blocks = f"{mended.blocks:,} block{'' if mended.blocks == 1 else 's'}"
    return f"{shown}{more}: mended; trials of {blocks} have to be computed again"


def check_workers(
    executor: Executor, kind: Experiment, grid: Grid, allow_mixed: bool
) -> list[Environment]:
    """Refuse workers whose results may differ from each other's, or that lack a package.

    Returns:
        What they compute with, each kind once.

    Raises:
        UserError: naming what differs.
    """
    found: list[Environment] = []
    try:
        answers = executor.everywhere(partial(environment, needs_of(kind, grid)))
    except AttributeError as error:
        raise UserError(
            f"the workers have another genprior ({error}); install the same one where they run."
        ) from error
    for each in answers:
        if each not in found:
            found.append(each)
    joined = together(found)
    for key, value in joined.items():
        if NOT_INSTALLED in str(value):
            raise UserError(
                f"a worker lacks what this sweep needs ({in_words(key)}: {value}); install it "
                "where the workers run."
            )
    if joined["kernel_version"] != kind.version and not allow_mixed:
        raise UserError(
            f"the workers run task '{kind.name}' with kernel version {joined['kernel_version']} "
            f"and this command has {kind.version}: they have another genprior. Install the same "
            "one where they run, or --allow-mixed to record that they differ."
        )
    if len(found) > 1 and not allow_mixed:
        key = next(key for key, value in joined.items() if any(value != e.get(key) for e in found))
        raise UserError(
            f"the workers differ in their {in_words(key)} ({joined[key]}), so that results may "
            "differ too; use one kind, or --allow-mixed to record that they differ."
        )
    return found


def in_words(key: str) -> str:
    """Name an attribute of an environment for a message."""
    return key.replace("_", " ")


def block_shape(sweep: Sweep, pilot: Pilot | None, workers: int, variables: int) -> tuple[int, ...]:
    """Choose the chunk of a block along the sweep's axes and the trial.

    Blocks take their target duration, but are so few that the store does not become a crowd of
    files, and so many that every worker has enough of them. A sweep that says how long or how large
    blocks are has them so, however many files they make.

    Args:
        sweep: the grid, and what it says of blocks.
        pilot: how long trials take; None where the sweep has `blocks.trials`.
        workers: trials run at a time.
        variables: what a trial gives, each a file of a block.
    """
    shape = (*(len(values) for values in sweep.axes.values()), sweep.trials)
    if sweep.blocks.trials is not None or pilot is None:
        return choose_chunks(shape, sweep.blocks.trials or 1)
    by_time = int(sweep.blocks.seconds / max(pilot.slowest, 1e-9))
    size = max(1, min(by_time, -(-prod(shape) // (BLOCKS_A_WORKER * workers))))
    is_asked = sweep.blocks.seconds != Blocks().seconds
    # Of every block there are as many files, the seconds and the status.
    most = max(MOST_FILES // (variables + 2), BLOCKS_A_WORKER * workers)
    while True:
        chunks = choose_chunks(shape, size)
        blocks = Layout(("",) * len(shape), shape, chunks).blocks
        if is_asked or blocks <= most or size >= MAX_BLOCK_TRIALS:
            return chunks
        size += max(1, size // 8)


def check_same_variables(info: StoreInfo, kind: Experiment) -> None:
    """Refuse a store that has no room for what a trial gives now."""
    missing = [v.name for v in kind.variables if v.name not in info.variables]
    if missing:
        raise StoreError(
            f"{info.path} was made by an earlier version, whose trials did not give "
            f"{', '.join(missing)}; choose another store."
        )


def check_same_environment(
    info: StoreInfo,
    environments: list[Environment],
    weights: Mapping[str, str],
    allow_mixed: bool,
) -> bool:
    """Refuse to mix results that may differ, in their last bits at least, or record the mixture.

    Returns:
        Whether the store's attributes were changed.
    """
    known = recorded_weights(info)
    digests = {path: new for path, new in weights.items() if known.get(path, new) != new}
    mixed = unlike(info.attributes, together(environments))
    there = {key: info.attributes.get(key, "") for key in mixed}
    there |= {f"SHA-256 of {path}": known[path] for path in digests}
    mixed |= {f"SHA-256 of {path}": digest for path, digest in digests.items()}
    if not mixed:
        return False
    if not allow_mixed:
        key, value = next(iter(mixed.items()))
        what = key if key.startswith("SHA-256 of ") else in_words(key)
        raise StoreError(
            f"{info.path}: its {what} is '{there[key]}' and here it "
            f"is '{value}'; results may differ. Choose another store, or --allow-mixed."
        )
    history = json.loads(info.attributes.get("mixed", "[]"))
    if mixed in history:
        return False
    record(info.path, {"mixed": json.dumps([*history, mixed])})
    return True


def enter_run(path: Path, computed_with: Environment) -> None:
    """Enter a run that computes something in a store's history."""
    history = str(read_info(path).attributes.get("history", "[]"))
    record(path, {"history": with_run(history, computed_with)})


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


def count_successes(info: StoreInfo, trials: np.ndarray) -> int:
    """Count the successes among some trials, a mask over the store's axes and trial.

    Raises:
        StoreError: naming the damaged chunk, if one has such trials.
    """
    if not trials.any():
        return 0
    try:
        return int((load_results(info.path, ["success"])["success"].values[trials] == 1).sum())
    except StoreError:
        # A damaged chunk does not matter where its trials are to be run again.
        writer = open_writer(info.path, info.revision)
        regions = map(info.layout.region, info.layout.block_indices())
        return sum(
            int((writer.read(region, ("success",))["success"][trials[region]] == 1).sum())
            for region in regions
            if trials[region].any()
        )


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
