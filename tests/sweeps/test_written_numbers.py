"""Numbers are taken as they are written: one number has one key, one value, one product."""

import json
from fractions import Fraction
from math import floor
from pathlib import Path

import numpy as np
import pytest
import zarr
from helpers import files, refused, results, tiny_sweep
from hypothesis import given, settings
from hypothesis import strategies as st

from genprior.pipeline import run_sweep
from genprior.store import read_info, record
from genprior.sweeps import Grid, Sweep, SweepError, UserError, differences, union
from genprior.sweeps.dependent import Dependent
from genprior.sweeps.labels import same_value, value_label
from genprior.sweeps.products import products

COMPUTED = 0.1 * 3  # 0.30000000000000004
BASE = {"m": 10, "depth": 2, "widths": [60, 70]}


def sweep(axes: dict | None = None, dependent: dict | None = None, **tables) -> Sweep:
    """Two layers and k = 2, unless told otherwise."""
    parameters = {"k": 2} | BASE
    for name in (*(axes or {}), *(dependent or {})):
        parameters.pop(name, None)
    return Sweep.parse(
        {"axes": axes or {}, "parameters": parameters, "dependent": dependent or {}, **tables}
    )


def column(made: Sweep, name: str) -> list:
    found = Grid(made).column(name)
    assert found is not None
    return found.values.tolist()


# Products


@pytest.mark.parametrize(("times", "k", "m"), [(1.15, 50, 58), (1.05, 50, 53), (0.15, 10, 2)])
def test_halves_go_up_also_where_the_binary_product_is_below_one(times, k, m):
    """1.15 · 50 is 57.5 as written, and 57.49999999999999 in binary."""
    rule = {"of": "k", "times": times}
    assert column(sweep({"k": [k]}, {"m": rule}), "m") == [m]
    swept = sweep({"k": [k], "ratio": [times]}, {"m": {"of": "k", "times": "ratio"}})
    assert column(swept, "m") == [[m]]
    by_table = {"of": "k", "by": "depth", "table": {"2": times}}
    assert column(sweep({"k": [k]}, {"m": by_table}), "m") == [m]
    listed = sweep({"k": [k]}, {"widths": {"of": "k", "times": [4, 4 + times]}})
    assert column(listed, "widths") == [f"{4 * k}-{4 * k + m}"]


def test_a_product_is_the_number_that_its_digits_give():
    """0.1 · 3 is 0.3, so that a rule and a table find it; and so on along a chain of products."""
    rules = {"noise.sigma": {"of": "k", "times": 0.1}}
    rules["solver.step"] = {"of": "noise.sigma", "times": 3}
    made = sweep({"k": [1, 3]}, rules, exclude=["noise.sigma == 0.3 and solver.step == 0.9"])
    assert column(made, "noise.sigma") == [0.1, 0.3]
    assert column(made, "solver.step") == [0.3, 0.9]
    assert Grid(made).excluded.tolist() == [False, True]


FACTOR = st.one_of(
    st.integers(1, 10**4), st.floats(1e-6, 1e4), st.decimals("0.01", 99, places=2).map(float)
)


@given(factor=FACTOR, base=st.lists(FACTOR, min_size=1, max_size=3))
@settings(derandomize=True, deadline=None)
def test_products_are_exact_and_rounded_once(factor, base):
    """Few digits are multiplied by NumPy, many in decimal; both are what fractions say."""
    exact = [Fraction(repr(factor)) * Fraction(repr(each)) for each in base]
    spread, shape = {"k": np.array(base, object)}, (len(base),)
    rule = Dependent(of="k", times=factor)
    found = products("target_norm", rule, spread, shape)
    assert found.tolist() == [float(each) for each in exact]
    whole = products("target", rule, spread, shape)
    assert whole.tolist() == [floor(each + Fraction(1, 2)) for each in exact]
    assert {type(each) for each in (*found, *whole)} == {int, float}


# Values of an axis, and rules


def test_values_that_agree_in_twelve_digits_are_one():
    for values in ([0.3, COMPUTED], [COMPUTED, 0.3], [0.3, 0.3 + 1e-14]):
        with pytest.raises(SweepError, match=r"'noise.sigma'.* 0\.3\d*.* 0\.3\d*"):
            sweep({"noise.sigma": values})
    for values in ([4, 4.0], [0.0, -0.0]):
        with pytest.raises(SweepError, match=r"plane\.along"):
            sweep({"plane.along": values}, task="landscape")
    assert len(sweep({"noise.sigma": [0.3, 0.30000000001]}).axes["noise.sigma"]) == 2
    assert value_label(-0.0) == "0"
    assert same_value([1, {"a": 0.3}], [1.0, {"a": COMPUTED}])
    assert not same_value(True, 1)


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ("noise.sigma == 0.3", 1),
        ("noise.sigma != 0.3", 1),
        ("noise.sigma <= 0.3", 0),
        ("noise.sigma > 0.3", 2),
        ("noise.sigma < 0.3000000000000001", 1),
    ],
)
def test_a_rule_compares_numbers_by_twelve_digits(rule, left):
    """Of 0.1 and 0.1 · 3, next to 0.9, which no rule here leaves out."""
    made = sweep({"noise.sigma": [0.1, COMPUTED, 0.9]}, exclude=[f"{rule} and noise.sigma < 0.5"])
    assert (~Grid(made).excluded).sum() == left + 1


def test_a_comparison_finds_its_reference_by_twelve_digits():
    tables = {"compare": {"over": "solver.step", "reference": COMPUTED}}
    sweep({"solver.step": [0.1, 0.3]}, **tables)
    with pytest.raises(SweepError, match=r"0\.31.* 0\.1, 0\.3"):
        sweep({"solver.step": [0.1, 0.3]}, compare={"over": "solver.step", "reference": 0.31})


def test_a_rule_is_one_however_it_is_written_and_how_often():
    rules = [["k > 3 and m == 0.30"], ["m==.3 and k > 3.0", "k > 3 and m == 3e-1"]]
    assert len({sweep({"k": [2]}, exclude=rule).hash for rule in rules}) == 1
    paired = [["k"], ["k", "k"]]
    one, other = (sweep({"k": [2]}, paired=names) for names in paired)
    assert differences(one, other) == []


# Keys of tables


def by_sigma(**table) -> Sweep:
    return sweep({"noise.sigma": [0, 1]}, {"m": {"by": "noise.sigma", "table": table}})


@pytest.mark.parametrize(
    ("one", "other"), [("0", "0.0"), ("1", "1.0"), ("1e0", "+1"), ("0", "-0"), ("0.3", "0.300")]
)
def test_two_keys_of_one_number_are_refused_by_name(one, other):
    with pytest.raises(SweepError, match=f"'{one}' and '{other}'".replace("+", r"\+")):
        by_sigma(**{one: 3, other: 4})


@pytest.mark.parametrize(
    ("by", "key", "named"),
    [
        ("k", "two", ["'two'", "'k'"]),
        ("k", "2.5", ["'2.5'", "'k'"]),
        ("k", "nan", ["'nan'"]),
        ("k", "٢", ["'٢'"]),
        ("k", "true", ["'true'", "'k'"]),
        ("ensemble", "gausian", ["'gausian'"]),
    ],
)
def test_a_key_that_is_no_value_is_refused(by, key, named):
    with refused(SweepError, *named):
        sweep({"k": [2]}, {"m": {"by": by, "table": {key: 5}}})


def test_a_changed_entry_is_a_difference_however_its_key_is_written():
    """Stored under 1 and asked under 1.0: another m, not another entry."""
    stored, same, other = by_sigma(**{"0": 3, "1": 4}), by_sigma(**{"0.0": 3, "1e0": 4.0}), None
    other = by_sigma(**{"0": 3, "1.0": 5})
    assert stored == same
    assert differences(stored, same) == []
    assert differences(stored, other) == ["'m[noise.sigma=1]' is 4 there and 5 here"]
    assert union(stored, same).dependent["m"].table == {"0": 3, "1": 4}


def test_names_of_files_stay_as_they_are():
    """A key is a number only where the parameter is one."""
    names = {"m": {"by": "weights", "table": {"010": 3, "1e3": 4}}}
    assert column(sweep({"weights": ["010", "1e3"]}, names), "m") == [3, 4]
    truth = {"m": {"by": "solver.negation", "table": {"1": 3, "false": 4}}}
    assert column(sweep({"solver.negation": [False, True]}, truth), "m") == [4, 3]


# Stores


def test_a_store_is_continued_at_values_that_agree_with_its_own(store: Path, kind) -> None:
    """The asked 0.1 · 3 is the stored 0.3: nothing is computed, and the axis stays as it is."""
    first = tiny_sweep(axes={"k": [2], "gain": [0.1, 0.3]}, fit={})
    run_sweep(first, store, kind=kind)
    again = tiny_sweep(axes={"k": [2], "gain": [COMPUTED, 0.5]}, fit={})
    assert differences(first, again) == []
    assert run_sweep(again, store, kind=kind).computed == 4
    assert results(store)["gain"].values.tolist() == [0.1, 0.3, 0.5]
    assert (results(store)["status"] == 1).all()


def test_a_store_whose_labels_were_rounded_otherwise_is_not_continued(store: Path, kind) -> None:
    """An older version made m = 57 of 1.15 · 50."""
    tables = {"axes": {"k": [10, 50]}, "dependent": {"m": {"of": "k", "times": 1.15}}, "fit": {}}
    made = tiny_sweep(**tables, parameters={"depth": 1, "widths": [60]})
    run_sweep(made, store, kind=kind)
    assert run_sweep(made, store, kind=kind).computed == 0
    zarr.open_group(store, mode="r+")["m"][1] = 57
    before = files(store)
    with pytest.raises(UserError, match=r"'m'.* 57 .*k=50.* 58"):
        run_sweep(made.override(["trials=9"]), store, kind=kind)
    assert files(store) == before


def test_done_trials_of_points_that_a_rule_leaves_out_now_are_not_hidden(store: Path, kind) -> None:
    run_sweep(tiny_sweep(), store, kind=kind)
    ruled = tiny_sweep(exclude=["k == 2"])
    record(store, {"sweep": ruled.complete().as_json()})
    before = files(store)
    with refused(UserError, store):
        run_sweep(ruled, store, kind=kind)
    assert files(store) == before


def test_a_store_with_two_spellings_of_one_number_is_read_and_not_continued(
    store: Path, kind
) -> None:
    """Of two keys the first one was used; two axis values were two points."""
    tables = {"axes": {"k": [2], "gain": [0.3, 0.5]}, "fit": {}}
    tables["dependent"] = {"m": {"by": "gain", "table": {"0.3": 3, "0.5": 5}}}
    made = tiny_sweep(**tables)
    run_sweep(made, store, kind=kind)
    written = json.loads(made.complete().as_json())
    written["dependent"]["m"]["table"] = {"0.5": 5, "0.3": 3, "0.30": 4, "half": 9}
    record(store, {"sweep": json.dumps(written)})
    assert read_info(store).sweep.dependent["m"].table == {"0.5": 5, "0.3": 3, "half": 9}
    assert run_sweep(made, store, kind=kind).computed == 0
    written["axes"]["gain"] = [0.3, COMPUTED]
    record(store, {"sweep": json.dumps(written)})
    assert read_info(store).sweep.axes["gain"] == [0.3, COMPUTED]
    with pytest.raises(UserError, match=r"'gain'.* 0\.3 and 0\.3\d+"):
        run_sweep(made, store, kind=kind)
