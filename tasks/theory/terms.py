"""Terms of a law of thresholds, and the shapes that theorems give it.

A threshold law is ln m = constant + Σ exponent · term. A shape is a law with one free constant.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .sample_complexity import expansive_measurements, pattern_measurements

Formula = Callable[[int, Sequence[int]], float]


class Term(NamedTuple):
    """A term of a law.

    Attributes:
        meaning: what m is a power of, or an exponential.
        formula: the term, of k and the widths n_1 … n_d.
    """

    meaning: str
    formula: Formula


class Shape(NamedTuple):
    """A law with one constant.

    Attributes:
        source: who gives it.
        formula: m over the constant, of k and the widths n_1 … n_d.
    """

    source: str
    formula: Formula


class Form(NamedTuple):
    """What may hold instead of a term: a family of laws with one free number b.

    Attributes:
        replaces: the term.
        meaning: the family in words.
        largest: b is anything from 0 to this number, a priori.
        formula: ln m without the constant and the other terms, of b, k and the widths.
    """

    replaces: str
    meaning: str
    largest: float
    formula: Callable[[float, int, Sequence[int]], float]


def _log(value: float) -> float:
    """Give a logarithm; NaN where there is none."""
    return math.log(value) if value > 0 else math.nan


TERMS = {
    "k": Term("a power of k", lambda k, widths: _log(k)),
    "depth": Term("a factor for each layer", lambda k, widths: float(len(widths))),
    "log depth": Term("a power of the depth", lambda k, widths: _log(len(widths))),
    "n": Term("a power of n", lambda k, widths: _log(widths[-1])),
    "n/k": Term("a power of n/k", lambda k, widths: _log(widths[-1] / k)),
    "k/n": Term(
        "a factor for layers that are narrow next to the code",
        lambda k, widths: k / min(widths),
    ),
    "log n": Term("a power of log n", lambda k, widths: _log(_log(widths[-1]))),
    "log n/k": Term("a power of log n/k", lambda k, widths: _log(_log(widths[-1] / k))),
    "log prod n": Term(
        "a power of log Π n_i", lambda k, widths: _log(sum(_log(n) for n in widths))
    ),
    "log prod en/k": Term(
        "a power of log Π (e n_i/k)",
        lambda k, widths: _log(sum(1 + _log(n / k) for n in widths)),
    ),
}
SHAPES = {
    "k": Shape("the dimension of the signals", lambda k, widths: float(k)),
    "k log n/k": Shape(
        "Qiu, Wei & Yang, Corollary 3.5", lambda k, widths: k * _log(widths[-1] / k)
    ),
    "k d log n": Shape(
        "Qiu, Wei & Yang, Theorem 3.2", lambda k, widths: k * len(widths) * _log(widths[-1])
    ),
    "k log prod en/k": Shape(
        "Cocola (11)", lambda k, widths: float(pattern_measurements(k, widths))
    ),
    "k d log prod n": Shape(
        "Hand & Voroninski, Theorem 1", lambda k, widths: float(expansive_measurements(k, widths))
    ),
}
FORMS = {
    "k + b sqrt k": Form(
        "k",
        "k plus b times its root, so that m/k tends to a constant",
        10.0,
        lambda b, k, widths: math.log(k + b * math.sqrt(k)),
    ),
}
