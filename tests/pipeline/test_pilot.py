"""What a pilot measures, where, and how blocks are made of it."""

import threading
from dataclasses import dataclass
from math import prod

import numpy as np
import pytest
from helpers import recovery_sweep, tiny_sweep

from genprior.pipeline import pilot as pilot_module
from genprior.pipeline.executors import Synchronous, open_executor
from genprior.pipeline.pilot import MAX_SAMPLES, Pilot, run_pilot, time_sample
from genprior.pipeline.prepare import BLOCKS_A_WORKER, MOST_FILES, block_shape
from genprior.store import Layout
from genprior.sweeps import Grid, load_sweep
from genprior.tasks.experiments.no_operation import NoOperation

VARIABLES = 10


def blocks_of(sweep, seconds: float, workers: int) -> tuple[int, int]:
    """Number of blocks, and trials in one, where every trial takes so long."""
    shape = (*Grid(sweep).shape, sweep.trials)
    pilot = Pilot(np.zeros((1, len(shape) - 1)), np.array([seconds]))
    chunks = block_shape(sweep, pilot, workers, VARIABLES)
    return Layout(("",) * len(shape), shape, chunks).blocks, prod(chunks)


@pytest.mark.parametrize("seconds", [0.001, 1.0, 3.0, 60.0])
def test_blocks_are_no_crowd_of_files(seconds):
    """1 080 slow trials were as many blocks of 12 files; bounds are those of the whole grid."""
    blocks, _ = blocks_of(load_sweep("cocola-fig1-published"), seconds, workers=2)
    assert BLOCKS_A_WORKER <= blocks * (VARIABLES + 2) <= MOST_FILES


def test_blocks_that_are_asked_for_may_be_many():
    sweep = load_sweep("cocola-fig1-published")
    assert blocks_of(sweep.override(["blocks.seconds=5"]), 3.0, workers=2)[1] == 1
    assert blocks_of(sweep.override(["blocks.trials=2"]), 3.0, workers=2)[1] == 2


def test_many_workers_have_enough_blocks_each():
    """More than files allow else; rounding to whole places of the grid may halve them."""
    blocks, _ = blocks_of(load_sweep("cocola-fig1-published"), 60.0, workers=60)
    assert blocks >= BLOCKS_A_WORKER * 60 / 2 > MOST_FILES / (VARIABLES + 2)


def test_short_trials_fill_their_blocks():
    """0.1 s a trial makes a hundred of them ten seconds, where the grid is large enough."""
    assert blocks_of(tiny_sweep("trials=100000", blocks={}), 0.1, workers=2)[1] >= 100


@dataclass(frozen=True)
class Placed(NoOperation):
    """Takes as long as its k, and tells where it ran."""

    def pilot(self, point, draws, seconds):
        if point.k == 4:
            raise ArithmeticError("told to crash")
        threads.add(threading.get_ident())
        barrier.wait(timeout=20)
        return float(point.k)


threads: set[int] = set()
barrier = threading.Barrier(2)


def test_all_workers_time_samples_at_once(monkeypatch):
    """Each waits for the other; places are those of the grid whatever comes first."""
    monkeypatch.setattr(pilot_module, "PILOT_SECONDS", 600.0)
    sweep = tiny_sweep()
    with open_executor("threads", 2) as executor:
        pilot = run_pilot(sweep, Placed(), executor=executor)
    assert len(threads) == 2
    crashed = pilot.positions[:, 0] == 0.5
    assert pilot.seconds[~crashed].tolist() == [2.0] * 4 + [6.0] * 4
    assert (pilot.seconds[crashed] < 1).all()
    assert pilot.cost((3, 4))[0].tolist() == [2.0] * 4


class KilledWorker(Exception):  # noqa: N818
    """As Dask calls what comes of a task that takes its worker with it."""


def test_a_sample_that_kills_its_worker_counts_as_a_long_one():
    class Killing(Synchronous):
        def stream(self, function, items):
            for item in items:
                yield item, KilledWorker() if item.point.k == 6 else function(item)

    pilot = run_pilot(tiny_sweep(), NoOperation(), executor=Killing())
    assert pilot.slowest == 10


def test_samples_lie_densely_along_a_long_axis():
    """Of 2 × 19 places 12 along the longer axis fit, less what is left out."""
    pilot = run_pilot(load_sweep("cocola-fig1-published"), NoOperation())
    assert MAX_SAMPLES / 2 < len(pilot.positions) <= MAX_SAMPLES
    assert len(run_pilot(recovery_sweep(), NoOperation()).positions) == 12


def test_a_sample_is_timed_within_its_share(monkeypatch):
    taken = []

    class Noting(Synchronous):
        def stream(self, function, items):
            for item in items:
                taken.append(item.seconds)
                yield item, time_sample(item)

    # A clock that stands still: what is left is shared among fewer and fewer samples.
    monkeypatch.setattr(pilot_module.time, "perf_counter", lambda: 0.0)
    run_pilot(tiny_sweep(), NoOperation(), executor=Noting())
    shares = [pilot_module.PILOT_SECONDS / left for left in range(12, 0, -1)]
    assert taken == pytest.approx(shares)
