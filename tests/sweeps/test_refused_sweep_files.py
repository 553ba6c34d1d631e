"""Mistakes in sweep files: each is told in one line, before anything is expanded."""

import copy
import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweep_texts import SWEEP, refusal, written

from genprior.sweeps import (
    Grid,
    Sweep,
    SweepError,
    load_sweep,
)
from genprior.sweeps.parameters import PARAMETERS


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
