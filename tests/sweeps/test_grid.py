"""From axes and dependent parameters to the points of a grid."""

from itertools import product

import pytest
from grids import grid, points, refusal, values
from helpers import assert_names, refused

from genprior.pipeline.analyses.trajectory import LONG_NAMES as TRAJECTORY_NAMES
from genprior.pipeline.analyses.transition import JSON_FIELDS
from genprior.store.layout import ERROR, SECONDS, STATUS, TRIAL
from genprior.sweeps import Grid, Sweep, SweepError
from genprior.sweeps.parameters import PARAMETERS
from genprior.sweeps.reserved import reserved_names
from genprior.sweeps.sharing import shared_draws
from genprior.tasks import EXPERIMENTS
from genprior.tasks.statistics.audits import LONG_NAMES as AUDIT_FIELDS
from genprior.tasks.statistics.basins import BASIN
from genprior.tasks.statistics.basins import LONG_NAMES as BASIN_NAMES
from genprior.tasks.statistics.comparisons import LONG_NAMES as COMPARISON_NAMES
from genprior.tasks.statistics.fits import LONG_NAMES
from genprior.tasks.statistics.law_fits import LONG_NAMES as LAW_NAMES

# Points


def test_a_grid_has_a_point_for_every_combination():
    made = grid(axes={"k": [2, 3], "m": [5, 6, 7], "solver.step": [0.5, 0.7]})
    assert (made.dims, made.shape, made.size) == (("k", "m", "solver.step"), (2, 3, 2), 12)
    found = [(p.k, p.m, p.solver.step) for p in points(made)]
    assert found == list(product([2, 3], [5, 6, 7], [0.5, 0.7]))
    assert made.place((1, 0, 1)) == "k=3, m=5, solver.step=0.7"


def test_a_sweep_without_axes_is_a_single_point():
    made = grid(axes={}, parameters={"k": 4})
    assert (made.shape, made.size) == ((), 1)
    assert made.point(()).k == 4


def test_points_keep_pythons_own_numbers():
    """NumPy's would be written otherwise in the hash that decides the draws."""
    point = points(grid(axes={"k": [2], "gain": [1, 2], "solver.negation": [True]}))[0]
    assert [type(v) for v in (point.k, point.gain, point.solver.negation)] == [int, float, bool]


def test_widths_may_be_written_as_a_list_as_text_or_as_one_number():
    assert values(grid(parameters={"widths": "20-30"}), "widths") == [(20, 30)] * 2
    assert values(grid(parameters={"depth": 1, "widths": 20}), "widths") == [(20,)] * 2
    labelled = grid(axes={"k": [2], "widths": [[20, 30], "40-50"]})
    assert values(labelled, "n") == [30, 50]
    assert labelled.sweep.axes["widths"] == ["20-30", "40-50"]


def test_n_completes_hidden_widths():
    """With n as an axis the hidden widths stay, and n is the last of d widths."""
    made = grid(axes={"k": [2], "n": [30, 40]}, parameters={"widths": [20]})
    assert values(made, "widths") == [(20, 30), (20, 40)]
    assert values(grid(parameters={"n": 30}), "widths") == [(20, 30)] * 2
    assert "the last width is n; give only one of them" in refusal(parameters={"n": 31})


# Dependent parameters


def test_a_table_gives_the_widths_of_each_depth():
    table = {"2": [20, 30], "3": [20, 30, 40]}
    made = grid(
        axes={"depth": [2, 3], "k": [2]}, dependent={"widths": {"by": "depth", "table": table}}
    )
    assert values(made, "widths") == [(20, 30), (20, 30, 40)]
    assert values(made, "n") == [30, 40]
    assert made.column("widths").dims == ("depth",)


@pytest.mark.parametrize(
    ("by", "axis", "keys"),
    [
        ("gain", [0.5, 1, 2], ["0.50", "1", "2.0"]),
        ("noise.sigma", [0.1, 0.2], ["0.1", "0.2"]),
        ("solver.negation", [True, False], ["true", "false"]),
        ("solver.start", ["gaussian", "mirror"], ["gaussian", "mirror"]),
        ("widths", ["20-30", "40-50"], ["20-30", "40-50"]),
    ],
)
def test_a_tables_keys_are_read_as_the_values_they_look_like(by, axis, keys):
    """TOML makes every key text, also 0.10 and true."""
    table = {key: 5 + i for i, key in enumerate(keys)}
    made = grid(axes={"k": [2], by: axis}, dependent={"m": {"by": by, "table": table}})
    assert values(made, "m") == list(range(5, 5 + len(keys)))


def test_a_number_of_times_is_rounded_to_the_nearest_integer_halves_up():
    """1.5 · 3, 5, 6 = 4.5, 7.5, 9 become 5, 8, 9; Python's round would give 4, 8, 9."""
    made = grid(axes={"k": [3, 5, 6]}, dependent={"m": {"of": "k", "times": 1.5}})
    assert values(made, "m") == [5, 8, 9]


def test_a_budget_of_steps_is_a_whole_number_too():
    """0.5 · 3 = 1.5 becomes 2; the type says so, not a list of names."""
    made = grid(axes={"k": [2, 3]}, dependent={"solver.stall_after": {"of": "k", "times": 0.5}})
    assert [point.solver.stall_after for point in points(made)] == [1, 2]


def test_what_is_no_count_is_not_rounded():
    made = grid(dependent={"noise.sigma": {"of": "k", "times": 0.25}})
    assert [point.noise.sigma for point in points(made)] == [0.5, 0.75]


def test_an_axis_of_its_own_may_multiply():
    """Here m = k · m_per_k over both axes; m_per_k itself is no parameter of a point."""
    made = grid(
        axes={"m_per_k": [2, 2.5], "k": [2, 3]}, dependent={"m": {"of": "k", "times": "m_per_k"}}
    )
    assert values(made, "m") == [4, 6, 5, 8]
    assert made.column("m").dims == ("m_per_k", "k")
    assert not hasattr(made.point((0, 0)), "m_per_k")


def test_an_axis_that_is_no_parameter_may_choose_and_multiply():
    """One axis for a smaller step and more steps of it; its values share their draws."""
    made = grid(
        axes={"k": [2, 3], "relative_step": [1.0, 0.5], "m": [7, 8]},
        dependent={
            "solver.step": {"by": "k", "table": {"2": 0.7, "3": 1.4}, "of": "relative_step"},
            "solver.max_steps": {"by": "relative_step", "table": {"1": 200, "0.5": 800}},
        },
    )
    chosen = [(p.solver.step, p.solver.max_steps) for p in points(made) if p.m == 7]
    assert chosen == [(0.35, 800), (0.7, 200), (0.7, 800), (1.4, 200)]
    assert shared_draws(made, ["relative_step"]) == (("relative_step",), None)
    assert "axes: unknown key 'relative_step'." in refusal(axes={"relative_step": [1.0, 0.5]})


def test_a_list_of_multiples_makes_all_the_widths():
    made = grid(dependent={"widths": {"of": "k", "times": [4, 8.5]}})
    assert values(made, "widths") == [(8, 17), (12, 26)]


def test_one_multiple_makes_the_width_of_a_single_layer():
    made = grid(parameters={"depth": 1}, dependent={"widths": {"of": "k", "times": 4}})
    assert values(made, "widths") == [(8,), (12,)]


def test_a_table_of_multiples_depends_on_two_parameters():
    rule = {"by": "depth", "of": "k", "table": {"2": [4, 8], "3": [4, 8, 16]}}
    made = grid(axes={"k": [2, 3], "depth": [2, 3]}, dependent={"widths": rule})
    assert values(made, "widths") == [(8, 16), (8, 16, 32), (12, 24), (12, 24, 48)]


def test_n_may_be_a_multiple_with_the_hidden_widths_given():
    made = grid(parameters={"widths": [20]}, dependent={"n": {"of": "k", "times": 10}})
    assert values(made, "widths") == [(20, 20), (20, 30)]


def test_dependences_chain():
    """Here n is ten k, m is half of n, and the noise a hundredth of m."""
    made = grid(
        parameters={"widths": [20]},
        dependent={
            "noise.sigma": {"of": "m", "times": 0.01},
            "m": {"of": "n", "times": 0.5},
            "n": {"of": "k", "times": 10},
        },
    )
    assert [(p.n, p.m, p.noise.sigma) for p in points(made)] == [(20, 10, 0.1), (30, 15, 0.15)]


def test_the_last_width_and_defaults_may_be_multiplied():
    """The last width is n, and the gain is 1 where nothing is said of it."""
    made = grid(
        dependent={"m": {"of": "n", "times": 0.5}, "solver.step": {"of": "gain", "times": 0.7}}
    )
    assert values(made, "m") == [15, 15]
    assert made.point((0,)).solver.step == 0.7


@pytest.mark.parametrize(
    ("dependent", "named"),
    [
        ({"m": {"of": "m", "times": 2}}, ["m → m"]),
        (
            {
                "m": {"of": "solver.max_steps", "times": 2},
                "solver.max_steps": {"of": "m", "times": 2},
            },
            ["→", "solver.max_steps"],
        ),
        ({"widths": {"of": "n", "times": [2]}}, ["widths → n → widths"]),
        ({"m": {"of": "kk", "times": 2}}, ["'kk'"]),
        ({"m": {"of": "k", "times": "kk"}}, ["dependent.m.times", "'kk'", "'k'"]),
        ({"m": {"of": "k", "times": 0.1}}, ["dependent.m", "k=2", "'m'"]),
        ({"m": {"of": "k", "times": [1, 2]}}, ["'m'", "[2, 4]"]),
        (
            {"m": {"of": "k", "times": float("nan")}},
            ["'dependent.m.times'"],
        ),
        ({"m": {"of": "k", "times": True}}, ["'dependent.m.times'"]),
        ({"m": {"of": "k", "times": "widths"}}, ["dependent.m", "'20-30'", "2"]),
        ({"m": {"of": "widths", "times": 2}}, ["dependent.m", "2.0", "'20-30'"]),
        (
            {"m": {"of": "noise.snr_db", "times": 2}},
            ["'noise.snr_db'"],
        ),
        ({"m": {"of": "k"}}, ["'dependent.m'", "'times'", "'of'", "'by'", "'table'"]),
        ({"m": {"times": 2}}, ["'dependent.m'", "'times'", "'of'"]),
        ({"m": {"by": "k"}}, ["'dependent.m'", "'times'", "'of'", "'by'", "'table'"]),
        ({"m": {"of": "k", "time": 2}}, ["'dependent.m.time'", "'times'"]),
        ({"m": {"by": "k", "table": {"2": 5}}}, ["k = 3", "2"]),
        ({"m": {"by": "k", "table": {}}}, ["k = 2"]),
        ({"m": {"by": "k", "table": {"2": 5, "3": "x"}}}, ["k=3", "'m'", "'x'"]),
        ({"m": {"by": "k", "of": "k", "table": {"2": "x"}}}, ["'x'", "2"]),
        ({"m": {"by": "k", "of": "k", "table": {"2": float("inf")}}}, ["inf", "2"]),
        ({"m": {"by": "k", "of": "k", "table": {"2": 10**400}}}, ["dependent.m", "10"]),
        ({"m": {"by": "gain", "table": {"0": {"1": 5}}}}, ["dependent.m"]),
        ({"m": 3}, ["'dependent.m'", "3"]),
        ({"mm": {"of": "k", "times": 2}}, ["'mm'", "'m'"]),
    ],
)
def test_a_dependence_that_fails_is_told_in_one_line(dependent, named):
    assert_names(refusal(dependent=dependent), *named)


def test_n_cannot_be_used_where_nothing_tells_it():
    with refused(SweepError, "dependent.m", "'n'"):
        Grid(
            Sweep.parse(
                {
                    "parameters": {"k": 2, "depth": 2},
                    "dependent": {"m": {"of": "n", "times": 0.5}},
                }
            )
        )


@pytest.mark.parametrize(
    "name", [*sorted(reserved_names()), "solver", "a/b", "a.b", "", "2k", "a b"]
)
def test_an_axis_of_ones_own_may_not_take_a_name_of_the_store(name):
    said = refusal(axes={"k": [2], name: [2, 3]}, dependent={"m": {"of": "k", "times": name}})
    assert f"axes: '{name}' cannot name an axis" in said


def test_the_reserved_names_are_those_of_every_stored_variable():
    """A variable that a task kind gains must be added there, or an axis could shadow it."""
    stored = {variable.name for kind in EXPERIMENTS.known() for variable in kind.variables}
    stored |= {TRIAL, STATUS.name, ERROR.name, SECONDS.name}
    stored |= {*LONG_NAMES, *AUDIT_FIELDS, *JSON_FIELDS, "along", "method", "analysis"}
    stored |= {*LAW_NAMES, "law_axis", "local", "local_axis", "local_from", "local_to"}
    stored |= {*COMPARISON_NAMES, *BASIN_NAMES, BASIN, *TRAJECTORY_NAMES, "end", "ends"}
    assert reserved_names() >= stored
    assert not reserved_names() & set(PARAMETERS)


def test_an_axis_that_multiplies_nothing_is_a_misspelt_one():
    assert "axes: unknown key 'm_per_k'." in refusal(axes={"k": [2], "m_per_k": [2, 3]})


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "two", True])
def test_a_multiplier_is_a_positive_number(value):
    said = refusal(
        axes={"k": [2], "times": [value]}, dependent={"m": {"of": "k", "times": "times"}}
    )
    assert "'times': a multiplier must be a positive number" in said
