"""Points that rules exclude, and grids of arbitrary tables."""

import pytest
from grids import grid, points, refusal
from helpers import assert_names
from hypothesis import given, settings
from hypothesis import strategies as st

from genprior.sweeps import Grid, SweepError, load_sweep


def kept(rule: str, **tables) -> list[tuple[int, int]]:
    """The (k, m) that a rule leaves of k = 2, 3 and m = 5, 10."""
    made = grid(axes={"k": [2, 3], "m": [5, 10]}, exclude=[rule], **tables)
    return [(point.k, point.m) for point in points(made)]


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ("k > 2", [(2, 5), (2, 10)]),
        ("2 < k", [(2, 5), (2, 10)]),
        ("k >= 2 and m < 10", [(2, 10), (3, 10)]),
        ("k == 3 and m != 5", [(2, 5), (2, 10), (3, 5)]),
        ("k <= 2 and m <= 1e1", [(3, 5), (3, 10)]),
        ("m > k and k == 3", [(2, 5), (2, 10)]),
        ("m < n and k == 3", [(2, 5), (2, 10)]),
        ("m > n", [(2, 5), (2, 10), (3, 5), (3, 10)]),
        ("solver.audit < 0.11 and k > 2", [(2, 5), (2, 10)]),
        ("solver.negation == true and k > 2", [(2, 5), (2, 10)]),
        ("solver.negation == False and k > 2", [(2, 5), (2, 10), (3, 5), (3, 10)]),
        ("solver.start == 'gaussian' and k > 2", [(2, 5), (2, 10)]),
        ('widths == "20-30" and k > 2', [(2, 5), (2, 10)]),
        ("widths != '20-30'", [(2, 5), (2, 10), (3, 5), (3, 10)]),
        ("noise.sigma > -1e-3 and k > 2.5", [(2, 5), (2, 10)]),
    ],
)
def test_a_rule_excludes_the_points_where_all_its_comparisons_hold(rule, left):
    assert kept(rule) == left


def test_any_of_several_rules_excludes():
    made = grid(axes={"k": [2, 3], "m": [5, 10]}, exclude=["k == 2 and m == 5", "k == 3"])
    assert made.excluded.tolist() == [[True, False], [True, True]]


def test_a_rule_may_name_a_dependent_parameter():
    """The rule sees m = 2k = 4, 6."""
    made = grid(dependent={"m": {"of": "k", "times": 2}}, exclude=["m > 5"])
    assert made.excluded.tolist() == [False, True]


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ("kk > 2", ["'kk'"]),
        ("k > kk", ["'kk'"]),
        ("trial > 2", ["'trial'"]),
        ("noise.snr_db > 3", ["'noise.snr_db'"]),
        ("solver.start == mirror", ["'mirror'"]),
        ("k > nan", ["'nan'"]),
        ("k > 2 or m > 5", ["'k > 2 or m > 5'", "'and'"]),
        ("1 < k < 3", [repr("1 < k < 3")]),
        ("m > 2*k", [repr("m > 2*k")]),
        ("", [repr("")]),
        ("k > 2 and", [repr("k > 2 and")]),
        ("solver.start > 3", [repr("solver.start > 3")]),
        ("solver.start == 3", [repr("solver.start == 3")]),
        ("k == '2'", [repr("k == '2'")]),
        ("widths < '20-40'", [repr("widths < '20-40'")]),
        ("k > 0", ["exclude"]),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(rule, named):
    """A rule that is silently false would let the excluded points run."""
    assert_names(refusal(exclude=[rule]), "exclude", *named)


def test_a_network_that_does_not_fit_may_be_excluded():
    """A code with k = 25 is lost in a layer of width 20."""
    axes = {"k": [2, 25], "m": [5, 10]}
    assert refusal(axes=axes).startswith("k=25: k = 25 exceeds the width 20 of widths 20-30")
    assert refusal(axes=axes, exclude=["k > 20 and m > 5"]).startswith("k=25: k = 25 exceeds")
    assert len(points(grid(axes=axes, exclude=["k > 20"]))) == 2


def test_preset_grids_make_only_valid_points():
    for name in ("quickstart", "transition-kmd"):
        for point in points(Grid(load_sweep(name))):
            assert len(point.widths) == point.depth
            assert point.k <= min(point.widths)


NAMES = st.sampled_from(
    ["k", "m", "n", "widths", "depth", "ratio", "gain", "solver.start", "gaain"]
)
FACTORS = st.one_of(
    st.integers(-1, 9), st.floats(0, 9), NAMES, st.lists(st.integers(1, 9), max_size=3)
)
RULES = st.one_of(
    st.fixed_dictionaries({"of": NAMES, "times": FACTORS}),
    st.fixed_dictionaries(
        {"by": NAMES, "table": st.dictionaries(st.sampled_from("23"), FACTORS, min_size=1)},
        optional={"of": NAMES},
    ),
)
COMPARISONS = st.tuples(
    NAMES, st.sampled_from(["<", ">=", "==", "!="]), NAMES | st.sampled_from(["3", "'x'"])
).map(" ".join)


@given(
    st.dictionaries(
        st.sampled_from(["m", "widths", "n", "depth", "gain", "solver.step", "solver.start"]),
        RULES,
        min_size=1,
        max_size=3,
    ),
    st.lists(COMPARISONS, max_size=2),
)
@settings(derandomize=True, deadline=None, max_examples=300)
def test_a_grid_is_refused_in_one_line_or_all_its_points_are_valid(dependent, exclude):
    left, line = 1, ""
    try:
        made = grid(axes={"k": [2, 3], "ratio": [4, 5]}, dependent=dependent, exclude=exclude)
        left = len(points(made))
    except SweepError as error:
        line = str(error)
    assert line.isprintable()
    assert left > 0
