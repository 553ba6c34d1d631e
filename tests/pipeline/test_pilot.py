"""What a pilot measures, where, and how blocks are made of it."""

import threading
from dataclasses import dataclass
from itertools import combinations
from math import prod

import numpy as np
import pytest
from helpers import recovery_sweep, tiny_sweep

from genprior.pipeline.executors.errors import WorkersDiedError
from genprior.pipeline.executors.opening import open_executor
from genprior.pipeline.executors.synchronous import Synchronous
from genprior.pipeline.run import pilot as pilot_module
from genprior.pipeline.run.pilot import MAX_SAMPLES, Pilot, _corners, run_pilot, time_sample
from genprior.pipeline.run.prepare import BLOCKS_A_WORKER, MOST_FILES, block_shape
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


def test_a_sample_that_kills_its_worker_counts_as_a_long_one():
    class Killing(Synchronous):
        def stream(self, function, items, *, more=False):
            for item in items:
                yield item, WorkersDiedError("told") if item.point.k == 6 else function(item)

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
        def stream(self, function, items, *, more=False):
            for item in items:
                taken.append(item.seconds)
                yield item, time_sample(item)

    # A clock that stands still: what is left is shared among fewer and fewer samples.
    monkeypatch.setattr(pilot_module.time, "perf_counter", lambda: 0.0)
    run_pilot(tiny_sweep(), NoOperation(), executor=Noting())
    shares = [pilot_module.PILOT_SECONDS / left for left in range(12, 0, -1)]
    assert taken == pytest.approx(shares)


AXES = {
    "k": [2, 3],
    "m": [10, 20, 30],
    "noise.sigma": [0.0, 0.1, 0.2],
    "gain": [0.9, 1.0, 1.1],
    "target_norm": [1.0, 1.5, 2.0, 2.5, 3.0],
    "ensemble": ["gaussian", "laplace"],
    "solver.step": [0.5, 1.0, 1.5],
    "success.below": [0.1, 0.01],
}


def many_axes():
    return tiny_sweep(task="no-operation", axes=AXES, trials=1)


def test_with_many_axes_the_pilot_sees_both_ends_of_every_axis():
    """Cost that depends on one axis alone is estimated within a factor of two, whichever it is."""
    sweep = many_axes()
    grid = Grid(sweep)
    positions = run_pilot(sweep, NoOperation(), grid).positions
    for number, values in enumerate(AXES.values()):
        assert set(positions[:, number]) >= {0.0, 1.0}
        seconds = 1.0 + 1000.0 * (positions[:, number] == 1)
        cost = Pilot(positions, seconds).cost(grid.shape).mean()
        assert 0.5 < cost / (1 + 1000 / len(values)) < 3


def test_any_two_axes_meet_in_all_combinations_of_their_ends():
    for axes in range(2, 15):
        shape = tuple(range(2, 2 + axes))
        corners = {tuple(int(i > 0) for i in corner) for corner in _corners(shape)}
        assert {(0,) * axes, (1,) * axes} <= corners
        assert len(corners) <= MAX_SAMPLES
        for one, other in combinations(range(axes), 2):
            assert len({(corner[one], corner[other]) for corner in corners}) == 4
    assert len(set(_corners((3, 3, 3)))) == 8


def test_excluded_corners_leave_room_for_other_points():
    sweep = many_axes().override(["exclude=m > 15"])
    positions = run_pilot(sweep, NoOperation()).positions
    assert len(positions) > MAX_SAMPLES // 2
    assert set(positions[:, 1]) == {0.0}
