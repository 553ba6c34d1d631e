"""A check meets a point for each combination of the parameters that it reads."""

import pickle

import pytest

from genprior.sweeps import Grid, Sweep, SweepError
from genprior.sweeps.parameters import PARAMETERS
from genprior.tasks.checks import check_points
from genprior.tasks.watched import points_to_check, watched


def grid_of(axes: dict, **parameters) -> Grid:
    return Grid(Sweep.parse({"axes": axes, "parameters": {"depth": 1, **parameters}}))


GRID = grid_of({"k": [1, 2, 3], "m": [5, 6, 7], "noise.sigma": [0.0, 0.5]}, n=9)


def read_by(use) -> set[str]:
    read: set[str] = set()
    use(watched(GRID.point((0, 0, 0)), read))
    return read


def test_what_is_read_of_a_point_is_noted():
    """A property reads what it is made of, and a copy reads everything."""
    assert read_by(lambda p: p.k + p.noise.sigma) == {"k", "noise.sigma"}
    assert read_by(lambda p: p.noise) == set()
    assert read_by(lambda p: p.relu_layers) == {"depth", "last_layer"}
    assert read_by(lambda p: p.codes) == {"target_codes"}
    for whole in (lambda p: p.model_dump(), lambda p: p.model_copy(), lambda p: p == p, vars):
        assert read_by(whole) == set(PARAMETERS)
    noise = {name for name in PARAMETERS if name.startswith("noise.")}
    assert read_by(lambda p: hash(p.noise)) == noise


def test_a_watched_point_has_the_values_of_its_point():
    point = GRID.point((1, 2, 1))
    copied = pickle.loads(pickle.dumps(watched(point, set())))
    assert copied == point
    assert type(copied) is type(point)


def test_a_check_meets_what_it_reads_after_other_values():
    """Only at k = 3 with noise is m read, of which one value is refused."""

    def check(point):
        if point.k == 3 and point.noise.sigma and point.m == 6:
            raise ValueError("six")

    with pytest.raises(SweepError, match=r"^k=3, m=6, noise\.sigma=0\.5: six$"):
        check_points(GRID, check)


def test_a_check_meets_few_points():
    """Of 18 points it can tell those apart that differ in k."""
    met = [point.k for _, point in points_to_check(GRID, 100)]
    assert met == [1, 1, 2, 3]


def test_a_check_of_widths_meets_what_completes_them():
    """The axis n gives the last width."""
    grid = grid_of({"n": [8, 9]}, k=2)
    met = {point.widths for _, point in points_to_check(grid, 100)}
    assert met == {(8,), (9,)}
