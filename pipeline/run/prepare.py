"""Preparation of a run: make or extend its store, and select its trials and their blocks."""

import json
from collections.abc import Mapping
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...store import (
    Layout,
    Mended,
    Status,
    StoreError,
    StoreInfo,
    choose_chunks,
    create_store,
    extend_store,
    is_vacant,
    mend_store,
    part_block_trials,
    read_info,
    read_status,
    record,
    record_change,
    update_flags,
)
from ...store.layout import MAX_BLOCK_TRIALS
from ...sweeps import Grid, Sweep, UserError, union
from ...sweeps.part import Part
from ...sweeps.placing import BATCH
from ...sweeps.sharing import check_reading
from ...sweeps.sweep import Blocks
from ...tasks import Experiment
from ...tasks.environment import (
    NOT_INSTALLED,
    Environment,
    environment,
    in_words,
    needs_of,
)
from ...tasks.generators import weights_digests
from ...tasks.generators.settled import settled
from ..executors.base import Executor
from ..executors.errors import ClusterError
from .pilot import Pilot, run_pilot
from .provenance import compared, joined_environments, provenance, with_run
from .request import RunRequest, check_same_experiment, grown_sweep, stored_info

BLOCKS_A_WORKER = 16
SHOWN_DAMAGES = 3
MOST_FILES = 4000  # of results, unless there are many workers or the sweep sets the blocks


class Prepared(NamedTuple):
    """A store that is ready for a run.

    Attributes:
        info: the store.
        status: status of every trial.
        environments: the environments of the workers, each kind once.
        pilot: the timed trials from which its blocks were chosen; None if no pilot ran.
        mended: what was damaged and repaired, in one line; "" if nothing was.
    """

    info: StoreInfo
    status: np.ndarray
    environments: list[Environment]
    pilot: Pilot | None = None
    mended: str = ""


def prepare_store(
    request: RunRequest, executor: Executor, allow_mixed: bool, alone: bool = True
) -> Prepared:
    """Make the store of a run, or check, repair and extend the one that exists.

    Args:
        request: the run.
        executor: its workers.
        allow_mixed: mix results of other machines, libraries or kernels; the store records it.
        alone: whether no other part writes the store now; else it is neither repaired nor extended.

    Raises:
        UserError: the workers differ, or cannot run the sweep.
        StoreError: the store holds another experiment, cannot be written, or has to be extended
            while other parts write it.
    """
    sweep, grid, path, kind, _, part = request
    environments = check_workers(executor, kind, grid, allow_mixed)
    weights = weights_digests(grid)
    sweep = settled(grid)
    if is_vacant(path):
        by_time = not (sweep.blocks.trials or part or sweep.placed)
        pilot = run_pilot(sweep, kind, grid, executor) if by_time else None
        chunks = block_shape(sweep, pilot, executor.workers, len(kind.variables), part)
        made_by = provenance(environments)
        if weights:
            made_by["weights_sha256"] = json.dumps(weights)
        complete = grid.described_by(sweep.complete())
        create_store(path, complete, kind.variables, chunks, made_by)
        info = read_info(path).with_grid(complete)
        status = np.full(info.layout.shape, info.layout.not_run, dtype="int8")
        if not info.layout.is_placed:
            status[grid.excluded] = Status.EXCLUDED
        return Prepared(info, status, environments, pilot)
    info = stored_info(request, sweep)
    check_same_experiment(info, sweep)
    check_same_variables(info, kind)
    changed = check_same_environment(info, environments, weights, allow_mixed)
    changed |= record_weights(info, weights)
    if changed:
        info = read_info(path).with_grid(info.grid)
    if alone:
        mended = mend_store(info, kind.variables)
        status, mended_line = mended.status, describe_mended(mended)
    else:
        status, mended_line = read_status(path), ""
    if update_flags(info, kind.variables):
        info = read_info(path).with_grid(info.grid)
    latest = union(info.sweep, sweep)
    grown = grown_sweep(info, sweep)
    # Other ends of the axis along which trials are placed need no larger store.
    same_points = not grown and latest.axes == info.sweep.axes
    larger = info.grid.described_by(latest) if same_points else Grid(latest)
    if latest != info.sweep:
        check_reading(larger)
    if grown and not alone:
        raise StoreError(
            f"{path}: a larger grid or more trials need a larger store, and other parts write it "
            "now; wait for them to end."
        )
    if grown:
        extend_store(info, larger, kind.variables)
        status = read_status(path)
    elif latest != info.sweep:
        record(path, {"sweep": latest.as_json(), "title": latest.title or latest.name})
    return Prepared(read_info(path).with_grid(larger), status, environments, mended=mended_line)


def describe_mended(mended: Mended) -> str:
    """Say in one line what was damaged, and whether trials have to be computed again."""
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
    """Refuse workers that lack a package, or whose results may differ from each other.

    Returns:
        The environments of the workers, each kind once.

    Raises:
        UserError: workers lack a package or differ; the message names it.
    """
    kinds: list[Environment] = []
    answers = executor.everywhere(partial(environment, needs_of(kind, grid)))
    for answer in answers:
        if answer not in kinds:
            kinds.append(answer)
    if not kinds:
        raise ClusterError(
            "no worker answered; perhaps all have just ended. Repeat the same command."
        )
    joined = joined_environments(kinds)
    for key, value in joined.items():
        if NOT_INSTALLED in str(value):
            raise UserError(
                f"a worker lacks what this sweep needs ({in_words(key)}: {value}); install it "
                "where the workers run."
            )
    if joined["kernel_version"] != kind.version and not allow_mixed:
        raise UserError(
            f"the workers run task '{kind.name}' with kernel version {joined['kernel_version']} "
            f"and this command has {kind.version}: they have another version of genprior. Install "
            "the same version where they run, or give --allow-mixed, which mixes the results and "
            "records it."
        )
    if len(kinds) > 1 and not allow_mixed:
        key = next(key for key, value in joined.items() if any(value != e.get(key) for e in kinds))
        raise UserError(
            f"the workers differ in their {in_words(key)} ({joined[key]}), so that results may "
            "differ too; use workers of one kind, or give --allow-mixed, which mixes the results "
            "and records it."
        )
    return kinds


def block_shape(
    sweep: Sweep,
    pilot: Pilot | None,
    workers: int,
    variables: int,
    part: Part | None = None,
) -> tuple[int, ...]:
    """Choose the sizes of a block along the sweep's axes and the trial.

    A block takes the target duration `blocks.seconds`, with two limits: every worker gets at least
    `BLOCKS_A_WORKER` blocks, and the store has at most about `MOST_FILES` files. The second limit
    does not apply if the sweep sets `blocks.seconds` or `blocks.trials`.

    Args:
        sweep: the sweep.
        pilot: the timed trials; None if the sweep has `blocks.trials`, or for a part.
        workers: trials run at a time.
        variables: number of variables of a trial, each of which is a file of a block.
        part: the part that makes the store; the choice then follows from the sweep and the number
            of parts alone, unless the sweep has `blocks.trials`.
    """
    shape = Layout.of(sweep, ()).shape
    if sweep.placed is not None:  # one task runs a batch of one group
        return (*(1 for _ in shape[:-1]), BATCH)
    if part is not None and sweep.blocks.trials is None:
        return choose_chunks(shape, part_block_trials(prod(shape), part))
    if sweep.blocks.trials is not None or pilot is None:
        return choose_chunks(shape, sweep.blocks.trials or 1)
    by_time = int(sweep.blocks.seconds / max(pilot.slowest, 1e-9))
    size = max(1, min(by_time, -(-prod(shape) // (BLOCKS_A_WORKER * workers))))
    is_asked = sweep.blocks.seconds != Blocks().seconds
    # A block has a file for each variable, one for the seconds and one for the status.
    most = max(MOST_FILES // (variables + 2), BLOCKS_A_WORKER * workers)
    while True:
        chunks = choose_chunks(shape, size)
        blocks = Layout(("",) * len(shape), shape, chunks).blocks
        if is_asked or blocks <= most or size >= MAX_BLOCK_TRIALS:
            return chunks
        size += max(1, size // 8)


def check_same_variables(info: StoreInfo, kind: Experiment) -> None:
    """Refuse a store that lacks a variable which a trial gives now.

    Raises:
        StoreError: an earlier version made it; the message names the variables.
    """
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
    """Refuse to mix results that may differ at least in their last bits, or record the mixture.

    Args:
        info: the store.
        environments: the environments of the workers.
        weights: the SHA-256 of the weights files that the sweep reads, by path.
        allow_mixed: record the differences instead of refusing them.

    Returns:
        Whether the store's attributes were changed.

    Raises:
        StoreError: something differs and `allow_mixed` is False; the message names it.
    """
    others = compared(info.attributes, joined_environments(environments), weights)
    if not others:
        return False
    if not allow_mixed:
        _, known, present = others[0]
        raise StoreError(
            f"{info.path}: {others[0].what}: '{known}' there and '{present}' here; results may "
            "differ. Choose another store, or give --allow-mixed, which mixes the results and "
            "records it."
        )
    mixed = {difference.key: difference.here for difference in others}
    if mixed in json.loads(info.attributes.get("mixed", "[]")):
        return False

    def add(attributes: dict[str, Any]) -> dict[str, Any]:
        history = json.loads(attributes.get("mixed", "[]"))
        return {"mixed": json.dumps([*history, *([] if mixed in history else [mixed])])}

    record_change(info.path, add)
    return True


def enter_run(path: Path, computed_with: Environment) -> None:
    """Add a run that computes something to a store's history."""
    record_change(
        path,
        lambda old: {"history": with_run(str(old.get("history", "[]")), computed_with)},
    )


def recorded_weights(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Read the SHA-256 of the weights files that a store's results come from, by path."""
    known: dict[str, str] = json.loads(attributes.get("weights_sha256", "{}"))
    return known


def record_weights(info: StoreInfo, weights: Mapping[str, str]) -> bool:
    """Record weights files that a larger sweep adds.

    Returns:
        Whether the store's attributes were changed.
    """
    if set(weights) <= set(recorded_weights(info.attributes)):
        return False
    record_change(
        info.path,
        lambda old: {"weights_sha256": json.dumps({**weights, **recorded_weights(old)})},
    )
    return True
