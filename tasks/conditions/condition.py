"""The task kind `condition`: one network, one condition, the largest violation found."""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...sweeps import Grid, Point, Purpose, point_identity, random_stream
from ...sweeps.variables import Variable
from ..checks import check_optional, check_points
from ..ensembles import draw_sensing
from ..generators import GENERATOR_PARAMETERS, check_generator, draw_network, generator_class
from ..instance import draw_target
from ..network import Network
from ..problems import OPTIONAL, CompressedSensing, OneBit
from ..unused import Rule, law_rules, refuse_unused
from .forms import IsometryForm, LayerForm, ProjectionForm, RangeForm
from .search import Form, effort, search_largest

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
CHECKED = (
    "condition", "k", "depth", "widths", "n", "target_norm", *GENERATOR_PARAMETERS, *OPTIONAL,
)  # fmt: skip
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


def draw_forms(
    point: Point, trial: int, seed: int, paired: Collection[str] = ()
) -> Iterator[tuple[int, Form]]:
    """Draw a trial and give what its condition bounds: with each layer that has a condition."""
    identity = point_identity(point, paired)

    def stream(purpose: Purpose) -> np.random.Generator:
        return random_stream(seed, identity, trial, purpose)

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
    random = random_stream(seed, point_identity(point, paired), trial, Purpose.SEARCH)
    found = [
        (layer, search_largest(form, point.search, random))
        for layer, form in draw_forms(point, trial, seed, paired)
    ]
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
class Condition:
    """The task kind `condition`."""

    name: str = "condition"
    version: int = CONDITION_VERSION
    variables: tuple[Variable, ...] = VARIABLES
    inner: tuple[str, ...] = ()

    def check(self, grid: Grid) -> None:
        """Refuse parameters that no condition of the sweep has, and points without meaning.

        Raises:
            SweepError: with the point.
        """
        column = grid.column("condition")
        names = sorted(set(column.values.ravel())) if column is not None else []
        used = {name for condition in names for name in USES[condition]}
        check_optional(
            grid, (*OPTIONAL, "target_norm"), used, f"condition {' or '.join(map(repr, names))}"
        )
        check_points(grid, CHECKED, check_condition)
        refuse_unused(grid, RULES)

    def run(self, point: Point, trial: int, seed: int, paired: Collection[str]) -> dict[str, Any]:
        """Run one trial."""
        return bound_constant(point, trial, seed, paired)

    def pilot(
        self, point: Point, trial: int, seed: int, paired: Collection[str], seconds: float
    ) -> float:
        """Estimate the processor time of a trial within about the given time, both in seconds."""
        evaluations = effort(point.search)
        clock, draws, first = time.perf_counter(), 1, 0.0
        while True:
            begun = time.thread_time()
            bound_constant(_with_draws(point, draws), trial, seed, paired)
            duration = time.thread_time() - begun
            first = first or duration
            spent = time.perf_counter() - clock
            if draws > 1 and (spent > seconds / 4 or draws >= evaluations):
                return first + max(duration - first, 0.0) / (draws - 1) * (evaluations - 1)
            draws = min(4 * draws, max(evaluations, 2))

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
