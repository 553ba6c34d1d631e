"""The facts that a parameter carries, and what is derived from them."""

from typing import Any

import pytest
from pydantic import create_model

from genprior.pipeline.show.canvas import name_of
from genprior.sweeps import Point, point_identity
from genprior.sweeps.parameter import Facts, facts_of, forget_derived, is_whole, quantity, setting
from genprior.sweeps.parameters import (
    PARAMETERS,
    facts,
    names_with,
    parameter_attributes,
    parameter_fields,
)
from genprior.sweeps.tables import Strict
from genprior.tasks import EXPERIMENTS

ORDER = (
    "problem", "k", "depth", "widths", "n", "generator", "gain", "last_layer", "width_rule",
    "width_factor", "sparsity", "wedge_angle", "weights", "target", "target_norm", "target_codes",
    "m", "samples", "ensemble", "student_df", "noise", "dither", "solver", "success", "plane",
    "condition", "search", "code",
)  # fmt: skip


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_says_what_it_is(name):
    field, said = PARAMETERS[name], facts(name)
    assert field.description
    assert set(field.json_schema_extra) <= set(vars(Facts()))
    assert said.units
    assert parameter_attributes(name) == {"long_name": field.description, "units": said.units}
    assert set(said.carried_by) <= set(names_with("draws"))
    assert not (said.draws and said.carried_by)
    assert said.absent is None or said.absent == field.default
    assert len(said.short) <= len(said.symbol)


def test_the_facts_that_decide_stored_results_stay_as_they_are():
    """A point's identity is a hash of the first of these; trials that are stored depend on it."""
    assert set(names_with("draws")) == {
        "problem", "k", "widths", "gain", "m", "ensemble", "noise.sigma", "noise.snr_db",
        "generator", "target_norm", "target_codes", "samples", "student_df", "noise.law",
        "dither.enabled", "dither.amplitude", "dither.rule", "last_layer", "wedge_angle",
        "weights", "code.codewords", "code.message", "code.levels", "code.scale",
    }  # fmt: skip
    assert {name: facts(name).carried_by for name in names_with("carried_by")} == {
        **dict.fromkeys(("depth", "n", "width_rule", "width_factor"), ("widths",)),
        "sparsity": ("widths", "k"),
    }
    assert set(names_with("absent")) == {"n", "m", "samples", "sparsity"}
    assert set(names_with("shapes")) == {
        "generator", "sparsity", "width_rule", "width_factor", "weights", "k", "depth", "widths",
        "n",
    }  # fmt: skip


def test_parameters_keep_their_order():
    """Stores have their coordinates in it.

    The class of points names its bases from last to first,
    as pydantic takes the fields of the last one first.
    """
    tables = dict.fromkeys(name.split(".")[0] for name in PARAMETERS)
    assert list(tables)[: len(ORDER)] == list(ORDER)
    assert [name for name in PARAMETERS if name.startswith("solver.")][:4] == [
        "solver.method", "solver.penalty", "solver.max_rounds", "solver.engine",
    ]  # fmt: skip


def test_some_facts_replace_what_a_sweep_would_need_names_for():
    assert {name: facts(name).instead_of for name in names_with("instead_of")} == {
        "noise.snr_db": ("noise.sigma",)
    }
    assert names_with("variant") == ("target",)


def test_what_else_is_known_of_parameters_stays_as_it_is():
    assert set(names_with("labelled")) == {
        "problem", "condition", "k", "depth", "widths", "n", "m", "ensemble",
    }  # fmt: skip
    tables = ("solver.", "success.", "search.")
    assert set(names_with("setting")) == {name for name in PARAMETERS if name.startswith(tables)}
    assert set(names_with("memory")) == {
        "problem", "condition", "generator", "k", "depth", "widths", "n", "m", "samples",
        "ensemble", "weights", "last_layer", "target_codes", "success.metric", "solver.method",
        "solver.engine", "search.ascents", "code.codewords", "code.message", "code.levels",
        "code.decoder", "code.starts",
    }  # fmt: skip
    assert {name: facts(name).success for name in names_with("success")} == {
        **dict.fromkeys(("m", "samples", "noise.snr_db"), "rising"),
        **dict.fromkeys(("k", "depth", "sparsity", "noise.sigma"), "falling"),
    }
    assert {name: facts(name).list_depth for name in names_with("list_depth")} == {
        "widths": 1,
        "target_codes": 2,
    }


def test_whole_numbers_are_known_by_their_type():
    """Truth values are none, though Python counts them as integers."""
    whole = {name for name, field in PARAMETERS.items() if is_whole(field.annotation)}
    assert whole == {
        "k", "n", "m", "samples", "sparsity", "target", "depth", "widths", "solver.max_steps",
        "solver.max_rounds", "solver.stall_after", "solver.abandon_after", "search.draws",
        "search.ascents", "search.steps", "code.codewords", "code.message", "code.levels",
        "code.starts", "trajectory.step",
    }  # fmt: skip
    assert not any(map(is_whole, (bool, float, float | None, int | str, str)))


def test_a_parameter_that_decides_draws_is_part_of_the_identity():
    """Whether it is left out because its values share their draws, its carriers say."""
    one, other = (Point(k=2, depth=1, widths=[width]) for width in (8, 9))
    assert point_identity(one) != point_identity(other)
    assert point_identity(one, ("n",)) == point_identity(other, ("n",))


def test_a_table_declared_later_carries_its_facts():
    class Sampler(Strict):
        burn_in: int = setting(10, "steps before the first sample", "steps", ge=0)
        prior: float = quantity(1.0, "width of the prior", symbol="width $w$", draws=True)

    added = parameter_fields(Sampler, "sampler.")
    PARAMETERS.update(added)
    forget_derived()
    try:
        assert {name for name in names_with("setting") if name in added} == {"sampler.burn_in"}
        assert {name for name in names_with("draws") if name in added} == {"sampler.prior"}
        assert facts("sampler.prior").symbol == "width $w$"
    finally:
        for name in added:
            del PARAMETERS[name]
        forget_derived()
    assert not set(added) & set(names_with("draws"))


@pytest.mark.parametrize("wrong", [{"draw": True}, {"draws": True, "setting": True}])
def test_facts_that_cannot_be_are_refused_where_they_are_told(wrong):
    with pytest.raises(TypeError):
        quantity(0, "a number", **wrong)
    with pytest.raises(AttributeError):
        names_with("draw")


def test_a_field_without_facts_has_the_usual_ones():
    made: Any = create_model("Made", size=(int, 3))
    assert facts_of(made.model_fields["size"]) == Facts()


def test_a_variable_has_one_name_in_pictures():
    """Pictures look it up by the variable's name, whichever task it is of."""
    variables = [variable for kind in EXPERIMENTS.known() for variable in kind.variables]
    told = {(variable.name, variable.symbol) for variable in variables if variable.symbol}
    assert len(told) == len(dict(told))
    assert {name: name_of(name) for name, _ in told} == dict(told)
    assert name_of("noise.sigma") == "noise level $\\sigma$"
    assert name_of("m_per_k") == "measurements per latent dimension, $m/k$"
    assert name_of("a$b") == "a\\$b"
