"""`--set` reaches every key of a sweep file, and reads what a file could hold."""

import pytest

from genprior.sweeps import Grid, Sweep, SweepError
from genprior.sweeps.errors import did_you_mean
from genprior.sweeps.parameters import PARAMETERS

WRITTEN = {
    "axes": {"k": [2, 3]},
    "parameters": {"m": 10, "depth": 2, "widths": [20, 30]},
    "exclude": ["k == 3 and m > 20"],
}


def overridden(*settings: str) -> Sweep:
    sweep = Sweep.parse(WRITTEN).override(settings)
    assert Sweep.parse(sweep.as_dict()) == sweep
    return sweep


@pytest.mark.parametrize("key", ["name", "title", "description", "source", "expected"])
def test_text_is_taken_as_it_is(key):
    """Neither a comma nor a colon, an equals sign or a number makes anything else of it."""
    for text in ("A, B: and C = 3", "2024", "a:b:c", "true"):
        assert getattr(overridden(f"{key}={text}"), key) == text
    assert getattr(overridden(f'{key}="default"'), key) == "default"
    assert getattr(overridden(f"{key}=x", f"{key}=default"), key) == Sweep.model_fields[key].default


@pytest.mark.parametrize(
    ("settings", "exclude"),
    [
        (["exclude=k == 2"], ("k == 2",)),
        (["exclude=widths == '20-30' and k > 2"], ("widths == '20-30' and k > 2",)),
        (['exclude=["k == 2", "m > 9 and k > 2"]'], ("k == 2", "m > 9 and k > 2")),
        (["exclude=default"], ()),
        (["exclude=[]"], ()),
    ],
)
def test_rules_may_be_set(settings, exclude):
    assert overridden(*settings).exclude == exclude


def test_the_other_keys_of_a_file_may_be_set():
    tables = overridden(
        "paired=k", "blocks.seconds=2.5", "plot.x=k", "plot.variable=loss", "basins.radius=0.5",
        "compare.over=k", "compare.reference=3", "law.exponents.k=0.5", "law.variable=loss",
        "trials=1e3", "seed=1_0",
    )  # fmt: skip
    assert (tables.trials, tables.seed, tables.paired) == (1000, 10, ("k",))
    assert (tables.blocks.seconds, tables.plot.x, tables.plot.variable) == (2.5, "k", "loss")
    read = tables.as_dict()
    assert read["basins"] == {"radius": 0.5}
    assert read["compare"] == {"over": "k", "reference": 3}
    assert read["law"] == {"variable": "loss", "exponents": {"k": 0.5}}
    whole = overridden("law={variable='loss', exponents={k=1}}", "fit={along='k'}", "basins={}")
    read = whole.as_dict()
    assert read["law"] == {"variable": "loss", "exponents": {"k": 1}}
    assert (read["fit"]["along"], read["basins"]) == ("k", {"radius": 0.75})
    gone = whole.override(["law=default", "fit.along=default", "basins=default", "plot.x=default"])
    assert (gone.law, gone.fit.along, gone.basins) == (None, None, None)
    successive = ("task=successive-decoding", "n=20", "depth=default", "widths=default")
    assert overridden(*successive).task == "successive-decoding"


def test_a_dependent_parameter_may_be_set():
    assert Grid(overridden("dependent.m={of='k', times=2}")).point((1,)).m == 6
    made = overridden("dependent.m.of=k", "dependent.m.times=1.5", "dependent.m.times=3")
    assert (made.parameters.get("m"), Grid(made).point((1,)).m) == (None, 9)
    steps = overridden(
        "dependent.solver.step.by=k", "dependent.solver.step.table={2=0.5, 3=0.6}",
        "dependent.solver.step.table.3.0=0.7",
    )  # fmt: skip
    assert [Grid(steps).point((i,)).solver.step for i in (0, 1)] == [0.5, 0.7]
    assert steps.override(["dependent.solver.step=default"]).dependent == {}
    swept = overridden("axes.m_per_k=2,3", "dependent.m={of='k', times='m_per_k'}")
    assert swept.axes["m_per_k"] == [2, 3]
    assert swept.override(["m=9"]).axes == {"k": [2, 3]}


def test_where_a_parameter_goes_may_be_said():
    assert overridden("axes.m=12").axes["m"] == [12]
    fixed = overridden("parameters.k=3")
    assert (fixed.axes, fixed.parameters["k"]) == ({}, 3)


@pytest.mark.parametrize(
    ("setting", "axis", "value"),
    [
        ("weights=/data/net:v2.npz", None, "/data/net:v2.npz"),
        ('weights="a,b.npz"', None, "a,b.npz"),
        ("weights=1e3", None, "1e3"),
        ("weights=a.npz, b.npz", ["a.npz", "b.npz"], None),
        ('weights=["a,b.npz", "1:2:1"]', ["a,b.npz", "1:2:1"], None),
        ("widths=[20, 40]", None, "20-40"),
        ("widths=[[20, 40], [30, 40]]", ["20-40", "30-40"], None),
        ('widths=["20-40", "30-40"]', ["20-40", "30-40"], None),
        ("target_codes=[[1, 0], [1, 0.5]]", None, "1 0; 1 0.5"),
        ("target_codes=[[[1, 0], [0, 1]], [[1, 0], [1, 1]]]", ["1 0; 0 1", "1 0; 1 1"], None),
        ("m={start=8, stop=14, step=3}", [8, 11, 14], None),
        ("m=[8, 11]", [8, 11], None),
        ("m= 8 , 11 ,", [8, 11], None),
        ("k=4", [4], None),
        ("k=10:20:10", [10, 20], None),
        ("m=0x10", None, 16),
        ("m=016", None, 16),
        ("noise.sigma=.5", None, 0.5),
        ("solver.negation=False", None, False),
        ("weights=2024-01-01", None, "2024-01-01"),
        ("widths=2024-10-10", None, "2024-10-10"),
    ],
)
def test_a_value_may_be_quoted_as_in_a_file(setting, axis, value):
    made, name = overridden(setting), setting.split("=")[0]
    assert (made.axes.get(name), made.parameters.get(name)) == (axis, value)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("m=8:16:3", "the stop 16 is not reached; write 8:14:3 or 8:17:3."),
        ("m={start=8, stop=16, step=3}", "write 8:14:3 or 8:17:3."),
        ("m='8:16:3'", "write 8:14:3 or 8:17:3."),
        ("noise.sigma=0:1:0.3", "write 0:0.9:0.3 or 0:1.2:0.3."),
        ("parameters.k=3,4", "'parameters.k' takes one value, not several."),
        ("k=[2,", "'[2,' is not TOML"),
        ('title="a', "is not TOML"),
        ('title="a"\nseed = 3', "is more than one value"),
        ("k=" + "[" * 9999, "is not TOML"),
        ("k=" + "9" * 9999, "'k': Input should be a finite number"),
        ("k=4 # and more", "'k': must be a number, got '4 # and more'"),
        ("k=[2024-01-01]", "'k': Input should be a valid integer"),
        ("k=٢", "'k': must be a number, got '٢'"),
        ("k=2:٣:1", "is not a range"),
        ("widths=٢٠-٣٠", "'widths': Input should be a valid integer"),
        ("exclude=k > ٢", "names '٢', which this sweep does not have"),
        ("law=3", "'law' is a table; write law.NAME=VALUE, or {NAME = VALUE}."),
        ("axes=3", "'axes' is a table"),
        ("dependent.m=3", "'dependent.m' is a table, as in {of"),
        ("exclude=[3]", "'exclude.0': Input should be a valid string, got 3"),
        ("noise.flip=3", "there is no parameter or setting 'noise.flip'. docs/sweep-files.md"),
    ],
)
def test_a_setting_that_cannot_be_read_is_told_in_one_line(setting, said):
    with pytest.raises(SweepError) as caught:
        Grid(overridden(setting))
    assert said in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 900


def test_a_range_in_a_file_may_stop_between_its_values():
    """Files and stores that exist keep their points."""
    written = {**WRITTEN, "axes": {"k": "2:7:2"}}
    assert Sweep.parse(written).override(["m=9"]).axes["k"] == [2, 4, 6]


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("noise.sgima", "noise.sigma"),
        ("sigma", "noise.sigma"),
        ("solver.stpe", "solver.step"),
        ("sovler.max_step", "solver.max_steps"),
        ("kk", "k"),
        ("K", "k"),
        ("trails", "trials"),
        ("noise.flip", None),
        ("noise.std", None),
        ("solver.m", None),
        ("foo", None),
        ("", None),
    ],
)
def test_a_name_is_suggested_only_if_it_is_near(wrong, near):
    """Of dotted names the last parts count for themselves: all of noise.… share the table."""
    said = did_you_mean(wrong, (*PARAMETERS, "trials"), "many")
    assert said == (f"Did you mean {near!r}?" if near else "many")
