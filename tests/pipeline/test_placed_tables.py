"""What status and fit say of groups: how they ended, how wide intervals are, what is excluded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from helpers import Scripted, tiny_sweep

import genprior as gp
from genprior.pipeline import run_sweep
from genprior.pipeline.show.placed_tables import group_lines
from genprior.pipeline.show.scaling_tables import term_value
from genprior.pipeline.show.transition_tables import transitions

UNKNOWN = {"p50": None, "p50_low": None, "p50_high": None, "reached": None}


def group(k: int, trials: int, ended: str = "", **known: float | None) -> dict[str, Any]:
    return {"k": k, "trials": trials, **UNKNOWN, **known, "ended": ended}


def test_lines_say_how_groups_ended() -> None:
    known = {"p50": 20.0, "p50_low": 19.0, "p50_high": 21.0, "reached": 0.05}
    lines = group_lines(
        [
            group(2, 64, "known", **known),
            group(3, 1024, "most", **known | {"reached": 1.4}),
            group(4, 32, "above"),
            group(5, 48, p50=5.0, p50_high=6.5),
            group(6, 0),
        ]
    )
    assert lines == [
        "3 of 5 ended (1 known, 1 with all that adaptive.most allows, 1 above the values); "
        "the others come first",
        "k=5: 5 (< 6.5), 48 trials",
        "k=6: no trials yet",
        "k=2: 20 (19 – 21), ±5 %, 64 trials",
        "k=3: 20 (19 – 21), ±140 %, 1,024 trials, all that adaptive.most allows",
        "k=4: 50 % point above all values that may be placed, 32 trials",
    ]
    assert group_lines([group(2, 64, "known", **known)])[0] == "1 of 1 ended"


def row(k: int, **changes: Any) -> dict[str, Any]:
    """A row of a fitted group, as in JSON."""
    numbers = {"p50": 20.0, "p50_low": 18.0, "p50_high": 22.0, "width": 9.0, "trials": 400}
    audit = {"abandoned": 0, "audited": 0, "audited_wrong": 0}
    rates = {"wrong_rate_low": None, "wrong_rate_high": None}
    named = {"along": "m", "outcome": "inside", "flag": "", "dispersion": 1.0, "fit_p": 0.5}
    return {"k": k, **named, **numbers, "ceiling_high": None, **audit, **rates, **changes}


def caption(rows: list[dict[str, Any]]) -> list[str]:
    fitted = {"transitions": rows, "groups": ["k"], "positions": (4.0, 40.0), "clustered": False}
    return str(transitions(fitted).caption or "").splitlines()


def test_intervals_that_were_widened_are_named() -> None:
    assert caption([row(2)]) == []
    (line,) = caption([row(2), row(3, dispersion=3.24, fit_p=0.019), row(4, dispersion=None)])
    assert line.endswith("(fit.scatter): k = 3 (×1.8, p = 0.019)")
    (line,) = caption([row(k, dispersion=1.21, fit_p=1e-4) for k in range(9)])
    assert "k = 5 (×1.1, p < 0.001) and 3 more" in line


def test_audits_of_many_groups_are_one_line() -> None:
    audited = {"abandoned": 40, "audited": 2, "audited_wrong": 1, "wrong_rate_low": 0.1}
    rows = [row(k, **audited, wrong_rate_high=0.9) for k in range(8)]
    assert caption(rows[:1])[0].startswith("k = 0: 40 abandoned")
    (line,) = caption(rows)
    assert line.startswith("8 groups: 320 abandoned as hopeless; 8 of 16 audited ones recovered")
    assert "so 28 – 72 % of the abandoned" in line
    (line,) = caption([row(2, abandoned=7)])
    assert "none was audited" in line


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0.42, 0.0, 149.73), "1.52 [1, 1.06e+65]"),
        ((0.29, 0.26, 0.32), "1.34 [1.30, 1.38]"),
        ((-2.2, -4.6, 0.33), "0.111 [0.0101, 1.39]"),
    ],
)
def test_factors_have_two_decimals_or_three_digits(
    values: tuple[float, float, float], text: str
) -> None:
    best, low, high = values
    assert term_value({"term": "k/n", "value": best, "low": low, "high": high}) == text


@pytest.fixture
def excluding(store: Path, kind: Scripted) -> Path:
    """Four of eight groups are excluded; a law of two terms needs four."""
    terms = {"terms": ["k", "depth"]}
    axes = {"k": [2, 3, 4, 6], "depth": [1, 2], "m": [4, 8, 16, 32]}
    rules = ["depth == 2 and k > 2", "depth == 1 and k == 6"]
    widths = {"by": "depth", "table": {"1": [1], "2": [1, 1]}, "of": "n"}
    sweep = tiny_sweep(
        axes=axes, exclude=rules, scaling=terms, parameters={"n": 40}, dependent={"widths": widths},
        trials=8,
    )  # fmt: skip
    run_sweep(sweep, store, kind=kind)
    return store


@pytest.mark.slow
def test_excluded_groups_are_in_no_table_and_no_law(
    excluding: Path, genprior: Callable[..., Result]
) -> None:
    answered = genprior("fit", excluding)
    assert "without trials" not in answered.stdout
    assert " of 4 groups" in answered.stdout
    fitted = gp.fit(excluding)["transition"]
    excluded = (fitted.outcome == "excluded").transpose("k", "depth").values
    np.testing.assert_array_equal(excluded, [[0, 0], [0, 1], [0, 1], [1, 1]])
    assert (fitted.flag.values[fitted.outcome.values == "excluded"] == "excluded").all()
