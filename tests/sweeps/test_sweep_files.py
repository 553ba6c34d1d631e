"""Presets, axes and `--set`: what a sweep file may say."""

import json
from decimal import Decimal

import pytest
from helpers import assert_names
from hypothesis import given, settings
from hypothesis import strategies as st
from sweep_texts import SWEEP, refusal, written

from genprior.sweeps import Grid, Sweep, differences, load_sweep, preset_names
from genprior.sweeps.values import expand_axis
from genprior.tasks import check_task, task_kind

# Presets


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads_and_says_what_it_is(name):
    sweep = load_sweep(name)
    grid = Grid(sweep)
    assert sweep.name == name
    assert sweep.title
    assert sweep.source
    assert sweep.expected
    assert not grid.excluded.all()
    reads = sweep.fit.along or sweep.law or sweep.compare or sweep.plot.x or sweep.basins
    assert reads or sweep.task in ("landscape", "trajectory")
    check_task(task_kind(sweep.task), grid)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_survives_being_written_down_and_read_again(name):
    """The store keeps a sweep as JSON; a worker reads it there and must run the same one."""
    sweep = load_sweep(name)
    again = Sweep.parse(sweep.as_dict())
    assert again == Sweep.parse(json.loads(sweep.as_json())) == sweep
    assert again.hash == sweep.hash
    assert differences(sweep, again) == []


def test_figure_one_has_the_published_grid():
    """Cocola, App. H: 30 runs, m = 300, widths 700–650 and 150–700–600; k > 100 only at depth 2."""
    sweep = load_sweep("cocola-fig1")
    grid = Grid(sweep)
    assert sweep.trials == 30
    assert (sweep.axes["depth"], sweep.axes["k"][0], sweep.axes["k"][-1]) == ([2, 3], 5, 200)
    assert grid.point((0, 0)).widths == (700, 650)
    assert grid.point((1, 0)).widths == (150, 700, 600)
    assert {sweep.axes["k"][j] > 100 for i, j in zip(*grid.excluded.nonzero(), strict=True)} == {
        True
    }
    assert not grid.excluded[0].any()


# Axes


def test_a_range_is_computed_in_decimal():
    """In binary 3 · 0.1 is 0.30000000000000004, a coordinate nobody can select."""
    assert expand_axis("noise.sigma", "0:0.4:0.1") == [0.0, 0.1, 0.2, 0.3, 0.4]
    table = {"start": 0, "stop": 0.4, "step": 0.1}
    assert expand_axis("noise.sigma", table) == [0.0, 0.1, 0.2, 0.3, 0.4]


@given(
    start=st.decimals(-1000, 1000, places=3),
    step=st.decimals("0.001", 10, places=3),
    steps=st.integers(0, 200),
    beyond=st.decimals(0, "0.999", places=3),
)
@settings(derandomize=True, deadline=None)
def test_a_range_holds_both_its_ends_and_equal_steps(start, step, steps, beyond):
    """They are start + i·step for i = 0 … n, with stop the last of them or less than a step on."""
    stop = start + steps * step + beyond * step
    values = expand_axis("gain", f"{start}:{stop}:{step}")
    assert len(values) == steps + 1
    assert values == sorted(values)
    assert values == [float(start + i * step) for i in range(steps + 1)]
    whole = start == start.to_integral_value() and step == step.to_integral_value()
    assert {type(value) for value in values} == {int if whole else float}
    assert Decimal(str(values[0])) == start


@pytest.mark.parametrize(
    "axis", ['"2:6:2"', "[2, 4, 6]", "[6, 2, 4]", "{ start = 2, stop = 7, step = 2 }", "'2: 6 :2'"]
)
def test_an_axis_is_the_same_however_it_is_written(load, axis):
    assert load(written(SWEEP, ("[2, 3]", axis))).axes["k"] == [2, 4, 6]


def test_numbers_come_ascending_and_text_in_the_order_written(load):
    axes = "solver.start = ['mirror', 'gaussian']\ngain = [2, 0.5, 1]"
    sweep = load(written(SWEEP, ("[axes]", f"[axes]\n{axes}")))
    assert sweep.axes["solver.start"] == ["mirror", "gaussian"]
    assert sweep.axes["gain"] == [0.5, 1.0, 2.0]


def test_nested_tables_and_dotted_keys_are_the_same(load):
    dotted = load(SWEEP + "solver.step = 0.5\nnoise.sigma = 0.1\n")
    nested = load(SWEEP + "noise = { sigma = 0.1 }\n[parameters.solver]\nstep = 0.5\n")
    quoted = load(SWEEP + '"solver.step" = 0.5\n"noise.sigma" = 0.1\n')
    assert dotted == nested == quoted
    assert dotted.parameters["solver.step"] == 0.5


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    path = tmp_path / "notepad.toml"
    path.write_text(SWEEP, encoding="utf-8-sig")
    assert load_sweep(str(path)).axes["k"] == [2, 3]


# --set


def test_set_leaves_an_axis_an_axis(load):
    """A store keeps its dimensions when one value of an axis is run again."""
    sweep = load(SWEEP, "k=3", "m=12")
    assert sweep.axes == {"k": [3]}
    assert sweep.parameters["m"] == 12


def test_set_makes_an_axis_of_several_values(load):
    sweep = load(SWEEP, "m=20,10", "noise.sigma=0:0.2:0.1", "solver.negation=true,false")
    assert sweep.axes == {
        "k": [2, 3],
        "m": [10, 20],
        "noise.sigma": [0.0, 0.1, 0.2],
        "solver.negation": [True, False],
    }
    assert "m" not in sweep.parameters


def test_set_replaces_a_dependent_parameter(load):
    text = written(SWEEP, ("m = 10\n", "")) + "[dependent.m]\nof = 'k'\ntimes = 3\n"
    assert Grid(load(text)).point((1,)).m == 9
    sweep = load(text, "m=7")
    assert sweep.dependent == {}
    assert Grid(sweep).point((1,)).m == 7


def test_set_drops_the_axis_that_nothing_is_left_to_multiply():
    """In the preset m = k · m_per_k; with m set, m_per_k would be an axis without a meaning."""
    sweep = load_sweep("transition-kmd").override(["m=20:40:10", "fit.along=m"])
    assert "m_per_k" not in sweep.axes
    assert sweep.axes["m"] == [20, 30, 40]


def test_set_keeps_a_multiplier_that_another_parameter_needs(load):
    """Both m and n are multiples of k; the list of multiples of the widths is not an axis."""
    text = """
    axes = { k = [2, 3], ratio = [5, 6] }
    parameters = { depth = 2 }
    [dependent]
    m = { of = "k", times = "ratio" }
    n = { of = "k", times = "ratio" }
    widths = { of = "k", times = [8] }
    """
    assert load(text, "m=7").axes == {"k": [2, 3], "ratio": [5, 6]}
    assert load(text, "widths=30", "n=40", "m=7").axes == {"k": [2, 3]}


def test_set_reaches_settings_that_are_no_parameters(load):
    sweep = load(SWEEP, "trials=5", "seed=8", "fit.along=k", "blocks.seconds=2.5")
    assert (sweep.trials, sweep.seed, sweep.fit.along, sweep.blocks.seconds) == (5, 8, "k", 2.5)


def test_later_settings_win(load):
    assert load(SWEEP, "m=5", "m=6", "k=2", "k=3,4").axes == {"k": [3, 4]}


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("kk=5", ["--set", "kk=5", "'kk'", "'k'"]),
        ("solver.stpe=1", ["'solver.stpe'", "'solver.step'"]),
        ("k", ["'k'", "KEY=VALUE", "k=5", "60", "5"]),
        ("=5", ["'=5'", "KEY=VALUE"]),
        ("", ["KEY=VALUE"]),
        ("k=", ["'k'"]),
        ("k=,", ["--set", "'k'"]),
        ("k=6:5:1", ["'k'"]),
        ("k=5:6", ["'k'", "'5:6'", "5", "60"]),
        ("k=2,2", ["'k'", "2"]),
        ("k=two", ["--set", "k=two", "'k'", "'two'"]),
        ("k=true", ["'k'", "True"]),
        ("k=nan", ["'k'", "nan"]),
        ("m=0:10:5", ["'m'", "1", "0"]),
        ("m=1e400", ["'m'", "inf"]),
        ("trials=5,6", ["'trials'"]),
        ("trials=1:3:1", ["'trials'"]),
        ("seed=-1", ["'seed'", "0", "-1"]),
        ("solver.negation=yes", ["'solver.negation'", "'yes'"]),
        ("fit.along=m", ["fit.along", "'m'"]),
        ("noise.sigma=inf", ["'noise.sigma'", "inf"]),
        ("noise.snr_db=-inf", ["'noise.snr_db'", "inf"]),
        ("noise.snr_db=-1e5", ["'noise.snr_db'", "-300"]),
        ("success.below=inf", ["'success.below'", "inf"]),
    ],
)
def test_a_bad_setting_is_told_in_one_line(load, setting, named):
    assert_names(refusal(load, SWEEP, setting), *named)
