"""The experiment `condition`: one network, one condition, the largest violation found."""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ...sweeps import Draws, Grid, Point, Purpose, draws_of
from ...sweeps.variables import Variable
from ..checks import check_optional, check_points
from ..conditions.forms import IsometryForm, LayerForm, ProjectionForm, RangeForm
from ..conditions.search import Form, Found, effort, search_largest
from ..ensembles import draw_sensing
from ..experiment import NETWORK, Experiment
from ..generators import (
    check_generator,
    draw_network,
    generator_class,
    generator_parameters,
)
from ..instance import draw_target
from ..network import Network
from ..problems import CompressedSensing, OneBit, optional_parameters
from ..problems.base import Streams
from ..unused import Rule, law_rules, refuse_unused

# Raised whenever a stored number may change.
CONDITION_VERSION = 1
# The problem's parameters that a condition has.
USES: dict[str, tuple[str, ...]] = {
    "wdc": (),
    "r2wdc": (),
    "rric": ("m", "ensemble", "student_df"),
    "one-bit": (*OneBit.uses, "target_norm"),
}
OF_LAYERS = ("wdc", "r2wdc")
CHECKED = ("condition", "k", "depth", "widths", "n", "target_norm")
RULES = (
    Rule(
        ("search.steps",),
        lambda point: point.search.ascents > 0,
        "search.ascents is 0, so that there is no ascent",
    ),
    *law_rules(lambda point: USES[point.condition]),
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


def draw_forms(point: Point, stream: Streams) -> Iterator[tuple[int, Form]]:
    """Draw a trial and give what its condition bounds: with each layer that has a condition."""
    network = draw_network(stream(Purpose.NETWORK), point)
    if point.condition in OF_LAYERS:
        for layer in range(1, point.depth + 1):
            yield layer, _layer_form(point, network, layer)
    elif point.condition == "rric":
        yield point.depth, IsometryForm(network, draw_sensing(stream(Purpose.MEASUREMENTS), point))
    else:
        _, signal = draw_target(stream(Purpose.TARGET), network, point)
        problem = OneBit.draw(point, signal, stream)
        yield point.depth, ProjectionForm(network, problem.back_projection - signal)


def _layer_form(point: Point, network: Network, layer: int) -> Form:
    # Of the first layer the conditions are the same: what is below it is all of R^k.
    if point.condition == "wdc" or layer == 1:
        return LayerForm(network.weights[layer - 1], point.gain)
    return RangeForm(network, layer, point.gain)


def bound_constant(
    point: Point, trial: int, seed: int, paired: Collection[str] = ()
) -> dict[str, int | float]:
    """Bound a condition's constant from below: a pure function of its arguments.

    Args:
        point: all parameters; `search` says how hard to look.
        trial: trial index t ≥ 0.
        seed: root seed of the sweep.
        paired: parameters whose values share their draws.

    Returns:
        A value for each of `VARIABLES`.
    """
    return Condition().draw(point, draws_of(point, trial, seed, paired)).run()


class ConditionTrial(NamedTuple):
    """What a condition bounds, layer by layer, and the stream of the search."""

    point: Point
    forms: tuple[tuple[int, Form], ...]
    draws: Draws

    def run(self) -> dict[str, int | float]:
        """Look for the largest violation, as a value for each of `VARIABLES`."""
        random = self.draws(Purpose.SEARCH)
        found = [
            (layer, search_largest(form, self.point.search, random)) for layer, form in self.forms
        ]
        return largest_of(found)


def largest_of(found: list[tuple[int, Found]]) -> dict[str, int | float]:
    """Take the largest violation of all layers, as a value for each of `VARIABLES`."""
    layer, largest = max(found, key=lambda each: each[1].value)
    return {
        "epsilon": largest.value,
        "epsilon_drawn": max(each.drawn for _, each in found),
        "layer": layer,
        "evaluations": sum(each.evaluations for _, each in found),
    }


def check_condition(point: Point) -> None:
    """Refuse a point whose condition does not make sense.

    Raises:
        ValueError: saying what is wrong, in one line.
    """
    check_generator(point)
    if point.condition in OF_LAYERS and (
        point.generator != "gaussian" or point.last_layer == "linear"
    ):
        raise ValueError(
            f"condition '{point.condition}' speaks of Gaussian ReLU layers; it has no meaning for "
            f"generator '{point.generator}' with a last layer '{point.last_layer}'."
        )
    if point.generator == "trained":
        raise ValueError(
            f"condition '{point.condition}' is looked for along directions, which needs a "
            "homogeneous network; generator 'trained' need not be one."
        )
    if point.condition == "rric":
        CompressedSensing.check(point)
    if point.condition == "one-bit":
        OneBit.check(point)


@dataclass(frozen=True)
class Condition(Experiment):
    """The experiment `condition`: one network, one condition, the largest violation found."""

    name: str = "condition"
    version: int = CONDITION_VERSION
    variables: tuple[Variable, ...] = VARIABLES
    parameters: tuple[str, ...] | None = (*NETWORK, "condition", "search")

    def check(self, grid: Grid) -> None:
        """Refuse parameters that no condition of the sweep has, and points without meaning.

        Raises:
            SweepError: with the point.
        """
        column = grid.column("condition")
        names = sorted(set(column.values.ravel())) if column is not None else []
        used = {name for condition in names for name in USES[condition]}
        optional = (*optional_parameters(), "target_norm")
        check_optional(grid, optional, used, f"condition {' or '.join(map(repr, names))}")
        check_points(grid, (*CHECKED, *generator_parameters(), *optional), check_condition)
        refuse_unused(grid, RULES)

    def draw(self, point: Point, draws: Draws) -> ConditionTrial:
        """Draw a network, and measurements where the condition speaks of them."""
        return ConditionTrial(point, tuple(draw_forms(point, draws)), draws)

    def pilot(self, point: Point, draws: Draws, seconds: float) -> float:
        """Estimate the processor time of a trial within about the given time, both in seconds."""
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
        """Bytes a trial holds at once: weights, measurements, the maps of some regions."""
        entries = generator_class(point.generator).entries(point)
        if point.condition == "rric":
            entries += CompressedSensing.entries(point)
        if point.condition == "one-bit":
            entries += OneBit.entries(point)
        below = (point.k, *point.widths[:-1])
        if point.condition == "wdc":
            # Rows that are on, twice, and a matrix of the layer's inputs.
            entries += max(2 * n * below_n for n, below_n in zip(point.widths, below, strict=True))
        held = 4 + max(point.search.ascents, 1) * 4
        entries += held * (point.k + 2) * (2 * max(point.widths) + point.m)
        return 8 * entries * 21 // 20


def _with_draws(point: Point, draws: int) -> Point:
    search = point.search.model_copy(update={"draws": draws, "ascents": 0})
    return point.model_copy(update={"search": search})
