"""Functions that run on a worker: compute the trials of one block, and write it as chunks."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...store import LONGEST_ERROR, BlockWriter, Status, open_writer, read_info
from ...sweeps import Draws, Grid, UserError, draws_of
from ...tasks import Experiment
from ...tasks.environment import Environment, Needs, environment, in_words
from ...tasks.experiment import Trial
from ...tasks.generators import weights_digest
from ...tasks.numerics.machine import one_blas_thread
from ...tasks.point import Point
from ...tasks.registry import ByValue
from ...tasks.trial_values import values_check
from ..interrupts import pass_on

LONGEST_WRITE = 5.0  # seconds that `abandon` waits for blocks that are being written
_HELD: set[str] = set()
_ABANDONED: set[str] = set()
_WRITING: Counter[str] = Counter()
_TURN = threading.Condition()


class AbandonedError(UserError):
    """The run to which a block belongs has ended."""


@dataclass(frozen=True)
class BlockTask(ByValue):
    """Which trials of a block to run, and how.

    Attributes:
        path: the store.
        revision: the layout of the store.
        block: index of the block along each dimension.
        wanted: mask of the trials to run, over the block.
        kind: the task.
        needs: the task, packages and classes with which its trials are computed.
        expected: the environment that a worker must have; None if environments may be mixed.
        run: identifies the run.
        retries: how often a crashed trial is tried again.
        weights: the SHA-256 of weights files, by path.
    """

    path: Path
    revision: str
    block: tuple[int, ...]
    wanted: np.ndarray
    kind: Experiment
    needs: Needs
    expected: Environment | None
    run: str
    retries: int = 0
    weights: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BlockReport:
    """What a worker did with a block; times in seconds.

    Attributes:
        block: index of the block along each dimension.
        done: trials that are done.
        crashed: trials that crashed.
        successes: successes among the trials that are done.
        seconds: time of all its trials together.
        error: what the last crashed trial said, with its coordinates.
        environment: the environment of the worker; empty if its worker died.
    """

    block: tuple[int, ...]
    done: int
    crashed: int
    successes: int
    seconds: float
    error: str = ""
    environment: Environment = field(default_factory=dict)


@lru_cache(maxsize=8)
def _grid(path: Path, revision: str) -> Grid:
    return Grid(read_info(path).sweep)


def run_block(task: BlockTask) -> BlockReport:
    """Run the wanted trials of a block and write it.

    A trial that raises, or gives values that cannot be stored, is recorded as crashed, with the
    text of its error; the other trials run.

    Raises:
        UserError: the environment of this worker differs, a weights file is not the expected one,
            the run has ended, or the store cannot be written; nothing of the block is written.
    """
    if task.run in _HELD or task.run in _ABANDONED:
        raise AbandonedError("its run has ended.")
    check_environment(task)
    check_weights(task)
    writer = open_writer(task.path, task.revision)
    region = writer.layout.region(task.block)
    results = writer.empty(region, {v.name: v.dtype for v in task.kind.variables})
    with one_blas_thread():
        report = _run_trials(task, region, results)
    # A weights file may have changed while the trials ran.
    check_weights(task)
    _write(writer, task, region, results)
    return report


def check_environment(task: BlockTask) -> None:
    """Refuse to run on this worker, which may have joined later, if its environment differs.

    Raises:
        UserError: the message names what differs.
    """
    own = environment(task.needs)
    if task.expected is None or own == task.expected:
        return
    key = next(k for k in (*task.expected, *own) if task.expected.get(k) != own.get(k))
    raise UserError(
        f"{task.path}: {in_words(key)}: '{task.expected.get(key)}' there, and a worker on "
        f"{socket.gethostname()} has '{own.get(key)}'; results may differ. Give all "
        "workers the same environment, or give --allow-mixed, which mixes the results and records "
        "it."
    )


def check_weights(task: BlockTask) -> None:
    """Refuse weights files that differ from those where the run was started.

    Raises:
        UserError: a file cannot be read or differs; the message has both digests.
    """
    for path, expected in task.weights.items():
        try:
            digest = weights_digest(path)
        except ValueError as error:
            raise UserError(
                f"a worker on {socket.gethostname()}: {error} Give a path that is the same file on "
                "all workers."
            ) from None
        if digest != expected:
            raise UserError(
                f"a worker on {socket.gethostname()}: weights {path!r} have the SHA-256 "
                f"{digest[:12]}… there and had {expected[:12]}… where the run was started. Give "
                "all workers the same file, and do not change it while they run."
            )


def hold(run: str) -> None:
    """Start no further block of a run on this worker; blocks that run continue."""
    _HELD.add(run)


def abandon(run: str) -> None:
    """Stop the blocks of a run on this worker at their next trial; they write nothing.

    Blocks that are being written when this is called are written completely before it returns.
    """
    with _TURN:
        _ABANDONED.add(run)
        _TURN.wait_for(lambda: not _WRITING[run], LONGEST_WRITE)


@contextmanager
def _writing(run: str) -> Iterator[None]:
    """Count a block of a run as being written, or refuse if the run was abandoned.

    Raises:
        AbandonedError: the run was abandoned.
    """
    with _TURN:
        if run in _ABANDONED:
            raise AbandonedError("its run has ended.")
        _WRITING[run] += 1
    try:
        yield
    finally:
        with _TURN:
            _WRITING[run] -= 1
            _TURN.notify_all()


def _write(
    writer: BlockWriter, task: BlockTask, region: tuple[slice, ...], results: dict[str, np.ndarray]
) -> None:
    """Write the wanted trials of a block; the other trials keep what the store holds now."""
    with _writing(task.run):
        block = _current(writer, task, region)
        for name, values in results.items():
            block[name][task.wanted] = values[task.wanted]
        writer.write(region, block)


def _current(
    writer: BlockWriter, task: BlockTask, region: tuple[slice, ...]
) -> dict[str, np.ndarray]:
    """Read what a block holds; of a block without finished trials only the status is read."""
    names = (*(variable.name for variable in task.kind.variables), "seconds", "error", "status")
    status = writer.read(region, ("status",))["status"]
    if (status == Status.DONE).any() or (status == Status.CRASHED).any():
        return writer.read(region, names)
    block = writer.empty(region, {v.name: v.dtype for v in task.kind.variables})
    block["status"] = status
    return block


def _run_trials(
    task: BlockTask, region: tuple[slice, ...], results: dict[str, np.ndarray]
) -> BlockReport:
    grid, check = _grid(task.path, task.revision), values_check(task.kind.variables)
    points: dict[tuple[int, ...], _Prepared] = {}
    draw = task.kind.sampler()
    done = crashed = successes = 0
    total, last_error = 0.0, ""
    for offset in _in_order(task.wanted, [dim in task.kind.inner for dim in grid.dims]):
        if task.run in _ABANDONED:
            raise AbandonedError("its run has ended.")
        index = tuple(part.start + int(i) for part, i in zip(region, offset, strict=True))
        at, trial = index[:-1], index[-1]
        if at not in points:
            points[at] = _prepare(task.kind, grid, at)
        begun = time.perf_counter()
        values, error = attempt(task, points[at], trial, draw, check)
        seconds = time.perf_counter() - begun
        total += seconds
        results["seconds"][offset] = seconds
        results["error"][offset] = error
        for variable in task.kind.variables:
            results[variable.name][offset] = (
                variable.fill if values is None else values[variable.name]
            )
        if values is None:
            results["status"][offset] = Status.CRASHED
            crashed, last_error = crashed + 1, f"{grid.place(at)}, trial={trial}: {error}"
        else:
            results["status"][offset] = Status.DONE
            done, successes = done + 1, successes + int(values.get("success", 0) > 0)
    return BlockReport(
        task.block, done, crashed, successes, total, last_error, environment(task.needs)
    )


def _in_order(wanted: np.ndarray, inner: list[bool]) -> list[tuple[int, ...]]:
    """List the offsets of a block's wanted trials; trials that share a draw follow each other.

    Args:
        wanted: mask over the block.
        inner: for each axis, whether trials along it share a draw.
    """
    offsets = np.argwhere(wanted)
    outer = [axis for axis in range(wanted.ndim) if not [*inner, False][axis]]
    order = np.lexsort(offsets[:, outer][:, ::-1].T) if any(inner) else slice(None)
    return [tuple(int(i) for i in offset) for offset in offsets[order]]


class _Prepared(NamedTuple):
    """A point, checked and hashed once for all its trials; `refused` says why it cannot be run."""

    point: Point
    draws: Draws
    refused: str


def _prepare(kind: Experiment, grid: Grid, index: tuple[int, ...]) -> _Prepared:
    point, refused = grid.point(index), ""
    try:
        kind.check_point(point)
    except BaseException as raised:
        pass_on(raised)
        refused = _in_a_line(raised)
    return _Prepared(point, draws_of(point, 0, grid.sweep.seed, grid.sweep.paired), refused)


def attempt(
    task: BlockTask,
    at: _Prepared,
    trial: int,
    draw: Callable[[Point, Draws], Trial],
    check: Callable[[Any], dict[str, Any]],
) -> tuple[dict[str, Any] | None, str]:
    """Run a trial, and repeat it up to `task.retries` times if it raises.

    Args:
        task: the task of its block.
        at: its point.
        trial: its index.
        draw: draws the trials of the block.
        check: refuses values that cannot be stored.

    Returns:
        Its values and "", or None and the text of its last error.
    """
    if at.refused:
        return None, at.refused
    error = ""
    for _ in range(task.retries + 1):
        try:
            return check(draw(at.point, replace(at.draws, trial=trial)).run()), ""
        except BaseException as raised:
            pass_on(raised)
            error = _in_a_line(raised)
    return None, error


def _in_a_line(raised: BaseException) -> str:
    return f"{type(raised).__name__}: {raised}".split("\n")[0][:LONGEST_ERROR]


def write_crashed(task: BlockTask, error: str) -> BlockReport:
    """Record the wanted trials of a block as crashed, because they killed their worker.

    Raises:
        StoreError: the store cannot be written.
    """
    writer = open_writer(task.path, task.revision)
    region = writer.layout.region(task.block)
    results = writer.empty(region, {v.name: v.dtype for v in task.kind.variables})
    results["status"][...] = Status.CRASHED
    results["error"][...] = error[:LONGEST_ERROR]
    _write(writer, task, region, results)
    return BlockReport(task.block, 0, int(task.wanted.sum()), 0, 0.0, error)
