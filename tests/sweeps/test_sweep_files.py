import copy
import json
import tracemalloc
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genprior.sweeps import (
    Grid,
    Sweep,
    SweepError,
    differences,
    load_sweep,
    preset_names,
    union,
)
from genprior.sweeps.parameters import PARAMETERS
from genprior.sweeps.values import expand_axis
from genprior.tasks import check_task, task_kind

SWEEP = """
trials = 2
[axes]
k = [2, 3]
[parameters]
m = 10
depth = 2
widths = [20, 30]
"""


def written(text: str = SWEEP, *replacements: tuple[str, str]) -> str:
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.fixture
def load(tmp_path: Path):
    """Load a sweep from the text of its file and lay out its grid, as `genprior plan` would."""

    def load(text: str, *settings: str) -> Sweep:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        sweep = load_sweep(str(path)).override(settings)
        Grid(sweep)
        return sweep

    return load


def refusal(load, text: str, *settings: str) -> str:
    """The one line that a user sees."""
    with pytest.raises(SweepError) as caught:
        load(text, *settings)
    line = str(caught.value)
    assert line.isprintable()
    assert caught.value.exit_status == 2
    return line


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
    assert reads or sweep.task == "landscape"
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
    """Both m and n are multiples of k; the list of multiples of the widths is no axis."""
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
    ("setting", "said"),
    [
        ("kk=5", "--set kk=5: there is no parameter or setting 'kk'. Did you mean 'k'?"),
        ("solver.stpe=1", "no parameter or setting 'solver.stpe'. Did you mean 'solver.step'?"),
        ("k", "'k' is no setting; write KEY=VALUE, as in k=5:60:5."),
        ("=5", "'=5' is no setting; write KEY=VALUE"),
        ("", "'' is no setting; write KEY=VALUE"),
        ("k=", "'k' is empty; give it at least one value."),
        ("k=,", "--set k=,: axis 'k' is empty; give it at least one value."),
        ("k=6:5:1", "axis 'k' is empty"),
        ("k=5:6", "axis 'k': '5:6' is no range; write start:stop:step, as in 5:60:5."),
        ("k=2,2", "axis 'k' lists 2 twice"),
        ("k=two", "--set k=two: 'k': must be a number, got 'two'"),
        ("k=true", "'k': must be a number, got True"),
        ("k=nan", "'k': Input should be a finite number, got nan"),
        ("m=0:10:5", "'m': Input should be greater than or equal to 1, got 0"),
        ("m=1e400", "'m': Input should be a finite number, got inf"),
        ("trials=5,6", "'trials' takes one value, not several."),
        ("trials=1:3:1", "'trials' takes one value, not several."),
        ("seed=-1", "'seed': Input should be greater than or equal to 0, got -1"),
        ("solver.negation=yes", "'solver.negation': must be true or false, got 'yes'"),
        ("fit.along=m", "fit.along: 'm' is no axis. Known: k."),
        ("noise.sigma=inf", "'noise.sigma': Input should be a finite number, got inf"),
        ("noise.snr_db=-inf", "'noise.snr_db': Input should be a finite number, got -inf"),
        ("noise.snr_db=-1e5", "'noise.snr_db': Input should be greater than or equal to -300"),
        ("success.below=inf", "'success.below': Input should be a finite number, got inf"),
    ],
)
def test_a_bad_setting_is_told_in_one_line(load, setting, said):
    assert said in refusal(load, SWEEP, setting)


# Mistakes in a file


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("trials", "trails", "mine.toml: unknown key 'trails'. Did you mean 'trials'?"),
        ("[axes]", "[axis]", "unknown key 'axis'. Did you mean 'axes'?"),
        ("k = [2", "kk = [2", "axes: unknown key 'kk'. Did you mean 'k'?"),
        ("[axes]", "blocks.second = 1\n[axes]", "'blocks.second'. Did you mean 'seconds'?"),
        ("[axes]", "fit.alogn = 'k'\n[axes]", "'fit.alogn'. Did you mean 'along'?"),
        ("m = 10", "solver.stpe = 1", "unknown key 'solver.stpe'. Did you mean 'solver.step'?"),
        ("m = 10", "foo = {}", "parameters: unknown key 'foo'."),
        ("m = 10", "m = 10\nk = 3", "'k' is given twice"),
        ("m = 10", "m = 3\nnoise = {sigma = 1}\n'noise.sigma' = 2", "'noise.sigma' is given twice"),
        ("m = 10", "m = 0", "'m': Input should be greater than or equal to 1, got 0"),
        ("m = 10", "m = 10.5", "'m': Input should be a valid integer, got a number with a frac"),
        ("m = 10", "m = 'ten'", "'m': must be a number, got 'ten'"),
        ("m = 10", "m = '10'", "'m': must be a number, got '10'"),
        ("m = 10", "m = true", "'m': must be a number, got True"),
        ("m = 10", "m = nan", "'m': Input should be a finite number, got nan"),
        ("m = 10", "m = [1, 2]", "'m': Input should be a valid integer, got [1, 2]"),
        ("m = 10", "m = 99999999999", "'m': Input should be less than or equal to 10000000"),
        ("m = 10", "m = 3\nnoise.sigma = inf", "'noise.sigma': Input should be a finite number"),
        ("m = 10", "m = 3\nnoise.sigma = -1", "'noise.sigma': Input should be greater than or"),
        (
            "m = 10",
            "m = 3\nsolver.engine = 'plane'",
            "Input should be 'fast' or 'plain', got 'plane'",
        ),
        ("m = 10", "m = 3\nsolver.negation = 1", "'solver.negation': must be true or false, got 1"),
        ("[2, 3]", "[]", "axis 'k' is empty; give it at least one value."),
        ("[2, 3]", "[2, 3, 2]", "axis 'k' lists 2 twice."),
        ("[2, 3]", "[2, 2.0]", "axis 'k' lists 2 twice."),
        ("[2, 3]", "[2, true]", "'k': must be a number, got True"),
        ("[2, 3]", "[2, [3]]", "'k': Input should be a valid integer, got [3]"),
        ("[2, 3]", "'2:3'", "axis 'k': '2:3' is no range"),
        ("[2, 3]", "'2:3:0'", "axis 'k': the step of a range must be positive, got 0."),
        ("[2, 3]", "'2:nan:1'", "axis 'k': the numbers of a range must be finite."),
        ("[2, 3]", "'2:1e30:1'", "axis 'k': the numbers of a range must lie within"),
        ("[2, 3]", "'2:3:1e-999999'", "axis 'k': the numbers of a range must lie within"),
        ("[2, 3]", "{start = 1, stop = 3}", "a range has the keys start, stop and step, got"),
        ("[2, 3]", "[21]", "k = 21 exceeds the width 20 of widths 20-30"),
        ("[20, 30]", "[20]", "depth is 2 but widths 20 list 1 layers"),
        ("[20, 30]", "[20, true]", "'widths': widths must be whole numbers, got [20, True]"),
        ("[20, 30]", "'20-²'", "'widths': Input should be a valid integer"),
        ("[20, 30]", "20.5", "'widths': Input should be a valid list, got 20.5"),
        ("widths = [20, 30]", "", "depth is 2 but widths (none) list 0 layers"),
        ("trials = 2", "trials = 0", "'trials': Input should be greater than or equal to 1, got 0"),
        ("trials = 2", "trials = true", "'trials': must be a number, got True"),
        ("trials = 2", "trials = '2'", "'trials': must be a number, got '2'"),
        ("trials = 2", "seed = -1", "'seed': Input should be greater than or equal to 0, got -1"),
        ("trials = 2", "fit = 'k'", "'fit': Input should be a valid table, got 'k'"),
        ("trials = 2", "exclude = 'k > 2'", "'exclude': Input should be a valid list, got 'k > 2'"),
        ("trials = 2", "fit.along = 'depth'", "fit.along: 'depth' is no axis. Known: k."),
        ("trials = 2", "plot.x = 'kk'", "plot.x: 'kk' is no axis. Did you mean 'k'?"),
        ("trials = 2", "paired = ['m']", "paired: 'm' is no axis. Known: k."),
        ("trials = 2", "trials = ", "mine.toml: Invalid value (at line 2"),
        ("trials = 2", "trials = 2\ntrials = 3", "mine.toml: Cannot overwrite a value (at line 3"),
        ("trials = 2", "'a\\nb\\u001b' = 2".replace("'", '"'), "unknown key 'a b\\x1b'."),
        ("trials = 2", f"trials = {'9' * 5000}", "mine.toml: Exceeds the limit"),
        ("trials = 2", f"trials = {'[' * 9999}", "mine.toml: its tables or lists are nested too"),
        ("m = 10", f"{'.'.join('a' * 3000)} = 1", "mine.toml: its tables or lists are nested too"),
    ],
)
def test_a_mistake_in_a_file_is_told_in_one_line(load, old, new, said):
    assert said in refusal(load, written(SWEEP, (old, new)))


@pytest.mark.parametrize("laws", ["snr_db = 30\nnoise.sigma = 0.1", "snr_db = 0\nnoise.sigma = 1"])
def test_two_laws_of_noise_are_refused(load, laws):
    said = "'noise.sigma' and 'noise.snr_db' are both given; give one."
    assert said in refusal(load, f"{SWEEP}noise.{laws}\n")
    swept = written(SWEEP, ("[axes]", "[axes]\nnoise.sigma = [0, 0.1]")) + "noise.snr_db = 20\n"
    assert said in refusal(load, swept)
    assert load(f"{SWEEP}noise.snr_db = 30\nnoise.sigma = 0\n")


def test_draws_shared_along_the_fitted_axis_are_refused(load):
    """Thirty seeds used again at every position: 95 % intervals cover .73 or less (STATISTICS)."""
    fitted = written(SWEEP, ("trials = 2", "trials = 2\nfit.along = 'k'"))
    assert "all along 'k'" in refusal(load, written(fitted, ("trials", "paired = ['k']\ntrials")))
    assert load(written(SWEEP, ("trials", "paired = ['k']\ntrials"))).paired == ("k",)


def test_pairing_depths_shares_the_draws_along_every_width(load):
    """Widths hold the depth and n, so an identity without the one is without the others."""
    text = """
    paired = ["depth"]
    fit.along = "n"
    [axes]
    depth = [2, 3]
    n = [30, 40]
    [parameters]
    k = 2
    m = 10
    [dependent.widths]
    by = "depth"
    table = { 2 = [20], 3 = [20, 20] }
    """
    assert "the same draws are used all along 'n'" in refusal(load, text)
    assert load(
        text.replace('"n"', '"k"').replace("k = 2\n", "").replace("[axes]", "[axes]\nk=[2]")
    )


def test_a_fit_along_an_axis_that_changes_no_draw_is_refused(load):
    """All step sizes meet the same problems: shared draws, though nothing was declared paired."""
    swept = written(SWEEP, ("[axes]", "[axes]\nsolver.step = [0.5, 0.7]"))
    said = refusal(load, written(swept, ("trials = 2", "fit.along = 'solver.step'")))
    assert "the same draws are used all along 'solver.step'" in said


@pytest.mark.parametrize("axis", ["solver.start = ['gaussian', 'mirror']", "widths = ['20-30']"])
def test_a_fit_needs_an_axis_of_numbers(load, axis):
    name = axis.split(" ")[0]
    text = written(SWEEP, ("widths = [20, 30]\n", "")) + "n = 30\n"
    text = text.replace("[axes]", f"fit.along = '{name}'\n[axes]\n{axis}")
    assert f"fit.along: '{name}' is not numeric" in refusal(load, text)


@pytest.mark.parametrize(
    ("k", "m", "sigma", "trials", "said"),
    [
        ("1:1e12:1", "1", "0", 1, "axis 'k' has 1,000,000,000,000 values, at most 100,000."),
        (
            "1:100000:1",
            "1:100000:1",
            "0:99:1",
            2,
            "the grid has 1,000,000,000,000 points × 2 trials (k 100,000 × m 100,000 × "
            "noise.sigma 100); at most 10,000,000 points",
        ),
        ("1:100000:1", "1:101:1", "0", 1, "the grid has 10,100,000 points × 1 trials (k 100,000"),
        ("1:100:1", "1:99:1", "0", 100_000_000, "the grid has 9,900 points × 100,000,000 trials"),
    ],
)
def test_a_grid_of_a_million_million_points_is_refused_before_any_of_it_is_made(
    load, k, m, sigma, trials, said
):
    """An axis of 10⁵ values alone would take 2.4 MB as floats, and 0.8 MB as pointers to them."""
    size = [f"k={k}", f"m={m}", f"noise.sigma={sigma}", f"trials={trials}"]
    sweep = load(SWEEP)
    tracemalloc.start()
    try:
        with pytest.raises(SweepError) as caught:
            sweep.override(size)
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()
    assert said in str(caught.value)


def test_an_unknown_name_is_told_with_the_nearest_known_one():
    with pytest.raises(SweepError, match=r"^No sweep named 'quickstrat'\. Did you mean 'quickst"):
        load_sweep("quickstrat")
    with pytest.raises(SweepError, match=r"^No sweep named 'zz'\. 'genprior sweeps' lists"):
        load_sweep("zz")


@pytest.mark.parametrize("name", ["missing.toml", "no/where", "a\0b.toml", "cocola-fig1.toml"])
def test_a_missing_file_is_told_as_one(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SweepError, match=r"there is no such file\.$"):
        load_sweep(name)


def test_what_is_no_text_file_is_told_by_its_path(tmp_path):
    (tmp_path / "utf16.toml").write_bytes("trials = 2".encode("utf-16"))
    with pytest.raises(SweepError, match=r"utf16\.toml: not a text file in UTF-8\.$"):
        load_sweep(str(tmp_path / "utf16.toml"))
    with pytest.raises(SweepError, match=r"is a folder, not a sweep file\.$"):
        load_sweep(str(tmp_path))
    with pytest.raises(SweepError, match=r"File name too long\.$"):
        load_sweep("x" * 300)


TEXTS = ["1:5:1", "0:1:0.5", "2:1:1", "a:b:c", "20-", "k", "m", "times", "widths", "", "\x1b\n"]
NUMBERS = [10**400, -1, 0, 1, 2, 0.5, 1e308, float("nan"), float("inf"), True, False]
ANYTHING = st.recursive(
    st.sampled_from(TEXTS)
    | st.sampled_from(NUMBERS)
    | st.integers()
    | st.floats()
    | st.dates()
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["start", "stop", "step", "of", "times", "by", "table", "2", "sigma"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)
KEYS = st.one_of(
    st.tuples(st.sampled_from(list(Sweep.model_fields))),
    st.tuples(
        st.sampled_from(["axes", "parameters", "dependent"]),
        st.sampled_from([*PARAMETERS, "ratio", "noise", "trial"]),
    ),
    st.tuples(
        st.just("dependent"), st.just("m"), st.sampled_from(["of", "times", "by", "table", "x"])
    ),
)


@given(st.lists(st.tuples(KEYS, ANYTHING), min_size=1, max_size=3))
@settings(derandomize=True, deadline=None, max_examples=400)
def test_no_value_at_any_key_raises_anything_but_one_line(changes):
    """Whatever TOML can hold, a sweep is valid, with all its points, or refused by SweepError."""
    written = {
        "axes": {"k": [2, 3], "ratio": [4, 5]},
        "parameters": {"depth": 2, "widths": [20, 30]},
        "dependent": {"m": {"of": "k", "times": "ratio"}},
    }
    for path, value in changes:
        table = written
        for key in path[:-1]:
            table[key] = table = table.get(key) if isinstance(table.get(key), dict) else {}
        table[path[-1]] = value
    line = ""
    try:
        sweep = Sweep.parse(copy.deepcopy(written))
        Grid(sweep).point((0,) * len(sweep.axes))
        assert Sweep.parse(json.loads(sweep.as_json())) == sweep
    except SweepError as error:
        line = str(error)
    assert line.isprintable()
    assert len(line) < 700


# One experiment or two


def change(sweep: Sweep, **tables) -> Sweep:
    return Sweep.parse({**sweep.as_dict(), **tables})


def test_a_larger_grid_and_more_trials_are_the_same_experiment():
    """Neither is the way the results are read or cut into blocks."""
    stored = load_sweep("cocola-fig1")
    asked = stored.override(["k=5,7,300", "depth=2", "trials=50", "blocks.trials=3"])
    assert differences(stored, asked) == []
    assert differences(asked, stored) == []
    assert asked.hash == stored.hash
    assert change(stored, title="x", fit={}, name="other").hash == stored.hash


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("solver.step=0.5", "'solver.step' is 0.7 there and 0.5 here"),
        ("m=250", "'m' is 300 there and 250 here"),
        ("seed=1", "'seed' is 2204 there and 1 here"),
        ("noise.snr_db=20", "'noise.snr_db' is default there and 20 here"),
        ("success.below=0.01", "'success.below' is 0.001 there and 0.01 here"),
        ("gain=1,2", "'gain' is no axis there and one here"),
    ],
)
def test_another_experiment_is_told_with_both_values(setting, said):
    stored = load_sweep("cocola-fig1")
    asked = stored.override([setting])
    assert differences(stored, asked) == [said]
    assert asked.hash != stored.hash


def test_a_parameter_at_its_default_need_not_be_written():
    stored = load_sweep("cocola-fig1")
    written = stored.as_dict()
    del written["parameters"]["solver.max_steps"]
    assert differences(stored, Sweep.parse(written)) == []


def test_a_lost_axis_a_rule_and_a_replaced_dependence_are_each_named_once():
    stored = load_sweep("transition-kmd")
    asked = stored.override(["solver.step=0.7"])
    found = differences(stored, asked)
    assert len(found) == 1
    assert found[0].startswith("'solver.step' is {'by': 'depth'} there and 0.7 here")
    fewer = stored.override(["m=30", "fit.along=k"])
    assert "'m_per_k' is an axis there and none here" in differences(stored, fewer)
    ruled = change(stored, exclude=["k > 10"])
    assert differences(stored, ruled) == ["'exclude' is [] there and ['k > 10'] here"]


def test_a_table_may_gain_entries_but_not_change_one():
    """A fourth depth extends the grid; other widths at depth 2 make other networks."""
    stored = load_sweep("cocola-fig1")
    table = stored.as_dict()["dependent"]["widths"]["table"]
    rule = {"by": "depth", "table": {**table, "4": [99, 99, 99, 99]}}
    assert differences(stored, change(stored, dependent={"widths": rule})) == []
    rule = {"by": "depth", "table": {**table, "2": [700, 600]}}
    assert differences(stored, change(stored, dependent={"widths": rule})) == [
        "'widths[depth=2]' is 700-650 there and 700-600 here"
    ]


def test_the_union_holds_both_grids_sorted_and_changes_nothing_the_second_time():
    stored = load_sweep("cocola-fig1")
    table = {**stored.as_dict()["dependent"]["widths"]["table"], "4": [500, 500, 500, 500]}
    asked = stored.override(["k=7,300", "trials=50"])
    asked = change(
        asked,
        axes={**asked.axes, "depth": [4]},
        dependent={"widths": {"by": "depth", "table": table}},
    )
    both = union(stored, asked)
    assert both.axes["k"] == sorted({*stored.axes["k"], 7, 300})
    assert both.axes["depth"] == [2, 3, 4]
    assert (both.trials, both.hash) == (50, stored.hash)
    assert union(both, asked) == union(both, stored) == both
    assert union(stored, stored) == stored
    assert Grid(both).shape == (3, len(both.axes["k"]))


def test_a_hash_tells_experiments_apart_and_not_their_spelling():
    """M = 6k and m = 8k are two experiments; a default written out, or a rule's spaces, none."""
    base = load_sweep("quickstart").as_dict()
    del base["axes"]["m"]
    base["fit"] = {}
    hashes = {
        Sweep.parse({**base, "dependent": {"m": {"of": "k", "times": times}}}).hash
        for times in (6, 8)
    }
    assert len(hashes) == 2
    sweep = load_sweep("quickstart")
    assert sweep.hash == sweep.override(["gain=1.0"]).hash == sweep.complete().hash
    rules = [["k>4 and m <20", "m > 45"], ["m > 45", "m < 20  and k > 4"]]
    assert len({change(sweep, exclude=rule).hash for rule in rules}) == 1
    assert differences(*(change(sweep, exclude=rule) for rule in rules)) == []


def test_a_tables_key_is_a_number_however_it_is_written():
    """Stored under 0.1 and asked under 0.10: the same entry, so 3 against 5 is a difference."""
    written = load_sweep("quickstart").as_dict()
    written["axes"] = {"k": [2], "noise.sigma": [0.1]}
    written["fit"] = {}
    old, new = (
        Sweep.parse({**written, "dependent": {"m": {"by": "noise.sigma", "table": {key: value}}}})
        for key, value in (("0.1", 3), ("0.10", 5))
    )
    assert differences(old, new) == ["'m[noise.sigma=0.1]' is 3 there and 5 here"]


def test_a_message_has_tomls_words_but_for_what_the_user_wrote():
    """Python's tuple is a list there; the user's own 'tuple' stays."""
    with pytest.raises(SweepError, match="'fit': Input should be a valid table, got 3"):
        Sweep.parse({"fit": 3})
    with pytest.raises(SweepError, match="'paired': Input should be a valid list, got 3"):
        Sweep.parse({"paired": 3})
    with pytest.raises(SweepError, match="'trials': must be a number, got 'tuple'"):
        Sweep.parse({"trials": "tuple"})


def test_an_unknown_experiment_is_told_before_what_its_sweep_lacks():
    """What a sweep lacks depends on its experiment."""
    written = {"axes": {"k": [2]}, "parameters": {"n": 9}}
    with pytest.raises(SweepError, match="experiment: there is none named 'recovry'"):
        Sweep.parse({**written, "experiment": "recovry"})
    with pytest.raises(SweepError, match="'depth' is not given"):
        Sweep.parse(written)
