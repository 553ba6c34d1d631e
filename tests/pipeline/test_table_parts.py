"""How tables write numbers."""

import pytest

from genprior.pipeline.show.table_parts import estimate, number, percent


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [(-0.5, "{:.2f}", "−0.50"), (-1.5e-7, "{:.3g}", "−1.5e-07"), (None, "{:.2f}", "–")],
)
def test_a_sign_is_a_minus_as_in_the_pictures(value: float | None, form: str, text: str) -> None:
    assert number(value, form) == text


def test_estimates_and_shares_have_the_same_sign() -> None:
    row = {"shift": -0.5, "shift_low": -1.0, "shift_high": None}
    assert estimate(row, "shift", "{:+.2f}") == "−0.50 [−1.00, –]"
    assert percent(row | {"shift_high": 0.25}, "shift", 20, "+") == "−50 [−100, +25]"
