"""Which points share their draws, told by their identities."""

import json
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from helpers import assert_names, tiny_sweep, write_sweep
from hypothesis import given, settings
from hypothesis import strategies as st

from genprior.pipeline import run_sweep
from genprior.store import record
from genprior.sweeps import Grid, Sweep, SweepError, point_identity
from genprior.sweeps.sharing import check_reading, share_along, shared_draws

NEARLY = [2, 2.05, 2.1, 2.15, 2.2, 4, 6]  # of k = 2: m = 4 five times, 8 and 12


def grid(**tables: Any) -> Grid:
    written = {
        "axes": {"k": [2, 20], "m_per_k": NEARLY},
        "parameters": {"depth": 1, "widths": [40]},
        "dependent": {"m": {"of": "k", "times": "m_per_k"}},
    }
    return Grid(Sweep.parse(written | tables))


def by_identities(made: Grid, axes: list[str]) -> tuple[set[str], bool]:
    """What `shared_draws` has to find, pair by pair."""
    places = [index for index in np.ndindex(made.shape) if not made.excluded[index]]
    identity = {p: point_identity(made.point(p), made.sweep.paired) for p in places}
    apart = {pair: {a for a, i, j in zip(made.dims, *pair, strict=True) if i != j}
             for pair in combinations(places, 2)}  # fmt: skip
    same = {pair: identity[pair[0]] == identity[pair[1]] for pair in apart}
    shared = set()
    for axis in axes:
        alone = [same[pair] for pair, differ in apart.items() if differ == {axis}]
        if alone and all(alone):
            shared.add(axis)
    clashes = (same[pair] for pair, differ in apart.items()
               if differ <= set(axes) and not differ <= shared)  # fmt: skip
    return shared, any(clashes)


AXES = {
    "k": [2, 3],
    "m_per_k": [2, 2.1, 3],
    "noise.sigma": [0.0, 0.1],
    "width_factor": [2, 2.1],
    "solver.step": [0.5, 0.7],
    "n_per_k": [4.9, 5, 7],
}
RULES = ("k == 2 and m_per_k == 2.1", "m > 6", "m_per_k < 2.1", "k == 3")
DEPENDENT = {
    "m_per_k": {"m": {"of": "k", "times": "m_per_k"}},
    "n_per_k": {"n": {"of": "k", "times": "n_per_k"}},
}


@given(
    names=st.sets(st.sampled_from(sorted(AXES)), min_size=1, max_size=3),
    rules=st.sets(st.sampled_from(RULES), max_size=2),
    paired=st.sets(st.sampled_from(["k", "noise.sigma", "width_factor"]), max_size=1),
    looked=st.sets(st.sampled_from(sorted(AXES)), min_size=1, max_size=3),
)
@settings(derandomize=True, deadline=None, max_examples=80)
def test_shared_draws_are_those_of_equal_identities(names, rules, paired, looked):
    """All pairs of points, hashed one by one, against columns compared along the axes."""
    names |= looked | {"k", "m_per_k"} if rules else looked
    if {"width_factor", "n_per_k"} <= names:
        return  # a rule of widths takes no n of one's own
    parameters: dict[str, Any] = {"depth": 1, "k": 2, "width_rule": "expansive"}
    if "width_factor" not in names:
        parameters |= {"width_rule": "listed", "widths": [8]}
    if "n_per_k" in names:
        parameters |= {"depth": 2}
    made = Grid(
        Sweep.parse(
            {
                "axes": {name: AXES[name] for name in sorted(names)},
                "parameters": {n: v for n, v in parameters.items() if n not in names},
                "dependent": {k: v for n in names for k, v in DEPENDENT.get(n, {}).items()},
                "exclude": sorted(rules),
                "paired": sorted(paired & names),
            }
        )
    )
    found = shared_draws(made, sorted(looked))
    assert (set(found.shared), found.clash is not None) == by_identities(made, sorted(looked))


@pytest.mark.parametrize("key", ["fit", "law", "compare"])
def test_a_sweep_that_would_count_a_draw_twice_is_refused(key):
    """At k = 2 five values make m = 4; at k = 20 all seven differ."""
    read = {
        "fit": {"along": "m_per_k"},
        "law": {"exponents": {"m_per_k": -0.5}},
        "compare": {"over": "m_per_k"},
    }
    with pytest.raises(SweepError, match=rf"{key}.*'m_per_k'.* 2 and 2\.05 .* k = 2"):
        check_reading(grid(**{key: read[key]}))
    apart = {"axes": {"k": [20], "m_per_k": NEARLY}}
    check_reading(grid(**apart, **{key: read[key]}))
    check_reading(grid(exclude=["k == 2 and m_per_k > 2 and m_per_k < 4"], **{key: read[key]}))


def test_a_width_factor_whose_widths_round_to_the_same_is_no_axis_of_a_fit():
    """⌈c · 2 ln 2⌉ = ⌈1.39 c⌉ for c = 1 … 3 in quarters: 3 (a layer grows by one), then 3, 3."""
    made = Grid(
        Sweep.parse(
            {
                "axes": {"width_factor": "1:3:0.25"},
                "parameters": {"k": 2, "depth": 1, "width_rule": "expansive", "m": 3},
            }
        )
    )
    with pytest.raises(SweepError, match=r"'width_factor'.* 1 and 1\.25"):
        share_along(made, "width_factor", "--along")


def test_points_that_meet_across_two_axes_clash():
    """With m = a·b and both multipliers axes, 2 · 3 and 3 · 2 measurements are one point."""
    made = grid(
        axes={"a": [2, 3], "b": [2, 3]},
        parameters={"depth": 1, "k": 2, "widths": [9]},
        dependent={
            "solver.max_steps": {"of": "k", "times": "b"},
            "m": {"of": "solver.max_steps", "times": "a"},
        },
    )
    assert shared_draws(made, ["a"]) == shared_draws(made, ["b"]) == ((), None)
    assert shared_draws(made, ["a", "b"]).clash is not None


def test_a_store_is_not_fitted_along_an_axis_that_repeats_its_points(genprior, kind, store):
    """50 trials that are 10 would make intervals too short; what else there is, is fitted."""
    sweep = tiny_sweep(
        axes={"k": [2, 4], "m_per_k": NEARLY[3:6]},
        dependent={"m": {"of": "k", "times": "m_per_k"}},
        fit={},
    )
    run_sweep(sweep, store, kind=kind)
    refused = genprior("fit", store, "--along", "m_per_k")
    assert refused.exit_code == 2
    assert_names(refused.stderr, "--along", "'m_per_k'", "2.15 and 2.2")
    # As an earlier version left it, which let such a law pass.
    law = {"variable": "latent_error", "exponents": {"m_per_k": 1.0}}
    compared = {"over": "m_per_k"}
    read = Sweep.parse({**sweep.as_dict(), "law": law, "compare": compared})
    record(store, {"sweep": read.as_json()})
    found = json.loads(genprior("fit", store, "--along", "k", "--json").stdout)
    assert [len(found[name]) for name in ("transitions", "laws", "comparisons")] == [3, 0, 0]
    assert len(found["left_out"]) == 2
    file = write_sweep(read, store.with_name("again.toml"))
    assert genprior("run", file, store.with_name("new.zarr")).exit_code == 2


def test_comparing_values_that_all_make_one_point_is_paired(genprior, kind, store):
    """Twice the same draws all over the grid: shared wholly, as if it were declared."""
    sweep = tiny_sweep(
        axes={"k": [2, 4], "m_per_k": [2, 2.05]},
        dependent={"m": {"of": "k", "times": "m_per_k"}},
        fit={},
        compare={"over": "m_per_k"},
    )
    run_sweep(sweep, store, kind=kind)
    (row,) = json.loads(genprior("fit", store, "--json").stdout)["comparisons"]
    assert row["paired"]
    assert [cell["gained"] + cell["lost"] for cell in row["cells"]] == [0, 0]


def test_two_values_that_round_to_one_point_are_named():
    """Of k = 2 they are all that is there, so that no draw differs along the axis."""
    made = grid(axes={"k": [2], "m_per_k": [2, 2.1]})
    with pytest.raises(SweepError, match=r"'m_per_k'.* 2 and 2\.1"):
        share_along(made, "m_per_k", "fit.along")
