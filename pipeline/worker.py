"""What runs on a worker: the trials of one block, written as whole chunks."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..store import LONGEST_ERROR, BlockWriter, Status, open_writer, read_info
from ..sweeps import Draws, Grid, UserError, draws_of
from ..tasks import Experiment
from ..tasks.environment import Environment, Needs, environment
from ..tasks.generators import weights_digest
from ..tasks.machine import one_blas_thread
from ..tasks.point import Point
from ..tasks.registry import ByValue

LONGEST_WRITE = 5.0  # seconds
_HELD: set[str] = set()
_ABANDONED: set[str] = set()
_WRITING: Counter[str] = Counter()
_TURN = threading.Condition()


class AbandonedError(UserError):
    """The run that a block belongs to has ended."""


@dataclass(frozen=True)
class BlockTask(ByValue):
    """Which trials of a block to run, and how.

    `weights` has the SHA-256 of files, by path. `expected` is what a worker must compute with; None
    if anything may be mixed.
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
    """What a worker did with a block; times in seconds."""

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

    A trial that raises is recorded as crashed, with what it said, and the others go on.

    Raises:
        UserError: this worker computes with something else than the others, a file of weights is
            not the one that was to be used, the run has ended, or the store cannot be written;
            nothing of the block is kept.
    """
    if task.run in _HELD or task.run in _ABANDONED:
        raise AbandonedError("its run has ended.")
    check_environment(task)
    check_weights(task)
    writer = open_writer(task.path, task.revision)
    region = writer.layout.region(task.block)
    found = writer.empty(region, {v.name: v.dtype for v in task.kind.variables})
    with one_blas_thread():
        report = _run_trials(task, region, found)
    # A file may have changed under the trials.
    check_weights(task)
    _write(writer, task, region, found)
    return report


def check_environment(task: BlockTask) -> None:
    """Refuse to run here what others run with something else: this worker may have joined later.

    Raises:
        UserError: naming what differs.
    """
    here = environment(task.needs)
    if task.expected is None or here == task.expected:
        return
    key = next(k for k in (*task.expected, *here) if task.expected.get(k) != here.get(k))
    raise UserError(
        f"{task.path}: its {key.replace('_', ' ')} is '{task.expected.get(key)}', and a worker on "
        f"{socket.gethostname()} has '{here.get(key)}', so that results may differ. Give all "
        "workers the same, or --allow-mixed to record that they differ."
    )


def check_weights(task: BlockTask) -> None:
    """Refuse files of weights that are others here than where the run was started.

    Raises:
        UserError: with both digests.
    """
    for path, expected in task.weights.items():
        try:
            found = weights_digest(path)
        except ValueError as error:
            raise UserError(
                f"a worker on {socket.gethostname()}: {error} Give a path that leads all workers "
                "to the same file."
            ) from None
        if found != expected:
            raise UserError(
                f"a worker on {socket.gethostname()}: weights {path!r} have the SHA-256 "
                f"{found[:12]}… there and had {expected[:12]}… where the run was started. Give all "
                "workers the same file, and leave it alone while they run."
            )


def hold(run: str) -> None:
    """Begin no other block of a run that is to end; those that run go on."""
    _HELD.add(run)


def abandon(run: str) -> None:
    """Let the blocks of a run that ended early stop at their next trial, writing nothing.

    What is being written is whole when this returns.
    """
    with _TURN:
        _ABANDONED.add(run)
        _TURN.wait_for(lambda: not _WRITING[run], LONGEST_WRITE)


@contextmanager
def _writing(run: str) -> Iterator[None]:
    """Write something of a run, unless it was abandoned."""
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
    writer: BlockWriter, task: BlockTask, region: tuple[slice, ...], found: dict[str, np.ndarray]
) -> None:
    """Put the wanted trials into the block as it is now: they may have taken a while."""
    with _writing(task.run):
        results = _current(writer, task, region)
        for name, values in found.items():
            results[name][task.wanted] = values[task.wanted]
        writer.write(region, results)


def _current(
    writer: BlockWriter, task: BlockTask, region: tuple[slice, ...]
) -> dict[str, np.ndarray]:
    """What the block holds already; a fresh block need not be read."""
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
    grid = _grid(task.path, task.revision)
    points: dict[tuple[int, ...], _Prepared] = {}
    done = crashed = successes = 0
    total, last_error = 0.0, ""
    for place in _in_order(task.wanted, [dim in task.kind.inner for dim in grid.dims]):
        if task.run in _ABANDONED:
            raise AbandonedError("its run has ended.")
        index = tuple(part.start + int(i) for part, i in zip(region, place, strict=True))
        where, trial = index[:-1], index[-1]
        if where not in points:
            points[where] = _prepare(task.kind, grid, where)
        begun = time.perf_counter()
        values, error = attempt(task, points[where], trial)
        seconds = time.perf_counter() - begun
        total += seconds
        results["seconds"][place] = seconds
        results["error"][place] = error
        for variable in task.kind.variables:
            results[variable.name][place] = (
                variable.fill if values is None else values[variable.name]
            )
        if values is None:
            results["status"][place] = Status.CRASHED
            crashed, last_error = crashed + 1, f"{grid.place(where)}, trial={trial}: {error}"
        else:
            results["status"][place] = Status.DONE
            done, successes = done + 1, successes + int(values.get("success", 0))
    return BlockReport(
        task.block, done, crashed, successes, total, last_error, environment(task.needs)
    )


def _in_order(wanted: np.ndarray, inner: list[bool]) -> list[tuple[int, ...]]:
    """List the places of a block's wanted trials, those that share a draw one after the other."""
    places = np.argwhere(wanted)
    outer = [axis for axis in range(wanted.ndim) if not [*inner, False][axis]]
    order = np.lexsort(places[:, outer][:, ::-1].T) if any(inner) else slice(None)
    return [tuple(int(i) for i in place) for place in places[order]]


class _Prepared(NamedTuple):
    """A point, checked and hashed once for all its trials, and what was said against it."""

    point: Point
    draws: Draws
    refused: str


def _prepare(kind: Experiment, grid: Grid, where: tuple[int, ...]) -> _Prepared:
    point, refused = grid.point(where), ""
    try:
        kind.check_point(point)
    except (Exception, SystemExit) as raised:
        refused = _in_a_line(raised)
    return _Prepared(point, draws_of(point, 0, grid.sweep.seed, grid.sweep.paired), refused)


def attempt(task: BlockTask, of: _Prepared, trial: int) -> tuple[dict[str, float] | None, str]:
    """Run a trial, again if it raises, and give its values or what it said at last."""
    if of.refused:
        return None, of.refused
    error = ""
    for _ in range(task.retries + 1):
        try:
            return task.kind.draw(of.point, replace(of.draws, trial=trial)).run(), ""
        except (Exception, SystemExit) as raised:
            error = _in_a_line(raised)
    return None, error


def _in_a_line(raised: BaseException) -> str:
    return f"{type(raised).__name__}: {raised}".split("\n")[0][:LONGEST_ERROR]


def write_crashed(task: BlockTask, error: str) -> BlockReport:
    """Record the wanted trials of a block as crashed: their worker died under them."""
    writer = open_writer(task.path, task.revision)
    region = writer.layout.region(task.block)
    found = writer.empty(region, {v.name: v.dtype for v in task.kind.variables})
    found["status"][...] = Status.CRASHED
    found["error"][...] = error[:LONGEST_ERROR]
    _write(writer, task, region, found)
    return BlockReport(task.block, 0, int(task.wanted.sum()), 0, 0.0, error)
