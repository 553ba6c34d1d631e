"""The experiment `condition`: search the largest violation of a condition in a drawn network."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...sweeps import Draws, Grid, Purpose
from ...sweeps.parameter import quantity
from ...sweeps.point import PointBase
from ...sweeps.variables import Variable
from ..checks import check_optional, check_points
from ..conditions import CONDITIONS, condition_class
from ..conditions.search import Form, Found, Search, effort, search_largest
from ..experiment import NETWORK, Experiment
from ..generators import GENERATORS, check_generator, draw_network
from ..problems import PROBLEMS
from ..problems.base import Streams
from ..registry import parameters_of
from ..unused import Rule, law_rules, refuse_unused

if TYPE_CHECKING:
    from ..point import Point

# Increase it whenever a stored number may change.
CONDITION_VERSION = 1
RULES = (
    Rule(
        ("search.steps",),
        lambda point: point.search.ascents > 0,
        "search.ascents is 0, so that there is no ascent",
    ),
    *law_rules(lambda point: condition_class(point.condition).uses),
)
VARIABLES = (
    Variable(
        "epsilon",
        "float64",
        "lower bound of the condition's constant ε: the largest violation found",
        "1; signal units for one-bit",
        symbol="lower bound of $\\varepsilon$",
    ),
    Variable(
        "epsilon_drawn",
        "float64",
        "the largest violation among the random candidates, before any ascent",
        "1; signal units for one-bit",
    ),
    Variable("layer", "int64", "layer of the largest violation, counted from 1"),
    Variable("evaluations", "int64", "candidates and moves that were evaluated"),
)


class ConditionParameters(PointBase):
    """Which condition is looked at, and how hard."""

    condition: str = quantity(
        "wdc",
        "deterministic condition whose constant is bounded from below",
        memory=True,
        labelled=True,
    )
    search: Search = Search()


def draw_forms(point: Point, streams: Streams) -> Iterator[tuple[int, Form]]:
    """Draw a trial and give the forms of its condition, each with its layer."""
    network = draw_network(streams(Purpose.NETWORK), point)
    return condition_class(point.condition).forms(point, network, streams)


class ConditionTrial(NamedTuple):
    """The forms of a condition, each with its layer, and the streams of the search."""

    point: Point
    forms: tuple[tuple[int, Form], ...]
    draws: Draws

    def run(self) -> dict[str, int | float]:
        """Search the largest violation; give a value for each of `VARIABLES`."""
        random = self.draws(Purpose.SEARCH)
        found = [
            (layer, search_largest(form, self.point.search, random)) for layer, form in self.forms
        ]
        return largest_of(found)


def largest_of(found: list[tuple[int, Found]]) -> dict[str, int | float]:
    """Take the largest violation of all layers; give a value for each of `VARIABLES`."""
    layer, largest = max(found, key=lambda item: item[1].value)
    return {
        "epsilon": largest.value,
        "epsilon_drawn": max(bound.drawn for _, bound in found),
        "layer": layer,
        "evaluations": sum(bound.evaluations for _, bound in found),
    }


def check_condition(point: Point) -> None:
    """Refuse a point whose condition has no meaning.

    Raises:
        ValueError: says what is wrong, in one line.
    """
    check_generator(point)
    CONDITIONS.ask(point.condition, "check", point)


class ConditionBound(Experiment):
    """The experiment `condition`: search the largest violation of a condition in a network."""

    name: ClassVar[str] = "condition"
    version: ClassVar[int] = CONDITION_VERSION
    variables: ClassVar[tuple[Variable, ...]] = VARIABLES
    parameters: ClassVar[tuple[str, ...] | None] = (*NETWORK, "condition", "search")

    def check(self, grid: Grid) -> None:
        """Refuse parameters that no condition of the sweep has, and points without meaning.

        Raises:
            SweepError: names the point.
        """
        names = CONDITIONS.named_by(grid)
        used = {name for condition in names for name in parameters_of(condition_class(condition))}
        optional = (*dict.fromkeys((*PROBLEMS.parameters(), *CONDITIONS.parameters(), *used)),)
        check_optional(grid, optional, used, f"condition {' or '.join(map(repr, names))}")
        check_points(grid, check_condition)
        refuse_unused(grid, RULES)

    def check_point(self, point: Point) -> None:
        """Refuse a point whose condition has no meaning.

        Raises:
            ValueError: says what is wrong, in one line.
        """
        check_condition(point)

    def draw(self, point: Point, draws: Draws) -> ConditionTrial:
        """Draw a network, and measurements if the condition needs them."""
        return ConditionTrial(point, tuple(draw_forms(point, draws)), draws)

    def pilot(self, point: Point, draws: Draws, seconds: float) -> float:
        """Estimate the processor time of a trial, in seconds, within about `seconds`."""
        evaluations = effort(point.search)
        clock, tried, first = time.perf_counter(), 1, 0.0
        while True:
            begun = time.thread_time()
            self.draw(_with_draws(point, tried), draws).run()
            duration = time.thread_time() - begun
            first = first or duration
            spent = time.perf_counter() - clock
            if tried > 1 and (spent > seconds / 4 or tried >= evaluations):
                return first + max(duration - first, 0.0) / (tried - 1) * (evaluations - 1)
            tried = min(4 * tried, max(evaluations, 2))

    def memory(self, point: Point) -> int:
        """Count the bytes held at once: weights, measurements, the maps of some regions."""
        entries = GENERATORS.ask_number(point.generator, "entries", point)
        entries += CONDITIONS.ask_number(point.condition, "entries", point)
        held = 4 + max(point.search.ascents, 1) * 4
        entries += held * (point.k + 2) * (2 * max(point.widths) + point.m)
        return int(8 * entries * 21 // 20)


def _with_draws(point: Point, draws: int) -> Point:
    search = point.search.model_copy(update={"draws": draws, "ascents": 0})
    return point.model_copy(update={"search": search})
