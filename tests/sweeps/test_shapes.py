"""Shapes that follow from a generator's make or a width rule, in points, grids and stores."""

from typing import Any

import numpy as np
import pytest
from helpers import results
from pydantic import ValidationError

from genprior.pipeline import run_sweep
from genprior.sweeps import Grid, Point, Sweep, SweepError
from genprior.tasks import check_task, task_kind

SPARSE = {"generator": "sparse", "sparsity": 2, "n": 10}
RULED = {"k": 5, "depth": 3, "width_rule": "contractive", "width_factor": 2}


def grid(axes: dict[str, Any], **parameters: Any) -> Grid:
    solver = {"max_steps": 5}
    written = {"solver": solver, "success": {"metric": "signal_error"}, **parameters}
    written |= {} if "m" in axes else {"m": 4}
    return Grid(Sweep.parse({"trials": 2, "axes": axes, "parameters": written}))


def point_refusal(**values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Point.model_validate(values)
    return str(caught.value)


def sweep_refusal(axes: dict[str, Any], **parameters: Any) -> str:
    def check() -> None:
        made = grid(axes, **parameters)
        check_task(task_kind("recovery"), made)

    with pytest.raises(SweepError) as caught:
        check()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("generator", "k", "widths"),
    [
        ("sparse", 4, (80, 40, 10)),
        ("sparse-random", 3, (80, 20, 10)),
        ("group-sparse", 3, (3, 20, 10)),
    ],
)
def test_a_generator_of_fixed_make_sets_its_shape(generator, k, widths):
    """S = 2, n = 10: 4sn–2sn–n, 8n–2n–n and (s + 1)–2n–n units."""
    point = Point.model_validate({**SPARSE, "generator": generator})
    assert (point.k, point.depth, point.widths) == (k, 3, widths)


def test_a_width_rule_sets_widths_and_so_n():
    """A k d (2d − i) = 2·5·3·(5, 4, 3)."""
    point = Point.model_validate(RULED)
    assert point.widths == (150, 120, 90)
    assert point.n == 90
    assert Point.model_validate({**RULED, "n": 90}) == point


def test_what_a_make_sets_may_be_given_if_it_is_right():
    shape = {"k": 4, "depth": 3, "widths": [80, 40, 10]}
    assert Point.model_validate({**SPARSE, **shape}) == Point.model_validate(SPARSE)
    written = Point.model_validate(RULED)
    assert Point.model_validate({**RULED, "widths": [150, 120, 90]}) == written


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({**SPARSE, "k": 5}, "generator 'sparse' sets k 4, but it is given as 5; leave it out."),
        ({**SPARSE, "widths": [9, 9]}, "sets widths 80-40-10, but it is given as 9-9"),
        ({**SPARSE, "depth": 2}, "sets depth 3, but it is given as 2"),
        ({**SPARSE, "sparsity": 0}, "generator 'sparse' needs 'sparsity'"),
        ({"generator": "sparse", "sparsity": 2}, "generator 'sparse' needs 'n'"),
        ({**SPARSE, "width_rule": "expansive", "width_factor": 2}, "leave width_rule out"),
        ({**RULED, "width_factor": None}, "width_rule 'contractive' needs 'width_factor'"),
        ({**RULED, "widths": [9, 9, 9]}, "sets widths 150-120-90, but it is given as 9-9-9"),
        ({**RULED, "n": 80}, "widths end in 90 but n is 80"),
        ({**RULED, "width_factor": 0.01}, "k = 5 exceeds the width"),
    ],
)
def test_a_shape_that_contradicts_is_refused(values, said):
    assert said in point_refusal(**values)


def test_shapes_follow_an_axis_and_label_the_store(store):
    run_sweep(grid({"sparsity": [1, 2]}, generator="sparse", n=6).sweep, store)
    filled = results(store)
    assert filled["k"].dims == ("sparsity",)
    assert filled["k"].values.tolist() == [2, 4]
    assert filled["widths"].values.tolist() == ["24-12-6", "48-24-6"]
    assert filled["depth"].values.tolist() == [3, 3]
    assert (filled["status"] == 1).all()
    assert np.isfinite(filled["signal_error"]).all()


def test_several_generators_have_each_their_shape():
    axes = {"generator": ["sparse", "group-sparse"], "sparsity": [1, 2]}
    made = grid(axes, n=6)
    column = made.column("k")
    assert column is not None
    assert column.dims == ("generator", "sparsity")
    assert column.values.tolist() == [[2, 4], [2, 3]]
    assert made.point((1, 1)).widths == (3, 12, 6)


def test_widths_by_rule_follow_depth():
    made = grid({"depth": [2, 3]}, k=2, width_rule="contractive", width_factor=2)
    assert [made.point((i,)).widths for i in (0, 1)] == [(24, 16), (60, 48, 36)]
    rule = {"of": "k", "times": 0.5}
    written = {"axes": {"k": [4, 6]}, "parameters": {"m": 3, "depth": 2, "width_rule": "expansive"},
               "dependent": {"width_factor": rule}}  # fmt: skip
    assert Grid(Sweep.parse(written)).point((1,)).widths == Point.model_validate(
        {"k": 6, "depth": 2, "width_rule": "expansive", "width_factor": 3.0}
    ).widths  # fmt: skip


@pytest.mark.parametrize(
    ("axes", "parameters", "said"),
    [
        ({"generator": ["sparse", "gaussian"]}, {"sparsity": 1, "n": 6}, "'k' is not given"),
        ({"generator": ["sparse", "gaussian"]},
         {"sparsity": 1, "n": 6, "k": 2, "depth": 3, "widths": [24, 12]}, "'sparsity' is 1, but"),
        ({"sparsity": [1, 4]}, {"generator": "sparse", "n": 6}, "exceeds the width"),
        ({"gain": [1, 2]}, SPARSE, "'gain' is 2.0, but generator 'sparse'"),
        ({"width_factor": [1, 2]}, {"k": 2, "depth": 1, "widths": [9]}, "without a 'width_rule'"),
        ({"k": [2, 3]}, {"depth": 1, "widths": [9], "wedge_angle": 0.2}, "'sparse-random' has"),
        ({"k": [2, 3]}, {"depth": 999, "width_rule": "expansive", "width_factor": 2},
         "width_rule 'expansive' gives a width that overflows; lower width_factor"),
        ({"k": [2, 3]}, {"depth": 2, "width_rule": "expansive"}, "needs 'width_factor'"),
    ],
)  # fmt: skip
def test_a_sweep_of_shapes_that_contradict_is_refused(axes, parameters, said):
    assert said in sweep_refusal(axes, **parameters)


def test_codes_with_one_signal_are_not_judged_by_their_code():
    said = sweep_refusal({"m": [3, 4]}, **SPARSE, success={"metric": "latent_error"})
    assert "give success.metric 'signal_error'" in said
