"""Mistakes in sweep files: each is told in one line, before anything is expanded."""

import copy
import errno
import json
import os

import pytest
from helpers import assert_names, refused
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_use import peak_memory
from sweep_texts import SWEEP, refusal, written

from genprior.sweeps import Grid, Sweep, SweepError, load_sweep
from genprior.sweeps.parameters import PARAMETERS
from genprior.sweeps.sharing import check_compared, check_reading, share_along


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("trials", "trails", ["mine.toml", "'trails'", "'trials'"]),
        ("[axes]", "[axis]", ["'axis'", "'axes'"]),
        ("k = [2", "kk = [2", ["'kk'", "'k'"]),
        ("[axes]", "blocks.second = 1\n[axes]", ["'blocks.second'", "'seconds'"]),
        ("[axes]", "fit.alogn = 'k'\n[axes]", ["'fit.alogn'", "'along'"]),
        ("m = 10", "solver.stpe = 1", ["'solver.stpe'", "'solver.step'"]),
        ("m = 10", "foo = {}", ["'foo'"]),
        ("m = 10", "m = 10\nk = 3", ["'k'"]),
        ("m = 10", "m = 3\nnoise = {sigma = 1}\n'noise.sigma' = 2", ["'noise.sigma'"]),
        ("m = 10", "m = 0", ["'m'", "1", "0"]),
        ("m = 10", "m = 10.5", ["'m'"]),
        ("m = 10", "m = 'ten'", ["'m'", "'ten'"]),
        ("m = 10", "m = '10'", ["'m'", "'10'"]),
        ("m = 10", "m = true", ["'m'", "True"]),
        ("m = 10", "m = nan", ["'m'", "nan"]),
        ("m = 10", "m = [1, 2]", ["'m'", "[1, 2]"]),
        ("m = 10", "m = 99999999999", ["'m'", "10000000"]),
        ("m = 10", "m = 3\nnoise.sigma = inf", ["'noise.sigma'"]),
        ("m = 10", "m = 3\nnoise.sigma = -1", ["'noise.sigma'"]),
        (
            "m = 10",
            "m = 3\nsolver.engine = 'plane'",
            ["'fast'", "'plain'", "'plane'"],
        ),
        ("m = 10", "m = 3\nsolver.negation = 1", ["'solver.negation'", "1"]),
        ("[2, 3]", "[]", ["'k'"]),
        ("[2, 3]", "[2, 3, 2]", ["'k'", "2"]),
        ("[2, 3]", "[2, 2.0]", ["'k'", "2"]),
        ("[2, 3]", "[2, true]", ["'k'", "True"]),
        ("[2, 3]", "[2, [3]]", ["'k'", "[3]"]),
        ("[2, 3]", "'2:3'", ["'k'", "'2:3'"]),
        ("[2, 3]", "'2:3:0'", ["'k'", "0"]),
        ("[2, 3]", "'2:nan:1'", ["'k'"]),
        ("[2, 3]", "'2:1e30:1'", ["'k'"]),
        ("[2, 3]", "'2:3:1e-999999'", ["'k'"]),
        ("[2, 3]", "{start = 1, stop = 3}", ["start", "stop", "step"]),
        ("[2, 3]", "[21]", ["k = 21", "20", "20-30"]),
        ("[20, 30]", "[20]", ["2", "20", "1"]),
        ("[20, 30]", "[20, true]", ["'widths'", "[20, True]"]),
        ("[20, 30]", "'20-²'", ["'widths'"]),
        ("[20, 30]", "20.5", ["'widths'", "20.5"]),
        ("widths = [20, 30]", "", ["2", "0"]),
        ("trials = 2", "trials = 0", ["'trials'", "1", "0"]),
        ("trials = 2", "trials = true", ["'trials'", "True"]),
        ("trials = 2", "trials = '2'", ["'trials'", "'2'"]),
        ("trials = 2", "seed = -1", ["'seed'", "0", "-1"]),
        ("trials = 2", "fit = 'k'", ["'fit'", "'k'"]),
        ("trials = 2", "exclude = 'k > 2'", ["'exclude'", "'k > 2'"]),
        ("trials = 2", "fit.along = 'depth'", ["fit.along", "'depth'"]),
        ("trials = 2", "plot.x = 'kk'", ["plot.x", "'kk'", "'k'"]),
        ("trials = 2", "paired = ['m']", ["'m'"]),
        ("trials = 2", "trials = ", ["mine.toml", "2"]),
        ("trials = 2", "trials = 2\ntrials = 3", ["mine.toml", "3"]),
        ("trials = 2", "'a\\nb\\u001b' = 2".replace("'", '"'), ["'a b\\x1b'"]),
        ("trials = 2", f"trials = {'9' * 5000}", ["mine.toml"]),
        ("trials = 2", f"trials = {'[' * 9999}", ["mine.toml"]),
        ("m = 10", f"{'.'.join('a' * 3000)} = 1", ["mine.toml"]),
    ],
)
def test_a_mistake_in_a_file_is_told_in_one_line(load, old, new, named):
    assert_names(refusal(load, written(SWEEP, (old, new))), *named)


@pytest.mark.parametrize("laws", ["snr_db = 30\nnoise.sigma = 0.1", "snr_db = 0\nnoise.sigma = 1"])
def test_two_laws_of_noise_are_refused(load, laws):
    both = ("'noise.sigma'", "'noise.snr_db'")
    assert_names(refusal(load, f"{SWEEP}noise.{laws}\n"), *both)
    swept = written(SWEEP, ("[axes]", "[axes]\nnoise.sigma = [0, 0.1]")) + "noise.snr_db = 20\n"
    assert_names(refusal(load, swept), *both)
    assert load(f"{SWEEP}noise.snr_db = 30\nnoise.sigma = 0\n")


def test_draws_may_be_shared_along_the_fitted_axis(load):
    """Thirty seeds used again at every position: each counts once."""
    fitted = written(SWEEP, ("trials = 2", "trials = 2\nfit.along = 'k'"))
    shared = load(written(fitted, ("trials", "paired = ['k']\ntrials")))
    assert share_along(Grid(shared), "k", "fit.along")
    assert not share_along(Grid(load(fitted)), "k", "fit.along")


def test_pairing_depths_shares_the_draws_along_every_width(load):
    """Widths hold the depth and n, so an identity without the one is without the others."""
    text = """
    paired = ["depth"]
    fit.along = "n"
    compare.over = "depth"
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
    assert share_along(Grid(load(text)), "n", "fit.along")
    apart = text.replace('"n"', '"k"').replace("k = 2\n", "").replace("[axes]", "[axes]\nk=[2]")
    assert not share_along(Grid(load(apart)), "k", "fit.along")


def test_shifts_along_an_axis_that_changes_no_draw_are_compared(load):
    """All step sizes meet the same problems, which other k do not: each draw counts once."""
    swept = written(SWEEP, ("[axes]", "[axes]\nsolver.step = [0.5, 0.7]"))
    text = written(swept, ("trials = 2", "compare.over = 'k'\nfit.along = 'solver.step'"))
    grid = Grid(load(text))
    check_reading(grid)
    assert not check_compared(grid, "k", "solver.step")


@pytest.mark.parametrize("axis", ["solver.start = ['gaussian', 'mirror']", "widths = ['20-30']"])
def test_a_fit_needs_an_axis_of_numbers(load, axis):
    name = axis.split(" ")[0]
    text = written(SWEEP, ("widths = [20, 30]\n", "")) + "n = 30\n"
    text = text.replace("[axes]", f"fit.along = '{name}'\n[axes]\n{axis}")
    assert f"fit.along: '{name}' is not numeric" in refusal(load, text)


@pytest.mark.parametrize(
    ("k", "m", "sigma", "trials", "named"),
    [
        ("1:1e12:1", "1", "0", 1, ["'k'", "1,000,000,000,000", "100,000"]),
        (
            "1:100000:1",
            "1:100000:1",
            "0:99:1",
            2,
            ["1,000,000,000,000", "2", "100,000", "noise.sigma", "100", "10,000,000"],
        ),
        ("1:100000:1", "1:101:1", "0", 1, ["10,100,000", "1", "100,000"]),
        ("1:100:1", "1:99:1", "0", 100_000_000, ["9,900", "100,000,000"]),
    ],
)
def test_a_grid_of_a_million_million_points_is_refused_before_any_of_it_is_made(
    load, k, m, sigma, trials, named
):
    """An axis of 10⁵ values alone would take 2.4 MB as floats, and 0.8 MB as pointers to them."""
    size = [f"k={k}", f"m={m}", f"noise.sigma={sigma}", f"trials={trials}"]
    sweep = load(SWEEP)

    def refuse() -> None:
        with pytest.raises(SweepError) as caught:
            sweep.override(size)
        assert_names(caught.value, *named)

    assert peak_memory(refuse) < 500_000


def test_an_unknown_name_is_told_with_the_nearest_known_one():
    with refused(SweepError, "'quickstrat'", "'quickstart'"):
        load_sweep("quickstrat")
    with refused(SweepError, "'zz'", "'genprior sweeps'"):
        load_sweep("zz")


@pytest.mark.parametrize("name", ["missing.toml", "no/where", "a\0b.toml", "cocola-fig1.toml"])
def test_a_missing_file_is_told_as_one(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with refused(SweepError, repr(name).strip("'")):
        load_sweep(name)


def test_what_is_no_text_file_is_told_by_its_path(tmp_path):
    (tmp_path / "utf16.toml").write_bytes("trials = 2".encode("utf-16"))
    with refused(SweepError, tmp_path / "utf16.toml", "UTF-8"):
        load_sweep(str(tmp_path / "utf16.toml"))
    with refused(SweepError, tmp_path):
        load_sweep(str(tmp_path))
    with refused(SweepError, "xxx", os.strerror(errno.ENAMETOOLONG)):
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


def test_an_unknown_experiment_is_told_before_what_its_sweep_lacks():
    """What a sweep lacks depends on its experiment."""
    written = {"axes": {"k": [2]}, "parameters": {"n": 9}}
    with pytest.raises(SweepError, match="experiment: there is no experiment named 'recovry'"):
        Sweep.parse({**written, "experiment": "recovry"})
    with pytest.raises(SweepError, match="'depth'"):
        Sweep.parse(written)
