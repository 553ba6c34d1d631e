"""Exclusion rules such as `depth == 3 and k > 100`: comparisons joined by `and`."""

import operator
import re
from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np

from .errors import SweepError
from .labels import rounded, value_label

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
OPERAND = r"('[^']*'|\"[^\"]*\"|[\w.+\-]+)"
COMPARISON = re.compile(rf"\s*{OPERAND}\s*(<=|>=|==|!=|<|>)\s*{OPERAND}\s*")

Comparison = tuple[str, str, str]
Lookup = Callable[[str], np.ndarray | None]


def parse_rule(rule: str) -> list[Comparison]:
    """Split a rule into its comparisons (left, operator, right).

    Raises:
        SweepError: it is not such a rule.
    """
    comparisons = []
    for part in re.split(r"\band\b", rule):
        match = COMPARISON.fullmatch(part)
        if not match:
            raise SweepError(
                f"exclude: {rule!r} is not a rule; write comparisons joined by 'and', "
                "as in 'depth == 3 and k > 100'."
            )
        left, sign, right = match.groups()
        comparisons.append((left, sign, right))
    return comparisons


def rule_mask(rule: str, lookup: Lookup) -> np.ndarray:
    """Compute where a rule holds; numbers that agree in 12 digits are equal.

    Args:
        rule: the rule.
        lookup: gives the values of a name, broadcastable to the grid; None for an unknown name.

    Returns:
        A mask, broadcastable to the grid.

    Raises:
        SweepError: it is not a rule, has an unknown name, compares text with a number, or orders
            text.
    """
    holds = np.asarray(True)
    for left, sign, right in parse_rule(rule):
        values, others = (_operand(text, rule, lookup) for text in (left, right))
        if _is_text(values) != _is_text(others):
            raise SweepError(f"exclude: {rule!r} compares text with a number.")
        if _is_text(values) and sign not in ("==", "!="):
            raise SweepError(f"exclude: {rule!r} orders text; compare it with == or !=.")
        values, others = (np.frompyfunc(rounded, 1, 1)(each) for each in (values, others))
        holds = holds & np.asarray(OPERATORS[sign](values, others), dtype=bool)
    return holds


def operands(rule: str) -> set[str]:
    """Give what a rule compares: names, and literals as they are written."""
    return {text for left, _, right in parse_rule(rule) for text in (left, right)}


def compared_with(rule: str, name: str, lookup: Lookup) -> set[float]:
    """Give the numbers with which a rule compares a parameter or an axis.

    Args:
        rule: the rule.
        name: the parameter or the axis.
        lookup: gives the values of a name; None for an unknown name.
    """
    numbers = set()
    for left, _, right in parse_rule(rule):
        for one, other in ((left, right), (right, left)):
            if one == name != other:
                values = np.ravel(_operand(other, rule, lookup))
                numbers |= {float(rounded(each)) for each in values if not isinstance(each, str)}
    return {number for number in numbers if isfinite(number)}


def _operand(text: str, rule: str, lookup: Lookup) -> np.ndarray:
    """Give the values of a name, or of a literal: text in quotes, a truth value or a number."""
    literal: Any = None
    values = lookup(text)
    if values is not None and values.flat[0] is not None:
        return values
    if text[0] in "'\"":
        literal = text[1:-1]
    elif text.lower() in ("true", "false"):
        literal = text.lower() == "true"
    else:
        literal = _number(text)
    if literal is None:
        raise SweepError(
            f"exclude: {rule!r} names '{text}', which this sweep does not have; "
            "text goes in quotes."
        )
    return np.asarray(literal, dtype=object)


def _is_text(values: np.ndarray) -> bool:
    return isinstance(values.flat[0], str)


def _number(text: str) -> float | None:
    try:
        number = float(text) if text.isascii() else None
    except ValueError:
        return None
    return number if number is not None and isfinite(number) else None


def normal_rule(rule: str) -> str:
    """Write a rule in its normal form: white space, numbers and the order of comparisons."""
    return " and ".join(sorted(" ".join(map(_normal, parts)) for parts in parse_rule(rule)))


def _normal(part: str) -> str:
    """Write a name, an operator or a literal in its normal form."""
    number = _number(part)
    if number is not None:
        return value_label(number)
    return f"'{part[1:-1]}'" if part[0] == '"' and "'" not in part else part
