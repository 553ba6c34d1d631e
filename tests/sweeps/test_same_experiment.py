"""Which sweeps are one experiment, what is their union, and what tells others apart."""

import pytest

from genprior.sweeps import Grid, Sweep, SweepError, differences, load_sweep, union


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
        ("gain=1,2", "'gain' is not an axis there and an axis here"),
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
    assert "'m_per_k' is an axis there and not an axis here" in differences(stored, fewer)
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
    with pytest.raises(SweepError, match=r"'fit'.* 3"):
        Sweep.parse({"fit": 3})
    with pytest.raises(SweepError, match=r"'paired'.* 3"):
        Sweep.parse({"paired": 3})
    with pytest.raises(SweepError, match=r"'trials'.*'tuple'"):
        Sweep.parse({"trials": "tuple"})
