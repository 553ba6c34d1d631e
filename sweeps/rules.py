"""Exclusion rules, `depth == 3 and k > 100`: comparisons joined by `and`, nothing else."""

import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import SweepError

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
COMPARISON = re.compile(r"^\s*([\w.\-']+)\s*(<=|>=|==|!=|<|>)\s*([\w.\-']+)\s*$")

Comparison = tuple[str, str, str]


def parse_rule(rule: str) -> list[Comparison]:
    """Split a rule into its comparisons (left, operator, right).

    Raises:
        SweepError: it is no such rule.
    """
    comparisons = []
    for part in re.split(r"\band\b", rule):
        match = COMPARISON.match(part)
        if not match:
            raise SweepError(
                f"exclude: '{rule}' is no rule; write comparisons joined by 'and', "
                "as in 'depth == 3 and k > 100'."
            )
        left, sign, right = match.groups()
        comparisons.append((left, sign, right))
    return comparisons


def rule_mask(rule: str, lookup: Callable[[str], np.ndarray | None]) -> np.ndarray:
    """Say where a rule holds.

    Args:
        rule: the rule.
        lookup: gives the values of a name over the grid (broadcastable), None if there is none.

    Returns:
        Truth values, broadcastable to the grid.
    """
    holds = np.asarray(True)
    for left, sign, right in parse_rule(rule):
        values = lookup(left)
        if values is None:
            raise SweepError(f"exclude: '{rule}' names '{left}', which this sweep does not have.")
        other = lookup(right)
        if other is None:
            other = np.asarray(_literal(right, rule), dtype=object)
        try:
            holds = holds & np.asarray(OPERATORS[sign](values, other), dtype=bool)
        except TypeError:
            raise SweepError(f"exclude: '{rule}' compares text with a number.") from None
    return holds


def _literal(text: str, rule: str) -> Any:
    if text.startswith("'"):
        return text.strip("'")
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        raise SweepError(
            f"exclude: '{rule}' names '{text}', which this sweep does not have."
        ) from None
