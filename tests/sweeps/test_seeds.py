"""Identities of points and the random streams that follow from them."""

import hashlib
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genprior.sweeps import Grid, Point, Purpose, Sweep, point_identity, random_stream
from genprior.sweeps.parameters import PARAMETERS, names_with
from genprior.tasks.instance import draw_instance


def point(**changes) -> Point:
    written = {"k": 3, "depth": 2, "widths": [4, 5], "m": 6, **changes}
    return Point.model_validate(written)


def other(name: str, value: object) -> Point:
    """A point with a value that no law of today's allows, a later ensemble for example."""
    return point().model_copy(update={name: value})


def draws(point: Point, trial: int = 0, seed: int = 7, paired: tuple[str, ...] = ()) -> np.ndarray:
    identity = point_identity(point, paired)
    return np.stack([random_stream(seed, identity, trial, p).standard_normal(2) for p in Purpose])


# Identity


def test_an_identity_is_a_hash_of_what_differs_from_the_defaults():
    """Written out by hand: another text would silently be another experiment in every store."""
    text = b'{"k":3,"m":6,"noise.sigma":0.1,"widths":[4,5]}'
    found = point_identity(point(noise={"sigma": 0.1}))
    assert found == hashlib.sha256(text).hexdigest()[:32] == "a0bd56acb6a48f40cf6b7140b351d0f0"


@pytest.mark.parametrize(
    "changed",
    [
        point(k=2),
        point(widths=[4, 6]),
        point(widths=[5, 4]),
        point(depth=3, widths=[4, 4, 5]),
        point(gain=2),
        point(m=7),
        point(noise={"sigma": 0.1}),
        point(noise={"snr_db": 0}),
        other("problem", "phase-retrieval"),
        other("ensemble", "rademacher"),
        point(code={"codewords": 13}),
        point(code={"message": 1}),
        point(code={"levels": 4}),
        point(code={"scale": 8.0}),
    ],
)
def test_every_parameter_that_decides_a_draw_decides_the_identity(changed):
    assert point_identity(changed) != point_identity(point())
    assert (draws(changed) != draws(point())).all()


@pytest.mark.parametrize(
    "changed",
    [
        point(solver={"step": 0.1, "max_steps": 5, "tolerance": 1, "negation": False}),
        point(solver={"start": "mirror"}),
        point(success={"metric": "signal_error", "below": 0.1}),
        point(code={"decoder": "range", "starts": 9}),
        point(noise={"sigma": 0}, gain=1, ensemble="gaussian"),
        point(n=5),
        point(widths=[4], n=5),
        point(widths="4-5"),
    ],
)
def test_solvers_meet_the_same_problems(changed):
    """Nor does it matter how the same network, or a default, is written."""
    assert point_identity(changed) == point_identity(point())


def test_every_parameter_is_known_to_decide_draws_or_not_to():
    """A new parameter has to be put on one side; forgotten, its values would share all draws."""
    deciding = {*names_with("draws"), *names_with("carried_by")}
    assert {name for name in set(PARAMETERS) - deciding if name.startswith("code.")} == {
        "code.decoder",
        "code.starts",
    }
    assert {name.split(".")[0] for name in set(PARAMETERS) - deciding} == {
        "solver",
        "success",
        "target",
        "plane",
        "condition",
        "search",
        "code",
        "trajectory",
    }
    assert deciding <= set(PARAMETERS)


@pytest.mark.parametrize(
    ("paired", "changed"),
    [
        ("ensemble", other("ensemble", "rademacher")),
        ("problem", other("problem", "phase-retrieval")),
        ("m", point(m=60)),
        ("gain", point(gain=2)),
        ("noise.sigma", point(noise={"sigma": 0.1})),
        ("noise.snr_db", point(noise={"snr_db": 20})),
        ("depth", point(depth=3, widths=[4, 4, 5])),
        ("widths", point(widths=[40, 50])),
        ("n", point(widths=[4, 50])),
    ],
)
def test_pairing_shares_the_draws_of_one_parameter_and_of_no_other(paired, changed):
    assert point_identity(changed, [paired]) == point_identity(point(), [paired])
    further = changed.model_copy(update={"k": 2})
    assert point_identity(further, [paired]) != point_identity(changed, [paired])
    assert point_identity(changed, ["solver.step"]) != point_identity(point(), ["solver.step"])


def test_paired_numbers_of_measurements_share_network_target_and_rows():
    """A has rows a_i/√m: five more measurements leave the first six a_i as they are."""
    few = draw_instance(point(), 0, 7, ["m"])
    many = draw_instance(point(m=11), 0, 7, ["m"])
    for one, same in zip(
        few.objective.network.weights, many.objective.network.weights, strict=True
    ):
        np.testing.assert_array_equal(one, same)
    np.testing.assert_array_equal(few.target, many.target)
    np.testing.assert_array_equal(few.start, many.start)
    np.testing.assert_allclose(
        few.objective.problem.sensing.matrix * np.sqrt(6),
        many.objective.problem.sensing.matrix[:6] * np.sqrt(11),
        rtol=1e-14,
    )


# Streams


def test_the_first_draws_are_those_of_the_first_release():
    """Stored results name their seed; were the streams to change, no trial could be run again."""
    found = [
        random_stream(7, "a0bd56acb6a48f40cf6b7140b351d0f0", 2, purpose).standard_normal(3)
        for purpose in list(Purpose)[:5]
    ]
    expected = [
        [-0.1667055572990183, -0.29032487871446583, -0.7575559049218978],
        [-0.23159300939585306, -1.7117747697486838, -0.15863751758560699],
        [-1.9286473109776565, 1.3678330149066011, 1.0332920419955747],
        [0.5316074684597838, 0.4409531619193898, 0.5092031701969498],
        [-1.353468193952781, 2.6226333984526846, -0.1122127228425239],
    ]
    np.testing.assert_array_equal(found, expected)


def test_a_stream_is_a_seed_sequence_spawned_by_identity_trial_and_purpose():
    """The 32 digits are four words of 32 bits; nothing else of the sweep enters."""
    words = (0xA0BD56AC, 0xB6A48F40, 0xCF6B7140, 0xB351D0F0)
    sequence = np.random.SeedSequence(7, spawn_key=(*words, 2, 3))
    expected = np.random.Generator(np.random.SFC64(sequence)).random(5)
    found = random_stream(7, "a0bd56acb6a48f40cf6b7140b351d0f0", 2, Purpose.TARGET).random(5)
    np.testing.assert_array_equal(found, expected)


def test_the_numbers_of_the_purposes_are_part_of_every_result():
    assert {purpose.name: purpose.value for purpose in Purpose} == {
        "NETWORK": 0,
        "MEASUREMENTS": 1,
        "NOISE": 2,
        "TARGET": 3,
        "START": 4,
        "AUDIT": 5,
        "DITHER": 6,
        "SEARCH": 7,
        "PLANE": 8,
        "PLACEMENT": 9,
    }


def test_no_two_streams_of_a_sweep_are_alike():
    """4 points, 10 purposes, 3 trials, 2 seeds: 240 first draws, all different."""
    points = [point(), point(k=2), point(m=7), point(gain=2)]
    firsts = [
        first
        for each in points
        for trial in range(3)
        for seed in (0, 1)
        for first in draws(each, trial, seed)[:, 0]
    ]
    assert len(firsts) == 240 == len(set(firsts))


def test_streams_of_different_purposes_are_uncorrelated():
    """The correlation of n independent pairs has a standard deviation of 1/√n; we allow five."""
    n = 20_000
    identity = point_identity(point())
    streams = [random_stream(0, identity, 0, p).standard_normal(n) for p in Purpose]
    streams.append(random_stream(0, identity, 1, Purpose.NETWORK).standard_normal(n))
    for one, another in combinations(streams, 2):
        assert abs(np.corrcoef(one, another)[0, 1]) < 5 / np.sqrt(n)


def test_each_draw_of_a_trial_comes_from_its_own_stream():
    """W_i = z √(gain/n_i), A = z/√m, x* ∝ z, x_0 = z/gain^{d/2}, η = σz, z a stream's normals."""
    made = point(gain=2, noise={"sigma": 0.1})
    identity = point_identity(made)
    instance = draw_instance(made, 4, 7)

    def normals(purpose, *shape):
        return random_stream(7, identity, 4, purpose).standard_normal(shape)

    first, second = instance.objective.network.weights
    drawn = normals(Purpose.NETWORK, 4 * 3 + 5 * 4)
    np.testing.assert_allclose(first.ravel(), drawn[:12] * np.sqrt(2 / 4), rtol=1e-15)
    np.testing.assert_allclose(second.ravel(), drawn[12:] * np.sqrt(2 / 5), rtol=1e-15)
    sensing = normals(Purpose.MEASUREMENTS, 6, 5) / np.sqrt(6)
    np.testing.assert_allclose(instance.objective.problem.sensing.matrix, sensing, rtol=1e-15)
    target = normals(Purpose.TARGET, 3)
    scale = np.linalg.norm(instance.target) / np.linalg.norm(target)
    np.testing.assert_allclose(instance.target, scale * target, rtol=1e-14)
    np.testing.assert_array_equal(instance.start, normals(Purpose.START, 3) / 2)
    noise = (
        instance.objective.problem.observed
        - instance.objective.problem.sensing.matrix @ instance.signal
    )
    np.testing.assert_allclose(noise, 0.1 * normals(Purpose.NOISE, 6), atol=1e-15)


AXES = {
    "k": st.sets(st.integers(1, 4)).map(lambda more: sorted(more | {3})),
    "m": st.sets(st.integers(1, 30)).map(lambda more: sorted(more | {6})),
    "gain": st.sets(st.sampled_from([0.5, 1.5, 2.0])).map(lambda more: sorted(more | {1.0})),
    "solver.step": st.sets(st.sampled_from([0.1, 0.5, 0.7]), min_size=1).map(sorted),
    "noise.sigma": st.sets(st.sampled_from([0.1, 0.2])).map(lambda more: sorted(more | {0.0})),
}


@given(
    axes=st.lists(st.sampled_from(list(AXES)), unique=True, max_size=5).flatmap(
        lambda names: st.fixed_dictionaries({name: AXES[name] for name in names})
    ),
    trials=st.integers(1, 1000),
    trial=st.integers(0, 10**6),
    block=st.integers(1, 50),
    exclude=st.sampled_from([[], ["k == 1"], ["m > 20"]]),
)
@settings(derandomize=True, deadline=None, max_examples=100)
def test_the_draws_of_a_trial_are_the_same_whatever_the_sweep_around_it(
    axes, trials, trial, block, exclude
):
    """Neither other values, axes and their order, nor trials, blocks and rules change a draw."""
    fixed = {"k": 3, "m": 6, "depth": 2, "widths": [4, 5]}
    sweep = Sweep.parse(
        {
            "axes": axes,
            "parameters": {name: value for name, value in fixed.items() if name not in axes},
            "trials": trials,
            "blocks": {"trials": block},
            "exclude": exclude,
        }
    )
    grid = Grid(sweep)
    wanted = {**fixed, "gain": 1.0, "noise.sigma": 0.0}
    index = tuple(
        values.index(wanted[name]) if name in wanted else len(values) - 1
        for name, values in sweep.axes.items()
    )
    np.testing.assert_array_equal(draws(grid.point(index), trial), draws(point(), trial))


def test_another_process_draws_the_same_numbers():
    """Python's own hash() is salted in every process, ours must not be."""
    code = (
        "from genprior.sweeps import Point, Purpose, point_identity, random_stream\n"
        "point = Point(k=3, depth=2, widths=(4, 5), m=6)\n"
        "print(random_stream(7, point_identity(point), 0, Purpose.NETWORK).random().hex())"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    here = random_stream(7, point_identity(point()), 0, Purpose.NETWORK).random()
    assert float.fromhex(found.stdout.strip()) == here
