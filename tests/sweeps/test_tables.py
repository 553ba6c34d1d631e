"""Which keys of a sweep file are tables of parameters, and which are values."""

import pytest
from grids import grid, refusal
from pydantic import create_model

from genprior.sweeps.flat import flatten
from genprior.sweeps.parameter import quantity
from genprior.sweeps.parameters import add_table, remove_table
from genprior.sweeps.tables import Strict
from genprior.sweeps.told import tell_more


@pytest.mark.parametrize("table", ["axes", "parameters", "dependent"])
@pytest.mark.parametrize("key", ["start", "step"])
def test_of_a_misspelt_table_the_whole_key_is_told(table, key):
    """Neither makes a value of the table, though ranges have a start and a step too."""
    value = {"by": "k", "table": {"2": 1}} if table == "dependent" else [1]
    said = refusal(**{table: {"sovler": {key: value}}})
    assert f"{table}: unknown key 'sovler.{key}'. Did you mean 'solver.{key}'?" in said


def test_the_range_of_an_axis_that_multiplies_is_no_table_of_parameters():
    span = {"start": 1, "stop": 3, "step": 1}
    made = grid(axes={"k": [2], "times": span}, dependent={"m": {"of": "k", "times": "times"}})
    assert made.sweep.axes["times"] == [1, 2, 3]
    said = refusal(axes={"k": [2], "kk": {"start": 1, "stop": 3, "step": 1}})
    assert "axes: unknown key 'kk'. Did you mean 'k'?" in said


def test_the_table_of_a_class_that_is_not_loaded_yet_is_known_by_its_name():
    """`later.stop` is a parameter there, and the table is no range."""
    later = create_model("Later", __base__=Strict, stop=(int, quantity(1, "a number")))
    offered = [later]
    tell_more(lambda: [add_table("later", table) for table in offered])
    try:
        assert flatten({"later": {"stop": [1, 2]}}, "axes") == {"later.stop": [1, 2]}
    finally:
        offered.clear()
        remove_table("later")
