"""What a trial gives is checked before it is stored: the message names the variable."""

from collections import OrderedDict
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from genprior.sweeps.variables import Flag, Variable
from genprior.tasks.trial_values import TrialValueError, values_check

VARIABLES = (
    Variable("success", "int8", "outcome", flags=(Flag(0, "failed"), Flag(1, "found"))),
    Variable("error", "float64", "error"),
    Variable("narrow", "float32", "error"),
    Variable("steps", "int16", "steps"),
)
GOOD = {"success": 1, "error": 0.5, "narrow": 0.25, "steps": 3}
check = values_check(VARIABLES)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"success": True, "steps": np.int64(4)},
        {"success": np.bool_(False), "error": np.inf, "narrow": -np.inf},
        {"error": np.array(0.5), "steps": np.array(7, dtype=np.uint8)},
        {"error": 3, "steps": 3.0, "narrow": 0.1},
        {"steps": 2**15 - 1, "error": np.finfo(float).max},
    ],
)
def test_values_that_the_types_hold_are_kept(changes: dict[str, Any]) -> None:
    given = OrderedDict(GOOD | changes)
    checked = check(given)
    assert checked == given
    assert all(isinstance(value, int | float) for value in checked.values())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("success", 7), ("success", -1), ("success", 0.5), ("success", None), ("success", [1]),
        ("success", 300), ("success", "1"), ("success", np.nan),
        ("error", np.nan), ("error", np.float32("nan")), ("error", "small"), ("error", None),
        ("error", np.zeros(3)), ("error", np.zeros(1)), ("error", 1j), ("error", object()),
        ("error", 10**400), ("error", Fraction(1, 3)), ("narrow", 1e300),
        ("steps", -5), ("steps", -1), ("steps", 2**15), ("steps", 2.5), ("steps", np.inf),
        ("steps", np.nan), ("steps", {}), ("steps", np.arange(20)),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_stored_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(TrialValueError) as refused:
        check(GOOD | {name: value})
    assert str(refused.value).startswith(f"{name}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("given", [None, 3, [1, 2], "text", object(), np.zeros(3)])
def test_a_trial_that_gives_no_mapping_is_refused(given: Any) -> None:
    with pytest.raises(TrialValueError, match="no mapping"):
        check(given)


def test_missing_and_undeclared_variables_are_named() -> None:
    with pytest.raises(TrialValueError, match=r"^steps: a trial gives no value"):
        check({name: value for name, value in GOOD.items() if name != "steps"})
    with pytest.raises(TrialValueError, match=r"^'extra': .* not declared"):
        check(GOOD | {"extra": 1})


def test_a_flag_whose_code_means_not_run_is_no_value() -> None:
    wrong = Variable("verdict", "int8", "verdict", flags=(Flag(-1, "lost"), Flag(0, "done")))
    assert values_check([wrong])({"verdict": 0}) == {"verdict": 0}
    with pytest.raises(TrialValueError, match=r"none of its codes: 0 \(done\)$"):
        values_check([wrong])({"verdict": -1})
