"""Search for the largest value of a condition's form: random candidates, then local ascents."""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from ...sweeps.parameter import setting
from ...sweeps.tables import Strict
from ..numerics.network import Vector

REPEATED = 0.5  # probability that a direction repeats an earlier one of its candidate
# Lengths of the moves: they grow after a success and shrink after a failure, so that about one in
# five succeeds.
FIRST_MOVE, GROWTH, DECAY = 0.5, 1.5, 0.9
SHORTEST_MOVE = 1e-6


class Search(Strict):
    """How hard the largest violation of a condition is looked for."""

    draws: int = setting(200, "random candidates", ge=1, le=1_000_000_000)
    ascents: int = setting(
        4, "best candidates from which a local ascent starts", ge=0, le=1_000_000, memory=True
    )
    steps: int = setting(200, "moves tried in an ascent", "steps", ge=1, le=1_000_000_000)


class Form(Protocol):
    """A condition's quantity as a function of some directions.

    `look` computes the contribution of one direction, and `value` combines the contributions: a
    move of one direction need not compute those of the others again.
    """

    @property
    def directions(self) -> int:
        """Number of directions."""
        ...

    @property
    def dimension(self) -> int:
        """Dimension of each direction."""
        ...

    def look(self, direction: Vector) -> Any:
        """Compute the contribution of one direction."""
        ...

    def value(self, looks: Sequence[Any]) -> float:
        """Compute the quantity, finite and ≥ 0."""
        ...


class Found(NamedTuple):
    """The largest value, the largest of the random candidates, and the number of evaluations."""

    value: float
    drawn: float
    evaluations: int


@dataclass
class Candidate:
    """Directions, their contributions, and the value."""

    directions: list[Vector]
    looks: list[Any]
    value: float


def search_largest(form: Form, search: Search, random: np.random.Generator) -> Found:
    """Search for the largest value of a form; the result is a lower bound of its maximum.

    Random candidates are drawn; some of their directions coincide. Local ascents start from the
    best candidates: each moves one direction at a time, or those that coincide, and keeps a move
    that raises the value.

    Args:
        form: the quantity.
        search: numbers of candidates, ascents and moves.
        random: stream of candidates and moves.
    """
    kept: list[Candidate] = []
    for _ in range(search.draws):
        insort(kept, _draw(form, random), key=lambda candidate: -candidate.value)
        del kept[max(search.ascents, 1) :]
    drawn = best = kept[0].value
    for candidate in kept[: search.ascents]:
        best = max(best, _ascend(form, candidate, search.steps, random))
    return Found(best, drawn, effort(search))


def effort(search: Search) -> int:
    """Count the candidates and moves that a search evaluates."""
    return search.draws + min(search.ascents, search.draws) * search.steps


def _draw(form: Form, random: np.random.Generator) -> Candidate:
    directions: list[Vector] = []
    looks: list[Any] = []
    for index in range(form.directions):
        if index and random.random() < REPEATED:
            same = int(random.integers(index))
            directions.append(directions[same])
            looks.append(looks[same])
            continue
        directions.append(_unit(random.standard_normal(form.dimension)))
        looks.append(form.look(directions[-1]))
    return Candidate(directions, looks, form.value(looks))


def _ascend(form: Form, start: Candidate, steps: int, random: np.random.Generator) -> float:
    directions, looks, best = list(start.directions), list(start.looks), start.value
    length = FIRST_MOVE
    for _ in range(steps):
        index = int(random.integers(form.directions))
        noise = random.standard_normal(form.dimension)
        moved = _unit(directions[index] + length / np.sqrt(form.dimension) * noise)
        # Directions that coincide move together in half of the moves.
        together = random.random() < REPEATED
        old, seen = directions[index], form.look(moved)
        are_moved = [
            i == index or (together and direction is old) for i, direction in enumerate(directions)
        ]
        tried = [seen if moves else look for moves, look in zip(are_moved, looks, strict=True)]
        value = form.value(tried)
        if value > best:
            looks, best = tried, value
            directions = [
                moved if moves else direction
                for moves, direction in zip(are_moved, directions, strict=True)
            ]
            length = min(length * GROWTH, FIRST_MOVE)
        else:
            length = max(length * DECAY, SHORTEST_MOVE)
    return best


def _unit(vector: Vector) -> Vector:
    size = np.linalg.norm(vector)
    return vector / size if size > 0 else vector
